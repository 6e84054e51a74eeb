//! The mistakes that have a branch of their own, by what goes wrong.

use samklang_matrix::{BreachReason, Rule};

use super::{
    forms::Endpoint,
    offers,
    rules::{required_form, requirement_of},
};

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
    /// The server's key is made from a seed that everybody knows.
    KeyOfZeros, "key-of-zeros", "SS-KEYS-001", ["authentication"];
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
    /// Events that follow a soft-failed one are refused.
    SoftFailedShunned, "soft-failed-shunned", "SS-PDU-039", ["events"];
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
    /// What is no event is kept and given out all the same.
    MalformedKept, "malformed-kept", "SS-PDU-019", ["events"];
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
    /// What is in a space is told to servers that are not in it.
    HierarchyForStrangers, "hierarchy-for-strangers", "SS-SPACE-006", ["privacy"];
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
    // signals that are heard (signals.rs)
    /// Typing of another server's users is believed.
    TypingOfOthersHeard, "typing-of-others-heard", "SS-TYPING-003", ["signals"];
    /// Typing of users who are not in the room is believed.
    TypingFromOutsideHeard, "typing-from-outside-heard", "SS-TYPING-004", ["signals"];
    /// Receipts of another server's users are believed.
    ReceiptsOfOthersHeard, "receipts-of-others-heard", "SS-RECEIPT-005", ["signals"];
    /// Receipts for threads are taken for receipts without one.
    ReceiptThreadsMixed, "receipt-threads-mixed", "SS-RECEIPT-006", ["messages"];
    /// Presence of another server's users is believed.
    PresenceOfOthersHeard, "presence-of-others-heard", "SS-PRESENCE-004", ["signals"];
    /// Messages to devices from another server's users are delivered.
    NotesOfOthersHeard, "notes-of-others-heard", "SS-TODEV-006", ["signals"];
    /// A message to a device that comes again is delivered again.
    NotesRepeated, "notes-repeated", "SS-TODEV-004", ["signals"];
    /// Changes of another server's users' devices are believed.
    DevicesOfOthersHeard, "devices-of-others-heard", "SS-DEVLIST-013", ["signals"];
    /// Cross-signing keys of another server's users are believed.
    SigningKeysOfOthersHeard, "signing-keys-of-others-heard", "SS-XSIGN-004", ["signals"];
    /// After malformed cross-signing keys nothing more is taken from who sent them.
    MalformedKeysDeafen, "malformed-keys-deafen", "SS-TXN-018", ["signals"];
    /// A transaction with a signal of an unknown type is refused.
    UnknownSignalsRefused, "unknown-signals-refused", "SS-TXN-018", ["signals"];
    /// The devices of other servers' users are given to third servers.
    DevicesForOthers, "devices-for-others", "SS-DEVLIST-019", ["privacy"];
    // signals that are sent
    /// That somebody no longer types is not told.
    TypingEndNotTold, "typing-end-not-told", "SS-TYPING-002", ["messages"];
    /// Receipts are not told.
    ReceiptsNotTold, "receipts-not-told", "SS-RECEIPT-001", ["messages"];
    /// A receipt names several events.
    ReceiptsOfSeveral, "receipts-of-several", "SS-RECEIPT-002", ["messages", "wire"];
    /// Receipts without a thread are told as such of the main timeline.
    ReceiptsAlwaysThreaded, "receipts-always-threaded", "SS-RECEIPT-006", ["messages"];
    /// Private receipts are told to other servers.
    PrivateReceiptsTold, "private-receipts-told", "SS-RECEIPT-008", ["messages", "wire"];
    /// Private receipts are told to other servers as public ones.
    PrivateReceiptsToldAsPublic, "private-receipts-told-as-public", "SS-RECEIPT-008", ["messages"];
    /// Presence is not told.
    PresenceNotTold, "presence-not-told", "SS-PRESENCE-002", ["messages"];
    /// Who is busy is told to be there as any other.
    PresenceFlattened, "presence-flattened", "SS-PRESENCE-002", ["messages"];
    /// Presence is told without the words for it.
    PresenceWithoutWords, "presence-without-words", "SS-PRESENCE-002", ["messages"];
    /// Changes of devices are not told.
    DeviceChangesNotTold, "device-changes-not-told", "SS-DEVLIST-001", ["signals", "privacy"];
    /// Changes of devices do not name the ones before them.
    DeviceChainBroken, "device-chain-broken", "SS-DEVLIST-006", ["wire", "signals"];
    /// The user-signing key is told to other servers.
    UserSigningKeyTold, "user-signing-key-told", "SS-XSIGN-003", ["wire", "signals"];
    // what users send and are shown (client)
    /// Texts lose what joins characters to one.
    TextsSimplified, "texts-simplified", "content/client-server-api/_index.md#sending-events-to-a-room", ["messages"];
    /// Relations to other events get lost.
    RelationsDropped, "relations-dropped", "content/client-server-api/_index.md#forming-relationships-between-events", ["messages"];
    /// Only text can be sent.
    MessageTypesFiltered, "message-types-filtered", "content/client-server-api/_index.md#sending-events-to-a-room", ["messages"];
    /// All messages are made plain text.
    MessageTypesFlattened, "message-types-flattened", "content/client-server-api/_index.md#sending-events-to-a-room", ["messages"];
    /// A message that begins with a slash is obeyed as a command, whoever sends it.
    CommandsObeyed, "commands-obeyed", "content/client-server-api/_index.md#sending-events-to-a-room", ["events"];
    /// Only events of known types can be sent.
    EventTypesFiltered, "event-types-filtered", "content/client-server-api/_index.md#sending-events-to-a-room", ["messages"];
    /// Long messages are cut.
    MessagesCut, "messages-cut", "content/client-server-api/_index.md#sending-events-to-a-room", ["messages"];
    /// The names and topics of rooms are cut.
    StateTextsCut, "state-texts-cut", "content/client-server-api/_index.md#sending-events-to-a-room", ["rooms"];
    /// Names and topics cannot be taken away.
    EmptyStateIgnored, "empty-state-ignored", "content/client-server-api/_index.md#sending-events-to-a-room", ["rooms"];
    /// Power levels are rounded to those that the product has roles for.
    LevelsRounded, "levels-rounded", "content/client-server-api/_index.md#sending-events-to-a-room", ["rooms"];
    /// Clients do not find what a redaction is about.
    RedactionTargetHidden, "redaction-target-hidden", "SS-REDACT-022", ["messages"];
    /// Clients are not told why a message is gone.
    RedactionUnexplained, "redaction-unexplained", "SS-REDACT-026", ["messages"];
    /// Events are shown with the time when they arrived.
    TimesOfArrival, "times-of-arrival", "content/client-server-api/_index.md#room-event-format", ["messages"];
    /// An edit takes the place of what it edits.
    EditsInPlace, "edits-in-place", "content/client-server-api/modules/event_replacements.md", ["messages"];
    /// Clients are not told of edits with what they edit.
    EditsNotBundled, "edits-not-bundled", "content/client-server-api/modules/event_replacements.md", ["messages"];
    /// Clients are told of the first edit in place of the last.
    FirstEditBundled, "first-edit-bundled", "content/client-server-api/modules/event_replacements.md", ["messages"];
    /// Anybody's edit counts.
    EditsByAnybody, "edits-by-anybody", "content/client-server-api/modules/event_replacements.md", ["messages", "events"];
    /// Edits of another type than the message count.
    EditsOfAnyType, "edits-of-any-type", "content/client-server-api/modules/event_replacements.md", ["events"];
    /// Edits that were taken back count on.
    RedactedRelationsCount, "redacted-relations-count", "content/client-server-api/modules/event_replacements.md", ["messages"];
    /// History is given in no order.
    HistoryUnordered, "history-unordered", "content/client-server-api/_index.md#getting-events-for-a-room", ["messages", "federation"];
    /// Events are shown twice.
    EventsShownTwice, "events-shown-twice", "content/client-server-api/_index.md#syncing", ["messages", "transactions"];
    /// Invites are not shown.
    InvitesNotShown, "invites-not-shown", "content/client-server-api/_index.md#syncing", ["rooms"];
    /// Member events show neither names nor pictures.
    ProfileNotInRooms, "profile-not-in-rooms", "SS-PROFILE-011", ["rooms", "messages"];
    /// Member events show no pictures.
    ProfileWithoutPictures, "profile-without-pictures", "SS-PROFILE-011", ["messages", "rooms"];
    /// A new name or picture is not brought to the rooms that the user is in.
    ProfileChangesNotShown, "profile-changes-not-shown", "SS-PROFILE-010", ["messages", "rooms"];
    /// A change of profile claims anew who authorised the join.
    ProfileClaimsAuthority, "profile-claims-authority", "SS-RESTR-019", ["wire", "messages"];
    /// Other servers are not told a user's profile.
    ProfileNotAnswered, "profile-not-answered", "SS-PROFILE-001", ["messages", "rooms"];
    /// Why somebody is kicked or banned is not told.
    ReasonsDropped, "reasons-dropped", "content/client-server-api/_index.md#room-membership", ["rooms"];
    /// An upgrade leaves the old room open.
    UpgradeLeavesOpen, "upgrade-leaves-open", "SS-UPGRADE-007", ["rooms"];
    /// The new room does not name the one it replaces.
    UpgradeForgetsOrigin, "upgrade-forgets-origin", "SS-UPGRADE-002", ["rooms"];
    /// The state of the old room is not taken over.
    UpgradeLosesState, "upgrade-loses-state", "SS-UPGRADE-004", ["rooms"];
    /// In version 12, too, creators are listed with a level.
    CreatorsListed, "creators-listed", "SS-ROOMV-019", ["rooms", "wire"];
    /// Clients are told of no room version.
    CapabilitiesBare, "capabilities-bare", "content/client-server-api/_index.md#capabilities-negotiation", ["rooms"];
    /// Rooms are of one version, whatever is asked for.
    RoomVersionIgnored, "room-version-ignored", "content/client-server-api/_index.md#creation", ["rooms"];
    // files
    /// Files are not given to other servers.
    MediaRefused, "media-refused", "SS-MEDIA-001", ["media"];
    /// A file is given as it is, not in two parts.
    MediaNotInParts, "media-not-in-parts", "SS-MEDIA-001", ["media"];
    /// Files are cut.
    MediaCut, "media-cut", "SS-MEDIA-003", ["media"];
    /// The types of files get lost.
    MediaTypesLost, "media-types-lost", "SS-MEDIA-003", ["media"];
    /// The names of files keep plain letters alone.
    MediaNamesSimplified, "media-names-simplified", "SS-MEDIA-024", ["media"];
    // the server's own events
    /// The server's own events do not cite the create event.
    CreateNotCited, "create-not-cited", "SS-PDU-025", ["wire", "rooms"];
    /// In version 12, too, the server's own events cite the create event.
    CreateCitedAlways, "create-cited-always", "SS-PDU-026", ["wire", "rooms"];
    /// The server's own events do not cite the power levels.
    LevelsNotCited, "levels-not-cited", "SS-PDU-025", ["wire", "rooms"];
    /// The server's own member events do not cite the join rules.
    JoinRulesNotCited, "join-rules-not-cited", "SS-PDU-028", ["wire", "rooms"];
    /// The server's own member events do not cite what their user was before.
    TargetNotCited, "target-not-cited", "SS-PDU-027", ["wire", "rooms"];
    /// The hashes of the server's own events are padded.
    HashesPadded, "hashes-padded", "SS-CJSON-014", ["wire", "messages"];
    /// The signatures of the server's own events are padded.
    SignaturesPadded, "signatures-padded", "SS-CJSON-014", ["wire", "messages"];
    /// The server's own events have no depth.
    PduWithoutDepth, "pdu-without-depth", "SS-PDU-001", ["wire", "messages"];
    /// Transactions name another origin than their sender.
    TransactionOriginForged, "transaction-origin-forged", "SS-TXN-001", ["wire", "messages"];
    /// The errcodes of refusals are outside of the namespace.
    ErrorsOutOfNamespace, "errors-out-of-namespace", "SS-ERRORS-005", ["wire"];
    /// Create events name the creator where they must not, and do not where they have to.
    CreatorNamedOddly, "creator-named-oddly", "SS-ROOMV-006", ["wire", "rooms"];
    /// Power levels are sent as text.
    LevelsAsText, "levels-as-text", "SS-ROOMV-011", ["wire", "rooms"];
    /// In version 12, too, an administrator may upgrade a room.
    TombstoneForAdministrators, "tombstone-for-administrators", "SS-ROOMV-020", ["wire", "rooms"];
    /// A room begins with other state before its power levels.
    LevelsNotFirst, "levels-not-first", "SS-ROOMV-021", ["wire", "rooms"];
    /// The ids of files hold other characters than they may.
    MediaIdsOdd, "media-ids-odd", "SS-MEDIA-023", ["wire", "media"];
    /// The ids of messages to devices are longer than they may be.
    NoteIdsLong, "note-ids-long", "SS-TODEV-003", ["wire", "signals"];
    /// Changes of devices all have the same number.
    DeviceStreamStands, "device-stream-stands", "SS-DEVLIST-005", ["wire", "signals"];
    /// A device without a name is told with one that is null.
    DeviceNamesNull, "device-names-null", "SS-DEVLIST-015", ["wire", "signals"];
    /// Another event is given than the one that is asked for.
    AnotherEventGiven, "another-event-given", "SS-STATEQ-009", ["wire", "events"];
    /// Events are given out without their signatures.
    GivenUnsigned, "given-unsigned", "SS-PDU-047", ["wire", "federation"];
    // rooms
    /// What was redacted is given out whole.
    RedactedGivenWhole, "redacted-given-whole", "SS-REDACT-024", ["messages", "events"];
    /// New events all have the same depth.
    DepthNotCounted, "depth-not-counted", "SS-PDU-015", ["wire", "messages"];
}
