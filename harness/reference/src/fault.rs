//! Mistakes that homeservers make. A reference server has one of them or none; each is one visible branch in the code
//! that is right without it.

use samklang_matrix::{BreachReason, Quirk, Rule};

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident, $kebab:literal, $requirement:literal, [$($area:literal),+];)+) => {
        /// A mistake that a homeserver makes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[doc = $doc])+ $name,)+
            /// An authorisation rule is not enforced.
            RuleSkipped(Rule),
            /// A breach of the format of events is overlooked.
            FormUnchecked(BreachReason),
        }

        impl Fault {
            /// Those that have a branch of their own.
            const OWN: &[Self] = &[$(Self::$name),+];

            /// Its permanent name.
            pub fn name(self) -> String {
                match self {
                    $(Self::$name => $kebab.to_owned(),)+
                    Self::RuleSkipped(rule) => format!("rule-skipped:{}", rule.code()),
                    Self::FormUnchecked(breach) => format!("form-unchecked:{}", breach.code()),
                }
            }

            /// The requirement that it breaks.
            pub fn requirement(self) -> &'static str {
                match self {
                    $(Self::$name => $requirement,)+
                    Self::RuleSkipped(rule) => requirement_of(rule),
                    Self::FormUnchecked(breach) => required_form(breach),
                }
            }

            /// The areas of the suite that have to notice it.
            pub fn areas(self) -> &'static [&'static str] {
                match self {
                    $(Self::$name => &[$($area),+],)+
                    Self::RuleSkipped(_) => &["events", "rooms", "federation"],
                    Self::FormUnchecked(_) => &["events", "transactions"],
                }
            }

            /// What goes wrong, in a sentence.
            pub fn sentence(self) -> String {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii().to_owned(),)+
                    Self::RuleSkipped(rule) => format!("The rule {} is not enforced.", rule.code()),
                    Self::FormUnchecked(breach) => format!("{} is overlooked.", breach.code()),
                }
            }
        }
    };
}

faults! {
    // authentication (answering/mod.rs)
    /// A request without credentials is answered.
    RequestsUnsignedTaken, "requests-unsigned-taken", "SS-AUTH-002", ["authentication"];
    /// Credentials that lack a parameter are taken for whole.
    RequestHeaderGapsTaken, "request-header-gaps-taken", "SS-AUTH-019", ["authentication"];
    /// An origin that is no server name is taken for one.
    RequestOriginFormUnchecked, "request-origin-form-unchecked", "SS-AUTH-033", ["authentication"];
    /// A request for another server is answered.
    RequestDestinationIgnored, "request-destination-ignored", "SS-AUTH-018", ["authentication"];
    /// A signature of an algorithm that does not exist is taken for good.
    RequestAlgorithmIgnored, "request-algorithm-ignored", "SS-AUTH-032", ["authentication"];
    /// A signature by a key that nobody published is taken for good.
    RequestKeyUnknownTaken, "request-key-unknown-taken", "SS-AUTH-004", ["authentication"];
    /// A request is answered whatever its signature says.
    RequestSignatureUnchecked, "request-signature-unchecked", "SS-AUTH-003", ["authentication"];
    /// The body is verified as it was written, so that white space and the order of keys matter.
    RequestBodySignedAsWritten, "request-body-signed-as-written", "SS-AUTH-014", ["authentication"];
    /// The path is decoded and encoded anew before it is verified.
    RequestPathDecoded, "request-path-decoded", "SS-AUTH-007", ["authentication"];
    /// Credentials are read in one order only.
    CredentialsInOneOrder, "credentials-in-one-order", "SS-AUTH-022", ["authentication"];
    /// The scheme and the parameters are read in one case only.
    CredentialsInOneCase, "credentials-in-one-case", "SS-AUTH-021", ["authentication"];
    /// Credentials with blanks around their commas are not read.
    CredentialsWithoutBlanks, "credentials-without-blanks", "SS-AUTH-023", ["authentication"];
    /// Escapes in quoted credentials are not undone.
    CredentialsWithoutEscapes, "credentials-without-escapes", "SS-AUTH-024", ["authentication"];
    /// Credentials with an unknown parameter are refused.
    CredentialsWithoutStrangers, "credentials-without-strangers", "SS-AUTH-027", ["authentication"];
    /// Credentials without a destination are refused.
    CredentialsNeedDestination, "credentials-need-destination", "SS-AUTH-017", ["authentication"];
    /// Credentials without quotes are refused.
    CredentialsNeedQuotes, "credentials-need-quotes", "SS-AUTH-025", ["authentication"];
    /// Keys are believed that do not sign their document.
    KeysUnproven, "keys-unproven", "SS-KEYS-009", ["authentication"];
    /// A key document that names another server is believed.
    KeysOfAnotherName, "keys-of-another-name", "SS-KEYS-010", ["authentication"];
    /// Retired keys sign requests as current ones do.
    RetiredKeysBelieved, "retired-keys-believed", "SS-KEYS-012", ["authentication"];
    /// The key document is not signed.
    KeyDocumentUnsigned, "key-document-unsigned", "SS-KEYS-005", ["authentication", "wire"];
    /// Keys are published in padded base64.
    KeyDocumentPadded, "key-document-padded", "SS-KEYS-004", ["authentication"];
    /// Keys are published under ids that name no algorithm.
    KeyDocumentOddId, "key-document-odd-id", "SS-KEYS-003", ["authentication"];
    /// The key document says not how long it is valid.
    KeyDocumentWithoutTime, "key-document-without-time", "SS-KEYS-001", ["authentication"];
    /// Old keys are published without the time when they expired.
    KeyDocumentOddOldKeys, "key-document-odd-old-keys", "SS-KEYS-008", ["authentication"];
    /// The key document is valid for a minute.
    KeyDocumentShortLived, "key-document-short-lived", "SS-KEYS-007", ["authentication"];
    /// A second key is published that does not sign the document.
    KeyDocumentSignedByOne, "key-document-signed-by-one", "SS-KEYS-006", ["authentication"];
    // receipt of PDUs (quirks)
    /// Nothing is soft-failed.
    SoftFailureSkipped, "soft-failure-skipped", "SS-PDU-024", ["events"];
    /// A rejected state event changes the state.
    RejectedInState, "rejected-in-state", "SS-PDU-036", ["events"];
    /// Rejected and soft-failed events are followed by the server's own.
    RejectedFollowed, "rejected-followed", "SS-PDU-034", ["events"];
    /// Rejected and soft-failed events are shown to users.
    RejectedShown, "rejected-shown", "SS-PDU-033", ["events"];
    /// The signatures of events are not looked at.
    PduSignatureUnchecked, "pdu-signature-unchecked", "SS-PDU-020", ["events", "transactions"];
    /// An event whose content hash does not match is kept with its content.
    ContentHashUnchecked, "content-hash-unchecked", "SS-PDU-021", ["events"];
    /// An event whose content hash does not match is dropped.
    ContentHashDrops, "content-hash-drops", "SS-PDU-021", ["events"];
    /// Events that are missing are not asked for.
    GapsNotFilled, "gaps-not-filled", "SS-MISSING-012", ["events", "federation"];
    /// A redaction that arrives before its target has no effect.
    EarlyRedactionForgotten, "early-redaction-forgotten", "SS-REDACT-018", ["events"];
    /// Anybody may redact anything.
    RedactionByAnybody, "redaction-by-anybody", "SS-REDACT-017", ["events", "messages"];
    /// A redaction by another than the sender has no effect.
    RedactionBySenderAlone, "redaction-by-sender-alone", "SS-REDACT-015", ["events", "messages"];
    /// Redactions have no effect.
    RedactionWithoutEffect, "redaction-without-effect", "SS-REDACT-016", ["events", "messages"];
    /// After a malformed event the server sends nothing more to who sent it.
    MalformedStopsQueue, "malformed-stops-queue", "SS-PDU-019", ["events"];
    // transactions
    /// One broken event sinks its whole transaction.
    TransactionSunkByOne, "transaction-sunk-by-one", "SS-TXN-009", ["transactions"];
    /// What follows a broken event in a transaction is lost.
    TransactionNeighboursLost, "transaction-neighbours-lost", "SS-TXN-009", ["transactions"];
    /// Dropped events are answered as accepted ones.
    TransactionResultsBare, "transaction-results-bare", "SS-TXN-010", ["transactions"];
    /// Accepted events are answered with an error.
    TransactionResultsAllBad, "transaction-results-all-bad", "SS-TXN-010", ["transactions"];
    /// A transaction that comes again is taken again.
    TransactionRepeatsCount, "transaction-repeats-count", "SS-TXN-011", ["transactions"];
    /// Transactions of different servers with equal ids are taken for the same.
    TransactionIdsShared, "transaction-ids-shared", "SS-TXN-012", ["transactions"];
    /// The origin in a transaction's body is believed.
    TransactionOriginBelieved, "transaction-origin-believed", "SS-AUTH-004", ["transactions"];
    /// A transaction of any length is taken.
    TransactionOverLimit, "transaction-over-limit", "SS-TXN-013", ["transactions"];
    /// A transaction with as many events and signals as allowed is refused.
    TransactionUnderLimit, "transaction-under-limit", "SS-TXN-002", ["transactions"];
    /// Events that a third server brings are refused.
    GossipRefused, "gossip-refused", "SS-TXN-020", ["transactions"];
    /// A transaction is answered without results.
    TransactionAnswerBare, "transaction-answer-bare", "SS-TXN-008", ["transactions", "wire"];
    /// A transaction with an event of an unknown room is refused.
    UnknownRoomRefused, "unknown-room-refused", "SS-TXN-016", ["transactions"];
    // templates and handshakes, resident
    /// Templates are given for users of other servers.
    TemplateForForeigners, "template-for-foreigners", "SS-JOIN-008", ["federation"];
    /// Templates are given to servers that do not know the room's version.
    TemplateOfAnyVersion, "template-of-any-version", "SS-JOIN-004", ["federation"];
    /// The refusal of a version does not name the room's.
    TemplateVersionUnnamed, "template-version-unnamed", "SS-JOIN-005", ["federation"];
    /// Templates are given to users whom the rules do not admit.
    TemplateUnjudged, "template-unjudged", "SS-JOIN-009", ["federation", "rooms"];
    /// An invited user gets no template to leave.
    TemplateRefusedToInvited, "template-refused-to-invited", "SS-LEAVE-001", ["federation"];
    /// Templates have no type.
    TemplateBare, "template-bare", "SS-JOIN-002", ["federation"];
    /// A room that is not known is answered as one that is forbidden.
    TemplateUnknownAsForbidden, "template-unknown-as-forbidden", "SS-JOIN-010", ["federation"];
    /// An event is taken under another id than its own.
    SubmittedIdUnchecked, "submitted-id-unchecked", "SS-JOIN-036", ["federation"];
    /// An event is taken that is submitted to another room.
    SubmittedRoomUnchecked, "submitted-room-unchecked", "SS-JOIN-036", ["federation"];
    /// The answer to a join leaves the members out.
    JoinStateIncomplete, "join-state-incomplete", "SS-JOIN-028", ["federation", "rooms"];
    /// The answer to a join lacks the auth chain.
    JoinChainIncomplete, "join-chain-incomplete", "SS-JOIN-029", ["federation"];
    /// A join is not brought to the other servers of the room.
    JoinNotPassedOn, "join-not-passed-on", "SS-JOIN-023", ["federation", "rooms"];
    /// Who knocks is shown nothing of the room.
    KnockStateHidden, "knock-state-hidden", "SS-KNOCK-011", ["rooms", "federation"];
    // templates and handshakes, joining
    /// A template of another type is signed.
    TemplateTypeUnchecked, "template-type-unchecked", "SS-JOIN-014", ["federation"];
    /// A template for another sender is signed.
    TemplateSenderUnchecked, "template-sender-unchecked", "SS-JOIN-013", ["federation"];
    /// A template for another state key is signed.
    TemplateTargetUnchecked, "template-target-unchecked", "SS-JOIN-013", ["federation"];
    /// A template for another membership is signed.
    TemplateMembershipUnchecked, "template-membership-unchecked", "SS-JOIN-015", ["federation"];
    /// A template for another room is signed.
    TemplateRoomUnchecked, "template-room-unchecked", "SS-JOIN-012", ["federation"];
    /// A template of a room version that is not known is signed.
    TemplateVersionUnchecked, "template-version-unchecked", "SS-JOIN-018", ["federation"];
    /// The signatures and hashes in an answer to a join are not looked at.
    JoinAnswerUnverified, "join-answer-unverified", "SS-JOIN-043", ["federation"];
    /// State in an answer to a join is taken that the rules do not allow.
    JoinAnswerUnauthorised, "join-answer-unauthorised", "SS-JOIN-044", ["federation"];
    /// An answer to a join needs no create event.
    JoinAnswerRootless, "join-answer-rootless", "SS-JOIN-045", ["federation"];
    /// Joins are submitted to the first version of the endpoint.
    JoinByFirstVersion, "join-by-first-version", "SS-JOIN-048", ["federation"];
    /// Templates are asked for without saying which room versions are known.
    JoinOffersNoVersions, "join-offers-no-versions", "SS-JOIN-011", ["federation", "rooms"];
    // invites
    /// An invite is signed that its sender's server did not sign.
    InviteSignatureUnchecked, "invite-signature-unchecked", "SS-INVITE-016", ["federation"];
    /// What is no member event is signed as an invite.
    InviteTypeUnchecked, "invite-type-unchecked", "SS-INVITE-017", ["federation"];
    /// Another membership is signed as an invite.
    InviteMembershipUnchecked, "invite-membership-unchecked", "SS-INVITE-018", ["federation"];
    /// An invite of a third server's user is signed.
    InviteSenderUnchecked, "invite-sender-unchecked", "SS-INVITE-019", ["federation"];
    /// An invite of another server's user is signed.
    InviteTargetUnchecked, "invite-target-unchecked", "SS-INVITE-020", ["federation"];
    /// An invite to a room of an unknown version is signed.
    InviteVersionUnchecked, "invite-version-unchecked", "SS-INVITE-015", ["federation"];
    /// An invite is signed whatever it shows of its room.
    InviteStateUnchecked, "invite-state-unchecked", "SS-INVITE-023", ["federation"];
    /// Every refusal of an invite is the same server error.
    InviteRefusedVaguely, "invite-refused-vaguely", "SS-INVITE-021", ["federation"];
    /// An invite comes back without a signature.
    InviteUnsigned, "invite-unsigned", "SS-INVITE-013", ["federation"];
    /// An invite shows nothing of its room.
    InviteStateHidden, "invite-state-hidden", "SS-INVITE-005", ["federation", "rooms"];
    /// An invite says not of which version its room is.
    InviteByFirstVersion, "invite-by-first-version", "SS-INVITE-004", ["federation"];
    /// Invites are not brought to the invited user's server.
    InviteNotBrought, "invite-not-brought", "SS-INVITE-001", ["rooms", "federation"];
    /// An invite that is taken back is still shown.
    InviteNotWithdrawn, "invite-not-withdrawn", "SS-LEAVE-010", ["rooms"];
    /// A rejected invite is not told to the inviting server.
    LeaveNotTold, "leave-not-told", "SS-LEAVE-008", ["rooms"];
    // what is given out
    /// State is given to servers that are not in the room.
    StateForStrangers, "state-for-strangers", "SS-STATEQ-004", ["privacy"];
    /// The ids of the state are given to servers that are not in the room.
    StateIdsForStrangers, "state-ids-for-strangers", "SS-STATEQ-006", ["privacy"];
    /// Events are given to servers that are not in the room.
    EventForStrangers, "event-for-strangers", "SS-STATEQ-011", ["privacy"];
    /// Auth chains are given to servers that are not in the room.
    EventAuthForStrangers, "event-auth-for-strangers", "SS-STATEQ-015", ["privacy"];
    /// History is given to servers that are not in the room.
    BackfillForStrangers, "backfill-for-strangers", "SS-BACKFILL-006", ["privacy"];
    /// Missing events are given to servers that are not in the room.
    MissingForStrangers, "missing-for-strangers", "SS-MISSING-007", ["privacy"];
    /// History visibility has no say in what other servers are given.
    VisibilityIgnored, "visibility-ignored", "SS-HISTVIS-010", ["privacy"];
    /// Server ACLs have no say.
    AclIgnored, "acl-ignored", "SS-ACL-022", ["events", "federation", "rooms", "signals"];
    /// Server ACLs tell upper from lower case.
    AclCaseMatters, "acl-case-matters", "SS-ACL-007", ["events", "federation", "rooms", "signals"];
    // sending
    /// Events are not brought to other servers.
    PdusNotSent, "pdus-not-sent", "SS-TXN-019", ["rooms", "messages"];
    /// A transaction that fails is not tried again.
    PdusSentOnce, "pdus-sent-once", "SS-TXN-007", ["federation"];
    /// Events are brought to servers that have left the room.
    PdusSentToLeavers, "pdus-sent-to-leavers", "SS-TXN-021", ["rooms"];
    /// Who is kicked or banned is not told.
    PdusNotToKicked, "pdus-not-to-kicked", "SS-TXN-019", ["rooms"];
    /// The server's own events go out without signatures.
    PduUnsigned, "pdu-unsigned", "SS-PDU-047", ["wire", "rooms"];
    /// The content hash of the server's own events is wrong.
    PduHashWrong, "pdu-hash-wrong", "SS-PDU-043", ["wire", "messages"];
    /// The server's own events carry an event id.
    PduCarriesId, "pdu-carries-id", "SS-PDU-008", ["wire"];
    /// The server's own events cite more than they have to.
    PduCitesTooMuch, "pdu-cites-too-much", "SS-PDU-025", ["wire"];
    /// Events of any size are sent.
    PduTooLargeSent, "pdu-too-large-sent", "SS-LIMITS-007", ["messages"];
    /// Redactions name their target in the place of the other room versions.
    PduRedactsElsewhere, "pdu-redacts-elsewhere", "SS-REDACT-020", ["wire", "messages"];
    /// The server's own requests are not signed.
    RequestsUnsigned, "requests-unsigned", "SS-AUTH-001", ["wire", "rooms"];
    /// The server's own requests name no destination.
    RequestsWithoutDestination, "requests-without-destination", "SS-AUTH-016", ["wire"];
    /// The server's own credentials stand without quotes.
    RequestsUnquoted, "requests-unquoted", "SS-AUTH-028", ["wire"];
    /// The server's own credentials are in upper case.
    RequestsUpperCase, "requests-upper-case", "SS-AUTH-029", ["wire"];
    /// The server's own credentials have blanks around their commas.
    RequestsSpaced, "requests-spaced", "SS-AUTH-030", ["wire"];
    /// The server's own requests do not say that they are JSON.
    RequestsWithoutType, "requests-without-type", "SS-HTTP-002", ["wire"];
    /// The server's own requests carry a list in place of an object.
    RequestBodyNoObject, "request-body-no-object", "SS-HTTP-004", ["wire", "rooms"];
    /// The server's own requests are signed with a key that it never published.
    RequestsSignedByStranger, "requests-signed-by-stranger", "SS-KEYS-035", ["wire", "rooms"];
    /// Transactions say not when they were made.
    TransactionWithoutTime, "transaction-without-time", "SS-TXN-001", ["wire"];
    /// Transactions hold more events and signals than allowed.
    TransactionsTooLong, "transactions-too-long", "SS-TXN-002", ["wire"];
    /// Signals go out without a type.
    EdusWithoutType, "edus-without-type", "SS-TXN-017", ["wire"];
    /// Answers do not say that they are JSON.
    AnswersWithoutType, "answers-without-type", "SS-HTTP-001", ["wire"];
    /// Answers are lists in place of objects.
    AnswersNoObject, "answers-no-object", "SS-HTTP-005", ["wire", "rooms"];
    /// History is answered without saying whose answer it is.
    AnswersBare, "answers-bare", "SS-BACKFILL-003", ["wire", "federation"];
    /// Refusals have no errcode.
    ErrorsBare, "errors-bare", "SS-ERRORS-004", ["wire"];
    /// Other servers are given no history.
    HistoryNotGiven, "history-not-given", "SS-BACKFILL-001", ["rooms", "messages", "federation"];
    // rooms
    /// What was redacted is given out whole.
    RedactedGivenWhole, "redacted-given-whole", "SS-REDACT-024", ["messages", "events"];
    /// New events all have the same depth.
    DepthNotCounted, "depth-not-counted", "SS-PDU-015", ["wire", "messages"];
}

impl Fault {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let rules = Rule::ALL.iter().map(|rule| Self::RuleSkipped(*rule));
        let forms = BreachReason::ALL.iter().map(|breach| Self::FormUnchecked(*breach));
        Self::OWN.iter().copied().chain(rules).chain(forms).collect()
    }

    /// The mistake in judging events that it is, if it is one.
    pub(crate) fn quirk(self) -> Option<Quirk> {
        Some(match self {
            Self::RuleSkipped(rule) => Quirk::Forgives(rule),
            Self::FormUnchecked(breach) => Quirk::Overlooks(breach),
            Self::PduSignatureUnchecked => Quirk::SkipsSignatures,
            Self::ContentHashUnchecked => Quirk::KeepsChangedContent,
            Self::ContentHashDrops => Quirk::DropsChangedContent,
            Self::SoftFailureSkipped => Quirk::NoSoftFailure,
            Self::RejectedInState => Quirk::RejectedChangeState,
            Self::RejectedFollowed => Quirk::FollowsAll,
            Self::AclIgnored => Quirk::IgnoresAcl,
            Self::AclCaseMatters => Quirk::AclCaseMatters,
            Self::RedactionByAnybody => Quirk::RedactsByAnybody,
            Self::RedactionBySenderAlone => Quirk::RedactsBySenderAlone,
            _ => return None,
        })
    }
}

/// The requirement that a rule is.
fn requirement_of(rule: Rule) -> &'static str {
    match rule {
        Rule::CreateHasPrevEvents => "SS-EAUTH-001",
        Rule::CreateRoomDomain => "SS-EAUTH-002",
        Rule::CreateHasRoomId => "SS-EAUTH-013",
        Rule::CreateRoomVersion => "SS-EAUTH-003",
        Rule::CreateNoCreator => "SS-EAUTH-012",
        Rule::CreateAdditionalCreators => "SS-EAUTH-014",
        Rule::RoomIdNotCreate => "SS-EAUTH-015",
        Rule::AuthDuplicate => "SS-EAUTH-005",
        Rule::AuthNotSelected => "SS-EAUTH-006",
        Rule::AuthRejected => "SS-EAUTH-007",
        Rule::AuthNoCreate | Rule::NoCreate => "SS-EAUTH-008",
        Rule::AuthOtherRoom => "SS-EAUTH-009",
        Rule::NotFederated => "SS-EAUTH-010",
        Rule::AliasesStateKey => "SS-EAUTH-023",
        Rule::MemberForm => "SS-EAUTH-028",
        Rule::AuthoriserSignature => "SS-EAUTH-029",
        Rule::JoinOfAnother => "SS-EAUTH-032",
        Rule::JoinBanned => "SS-EAUTH-033",
        Rule::JoinRule => "SS-EAUTH-034",
        Rule::JoinAuthoriser => "SS-EAUTH-041",
        Rule::ThirdPartyBanned => "SS-EAUTH-043",
        Rule::ThirdPartyForm => "SS-EAUTH-044",
        Rule::ThirdPartyMxid => "SS-EAUTH-045",
        Rule::ThirdPartyToken => "SS-EAUTH-046",
        Rule::ThirdPartySender => "SS-EAUTH-047",
        Rule::ThirdPartySignature => "SS-EAUTH-048",
        Rule::InviterNotJoined => "SS-EAUTH-049",
        Rule::InviteOfMember => "SS-EAUTH-050",
        Rule::InviteLevel => "SS-EAUTH-051",
        Rule::LeaveMembership => "SS-EAUTH-052",
        Rule::KickerNotJoined => "SS-EAUTH-053",
        Rule::UnbanLevel => "SS-EAUTH-054",
        Rule::KickLevel => "SS-EAUTH-055",
        Rule::BannerNotJoined => "SS-EAUTH-056",
        Rule::BanLevel => "SS-EAUTH-057",
        Rule::KnockRule => "SS-EAUTH-058",
        Rule::KnockOfAnother => "SS-EAUTH-059",
        Rule::KnockMembership => "SS-EAUTH-060",
        Rule::UnknownMembership => "SS-EAUTH-061",
        Rule::SenderNotJoined => "SS-EAUTH-062",
        Rule::ThirdPartyInviteLevel => "SS-EAUTH-063",
        Rule::EventLevel => "SS-EAUTH-064",
        Rule::StateKeyOfAnother => "SS-EAUTH-065",
        Rule::LevelNotInteger => "SS-EAUTH-068",
        Rule::LevelMapForm => "SS-EAUTH-069",
        Rule::LevelUsersForm => "SS-EAUTH-070",
        Rule::LevelsNameCreator => "SS-EAUTH-021",
        Rule::LevelGeneral => "SS-EAUTH-073",
        Rule::LevelEntryOld => "SS-EAUTH-074",
        Rule::LevelEntryNew => "SS-EAUTH-075",
        Rule::LevelUserOld => "SS-EAUTH-076",
        Rule::LevelUserNew => "SS-EAUTH-077",
        Rule::RedactionLevel => "SS-EAUTH-081",
    }
}

/// The requirement that a rule of form is.
fn required_form(breach: BreachReason) -> &'static str {
    match breach {
        BreachReason::NotObject | BreachReason::FieldMissing => "SS-PDU-001",
        BreachReason::FieldType | BreachReason::SenderNotUserId => "SS-PDU-002",
        BreachReason::EventTooLarge => "SS-LIMITS-001",
        BreachReason::FieldTooLong => "SS-LIMITS-003",
        BreachReason::NumberNotCanonical => "SS-CJSON-010",
        BreachReason::IntegerRange => "SS-PDU-017",
        BreachReason::TooManyPrevEvents => "SS-PDU-014",
        BreachReason::TooManyAuthEvents => "SS-PDU-012",
        BreachReason::ReferenceForm => "SS-PDU-007",
    }
}

impl std::str::FromStr for Fault {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::all().into_iter().find(|fault| fault.name() == name);
        found.ok_or_else(|| format!("no fault is called {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_lead_back() {
        let names: BTreeSet<_> = Fault::all().into_iter().map(Fault::name).collect();
        assert_eq!(names.len(), Fault::all().len());
        for fault in Fault::all() {
            assert_eq!(fault.name().parse(), Ok(fault));
            assert!(fault.sentence().ends_with('.') && !fault.areas().is_empty());
        }
        assert!("no-such-thing".parse::<Fault>().is_err());
    }
}
