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
    RequestsUnsignedTaken, "requests-unsigned-taken", "SS-AUTH-002";
    /// Credentials that lack a parameter are taken for whole.
    RequestHeaderGapsTaken, "request-header-gaps-taken", "SS-AUTH-019";
    /// An origin that is no server name is taken for one.
    RequestOriginFormUnchecked, "request-origin-form-unchecked", "SS-AUTH-033";
    /// A request for another server is answered.
    RequestDestinationIgnored, "request-destination-ignored", "SS-AUTH-018";
    /// A signature of an algorithm that does not exist is taken for good.
    RequestAlgorithmIgnored, "request-algorithm-ignored", "SS-AUTH-032";
    /// A signature by a key that nobody published is taken for good.
    RequestKeyUnknownTaken, "request-key-unknown-taken", "SS-AUTH-004";
    /// A request is answered whatever its signature says.
    RequestSignatureUnchecked, "request-signature-unchecked", "SS-AUTH-003";
    /// The body is verified as it was written, so that white space and the order of keys matter.
    RequestBodySignedAsWritten, "request-body-signed-as-written", "SS-AUTH-014";
    /// The path is decoded and encoded anew before it is verified.
    RequestPathDecoded, "request-path-decoded", "SS-AUTH-007";
    /// The path is brought into one encoding before it is verified.
    RequestPathEncoded, "request-path-encoded", "SS-AUTH-007";
    /// Credentials are read in one order only.
    CredentialsInOneOrder, "credentials-in-one-order", "SS-AUTH-022";
    /// The scheme and the parameters are read in one case only.
    CredentialsInOneCase, "credentials-in-one-case", "SS-AUTH-021";
    /// Credentials with blanks around their commas are not read.
    CredentialsWithoutBlanks, "credentials-without-blanks", "SS-AUTH-023";
    /// Escapes in quoted credentials are not undone.
    CredentialsWithoutEscapes, "credentials-without-escapes", "SS-AUTH-024";
    /// Credentials with an unknown parameter are refused.
    CredentialsWithoutStrangers, "credentials-without-strangers", "SS-AUTH-027";
    /// Credentials without a destination are refused.
    CredentialsNeedDestination, "credentials-need-destination", "SS-AUTH-017";
    /// Credentials without quotes are refused.
    CredentialsNeedQuotes, "credentials-need-quotes", "SS-AUTH-025";
    /// Keys are believed that do not sign their document.
    KeysUnproven, "keys-unproven", "SS-KEYS-009";
    /// A key document that names another server is believed.
    KeysOfAnotherName, "keys-of-another-name", "SS-KEYS-010";
    /// Retired keys sign requests as current ones do.
    RetiredKeysBelieved, "retired-keys-believed", "SS-KEYS-012";
    /// The keys of a server are fetched for each event anew, and count only if they are there.
    KeysNotKept, "keys-not-kept", "SS-KEYS-017";
    /// Keys of a server of which some are known are not fetched again.
    KeysNotFetchedAgain, "keys-not-fetched-again", "SS-KEYS-018";
    /// As a notary the server does not sign what it passes on.
    NotaryUnsigned, "notary-unsigned", "SS-KEYS-022";
    /// Who asks a notary for the keys of many servers is given none.
    NotaryForOneOnly, "notary-for-one-only", "SS-KEYS-028";
    /// Who asks for the server's version needs credentials.
    VersionNeedsCredentials, "version-needs-credentials", "SS-AUTH-034";
    /// Keys of others are asked for at a notary that the product names.
    KeysByNotary, "keys-by-notary", "SS-AUTH-015";
    /// The signatures on the key document are padded.
    KeyDocumentSignaturesPadded, "key-document-signatures-padded", "SS-CJSON-014";
    /// The server's key is made from a seed that everybody knows.
    KeyOfZeros, "key-of-zeros", "SS-KEYS-001";
    /// The key document is not signed.
    KeyDocumentUnsigned, "key-document-unsigned", "SS-KEYS-005";
    /// Keys are published in padded base64.
    KeyDocumentPadded, "key-document-padded", "SS-KEYS-004";
    /// Keys are published under ids that name no algorithm.
    KeyDocumentOddId, "key-document-odd-id", "SS-KEYS-003";
    /// The key document says not how long it is valid.
    KeyDocumentWithoutTime, "key-document-without-time", "SS-KEYS-001";
    /// Old keys are published without the time when they expired.
    KeyDocumentOddOldKeys, "key-document-odd-old-keys", "SS-KEYS-008";
    /// The key document is valid for a minute.
    KeyDocumentShortLived, "key-document-short-lived", "SS-KEYS-007";
    /// A second key is published that does not sign the document.
    KeyDocumentSignedByOne, "key-document-signed-by-one", "SS-KEYS-006";
    // receipt of PDUs (quirks)
    /// Nothing is soft-failed.
    SoftFailureSkipped, "soft-failure-skipped", "SS-PDU-024";
    /// A rejected state event changes the state.
    RejectedInState, "rejected-in-state", "SS-PDU-036";
    /// Rejected and soft-failed events are followed by the server's own.
    RejectedFollowed, "rejected-followed", "SS-PDU-034";
    /// Rejected and soft-failed events are shown to users.
    RejectedShown, "rejected-shown", "SS-PDU-033";
    /// The signatures of events are not looked at.
    PduSignatureUnchecked, "pdu-signature-unchecked", "SS-PDU-020";
    /// An event whose content hash does not match is kept with its content.
    ContentHashUnchecked, "content-hash-unchecked", "SS-PDU-021";
    /// An event whose content hash does not match is dropped.
    ContentHashDrops, "content-hash-drops", "SS-PDU-021";
    /// Events that follow a soft-failed one are refused.
    SoftFailedShunned, "soft-failed-shunned", "SS-PDU-039";
    /// Events that are missing are not asked for.
    GapsNotFilled, "gaps-not-filled", "SS-MISSING-012";
    /// A redaction that arrives before its target has no effect.
    EarlyRedactionForgotten, "early-redaction-forgotten", "SS-REDACT-018";
    /// Anybody may redact anything.
    RedactionByAnybody, "redaction-by-anybody", "SS-REDACT-017";
    /// A redaction by another than the sender has no effect.
    RedactionBySenderAlone, "redaction-by-sender-alone", "SS-REDACT-015";
    /// Redactions have no effect.
    RedactionWithoutEffect, "redaction-without-effect", "SS-REDACT-016";
    /// What is no event is kept and given out all the same.
    MalformedKept, "malformed-kept", "SS-PDU-019";
    /// What is no event is shown to users all the same.
    MalformedShown, "malformed-shown", "SS-PDU-019";
    /// What an event cites as its authority is not looked at.
    CitedIgnored, "cited-ignored", "SS-PDU-022";
    /// Events of other rooms are taken as well.
    RoomsMixed, "rooms-mixed", "SS-EAUTH-009";
    /// States are resolved by version 2 of the algorithm in every room version.
    ResolvedByVersion2, "resolved-by-version-2", "SS-STATE-026";
    /// Of states that differ, the smallest one counts.
    SmallestStateKept, "smallest-state-kept", "SS-STATE-005";
    /// What lies before an event of the room's history that is rejected is not fetched.
    HistoryEndsAtRejected, "history-ends-at-rejected", "SS-BACKFILL-009";
    /// After a malformed event the server sends nothing more to who sent it.
    MalformedStopsQueue, "malformed-stops-queue", "SS-PDU-019";
    // transactions
    /// One broken event sinks its whole transaction.
    TransactionSunkByOne, "transaction-sunk-by-one", "SS-TXN-009";
    /// What follows a broken event in a transaction is lost.
    TransactionNeighboursLost, "transaction-neighbours-lost", "SS-TXN-009";
    /// Dropped events are answered as accepted ones.
    TransactionResultsBare, "transaction-results-bare", "SS-TXN-010";
    /// The results of a transaction stand below other ids than those of its events.
    TransactionResultsMisnamed, "transaction-results-misnamed", "SS-TXN-010";
    /// Of many signals in a transaction only the first fifty are taken.
    SignalsCut, "signals-cut", "SS-TXN-002";
    /// An event that follows as many others as it may is refused.
    PredecessorsUnderLimit, "predecessors-under-limit", "SS-PDU-014";
    /// Accepted events are answered with an error.
    TransactionResultsAllBad, "transaction-results-all-bad", "SS-TXN-010";
    /// A transaction that comes again is taken again.
    TransactionRepeatsCount, "transaction-repeats-count", "SS-TXN-011";
    /// Transactions of different servers with equal ids are taken for the same.
    TransactionIdsShared, "transaction-ids-shared", "SS-TXN-012";
    /// The origin in a transaction's body is believed.
    TransactionOriginBelieved, "transaction-origin-believed", "SS-AUTH-004";
    /// A transaction of any length is taken.
    TransactionOverLimit, "transaction-over-limit", "SS-TXN-013";
    /// A transaction with as many events and signals as allowed is refused.
    TransactionUnderLimit, "transaction-under-limit", "SS-TXN-002";
    /// Events that a third server brings are refused.
    GossipRefused, "gossip-refused", "SS-TXN-020";
    /// A transaction is answered without results.
    TransactionAnswerBare, "transaction-answer-bare", "SS-TXN-008";
    /// A transaction with an event of an unknown room is refused.
    UnknownRoomRefused, "unknown-room-refused", "SS-TXN-016";
    // templates and handshakes, resident
    /// Templates are given for users of other servers.
    TemplateForForeigners, "template-for-foreigners", "SS-JOIN-008";
    /// Templates are given to servers that do not know the room's version.
    TemplateOfAnyVersion, "template-of-any-version", "SS-JOIN-004";
    /// The refusal of a version does not name the room's.
    TemplateVersionUnnamed, "template-version-unnamed", "SS-JOIN-005";
    /// Templates are given to users whom the rules do not admit.
    TemplateUnjudged, "template-unjudged", "SS-JOIN-009";
    /// An invited user gets no template to leave.
    TemplateRefusedToInvited, "template-refused-to-invited", "SS-LEAVE-001";
    /// Members of the rooms that admit to a restricted one are refused, and others are let in.
    RestrictionReversed, "restriction-reversed", "SS-RESTR-002";
    /// Aliases of other servers lead to other rooms.
    AliasesMixed, "aliases-mixed", "SS-DIR-011";
    /// Templates have no type.
    TemplateBare, "template-bare", "SS-JOIN-002";
    /// A room that is not known is answered as one that is forbidden.
    TemplateUnknownAsForbidden, "template-unknown-as-forbidden", "SS-JOIN-010";
    /// An event is taken under another id than its own.
    SubmittedIdUnchecked, "submitted-id-unchecked", "SS-JOIN-036";
    /// An event is taken that is submitted to another room.
    SubmittedRoomUnchecked, "submitted-room-unchecked", "SS-JOIN-036";
    /// The answer to a join leaves the members out.
    JoinStateIncomplete, "join-state-incomplete", "SS-JOIN-028";
    /// The answer to a join leaves out the members whom the join does not rest on.
    JoinBystandersLeftOut, "join-bystanders-left-out", "SS-JOIN-038";
    /// The answer to a join lacks the auth chain.
    JoinChainIncomplete, "join-chain-incomplete", "SS-JOIN-029";
    /// A join is not brought to the other servers of the room.
    JoinNotPassedOn, "join-not-passed-on", "SS-JOIN-023";
    /// Who knocks is shown nothing of the room.
    KnockStateHidden, "knock-state-hidden", "SS-KNOCK-011";
    // templates and handshakes, joining
    /// A template of another type is signed.
    TemplateTypeUnchecked, "template-type-unchecked", "SS-JOIN-014";
    /// A template for another sender is signed.
    TemplateSenderUnchecked, "template-sender-unchecked", "SS-JOIN-013";
    /// A template for another state key is signed.
    TemplateTargetUnchecked, "template-target-unchecked", "SS-JOIN-013";
    /// A template for another membership is signed.
    TemplateMembershipUnchecked, "template-membership-unchecked", "SS-JOIN-015";
    /// A template for another room is signed.
    TemplateRoomUnchecked, "template-room-unchecked", "SS-JOIN-012";
    /// A template of a room version that is not known is signed.
    TemplateVersionUnchecked, "template-version-unchecked", "SS-JOIN-018";
    /// The signatures and hashes in an answer to a join are not looked at.
    JoinAnswerUnverified, "join-answer-unverified", "SS-JOIN-043";
    /// State in an answer to a join is taken that the rules do not allow.
    JoinAnswerUnauthorised, "join-answer-unauthorised", "SS-JOIN-044";
    /// An answer to a join needs no create event.
    JoinAnswerRootless, "join-answer-rootless", "SS-JOIN-045";
    /// Joins are submitted to the first version of the endpoint.
    JoinByFirstVersion, "join-by-first-version", "SS-JOIN-048";
    /// Templates are asked for without saying which room versions are known.
    JoinOffersNoVersions, "join-offers-no-versions", "SS-JOIN-011";
    // invites
    /// An invite is signed that its sender's server did not sign.
    InviteSignatureUnchecked, "invite-signature-unchecked", "SS-INVITE-016";
    /// What is no member event is signed as an invite.
    InviteTypeUnchecked, "invite-type-unchecked", "SS-INVITE-017";
    /// Another membership is signed as an invite.
    InviteMembershipUnchecked, "invite-membership-unchecked", "SS-INVITE-018";
    /// An invite of a third server's user is signed.
    InviteSenderUnchecked, "invite-sender-unchecked", "SS-INVITE-019";
    /// An invite of another server's user is signed.
    InviteTargetUnchecked, "invite-target-unchecked", "SS-INVITE-020";
    /// An invite to a room of an unknown version is signed.
    InviteVersionUnchecked, "invite-version-unchecked", "SS-INVITE-015";
    /// An invite is signed whatever it shows of its room.
    InviteStateUnchecked, "invite-state-unchecked", "SS-INVITE-023";
    /// Every refusal of an invite is the same server error.
    InviteRefusedVaguely, "invite-refused-vaguely", "SS-INVITE-021";
    /// An invite comes back without a signature.
    InviteUnsigned, "invite-unsigned", "SS-INVITE-013";
    /// An invite shows nothing of its room.
    InviteStateHidden, "invite-state-hidden", "SS-INVITE-005";
    /// What an invite shows of its room is stripped.
    InviteStateStripped, "invite-state-stripped", "SS-INVITE-006";
    /// An invite says not of which version its room is.
    InviteByFirstVersion, "invite-by-first-version", "SS-INVITE-004";
    /// Invites are not brought to the invited user's server.
    InviteNotBrought, "invite-not-brought", "SS-INVITE-001";
    /// An invite that is taken back is still shown.
    InviteNotWithdrawn, "invite-not-withdrawn", "SS-LEAVE-010";
    /// A rejected invite is not told to the inviting server.
    LeaveNotTold, "leave-not-told", "SS-LEAVE-008";
    // what is given out
    /// State is given to servers that are not in the room.
    StateForStrangers, "state-for-strangers", "SS-STATEQ-004";
    /// The ids of the state are given to servers that are not in the room.
    StateIdsForStrangers, "state-ids-for-strangers", "SS-STATEQ-006";
    /// Events are given to servers that are not in the room.
    EventForStrangers, "event-for-strangers", "SS-STATEQ-011";
    /// Auth chains are given to servers that are not in the room.
    EventAuthForStrangers, "event-auth-for-strangers", "SS-STATEQ-015";
    /// History is given to servers that are not in the room.
    BackfillForStrangers, "backfill-for-strangers", "SS-BACKFILL-006";
    /// An alias that leads nowhere is answered with a room.
    AliasesInvented, "aliases-invented", "SS-DIR-012";
    /// A token that nobody was given names a user.
    OpenidTokensBelieved, "openid-tokens-believed", "SS-OPENID-002";
    /// Rooms that were not published are listed.
    DirectoryListsAll, "directory-lists-all", "SS-DIR-005";
    /// Whoever searches among the published rooms is given all of them.
    DirectoryFilterIgnored, "directory-filter-ignored", "SS-DIR-009";
    /// Where no event is closest to a time in a direction, one of the other is told.
    TimestampDirectionIgnored, "timestamp-direction-ignored", "SS-TIMESTAMP-002";
    /// What is in a space is told to servers that are not in it.
    HierarchyForStrangers, "hierarchy-for-strangers", "SS-SPACE-006";
    /// Missing events are given to servers that are not in the room.
    MissingForStrangers, "missing-for-strangers", "SS-MISSING-007";
    /// History visibility has no say in what other servers are given.
    VisibilityIgnored, "visibility-ignored", "SS-HISTVIS-010";
    /// Server ACLs have no say.
    AclIgnored, "acl-ignored", "SS-ACL-022";
    /// Server ACLs tell upper from lower case.
    AclCaseMatters, "acl-case-matters", "SS-ACL-007";
    // sending
    /// Events are not brought to other servers.
    PdusNotSent, "pdus-not-sent", "SS-TXN-019";
    /// A transaction that fails is not tried again.
    PdusSentOnce, "pdus-sent-once", "SS-TXN-007";
    /// Events are brought to servers that have left the room.
    PdusSentToLeavers, "pdus-sent-to-leavers", "SS-TXN-021";
    /// Who is kicked or banned is not told.
    PdusNotToKicked, "pdus-not-to-kicked", "SS-TXN-019";
    /// The server's own events go out without signatures.
    PduUnsigned, "pdu-unsigned", "SS-PDU-047";
    /// The content hash of the server's own events is wrong.
    PduHashWrong, "pdu-hash-wrong", "SS-PDU-043";
    /// The server's own events carry an event id.
    PduCarriesId, "pdu-carries-id", "SS-PDU-008";
    /// The server's own events cite more than they have to.
    PduCitesTooMuch, "pdu-cites-too-much", "SS-PDU-025";
    /// Events of any size are sent.
    PduTooLargeSent, "pdu-too-large-sent", "SS-LIMITS-007";
    /// Redactions name their target in the place of the other room versions.
    PduRedactsElsewhere, "pdu-redacts-elsewhere", "SS-REDACT-020";
    /// The server's own requests are not signed.
    RequestsUnsigned, "requests-unsigned", "SS-AUTH-001";
    /// The server's own requests name no destination.
    RequestsWithoutDestination, "requests-without-destination", "SS-AUTH-016";
    /// The server's own credentials stand without quotes.
    RequestsUnquoted, "requests-unquoted", "SS-AUTH-028";
    /// The server's own credentials are in upper case.
    RequestsUpperCase, "requests-upper-case", "SS-AUTH-029";
    /// The server's own credentials have blanks around their commas.
    RequestsSpaced, "requests-spaced", "SS-AUTH-030";
    /// The server's own requests do not say that they are JSON.
    RequestsWithoutType, "requests-without-type", "SS-HTTP-002";
    /// The server's own requests carry a list in place of an object.
    RequestBodyNoObject, "request-body-no-object", "SS-HTTP-004";
    /// The server's own requests are signed with a key that it never published.
    RequestsSignedByStranger, "requests-signed-by-stranger", "SS-KEYS-035";
    /// Transactions say not when they were made.
    TransactionWithoutTime, "transaction-without-time", "SS-TXN-001";
    /// Transactions hold more events and signals than allowed.
    TransactionsTooLong, "transactions-too-long", "SS-TXN-002";
    /// Signals go out without a type.
    EdusWithoutType, "edus-without-type", "SS-TXN-017";
    /// Answers do not say that they are JSON.
    AnswersWithoutType, "answers-without-type", "SS-HTTP-001";
    /// Answers are lists in place of objects.
    AnswersNoObject, "answers-no-object", "SS-HTTP-005";
    /// History is answered without saying whose answer it is.
    AnswersBare, "answers-bare", "SS-BACKFILL-003";
    /// Refusals have no errcode.
    ErrorsBare, "errors-bare", "SS-ERRORS-004";
    /// Other servers are given no history.
    HistoryNotGiven, "history-not-given", "SS-BACKFILL-001";
    // signals that are heard (signals.rs)
    /// Typing of another server's users is believed.
    TypingOfOthersHeard, "typing-of-others-heard", "SS-TYPING-003";
    /// Typing of users who are not in the room is believed.
    TypingFromOutsideHeard, "typing-from-outside-heard", "SS-TYPING-004";
    /// Receipts of another server's users are believed.
    ReceiptsOfOthersHeard, "receipts-of-others-heard", "SS-RECEIPT-005";
    /// Receipts for threads are taken for receipts without one.
    ReceiptThreadsMixed, "receipt-threads-mixed", "SS-RECEIPT-006";
    /// Presence of another server's users is believed.
    PresenceOfOthersHeard, "presence-of-others-heard", "SS-PRESENCE-004";
    /// Messages to devices from another server's users are delivered.
    NotesOfOthersHeard, "notes-of-others-heard", "SS-TODEV-006";
    /// A message to a device that comes again is delivered again.
    NotesRepeated, "notes-repeated", "SS-TODEV-004";
    /// What another server says of the server's own users' devices is believed.
    DevicesOfOwnHeard, "devices-of-own-heard", "SS-DEVLIST-013";
    /// What another server says of the server's own users' cross-signing keys is believed.
    SigningKeysOfOwnHeard, "signing-keys-of-own-heard", "SS-XSIGN-004";
    /// Changes of another server's users' devices are believed.
    DevicesOfOthersHeard, "devices-of-others-heard", "SS-DEVLIST-013";
    /// Cross-signing keys of another server's users are believed.
    SigningKeysOfOthersHeard, "signing-keys-of-others-heard", "SS-XSIGN-004";
    /// After malformed cross-signing keys nothing more is taken from who sent them.
    MalformedKeysDeafen, "malformed-keys-deafen", "SS-TXN-018";
    /// A transaction with a signal of an unknown type is refused.
    UnknownSignalsRefused, "unknown-signals-refused", "SS-TXN-018";
    /// The devices of other servers' users are given to third servers.
    DevicesForOthers, "devices-for-others", "SS-DEVLIST-019";
    // signals that are sent
    /// That somebody no longer types is not told.
    TypingEndNotTold, "typing-end-not-told", "SS-TYPING-002";
    /// That somebody types is told without the room.
    TypingWithoutRoom, "typing-without-room", "SS-TYPING-001";
    /// Receipts are not told.
    ReceiptsNotTold, "receipts-not-told", "SS-RECEIPT-001";
    /// A receipt names several events.
    ReceiptsOfSeveral, "receipts-of-several", "SS-RECEIPT-002";
    /// Receipts without a thread are told as such of the main timeline.
    ReceiptsAlwaysThreaded, "receipts-always-threaded", "SS-RECEIPT-006";
    /// Private receipts are told to other servers.
    PrivateReceiptsTold, "private-receipts-told", "SS-RECEIPT-008";
    /// Private receipts are told to other servers as public ones.
    PrivateReceiptsToldAsPublic, "private-receipts-told-as-public", "SS-RECEIPT-008";
    /// Presence is not told.
    PresenceNotTold, "presence-not-told", "SS-PRESENCE-002";
    /// Who is busy is told to be there as any other.
    PresenceFlattened, "presence-flattened", "SS-PRESENCE-002";
    /// The words for presence are cut.
    PresenceWordsCut, "presence-words-cut", "SS-PRESENCE-002";
    /// Presence of other servers' users is told as well.
    PresenceOfOthersTold, "presence-of-others-told", "SS-PRESENCE-003";
    /// Presence is told without the words for it.
    PresenceWithoutWords, "presence-without-words", "SS-PRESENCE-002";
    /// Changes of devices are not told.
    DeviceChangesNotTold, "device-changes-not-told", "SS-DEVLIST-001";
    /// Changes of devices do not name the ones before them.
    DeviceChainBroken, "device-chain-broken", "SS-DEVLIST-006";
    /// New cross-signing keys are not told.
    SigningKeysNotTold, "signing-keys-not-told", "SS-XSIGN-001";
    /// The ids of cross-signing keys that are given are not the keys.
    SigningKeysOdd, "signing-keys-odd", "SS-XSIGN-009";
    /// Other servers that ask are given the user-signing key.
    UserSigningKeyGiven, "user-signing-key-given", "SS-XSIGN-003";
    /// The same one-time key is given out again and again.
    KeysGivenTwice, "keys-given-twice", "SS-E2EE-005";
    /// Messages to devices are not brought to other servers.
    NotesNotSent, "notes-not-sent", "SS-TODEV-001";
    /// The user-signing key is told to other servers.
    UserSigningKeyTold, "user-signing-key-told", "SS-XSIGN-003";
    // what users send and are shown (client)
    /// Texts lose what joins characters to one.
    TextsSimplified, "texts-simplified", "content/client-server-api/_index.md#sending-events-to-a-room";
    /// Relations to other events get lost.
    RelationsDropped, "relations-dropped", "content/client-server-api/_index.md#forming-relationships-between-events";
    /// Only text can be sent.
    MessageTypesFiltered, "message-types-filtered", "content/client-server-api/_index.md#sending-events-to-a-room";
    /// All messages are made plain text.
    MessageTypesFlattened, "message-types-flattened", "content/client-server-api/_index.md#sending-events-to-a-room";
    /// A message that begins with a slash is obeyed as a command, whoever sends it.
    CommandsObeyed, "commands-obeyed", "content/client-server-api/_index.md#sending-events-to-a-room";
    /// Only events of known types can be sent.
    EventTypesFiltered, "event-types-filtered", "content/client-server-api/_index.md#sending-events-to-a-room";
    /// Long messages are cut.
    MessagesCut, "messages-cut", "content/client-server-api/_index.md#sending-events-to-a-room";
    /// The names and topics of rooms are cut.
    StateTextsCut, "state-texts-cut", "content/client-server-api/_index.md#sending-events-to-a-room";
    /// Names and topics cannot be taken away.
    EmptyStateIgnored, "empty-state-ignored", "content/client-server-api/_index.md#sending-events-to-a-room";
    /// Power levels are rounded to those that the product has roles for.
    LevelsRounded, "levels-rounded", "content/client-server-api/_index.md#sending-events-to-a-room";
    /// Who leaves is shown to give a reason that nobody gave.
    LeavesExplained, "leaves-explained", "content/client-server-api/_index.md#leaving-rooms";
    /// Clients that read a piece of a room's state are shown what it replaced.
    StateReadLate, "state-read-late", "content/client-server-api/_index.md#getting-events-for-a-room";
    /// Clients that read a piece of a room's state are shown no lists in it.
    StateListsDropped, "state-lists-dropped", "content/client-server-api/_index.md#getting-events-for-a-room";
    /// Clients that read a room's state are not shown the members from other servers.
    MembersOfOthersHidden, "members-of-others-hidden", "content/client-server-api/_index.md#getting-events-for-a-room";
    /// Clients are shown the creators of rooms among those with a level.
    CreatorsShownListed, "creators-shown-listed", "SS-ROOMV-019";
    /// Nobody can register.
    RegistrationRefused, "registration-refused", "content/client-server-api/_index.md#account-registration";
    /// User ids have letters that they may not have.
    UserIdsOdd, "user-ids-odd", "SS-IDENT-004";
    /// The ids of rooms name another server.
    RoomIdsOfAnother, "room-ids-of-another", "SS-IDENT-008";
    /// Up to version 10 the create event that is given out names another creator.
    CreatorMisnamed, "creator-misnamed", "SS-ROOMV-005";
    /// Clients do not find what a redaction is about.
    RedactionTargetHidden, "redaction-target-hidden", "SS-REDACT-022";
    /// Clients are not told why a message is gone.
    RedactionUnexplained, "redaction-unexplained", "SS-REDACT-026";
    /// Events are shown with the time when they arrived.
    TimesOfArrival, "times-of-arrival", "content/client-server-api/_index.md#room-event-format";
    /// An edit takes the place of what it edits.
    EditsInPlace, "edits-in-place", "content/client-server-api/modules/event_replacements.md";
    /// Clients are not told of edits with what they edit.
    EditsNotBundled, "edits-not-bundled", "content/client-server-api/modules/event_replacements.md";
    /// Clients are told of the first edit in place of the last.
    FirstEditBundled, "first-edit-bundled", "content/client-server-api/modules/event_replacements.md";
    /// Anybody's edit counts.
    EditsByAnybody, "edits-by-anybody", "content/client-server-api/modules/event_replacements.md";
    /// Edits of another type than the message count.
    EditsOfAnyType, "edits-of-any-type", "content/client-server-api/modules/event_replacements.md";
    /// Edits that were taken back count on.
    RedactedRelationsCount, "redacted-relations-count", "content/client-server-api/modules/event_replacements.md";
    /// History is given in no order.
    HistoryUnordered, "history-unordered", "content/client-server-api/_index.md#getting-events-for-a-room";
    /// Events are shown twice.
    EventsShownTwice, "events-shown-twice", "content/client-server-api/_index.md#syncing";
    /// Invites are not shown.
    InvitesNotShown, "invites-not-shown", "content/client-server-api/_index.md#syncing";
    /// Member events show neither names nor pictures.
    ProfileNotInRooms, "profile-not-in-rooms", "SS-PROFILE-011";
    /// Member events show no pictures.
    ProfileWithoutPictures, "profile-without-pictures", "SS-PROFILE-011";
    /// A new name or picture is not brought to the rooms that the user is in.
    ProfileChangesNotShown, "profile-changes-not-shown", "SS-PROFILE-010";
    /// A change of profile claims anew who authorised the join.
    ProfileClaimsAuthority, "profile-claims-authority", "SS-RESTR-019";
    /// Other servers are not told a user's profile.
    ProfileNotAnswered, "profile-not-answered", "SS-PROFILE-001";
    /// Why somebody is kicked or banned is not told.
    ReasonsDropped, "reasons-dropped", "content/client-server-api/_index.md#room-membership";
    /// An upgrade leaves the old room open.
    UpgradeLeavesOpen, "upgrade-leaves-open", "SS-UPGRADE-007";
    /// The new room does not name the one it replaces.
    UpgradeForgetsOrigin, "upgrade-forgets-origin", "SS-UPGRADE-002";
    /// The state of the old room is not taken over.
    UpgradeLosesState, "upgrade-loses-state", "SS-UPGRADE-004";
    /// In version 12, too, creators are listed with a level.
    CreatorsListed, "creators-listed", "SS-ROOMV-019";
    /// Clients are told of no room version.
    CapabilitiesBare, "capabilities-bare", "content/client-server-api/_index.md#capabilities-negotiation";
    /// Rooms are of one version, whatever is asked for.
    RoomVersionIgnored, "room-version-ignored", "content/client-server-api/_index.md#creation";
    // files
    /// Files are not given to other servers.
    MediaRefused, "media-refused", "SS-MEDIA-001";
    /// A file is given as it is, not in two parts.
    MediaNotInParts, "media-not-in-parts", "SS-MEDIA-001";
    /// Files of other servers are asked for as thumbnails.
    MediaAskedAsThumbnail, "media-asked-as-thumbnail", "SS-MEDIA-001";
    /// No file can be stored.
    UploadsRefused, "uploads-refused", "content/client-server-api/modules/content_repo.md#client-behaviour";
    /// Files are cut.
    MediaCut, "media-cut", "SS-MEDIA-003";
    /// The types of files get lost.
    MediaTypesLost, "media-types-lost", "SS-MEDIA-003";
    /// The names of files keep plain letters alone.
    MediaNamesSimplified, "media-names-simplified", "SS-MEDIA-024";
    // the server's own events
    /// The server's own events do not cite the create event.
    CreateNotCited, "create-not-cited", "SS-PDU-025";
    /// In version 12, too, the server's own events cite the create event.
    CreateCitedAlways, "create-cited-always", "SS-PDU-026";
    /// Create events cite something.
    CreateCites, "create-cites", "SS-PDU-031";
    /// The server's own events have a further signature below what is no key's id.
    SignaturesOfNoKey, "signatures-of-no-key", "SS-CJSON-017";
    /// The server's own joins do not cite who authorises them.
    AuthoriserNotCited, "authoriser-not-cited", "SS-PDU-030";
    /// The server's own events do not cite the power levels.
    LevelsNotCited, "levels-not-cited", "SS-PDU-025";
    /// The server's own member events do not cite the join rules.
    JoinRulesNotCited, "join-rules-not-cited", "SS-PDU-028";
    /// The server's own member events do not cite what their user was before.
    TargetNotCited, "target-not-cited", "SS-PDU-027";
    /// The hashes of the server's own events are padded.
    HashesPadded, "hashes-padded", "SS-CJSON-014";
    /// The signatures of the server's own events are padded.
    SignaturesPadded, "signatures-padded", "SS-CJSON-014";
    /// The server's own events have no depth.
    PduWithoutDepth, "pdu-without-depth", "SS-PDU-001";
    /// Transactions name another origin than their sender.
    TransactionOriginForged, "transaction-origin-forged", "SS-TXN-001";
    /// The errcodes of refusals are outside of the namespace.
    ErrorsOutOfNamespace, "errors-out-of-namespace", "SS-ERRORS-005";
    /// Create events name the creator where they must not, and do not where they have to.
    CreatorNamedOddly, "creator-named-oddly", "SS-ROOMV-006";
    /// Power levels are sent as text.
    LevelsAsText, "levels-as-text", "SS-ROOMV-011";
    /// In version 12, too, an administrator may upgrade a room.
    TombstoneForAdministrators, "tombstone-for-administrators", "SS-ROOMV-020";
    /// A room begins with other state before its power levels.
    LevelsNotFirst, "levels-not-first", "SS-ROOMV-021";
    /// The ids of files hold other characters than they may.
    MediaIdsOdd, "media-ids-odd", "SS-MEDIA-023";
    /// The ids of messages to devices are longer than they may be.
    NoteIdsLong, "note-ids-long", "SS-TODEV-003";
    /// Changes of devices all have the same number.
    DeviceStreamStands, "device-stream-stands", "SS-DEVLIST-005";
    /// A device without a name is told with one that is null.
    DeviceNamesNull, "device-names-null", "SS-DEVLIST-015";
    /// Another event is given than the one that is asked for.
    AnotherEventGiven, "another-event-given", "SS-STATEQ-009";
    /// Events are given out without their signatures.
    GivenUnsigned, "given-unsigned", "SS-PDU-047";
    // rooms
    /// What was redacted is given out whole.
    RedactedGivenWhole, "redacted-given-whole", "SS-REDACT-024";
    /// New events all have the same depth.
    DepthNotCounted, "depth-not-counted", "SS-PDU-015";
    // what is left of a server after a restart (homeserver.rs)
    /// After a restart the server says that it is the version before it.
    VersionStays, "version-stays", "SS-VERSION-001";
    /// After a restart the server has another key, and does not publish the one before it.
    KeyMadeAnew, "key-made-anew", "SS-KEYS-001";
    /// A restart logs everybody out.
    LoginsForgotten, "logins-forgotten", "content/client-server-api/_index.md#client-authentication";
    /// After a restart rooms have no topic any more.
    TopicsForgotten, "topics-forgotten", "content/client-server-api/_index.md#room-events";
    /// After a restart nothing is left of what was said before.
    HistoryForgotten, "history-forgotten", "content/client-server-api/_index.md#syncing";
    /// What others were still to get is gone after a restart.
    QueuesForgotten, "queues-forgotten", "SS-TXN-019";
    /// What others bring first after a restart is acknowledged and lost.
    FirstBroughtLost, "first-brought-lost", "SS-TXN-008";
    /// After a restart the server's own last messages are sent once more, as new ones.
    LastWordsAgain, "last-words-again", "SS-PDU-011";
    /// After a restart new events follow one event alone, whatever else there is.
    ForksForgotten, "forks-forgotten", "SS-PDU-032";
}
