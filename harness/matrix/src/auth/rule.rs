//! The rules by which an event is rejected.

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
    /// A create event has predecessors.
    CreateHasPrevEvents, "auth.create.prev-events", "1.1";
    /// The room id of a create event is of another server than its sender (up to version 11).
    CreateRoomDomain, "auth.create.room-domain", "1.2";
    /// A create event has a room id (version 12 on).
    CreateHasRoomId, "auth.create.room-id", "v12 1.2";
    /// A create event names a room version that is not known.
    CreateRoomVersion, "auth.create.room-version", "1.3";
    /// A create event names no creator (up to version 10).
    CreateNoCreator, "auth.create.no-creator", "v10 1.4";
    /// `additional_creators` is no list of user ids (version 12 on).
    CreateAdditionalCreators, "auth.create.additional-creators", "v12 1.4";
    /// The room id is not that of an accepted create event (version 12 on).
    RoomIdNotCreate, "auth.room-id-not-create", "v12 2";
    /// Two auth events have the same type and state key.
    AuthDuplicate, "auth.auth-events.duplicate", "2.1";
    /// An auth event is none that the event may cite.
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
    /// A member event has no state key, no membership, or is not for a user.
    MemberForm, "auth.member.form", "4.1";
    /// The server of the authorising user has not signed.
    AuthoriserSignature, "auth.member.authoriser-signature", "4.2";
    /// A join of somebody else.
    JoinOfAnother, "auth.join.of-another", "4.3.2";
    /// The user is banned.
    JoinBanned, "auth.join.banned", "4.3.3";
    /// The join rule does not admit the user.
    JoinRule, "auth.join.rule", "4.3.7";
    /// The authorising user is not joined, may not invite, or is not named.
    JoinAuthoriser, "auth.join.authoriser", "4.3.5.2";
    /// The target of a third-party invite is banned.
    ThirdPartyBanned, "auth.third-party.banned", "4.4.1.1";
    /// A third-party invite lacks `signed`, `mxid` or `token`.
    ThirdPartyForm, "auth.third-party.form", "4.4.1.2";
    /// The `mxid` of a third-party invite is not the target.
    ThirdPartyMxid, "auth.third-party.mxid", "4.4.1.4";
    /// No `m.room.third_party_invite` has the token.
    ThirdPartyToken, "auth.third-party.token", "4.4.1.5";
    /// Somebody else sent the `m.room.third_party_invite`.
    ThirdPartySender, "auth.third-party.sender", "4.4.1.6";
    /// No signature verifies with a listed key.
    ThirdPartySignature, "auth.third-party.signature", "4.4.1.8";
    /// Who invites is not joined.
    InviterNotJoined, "auth.invite.sender-not-joined", "4.4.2";
    /// Who is invited is joined or banned.
    InviteOfMember, "auth.invite.target", "4.4.3";
    /// The invite level is not reached.
    InviteLevel, "auth.invite.level", "4.4.5";
    /// Who leaves is not in the room, not invited and not knocking.
    LeaveMembership, "auth.leave.membership", "4.5.1";
    /// Who kicks is not joined.
    KickerNotJoined, "auth.kick.sender-not-joined", "4.5.2";
    /// The ban level is not reached to lift a ban.
    UnbanLevel, "auth.unban.level", "4.5.3";
    /// The kick level is not reached, or the target is not below the sender.
    KickLevel, "auth.kick.level", "4.5.5";
    /// Who bans is not joined.
    BannerNotJoined, "auth.ban.sender-not-joined", "4.6.1";
    /// The ban level is not reached, or the target is not below the sender.
    BanLevel, "auth.ban.level", "4.6.3";
    /// The join rule does not allow knocks.
    KnockRule, "auth.knock.rule", "4.7.1";
    /// A knock of somebody else.
    KnockOfAnother, "auth.knock.of-another", "4.7.2";
    /// Who knocks is banned, invited or joined.
    KnockMembership, "auth.knock.membership", "4.7.4";
    /// The membership is none that the room version has.
    UnknownMembership, "auth.member.unknown", "4.8";
    /// The sender is not joined.
    SenderNotJoined, "auth.sender-not-joined", "5";
    /// The invite level is not reached for a `m.room.third_party_invite`.
    ThirdPartyInviteLevel, "auth.third-party-invite.level", "6";
    /// The level for this type of event is not reached.
    EventLevel, "auth.event-level", "7";
    /// The state key is another user.
    StateKeyOfAnother, "auth.state-key-of-another", "8";
    /// A general level is no integer. Rule 9.1 has it from version 10 on; before, nothing says what such a level means,
    /// and no room can live with it.
    LevelNotInteger, "auth.levels.not-integer", "9.1";
    /// `events` or `notifications` is no map to integers. Before version 10 as above.
    LevelMapForm, "auth.levels.map-form", "9.2";
    /// `users` is no map of user ids to integers.
    LevelUsersForm, "auth.levels.users-form", "9.3";
    /// `users` names a creator (version 12 on).
    LevelsNameCreator, "auth.levels.name-creator", "v12 10.4";
    /// A general level is changed that is, or becomes, higher than the sender's.
    LevelGeneral, "auth.levels.general", "9.5";
    /// An entry of `events` or `notifications` is changed or removed that is higher than the sender's level.
    LevelEntryOld, "auth.levels.entry-old", "9.6";
    /// An entry of `events` or `notifications` becomes higher than the sender's level.
    LevelEntryNew, "auth.levels.entry-new", "9.7";
    /// Another user's level is changed or removed that is not below the sender's.
    LevelUserOld, "auth.levels.user-old", "9.8";
    /// A user gets more than the sender has.
    LevelUserNew, "auth.levels.user-new", "9.9";
    /// Neither the redact level nor the server of the event id allow the redaction (versions 1 and 2).
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
