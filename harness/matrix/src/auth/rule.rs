//! The rules that reject events.

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident, $code:literal, $v11:literal;)+) => {
        /// A rule that rejects an event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
        #[error("{} (rooms/v11#authorization-rules, {})", self.code(), self.number())]
        pub enum Rule {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Rule {
            /// All rules.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// A stable code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The number of the rule in room version 11, or in the version that is named.
            pub fn number(self) -> &'static str {
                match self { $(Self::$name => $v11,)+ }
            }
        }
    };
}

rules! {
    /// A create event has prev events.
    CreateHasPrevEvents, "auth.create.prev-events", "1.1";
    /// The room id of a create event is of another server than its sender (up to version 11).
    CreateRoomDomain, "auth.create.room-domain", "1.2";
    /// A create event has a room id (version 12 on).
    CreateHasRoomId, "auth.create.room-id", "v12 1.2";
    /// A create event names a room version that is not known.
    CreateRoomVersion, "auth.create.room-version", "1.3";
    /// A create event names no creator (up to version 10).
    CreateNoCreator, "auth.create.no-creator", "v10 1.4";
    /// `additional_creators` is not a list of user ids (version 12 on).
    CreateAdditionalCreators, "auth.create.additional-creators", "v12 1.4";
    /// The room id is not that of an accepted create event (version 12 on).
    RoomIdNotCreate, "auth.room-id-not-create", "v12 2";
    /// Two auth events have the same type and state key.
    AuthDuplicate, "auth.auth-events.duplicate", "2.1";
    /// An auth event is not one that the specification selects for the event.
    AuthNotSelected, "auth.auth-events.not-selected", "2.2";
    /// An auth event was rejected.
    AuthRejected, "auth.auth-events.rejected", "2.3";
    /// The create event is not among the auth events (up to version 11).
    AuthNoCreate, "auth.auth-events.no-create", "2.4";
    /// An auth event is of another room.
    AuthOtherRoom, "auth.auth-events.other-room", "2.5";
    /// The state has no create event.
    NoCreate, "auth.no-create", "2.4";
    /// The room is not federated and the sender is of another server than its creator.
    NotFederated, "auth.not-federated", "3";
    /// An aliases event is not of the sender's server (up to version 5).
    AliasesStateKey, "auth.aliases.state-key", "v5 4";
    /// A member event has no membership, or its state key is missing or not a user id.
    MemberForm, "auth.member.form", "4.1";
    /// The server of the authorising user has not signed.
    AuthoriserSignature, "auth.member.authoriser-signature", "4.2";
    /// A user sends a join for another user.
    JoinOfAnother, "auth.join.of-another", "4.3.2";
    /// The joining user is banned.
    JoinBanned, "auth.join.banned", "4.3.3";
    /// The join rule does not admit the user.
    JoinRule, "auth.join.rule", "4.3.7";
    /// The authorising user is not joined, does not have the invite level, or is not named.
    JoinAuthoriser, "auth.join.authoriser", "4.3.5.2";
    /// The target of a third-party invite is banned.
    ThirdPartyBanned, "auth.third-party.banned", "4.4.1.1";
    /// A third-party invite lacks `signed`, `mxid` or `token`.
    ThirdPartyForm, "auth.third-party.form", "4.4.1.2";
    /// The `mxid` of a third-party invite is not the target.
    ThirdPartyMxid, "auth.third-party.mxid", "4.4.1.4";
    /// No `m.room.third_party_invite` has the token.
    ThirdPartyToken, "auth.third-party.token", "4.4.1.5";
    /// Another user sent the `m.room.third_party_invite`.
    ThirdPartySender, "auth.third-party.sender", "4.4.1.6";
    /// No signature verifies with a listed key.
    ThirdPartySignature, "auth.third-party.signature", "4.4.1.8";
    /// The inviting user is not joined.
    InviterNotJoined, "auth.invite.sender-not-joined", "4.4.2";
    /// The invited user is joined or banned.
    InviteOfMember, "auth.invite.target", "4.4.3";
    /// The sender does not have the invite level.
    InviteLevel, "auth.invite.level", "4.4.5";
    /// The leaving user is not joined, not invited and not knocking.
    LeaveMembership, "auth.leave.membership", "4.5.1";
    /// The kicking user is not joined.
    KickerNotJoined, "auth.kick.sender-not-joined", "4.5.2";
    /// The sender of an unban does not have the ban level.
    UnbanLevel, "auth.unban.level", "4.5.3";
    /// The sender does not have the kick level, or the target is not below the sender.
    KickLevel, "auth.kick.level", "4.5.5";
    /// The banning user is not joined.
    BannerNotJoined, "auth.ban.sender-not-joined", "4.6.1";
    /// The sender does not have the ban level, or the target is not below the sender.
    BanLevel, "auth.ban.level", "4.6.3";
    /// The join rule does not allow knocks.
    KnockRule, "auth.knock.rule", "4.7.1";
    /// A user sends a knock for another user.
    KnockOfAnother, "auth.knock.of-another", "4.7.2";
    /// The knocking user is banned, invited or joined.
    KnockMembership, "auth.knock.membership", "4.7.4";
    /// The room version does not have the membership.
    UnknownMembership, "auth.member.unknown", "4.8";
    /// The sender is not joined.
    SenderNotJoined, "auth.sender-not-joined", "5";
    /// The sender of a `m.room.third_party_invite` does not have the invite level.
    ThirdPartyInviteLevel, "auth.third-party-invite.level", "6";
    /// The sender does not have the level that the event type needs.
    EventLevel, "auth.event-level", "7";
    /// The state key is the id of another user.
    StateKeyOfAnother, "auth.state-key-of-another", "8";
    /// A general level is not an integer. Rule 9.1 says so from version 10 on. For earlier versions the specification does
    /// not say what such a level means.
    LevelNotInteger, "auth.levels.not-integer", "9.1";
    /// `events` or `notifications` is not a map to integers. As above before version 10.
    LevelMapForm, "auth.levels.map-form", "9.2";
    /// `users` is not a map of user ids to integers.
    LevelUsersForm, "auth.levels.users-form", "9.3";
    /// `users` names a creator (version 12 on).
    LevelsNameCreator, "auth.levels.name-creator", "v12 10.4";
    /// A general level that is changed is, or becomes, higher than the sender's level.
    LevelGeneral, "auth.levels.general", "9.5";
    /// An entry of `events` or `notifications` that is changed or removed is higher than the sender's level.
    LevelEntryOld, "auth.levels.entry-old", "9.6";
    /// An entry of `events` or `notifications` becomes higher than the sender's level.
    LevelEntryNew, "auth.levels.entry-new", "9.7";
    /// The level of another user that is changed or removed is not below the sender's.
    LevelUserOld, "auth.levels.user-old", "9.8";
    /// A user gets a higher level than the sender has.
    LevelUserNew, "auth.levels.user-new", "9.9";
    /// Neither the redact level nor the server in the event id allows the redaction (versions 1 and 2).
    RedactionLevel, "auth.redaction", "v2 11";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique() {
        let codes: BTreeSet<_> = Rule::ALL.iter().map(|rule| rule.code()).collect();
        assert_eq!(codes.len(), Rule::ALL.len());
        assert_eq!(Rule::JoinBanned.to_string(), "auth.join.banned (rooms/v11#authorization-rules, 4.3.3)");
    }
}
