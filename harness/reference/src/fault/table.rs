//! The table of all faults that are not of a kind: name, requirement, what goes wrong, and what the fault changes where
//! (see [`Change`]). The line before each name is the fault's sentence.

use samklang_matrix::{
    BreachReason, RoomFault, Rule,
    endpoints::{self, Endpoint},
};

use super::{
    alter::{
        authentication, contents, drafts, edus, invites, joins, keys, media, messages, pdus, queries,
        requests, responses, shown, templates, transactions,
    },
    features,
    rules::{required_form, requirement_of},
    seams::{Change, Occasion},
};
use crate::edu_types::OutgoingEdu::{DeviceChange, Presence, Receipt, SigningKeys, ToDevice, Typing};
use Change::*;

/// The endpoints at which templates of member events are requested.
const TEMPLATES: &[Endpoint] = &[endpoints::MAKE_JOIN, endpoints::MAKE_KNOCK, endpoints::MAKE_LEAVE];
/// The endpoints of joins, knocks and leaves.
const HANDSHAKES: &[Endpoint] = &[
    endpoints::MAKE_JOIN,
    endpoints::MAKE_KNOCK,
    endpoints::MAKE_LEAVE,
    endpoints::SEND_JOIN,
    endpoints::SEND_KNOCK,
    endpoints::SEND_LEAVE,
];
/// The endpoints that return the history of a room.
const HISTORY: &[Endpoint] = &[endpoints::BACKFILL, endpoints::GET_MISSING_EVENTS];
/// The endpoints that return PDUs in the form of a transaction.
const PDU_LISTS: &[Endpoint] = &[endpoints::BACKFILL, endpoints::EVENT];
/// The endpoints that return files.
const MEDIA: &[Endpoint] = &[endpoints::MEDIA_DOWNLOAD, endpoints::MEDIA_THUMBNAIL];

const SEND: &[&str] = &["client/{}/rooms/{}/send/{}/{}"];
const STATE: &[&str] = &["client/{}/rooms/{}/state/{}", "client/{}/rooms/{}/state/{}/{}"];
const LEAVE: &[&str] = &["client/{}/rooms/{}/leave"];
/// Kicks and bans.
const REMOVAL: &[&str] = &["client/{}/rooms/{}/kick", "client/{}/rooms/{}/ban", "client/{}/rooms/{}/unban"];
const CREATE_ROOM: &[&str] = &["client/{}/createRoom"];
const CAPABILITIES: &[&str] = &["client/{}/capabilities"];
const UPLOAD: &[&str] = &["media/v3/upload"];

faults! {
    // requests from other servers: authentication
    /// The server answers a request that is not signed.
    UnsignedRequestsAccepted, "unsigned-requests-accepted", "SS-AUTH-002", Branch("federation/authentication.rs");
    /// The server accepts credentials that lack a parameter.
    RequestHeaderGapsAccepted, "request-header-gaps-accepted", "SS-AUTH-019", Branch("federation/authentication.rs");
    /// The server accepts an origin that is not a server name.
    RequestOriginFormUnchecked, "request-origin-form-unchecked", "SS-AUTH-033", Branch("federation/authentication.rs");
    /// The server answers a request for another server.
    RequestDestinationIgnored, "request-destination-ignored", "SS-AUTH-018", Branch("federation/authentication.rs");
    /// The server accepts a signature of an algorithm that does not exist.
    RequestAlgorithmIgnored, "request-algorithm-ignored", "SS-AUTH-032", Branch("federation/authentication.rs");
    /// The server accepts a signature by a key that no server published.
    RequestKeyUnknownAccepted, "request-key-unknown-accepted", "SS-AUTH-004", Branch("federation/authentication.rs");
    /// The server answers a request whatever its signature is.
    RequestSignatureUnchecked, "request-signature-unchecked", "SS-AUTH-003", Branch("federation/authentication.rs");
    /// The server verifies the body as it was written, so that white space and the order of keys matter.
    RequestBodySignedAsWritten, "request-body-signed-as-written", "SS-AUTH-014", Branch("federation/authentication.rs");
    /// The server verifies the path in its decoded form.
    RequestPathDecoded, "request-path-decoded", "SS-AUTH-007", SignedTarget(authentication::decoded_target);
    /// The server brings the path into one encoding before it verifies it.
    RequestPathEncoded, "request-path-encoded", "SS-AUTH-007", SignedTarget(authentication::encoded_target);
    /// The server reads the parameters of the credentials in one order only.
    CredentialsInOneOrder, "credentials-in-one-order", "SS-AUTH-022", Credentials(authentication::in_other_order);
    /// The server reads the parameters of the credentials in lower case only.
    CredentialsInOneCase, "credentials-in-one-case", "SS-AUTH-021", Credentials(authentication::in_upper_case);
    /// The server refuses credentials with spaces around their commas.
    CredentialsWithoutSpaces, "credentials-without-spaces", "SS-AUTH-023", Credentials(authentication::with_spaces);
    /// The server refuses quoted credentials with escapes.
    CredentialsWithoutEscapes, "credentials-without-escapes", "SS-AUTH-024", Credentials(authentication::with_escapes);
    /// The server refuses credentials with an unknown parameter.
    CredentialsWithoutUnknownParameters, "credentials-without-unknown-parameters", "SS-AUTH-027", Credentials(authentication::with_unknown_parameters);
    /// The server refuses credentials without a destination.
    CredentialsNeedDestination, "credentials-need-destination", "SS-AUTH-017", Credentials(authentication::without_destination);
    /// The server refuses credentials without quotes.
    CredentialsNeedQuotes, "credentials-need-quotes", "SS-AUTH-025", Credentials(authentication::without_quotes);
    // keys of other servers, and the server's own
    /// The server accepts keys that do not sign their key document.
    KeysUnverified, "keys-unverified", "SS-KEYS-009", Branch("key_documents.rs");
    /// The server accepts a key document that names another server.
    KeysOfAnotherServer, "keys-of-another-server", "SS-KEYS-010", Branch("key_documents.rs");
    /// The server accepts requests that are signed with a retired key.
    RetiredKeysAccepted, "retired-keys-accepted", "SS-KEYS-012", Branch("key_documents.rs");
    /// The server fetches the keys of the sending server anew for each event, and drops the event if it does not get them.
    KeysNotKept, "keys-not-kept", "SS-KEYS-017", Branch("events/receive.rs");
    /// The server does not fetch the keys of a server again once it knows some of them.
    KeysNotFetchedAgain, "keys-not-fetched-again", "SS-KEYS-018", Branch("key_documents.rs");
    /// As a notary the server does not sign the key documents that it passes on.
    NotaryUnsigned, "notary-unsigned", "SS-KEYS-022", Branch("federation/notary.rs");
    /// As a notary the server returns no keys when it is asked for those of many servers.
    NotaryForOneOnly, "notary-for-one-only", "SS-KEYS-028", Request(&[endpoints::KEY_QUERIES], keys::ask_for_none);
    /// The server demands credentials of a request for its version.
    VersionNeedsCredentials, "version-needs-credentials", "SS-AUTH-034", Branch("federation/mod.rs");
    /// The server asks a notary that the product names for the keys of other servers.
    KeysByNotary, "keys-by-notary", "SS-AUTH-015", Branch("key_documents.rs");
    /// The signatures on the key document are padded.
    KeyDocumentSignaturesPadded, "key-document-signatures-padded", "SS-CJSON-014", KeyDocument(keys::pad_signatures);
    /// The server's key is made from a seed that is publicly known.
    KeyOfZeros, "key-of-zeros", "SS-KEYS-001", Branch("homeserver.rs");
    /// The key document is not signed.
    KeyDocumentUnsigned, "key-document-unsigned", "SS-KEYS-005", KeyDocument(keys::remove_signatures);
    /// The key document holds keys in padded base64.
    KeyDocumentPadded, "key-document-padded", "SS-KEYS-004", KeyDocument(keys::pad_key);
    /// The key document holds a key whose ID names no algorithm.
    KeyDocumentInvalidKeyId, "key-document-invalid-key-id", "SS-KEYS-003", KeyDocument(keys::add_invalid_key_id);
    /// The key document does not state how long it is valid.
    KeyDocumentWithoutValidity, "key-document-without-validity", "SS-KEYS-001", KeyDocument(keys::remove_validity);
    /// The key document holds an old key without the time when it expired.
    KeyDocumentOldKeysWithoutExpiry, "key-document-old-keys-without-expiry", "SS-KEYS-008", KeyDocument(keys::add_old_key_without_expiry);
    /// The key document is valid for a minute.
    KeyDocumentShortLived, "key-document-short-lived", "SS-KEYS-007", KeyDocument(keys::shorten_validity);
    /// The key document holds a second key that does not sign it.
    KeyDocumentSignedByOne, "key-document-signed-by-one", "SS-KEYS-006", KeyDocument(keys::add_key_that_does_not_sign);
    // receipt of PDUs
    /// The server soft-fails no event.
    SoftFailureSkipped, "soft-failure-skipped", "SS-PDU-024", Judgement(RoomFault::NoSoftFailure);
    /// A rejected state event changes the state.
    RejectedInState, "rejected-in-state", "SS-PDU-036", Judgement(RoomFault::RejectedChangesState);
    /// The server's own events have rejected and soft-failed events as prev events.
    RejectedAsPrevEvents, "rejected-as-prev-events", "SS-PDU-034", Judgement(RoomFault::BuildsOnRejected);
    /// The server shows rejected and soft-failed events to users.
    RejectedShown, "rejected-shown", "SS-PDU-033", Branch("events/publish.rs");
    /// The server does not verify the signatures of events.
    PduSignatureUnchecked, "pdu-signature-unchecked", "SS-PDU-020", Judgement(RoomFault::SkipsSignatures);
    /// The server keeps the content of an event whose content hash does not match.
    ContentHashUnchecked, "content-hash-unchecked", "SS-PDU-021", Judgement(RoomFault::KeepsChangedContent);
    /// The server drops an event whose content hash does not match.
    ContentHashDrops, "content-hash-drops", "SS-PDU-021", Judgement(RoomFault::DropsChangedContent);
    /// The server refuses events that have a soft-failed event as a prev event.
    EventsAfterSoftFailedRefused, "events-after-soft-failed-refused", "SS-PDU-039", Branch("federation/transactions.rs");
    /// The server does not ask for missing events.
    GapsNotFilled, "gaps-not-filled", "SS-MISSING-012", Branch("events/receive.rs");
    /// A redaction that arrives before its target has no effect.
    EarlyRedactionLost, "early-redaction-lost", "SS-REDACT-018", Branch("events/publish.rs");
    /// Any user may redact any event.
    RedactionByAnybody, "redaction-by-anybody", "SS-REDACT-017", Judgement(RoomFault::AnyoneRedacts);
    /// A redaction by another user than the sender of the event has no effect.
    RedactionBySenderOnly, "redaction-by-sender-only", "SS-REDACT-015", Judgement(RoomFault::OnlySenderRedacts);
    /// Redactions have no effect.
    RedactionWithoutEffect, "redaction-without-effect", "SS-REDACT-016", Branch("events/publish.rs");
    /// The server keeps malformed events and returns them to other servers.
    MalformedKept, "malformed-kept", "SS-PDU-019", Branch("federation/transactions.rs");
    /// The server shows malformed events to users.
    MalformedShown, "malformed-shown", "SS-PDU-019", Branch("federation/transactions.rs");
    /// The server does not check an event against its auth events.
    AuthEventsIgnored, "auth-events-ignored", "SS-PDU-022", Judgement(RoomFault::SkipsAuthEvents);
    /// The server accepts events of other rooms.
    RoomsMixed, "rooms-mixed", "SS-EAUTH-009", Judgement(RoomFault::AcceptsOtherRooms);
    /// The server uses version 2 of the state resolution algorithm in every room version.
    ResolvedByVersion2, "resolved-by-version-2", "SS-STATE-026", Judgement(RoomFault::ResolvesByV2);
    /// Of states that differ the server keeps the smallest one.
    SmallestStateKept, "smallest-state-kept", "SS-STATE-005", Judgement(RoomFault::KeepsSmallestState);
    /// The server does not fetch the events before a rejected event of the room's history.
    HistoryEndsAtRejected, "history-ends-at-rejected", "SS-BACKFILL-009", Branch("events/history.rs");
    /// After a malformed event the server sends nothing more to the server that sent it.
    MalformedStopsQueue, "malformed-stops-queue", "SS-PDU-019", Branch("federation/transactions.rs");
    // transactions from other servers
    /// The server refuses a whole transaction for one broken event.
    TransactionRefusedForOnePdu, "transaction-refused-for-one-pdu", "SS-TXN-009", Branch("federation/transactions.rs");
    /// The server drops the events after a broken one in a transaction.
    PdusAfterBrokenLost, "pdus-after-broken-lost", "SS-TXN-009", Branch("federation/transactions.rs");
    /// The server answers dropped events as it answers accepted ones.
    TransactionResultsWithoutErrors, "transaction-results-without-errors", "SS-TXN-010", PduResult(transactions::without_error);
    /// The server lists the results of a transaction under other IDs than those of its events.
    TransactionResultsWrongIds, "transaction-results-wrong-ids", "SS-TXN-010", PduResultId(transactions::under_another_id);
    /// Of many EDUs in a transaction the server accepts only the first fifty.
    EdusCut, "edus-cut", "SS-TXN-002", Request(&[endpoints::SEND], transactions::cut_edus);
    /// The server refuses an event with as many prev events as are allowed.
    PrevEventsUnderLimit, "prev-events-under-limit", "SS-PDU-014", IncomingPdu(transactions::has_most_prev_events);
    /// The server answers accepted events with an error.
    TransactionResultsAllErrors, "transaction-results-all-errors", "SS-TXN-010", PduResult(transactions::with_error);
    /// The server processes a transaction that comes again.
    RepeatedTransactionsProcessed, "repeated-transactions-processed", "SS-TXN-011", Branch("federation/transactions.rs");
    /// The server takes transactions of different servers with equal IDs for the same one.
    TransactionIdsShared, "transaction-ids-shared", "SS-TXN-012", Branch("federation/transactions.rs");
    /// The server accepts whatever origin the transaction's body names.
    TransactionOriginUnchecked, "transaction-origin-unchecked", "SS-AUTH-004", Request(&[endpoints::SEND], transactions::believe_origin);
    /// The server accepts a transaction of any length.
    TransactionOverLimit, "transaction-over-limit", "SS-TXN-013", Branch("federation/transactions.rs");
    /// The server refuses a transaction with as many PDUs or EDUs as are allowed.
    TransactionUnderLimit, "transaction-under-limit", "SS-TXN-002", Branch("federation/transactions.rs");
    /// The server refuses events that a third server sends.
    RelayedPdusRefused, "relayed-pdus-refused", "SS-TXN-020", IncomingPdu(transactions::is_relayed);
    /// The server answers a transaction without results.
    TransactionResponseEmpty, "transaction-response-empty", "SS-TXN-008", Response(&[endpoints::SEND], transactions::without_results);
    /// The server refuses a transaction with an event of an unknown room.
    UnknownRoomRefused, "unknown-room-refused", "SS-TXN-016", Branch("federation/transactions.rs");
    // joins, knocks and leaves of other servers' users
    /// The server makes templates for users of other servers than the requesting one.
    TemplateForOtherServersUsers, "template-for-other-servers-users", "SS-JOIN-008", Branch("federation/templates.rs");
    /// The server makes templates for servers that do not know the room's version.
    TemplateVersionIgnored, "template-version-ignored", "SS-JOIN-004", Branch("federation/templates.rs");
    /// The error about the room version does not name the room's version.
    TemplateErrorWithoutVersion, "template-error-without-version", "SS-JOIN-005", Response(TEMPLATES, templates::without_version);
    /// The server makes templates for users whom the rules do not allow to join.
    TemplateUnauthorised, "template-unauthorised", "SS-JOIN-009", Branch("federation/templates.rs");
    /// The server makes no template for an invited user to leave.
    TemplateRefusedToInvited, "template-refused-to-invited", "SS-LEAVE-001", Branch("federation/templates.rs");
    /// Members of the allowed rooms cannot join a restricted room, and other users can.
    RestrictionReversed, "restriction-reversed", "SS-RESTR-002", Branch("memberships/restricted.rs");
    /// Aliases of other servers lead to other rooms.
    AliasesResolvedWrongly, "aliases-resolved-wrongly", "SS-DIR-011", Branch("client/directory.rs");
    /// Templates have no type.
    TemplateWithoutType, "template-without-type", "SS-JOIN-002", Response(TEMPLATES, templates::without_type);
    /// The server answers for an unknown room as it answers for a forbidden one.
    UnknownRoomForbidden, "unknown-room-forbidden", "SS-JOIN-010", Response(HANDSHAKES, templates::forbidden_instead_of_unknown);
    /// The server accepts an event under another ID than its own.
    SubmittedIdUnchecked, "submitted-id-unchecked", "SS-JOIN-036", Branch("federation/member_events.rs");
    /// The server accepts an event that is submitted to another room.
    SubmittedRoomUnchecked, "submitted-room-unchecked", "SS-JOIN-036", Branch("federation/member_events.rs");
    /// The response to a join leaves out all members.
    JoinStateIncomplete, "join-state-incomplete", "SS-JOIN-028", Response(&[endpoints::SEND_JOIN], joins::without_members);
    /// The response to a join leaves out the members that are not in the join's auth chain.
    JoinOtherMembersLeftOut, "join-other-members-left-out", "SS-JOIN-038", Response(&[endpoints::SEND_JOIN], joins::without_other_members);
    /// The response to a join lacks the auth chain.
    JoinChainIncomplete, "join-chain-incomplete", "SS-JOIN-029", Response(&[endpoints::SEND_JOIN], joins::without_auth_chain);
    /// The server does not send a join on to the other servers of the room.
    JoinNotRelayed, "join-not-relayed", "SS-JOIN-023", Branch("federation/member_events.rs");
    /// The response to a knock shows nothing of the room.
    KnockStateHidden, "knock-state-hidden", "SS-KNOCK-011", Response(&[endpoints::SEND_KNOCK], joins::without_knock_state);
    /// Up to version 10 the response to a join holds a create event that names another creator.
    CreatorMisnamed, "creator-misnamed", "SS-ROOMV-005", Response(&[endpoints::SEND_JOIN], joins::with_another_creator);
    // joins of the server's own users by way of other servers
    /// The server signs a template of another type.
    TemplateTypeUnchecked, "template-type-unchecked", "SS-JOIN-014", Branch("memberships/remote.rs");
    /// The server signs a template for another sender.
    TemplateSenderUnchecked, "template-sender-unchecked", "SS-JOIN-013", Branch("memberships/remote.rs");
    /// The server signs a template for another state key.
    TemplateTargetUnchecked, "template-target-unchecked", "SS-JOIN-013", Branch("memberships/remote.rs");
    /// The server signs a template for another membership.
    TemplateMembershipUnchecked, "template-membership-unchecked", "SS-JOIN-015", Branch("memberships/remote.rs");
    /// The server signs a template for another room.
    TemplateRoomUnchecked, "template-room-unchecked", "SS-JOIN-012", Branch("memberships/remote.rs");
    /// The server signs a template of an unknown room version.
    TemplateVersionUnchecked, "template-version-unchecked", "SS-JOIN-018", Branch("memberships/remote.rs");
    /// The server does not verify the signatures and hashes in the response to a join.
    JoinResponseUnverified, "join-response-unverified", "SS-JOIN-043", Branch("memberships/remote.rs");
    /// The server accepts state in the response to a join that the rules do not allow.
    JoinResponseUnauthorised, "join-response-unauthorised", "SS-JOIN-044", Branch("memberships/remote.rs");
    /// The server accepts a response to a join without a create event.
    JoinResponseWithoutCreate, "join-response-without-create", "SS-JOIN-045", Branch("memberships/remote.rs");
    /// The server submits joins to the first version of the endpoint.
    JoinByFirstVersion, "join-by-first-version", "SS-JOIN-048", Branch("memberships/remote.rs");
    /// The server asks for templates without naming the room versions that it knows.
    JoinOffersNoVersions, "join-offers-no-versions", "SS-JOIN-011", OutgoingRequest(TEMPLATES, requests::without_versions);
    // invites
    /// The server signs an invite that the sender's server did not sign.
    InviteSignatureUnchecked, "invite-signature-unchecked", "SS-INVITE-016", Branch("federation/invites.rs");
    /// The server signs an event that is not a member event as an invite.
    InviteTypeUnchecked, "invite-type-unchecked", "SS-INVITE-017", Branch("federation/invites.rs");
    /// The server signs a member event with another membership as an invite.
    InviteMembershipUnchecked, "invite-membership-unchecked", "SS-INVITE-018", Branch("federation/invites.rs");
    /// The server signs an invite by a third server's user.
    InviteSenderUnchecked, "invite-sender-unchecked", "SS-INVITE-019", Branch("federation/invites.rs");
    /// The server signs an invite of another server's user.
    InviteTargetUnchecked, "invite-target-unchecked", "SS-INVITE-020", Branch("federation/invites.rs");
    /// The server signs an invite to a room of an unknown version.
    InviteVersionUnchecked, "invite-version-unchecked", "SS-INVITE-015", Branch("federation/invites.rs");
    /// The server signs an invite whatever state of the room it shows.
    InviteStateUnchecked, "invite-state-unchecked", "SS-INVITE-023", Branch("federation/invites.rs");
    /// The server refuses every invalid invite with the same server error.
    InviteErrorVague, "invite-error-vague", "SS-INVITE-021", Response(&[endpoints::INVITE], invites::vague_error);
    /// The server returns an invite without its signature.
    InviteUnsigned, "invite-unsigned", "SS-INVITE-013", Response(&[endpoints::INVITE], invites::without_signature);
    /// An invite shows nothing of its room.
    InviteStateHidden, "invite-state-hidden", "SS-INVITE-005", OutgoingRequest(&[endpoints::INVITE], requests::without_invite_state);
    /// An invite shows its room by stripped state events.
    InviteStateStripped, "invite-state-stripped", "SS-INVITE-006", OutgoingRequest(&[endpoints::INVITE], requests::with_stripped_invite_state);
    /// An invite does not name the room's version.
    InviteByFirstVersion, "invite-by-first-version", "SS-INVITE-004", OutgoingRequest(&[endpoints::INVITE], requests::without_room_version);
    /// The server does not send invites to the invited user's server.
    InviteNotSent, "invite-not-sent", "SS-INVITE-001", Branch("memberships/local.rs");
    /// The server still shows an invite that was withdrawn.
    WithdrawnInviteShown, "withdrawn-invite-shown", "SS-LEAVE-010", Branch("memberships/leaves.rs");
    /// The server does not send a rejected invite's leave to the inviting server.
    LeaveNotSent, "leave-not-sent", "SS-LEAVE-008", Branch("memberships/local.rs");
    // what other servers are given
    /// The server gives the state to servers that are not in the room.
    StateForNonMembers, "state-for-non-members", "SS-STATEQ-004", Branch("federation/room_queries.rs");
    /// The server gives the IDs of the state to servers that are not in the room.
    StateIdsForNonMembers, "state-ids-for-non-members", "SS-STATEQ-006", Branch("federation/room_queries.rs");
    /// The server gives events to servers that are not in the room.
    EventForNonMembers, "event-for-non-members", "SS-STATEQ-011", Branch("federation/room_queries.rs");
    /// The server gives auth chains to servers that are not in the room.
    EventAuthForNonMembers, "event-auth-for-non-members", "SS-STATEQ-015", Branch("federation/room_queries.rs");
    /// The server gives history to servers that are not in the room.
    BackfillForNonMembers, "backfill-for-non-members", "SS-BACKFILL-006", Branch("federation/room_queries.rs");
    /// The server gives missing events to servers that are not in the room.
    MissingEventsForNonMembers, "missing-events-for-non-members", "SS-MISSING-007", Branch("federation/room_queries.rs");
    /// The server answers a query for an unknown alias with a room.
    AliasesInvented, "aliases-invented", "SS-DIR-012", Branch("client/directory.rs");
    /// The server names a user for an OpenID token that it never issued.
    OpenidTokensUnchecked, "openid-tokens-unchecked", "SS-OPENID-002", Response(&[endpoints::OPENID], queries::believed_token);
    /// The server lists rooms that were not published.
    DirectoryListsAll, "directory-lists-all", "SS-DIR-005", Branch("client/directory.rs");
    /// The server ignores the search term of a request for published rooms.
    DirectoryFilterIgnored, "directory-filter-ignored", "SS-DIR-009", Branch("client/directory.rs");
    /// Where no event is closest to a time in one direction, the server returns one of the other direction.
    TimestampDirectionIgnored, "timestamp-direction-ignored", "SS-TIMESTAMP-002", Branch("federation/room_queries.rs");
    /// The server tells what is in a space to servers that may not know of it.
    HierarchyForNonMembers, "hierarchy-for-non-members", "SS-SPACE-006", Branch("client/hierarchy.rs");
    /// The server gives events to other servers whatever the history visibility is.
    VisibilityIgnored, "visibility-ignored", "SS-HISTVIS-010", Branch("federation/room_queries.rs");
    /// Server ACLs have no effect.
    AclIgnored, "acl-ignored", "SS-ACL-022", Judgement(RoomFault::IgnoresAcl);
    /// Server ACLs distinguish upper from lower case.
    AclCaseMatters, "acl-case-matters", "SS-ACL-007", Judgement(RoomFault::AclCaseMatters);
    /// The responses with events and history do not name the origin and the time.
    PduResponsesWithoutOrigin, "pdu-responses-without-origin", "SS-BACKFILL-003", Response(PDU_LISTS, queries::without_origin);
    /// The server gives no history to other servers.
    HistoryNotServed, "history-not-served", "SS-BACKFILL-001", Request(HISTORY, queries::no_history);
    /// The server returns another event than the requested one.
    AnotherEventServed, "another-event-served", "SS-STATEQ-009", Branch("federation/room_queries.rs");
    /// The server returns events without their signatures.
    ServedPdusUnsigned, "served-pdus-unsigned", "SS-PDU-047", ServedPdu(queries::without_signatures);
    /// The server returns redacted events with all of their content.
    RedactedServedWhole, "redacted-served-whole", "SS-REDACT-024", Branch("federation/room_queries.rs");
    /// The server returns an empty profile to other servers.
    ProfileResponseEmpty, "profile-response-empty", "SS-PROFILE-001", Response(&[endpoints::QUERY_PROFILE], queries::empty_profile);
    /// The server gives the devices of other servers' users to third servers.
    DevicesOfOtherServersServed, "devices-of-other-servers-served", "SS-DEVLIST-019", Branch("federation/user_queries.rs");
    /// The server gives the user-signing key to other servers.
    UserSigningKeyServed, "user-signing-key-served", "SS-XSIGN-003", Branch("client/encryption_keys.rs");
    /// The server returns the same one-time key again and again.
    OneTimeKeysReused, "one-time-keys-reused", "SS-E2EE-005", Branch("client/encryption_keys.rs");
    /// The responses do not name JSON as their content type.
    ResponsesWithoutContentType, "responses-without-content-type", "SS-HTTP-001", AnyResponse(responses::without_content_type);
    /// The responses are lists in place of objects.
    ResponsesNotObjects, "responses-not-objects", "SS-HTTP-005", Success(responses::not_an_object);
    /// Error responses have no errcode.
    ErrorsWithoutErrcode, "errors-without-errcode", "SS-ERRORS-004", Error(responses::without_errcode);
    /// The errcodes of error responses are outside of the namespace.
    ErrorsOutOfNamespace, "errors-out-of-namespace", "SS-ERRORS-005", Error(responses::errcode_outside_namespace);
    // requests, transactions and PDUs to other servers
    /// The server does not send events to other servers.
    PdusNotSent, "pdus-not-sent", "SS-TXN-019", OutgoingPdu(pdus::not_at_all);
    /// The server does not repeat a transaction that failed.
    PdusSentOnce, "pdus-sent-once", "SS-TXN-007", Branch("outbox.rs");
    /// The server sends events to servers that have left the room.
    PdusSentToFormerMembers, "pdus-sent-to-former-members", "SS-TXN-021", Branch("events/send.rs");
    /// The server does not send a kick or ban to the server of the kicked or banned user.
    PdusNotSentToKicked, "pdus-not-sent-to-kicked", "SS-TXN-019", Branch("events/send.rs");
    /// The server's own events go out without signatures.
    PduUnsigned, "pdu-unsigned", "SS-PDU-047", OutgoingPdu(pdus::without_signatures);
    /// The server's own events carry an event ID.
    PduCarriesId, "pdu-carries-id", "SS-PDU-008", OutgoingPdu(pdus::with_event_id);
    /// The server's own events have a further signature under an invalid key ID.
    SignaturesWithInvalidKeyId, "signatures-with-invalid-key-id", "SS-CJSON-017", OutgoingPdu(pdus::with_invalid_key_id);
    /// The signatures of the server's own events are padded.
    SignaturesPadded, "signatures-padded", "SS-CJSON-014", OutgoingPdu(pdus::with_padded_signatures);
    /// The server does not sign its requests.
    RequestsUnsigned, "requests-unsigned", "SS-AUTH-001", OutgoingCredentials(requests::unsigned);
    /// The server's requests name no destination.
    RequestsWithoutDestination, "requests-without-destination", "SS-AUTH-016", OutgoingCredentials(requests::without_destination);
    /// The credentials of the server's requests are not quoted.
    RequestsUnquoted, "requests-unquoted", "SS-AUTH-028", OutgoingCredentials(requests::unquoted);
    /// The credentials of the server's requests are in upper case.
    RequestsUpperCase, "requests-upper-case", "SS-AUTH-029", OutgoingCredentials(requests::in_upper_case);
    /// The credentials of the server's requests have spaces around their commas.
    RequestsSpaced, "requests-spaced", "SS-AUTH-030", OutgoingCredentials(requests::spaced);
    /// The server's requests do not name JSON as their content type.
    RequestsWithoutContentType, "requests-without-content-type", "SS-HTTP-002", Branch("requests.rs");
    /// The bodies of the server's requests are lists in place of objects.
    RequestBodyNotObject, "request-body-not-object", "SS-HTTP-004", AnyOutgoingRequest(requests::not_an_object);
    /// The server signs its requests with a key that it never published.
    RequestsSignedWithUnpublishedKey, "requests-signed-with-unpublished-key", "SS-KEYS-035", OutgoingCredentials(requests::signed_with_unpublished_key);
    /// The server's transactions do not state when they were made.
    TransactionWithoutTime, "transaction-without-time", "SS-TXN-001", OutgoingTransaction(transactions::without_time);
    /// The server's transactions name another origin than their sender.
    TransactionOriginForged, "transaction-origin-forged", "SS-TXN-001", OutgoingTransaction(transactions::with_another_origin);
    /// The server's transactions hold more PDUs and EDUs than allowed.
    TransactionsTooLong, "transactions-too-long", "SS-TXN-002", Branch("outbox.rs");
    /// The server's EDUs have no type.
    EdusWithoutType, "edus-without-type", "SS-TXN-017", AnyOutgoingEdu(edus::without_type);
    /// The server requests files of other servers as thumbnails.
    MediaAskedAsThumbnail, "media-asked-as-thumbnail", "SS-MEDIA-001", OutgoingRequest(MEDIA, requests::thumbnail);
    // EDUs from other servers
    /// The server accepts typing notifications for users of other servers than the sending one.
    TypingOfOtherServersAccepted, "typing-of-other-servers-accepted", "SS-TYPING-003", Branch("edus/typing.rs");
    /// The server accepts typing notifications of users who are not in the room.
    TypingOfNonMembersAccepted, "typing-of-non-members-accepted", "SS-TYPING-004", Branch("edus/typing.rs");
    /// The server accepts receipts for users of other servers than the sending one.
    ReceiptsOfOtherServersAccepted, "receipts-of-other-servers-accepted", "SS-RECEIPT-005", Branch("edus/receipts.rs");
    /// The server stores receipts for threads as receipts without a thread.
    ReceiptThreadsMixed, "receipt-threads-mixed", "SS-RECEIPT-006", IncomingEdu("m.receipt", edus::without_threads);
    /// The server accepts presence of users of other servers than the sending one.
    PresenceOfOtherServersAccepted, "presence-of-other-servers-accepted", "SS-PRESENCE-004", Branch("edus/presence.rs");
    /// The server delivers to-device messages from users of other servers than the sending one.
    ToDeviceOfOtherServersAccepted, "to-device-of-other-servers-accepted", "SS-TODEV-006", Branch("edus/to_device.rs");
    /// The server delivers a to-device message that comes again once more.
    ToDeviceRepeatsDelivered, "to-device-repeats-delivered", "SS-TODEV-004", Branch("edus/to_device.rs");
    /// The server accepts another server's update of the devices of its own users.
    OwnDevicesOverwritten, "own-devices-overwritten", "SS-DEVLIST-013", Branch("edus/device_lists.rs");
    /// The server accepts another server's update of the cross-signing keys of its own users.
    OwnSigningKeysOverwritten, "own-signing-keys-overwritten", "SS-XSIGN-004", Branch("edus/device_lists.rs");
    /// The server accepts updates of the devices of users of other servers than the sending one.
    DevicesOfOtherServersAccepted, "devices-of-other-servers-accepted", "SS-DEVLIST-013", Branch("edus/device_lists.rs");
    /// The server accepts cross-signing keys of users of other servers than the sending one.
    SigningKeysOfOtherServersAccepted, "signing-keys-of-other-servers-accepted", "SS-XSIGN-004", Branch("edus/device_lists.rs");
    /// After malformed cross-signing keys the server accepts nothing more from their sender.
    MalformedKeysBlockSender, "malformed-keys-block-sender", "SS-TXN-018", Branch("federation/transactions.rs");
    /// The server refuses a transaction with an EDU of an unknown type.
    UnknownEdusRefused, "unknown-edus-refused", "SS-TXN-018", AnyIncomingEdu(edus::is_unknown);
    // EDUs to other servers
    /// The server does not send that a user no longer types.
    TypingEndNotSent, "typing-end-not-sent", "SS-TYPING-002", OutgoingEdu(Typing, edus::no_typing_end);
    /// The server's typing notifications do not name the room.
    TypingWithoutRoom, "typing-without-room", "SS-TYPING-001", OutgoingEdu(Typing, edus::without_room);
    /// The server does not send receipts.
    ReceiptsNotSent, "receipts-not-sent", "SS-RECEIPT-001", OutgoingEdu(Receipt, edus::nothing);
    /// The server's receipts name several events.
    ReceiptsOfSeveral, "receipts-of-several", "SS-RECEIPT-002", OutgoingEdu(Receipt, edus::with_two_events);
    /// The server sends receipts without a thread as receipts of the main timeline.
    ReceiptsAlwaysThreaded, "receipts-always-threaded", "SS-RECEIPT-006", OutgoingEdu(Receipt, edus::in_main_timeline);
    /// The server sends private receipts to other servers.
    PrivateReceiptsSent, "private-receipts-sent", "SS-RECEIPT-008", Branch("edus/receipts.rs");
    /// The server sends private receipts to other servers as public ones.
    PrivateReceiptsSentAsPublic, "private-receipts-sent-as-public", "SS-RECEIPT-008", Branch("edus/receipts.rs");
    /// The server does not send presence.
    PresenceNotSent, "presence-not-sent", "SS-PRESENCE-002", OutgoingEdu(Presence, edus::nothing);
    /// The server sends the presence of an unavailable user as online.
    PresenceUnavailableAsOnline, "presence-unavailable-as-online", "SS-PRESENCE-002", OutgoingEdu(Presence, edus::always_online);
    /// The server cuts the status messages that it sends.
    StatusMessagesCut, "status-messages-cut", "SS-PRESENCE-002", OutgoingEdu(Presence, edus::with_cut_status);
    /// The server sends the presence of other servers' users.
    PresenceOfOtherServersSent, "presence-of-other-servers-sent", "SS-PRESENCE-003", Branch("edus/presence.rs");
    /// The server sends presence without the status message.
    PresenceWithoutStatusMessage, "presence-without-status-message", "SS-PRESENCE-002", OutgoingEdu(Presence, edus::without_status);
    /// The server does not send changes of devices.
    DeviceChangesNotSent, "device-changes-not-sent", "SS-DEVLIST-001", OutgoingEdu(DeviceChange, edus::nothing);
    /// The server's device list updates do not name the updates before them.
    DeviceChainBroken, "device-chain-broken", "SS-DEVLIST-006", OutgoingEdu(DeviceChange, edus::without_previous_updates);
    /// All device list updates of the server have the same stream ID.
    DeviceStreamIdsConstant, "device-stream-ids-constant", "SS-DEVLIST-005", Branch("edus/device_lists.rs");
    /// The server sends null as the name of a device without a name.
    DeviceNamesNull, "device-names-null", "SS-DEVLIST-015", OutgoingEdu(DeviceChange, edus::with_null_name);
    /// The server does not send new cross-signing keys.
    SigningKeysNotSent, "signing-keys-not-sent", "SS-XSIGN-001", OutgoingEdu(SigningKeys, edus::nothing);
    /// The IDs of the cross-signing keys are not the keys.
    SigningKeysWrongIds, "signing-keys-wrong-ids", "SS-XSIGN-009", Branch("client/encryption_keys.rs");
    /// The server sends the user-signing key to other servers.
    UserSigningKeySent, "user-signing-key-sent", "SS-XSIGN-003", Branch("edus/device_lists.rs");
    /// The server does not send to-device messages to other servers.
    ToDeviceNotSent, "to-device-not-sent", "SS-TODEV-001", OutgoingEdu(ToDevice, edus::nothing);
    /// The IDs of to-device messages are longer than allowed.
    ToDeviceIdsLong, "to-device-ids-long", "SS-TODEV-003", OutgoingEdu(ToDevice, edus::with_long_id);
    // the server's own events
    /// The content hash of the server's own events is wrong.
    PduHashWrong, "pdu-hash-wrong", "SS-PDU-043", Draft(drafts::with_wrong_hash);
    /// The server's own events have more auth events than they need.
    PduAuthEventsExcessive, "pdu-auth-events-excessive", "SS-PDU-025", Draft(drafts::with_history_visibility);
    /// The server sends events of any size.
    PduTooLargeSent, "pdu-too-large-sent", "SS-LIMITS-007", Branch("events/send.rs");
    /// Redactions name their target in the place of the other room versions.
    PduRedactsElsewhere, "pdu-redacts-elsewhere", "SS-REDACT-020", Branch("events/send.rs");
    /// The auth events of the server's own events lack the create event.
    CreateNotInAuthEvents, "create-not-in-auth-events", "SS-PDU-025", Draft(drafts::without_create);
    /// In version 12, too, the auth events of the server's own events contain the create event.
    CreateAlwaysInAuthEvents, "create-always-in-auth-events", "SS-PDU-026", Draft(drafts::with_create);
    /// Create events have auth events.
    CreateWithAuthEvents, "create-with-auth-events", "SS-PDU-031", DraftOfCreate(drafts::with_unknown_auth_event);
    /// The auth events of the server's own restricted joins lack the authorising user's membership.
    AuthoriserNotInAuthEvents, "authoriser-not-in-auth-events", "SS-PDU-030", Draft(drafts::without_authoriser);
    /// The auth events of the server's own events lack the power levels.
    PowerLevelsNotInAuthEvents, "power-levels-not-in-auth-events", "SS-PDU-025", Draft(drafts::without_power_levels);
    /// The auth events of the server's own member events lack the join rules.
    JoinRulesNotInAuthEvents, "join-rules-not-in-auth-events", "SS-PDU-028", Draft(drafts::without_join_rules);
    /// The auth events of the server's own member events lack the user's previous membership.
    MembershipNotInAuthEvents, "membership-not-in-auth-events", "SS-PDU-027", Draft(drafts::without_target);
    /// The hashes of the server's own events are padded.
    HashesPadded, "hashes-padded", "SS-CJSON-014", Draft(drafts::with_padded_hash);
    /// The server's own events have no depth.
    PduWithoutDepth, "pdu-without-depth", "SS-PDU-001", Draft(drafts::without_depth);
    /// The server's own events all have the same depth.
    DepthConstant, "depth-constant", "SS-PDU-015", Draft(drafts::with_constant_depth);
    /// Create events name the creator in the room versions that forbid it, and not in those that need it.
    CreatorFieldMisplaced, "creator-field-misplaced", "SS-ROOMV-006", Content(&[Occasion::Creation], contents::creator_misplaced);
    /// The server sends power levels as text.
    PowerLevelsAsText, "power-levels-as-text", "SS-ROOMV-011", Content(&[Occasion::FirstPowerLevels], contents::level_as_text);
    /// In version 12, too, an administrator may upgrade a room.
    TombstoneForAdministrators, "tombstone-for-administrators", "SS-ROOMV-020", Content(&[Occasion::FirstPowerLevels], contents::tombstone_for_administrators);
    /// In version 12, too, the power levels list the creators.
    CreatorsInPowerLevels, "creators-in-power-levels", "SS-ROOMV-019", Content(&[Occasion::FirstPowerLevels, Occasion::CopiedPowerLevels], contents::with_creator);
    /// A room begins with other state before its power levels.
    PowerLevelsNotFirst, "power-levels-not-first", "SS-ROOMV-021", Branch("client/create_room.rs");
    /// The IDs of rooms name another server.
    RoomIdsOfAnotherServer, "room-ids-of-another-server", "SS-IDENT-008", Branch("events/create_room.rs");
    /// Member events show neither names nor avatars.
    ProfileNotInRooms, "profile-not-in-rooms", "SS-PROFILE-011", Content(&[Occasion::Profile], contents::no_profile);
    /// Member events show no avatars.
    ProfileWithoutAvatars, "profile-without-avatars", "SS-PROFILE-011", Content(&[Occasion::Profile], contents::no_avatar);
    /// The server does not bring a new name or avatar to the user's rooms.
    ProfileChangesNotShown, "profile-changes-not-shown", "SS-PROFILE-010", Branch("client/profile.rs");
    /// A change of profile names anew the user who authorised the join.
    ProfileChangeNamesAuthoriser, "profile-change-names-authoriser", "SS-RESTR-019", Content(&[Occasion::ProfileChange], contents::with_authoriser);
    /// An upgrade leaves the old room open.
    UpgradeLeavesOpen, "upgrade-leaves-open", "SS-UPGRADE-007", Branch("client/upgrade.rs");
    /// The new room does not name the room that it replaces.
    UpgradeWithoutPredecessor, "upgrade-without-predecessor", "SS-UPGRADE-002", Content(&[Occasion::Upgrade], contents::without_predecessor);
    /// An upgrade does not copy the state of the old room.
    UpgradeLosesState, "upgrade-loses-state", "SS-UPGRADE-004", Branch("client/upgrade.rs");
    // what users send
    /// The server removes the characters that join others from texts.
    TextsWithoutJoiners, "texts-without-joiners", "content/client-server-api/_index.md#sending-events-to-a-room", ClientRequest("PUT", SEND, messages::without_joiners);
    /// The server removes relations to other events.
    RelationsDropped, "relations-dropped", "content/client-server-api/_index.md#forming-relationships-between-events", ClientRequest("PUT", SEND, messages::without_relations);
    /// Users can send only text messages.
    MessageTypesFiltered, "message-types-filtered", "content/client-server-api/_index.md#sending-events-to-a-room", ClientRequest("PUT", SEND, messages::only_text);
    /// The server turns all messages into plain text.
    MessageTypesFlattened, "message-types-flattened", "content/client-server-api/_index.md#sending-events-to-a-room", ClientRequest("PUT", SEND, messages::as_text);
    /// The server obeys a message that begins with a slash as a command, whoever sends it.
    CommandsObeyed, "commands-obeyed", "content/client-server-api/_index.md#sending-events-to-a-room", Branch("events/receive.rs");
    /// Users can send only events of known types.
    EventTypesFiltered, "event-types-filtered", "content/client-server-api/_index.md#sending-events-to-a-room", ClientRequest("PUT", SEND, messages::only_known_types);
    /// The server cuts long messages.
    MessagesCut, "messages-cut", "content/client-server-api/_index.md#sending-events-to-a-room", ClientRequest("PUT", SEND, messages::cut);
    /// The server cuts the names and topics of rooms.
    StateTextsCut, "state-texts-cut", "content/client-server-api/_index.md#sending-events-to-a-room", ClientRequest("PUT", STATE, messages::cut_state_texts);
    /// Users cannot remove names and topics.
    EmptyStateIgnored, "empty-state-ignored", "content/client-server-api/_index.md#sending-events-to-a-room", ClientRequest("PUT", STATE, messages::ignore_empty_state);
    /// The server rounds power levels to those that the product has roles for.
    PowerLevelsRounded, "power-levels-rounded", "content/client-server-api/_index.md#sending-events-to-a-room", ClientRequest("PUT", STATE, messages::round_power_levels);
    /// The server adds a reason to a leave for which the user gave none.
    LeavesWithInventedReason, "leaves-with-invented-reason", "content/client-server-api/_index.md#leaving-rooms", ClientRequest("POST", LEAVE, messages::with_reason);
    /// The server removes the reasons for kicks and bans.
    ReasonsDropped, "reasons-dropped", "content/client-server-api/_index.md#room-membership", ClientRequest("POST", REMOVAL, messages::without_reason);
    /// The server creates rooms of one version, whichever is requested.
    RoomVersionIgnored, "room-version-ignored", "content/client-server-api/_index.md#creation", ClientRequest("POST", CREATE_ROOM, messages::room_version_9);
    /// No user can register.
    RegistrationRefused, "registration-refused", "content/client-server-api/_index.md#account-registration", Branch("client/users.rs");
    /// User IDs have upper-case letters.
    UserIdsUpperCase, "user-ids-upper-case", "SS-IDENT-004", Branch("client/users.rs");
    // what users are shown
    /// Clients that read a state event are shown the one that it replaced.
    StateReadStale, "state-read-stale", "content/client-server-api/_index.md#getting-events-for-a-room", Branch("client/room_state.rs");
    /// Clients that read a state event are shown no lists in it.
    StateListsDropped, "state-lists-dropped", "content/client-server-api/_index.md#getting-events-for-a-room", StateEvent(shown::without_lists);
    /// Clients that read a room's state are not shown the members from other servers.
    MembersOfOtherServersHidden, "members-of-other-servers-hidden", "content/client-server-api/_index.md#getting-events-for-a-room", Branch("client/room_state.rs");
    /// Clients are shown the creators of rooms in the power levels.
    CreatorsShownInPowerLevels, "creators-shown-in-power-levels", "SS-ROOMV-019", StateEvent(shown::with_creator);
    /// Clients are not shown which event a redaction redacts.
    RedactionTargetHidden, "redaction-target-hidden", "SS-REDACT-022", ClientEvent(shown::without_redacts);
    /// Clients are not shown why an event was redacted.
    RedactedBecauseHidden, "redacted-because-hidden", "SS-REDACT-026", ClientEvent(shown::without_redaction);
    /// Clients are shown events with the time when they arrived.
    TimestampsOfArrival, "timestamps-of-arrival", "content/client-server-api/_index.md#room-event-format", ClientEvent(shown::with_time_of_arrival);
    /// An edit takes the place of the event that it edits.
    EditsInPlace, "edits-in-place", "content/client-server-api/modules/event_replacements.md", BundledEvent(shown::with_edited_content);
    /// Clients are not shown edits with the event that they edit.
    EditsNotBundled, "edits-not-bundled", "content/client-server-api/modules/event_replacements.md", BundledEvent(shown::without_relations);
    /// Clients are shown the first edit in place of the last.
    FirstEditBundled, "first-edit-bundled", "content/client-server-api/modules/event_replacements.md", Branch("client/relations.rs");
    /// An edit by any user counts.
    EditsByAnybody, "edits-by-anybody", "content/client-server-api/modules/event_replacements.md", Branch("client/relations.rs");
    /// An edit of another type than the message counts.
    EditsOfAnyType, "edits-of-any-type", "content/client-server-api/modules/event_replacements.md", Branch("client/relations.rs");
    /// An edit that was redacted still counts.
    RedactedRelationsCount, "redacted-relations-count", "content/client-server-api/modules/event_replacements.md", Branch("client/relations.rs");
    /// Clients are shown the history in no order.
    HistoryUnordered, "history-unordered", "content/client-server-api/_index.md#getting-events-for-a-room", Branch("client/history.rs");
    /// Clients are shown events twice.
    EventsShownTwice, "events-shown-twice", "content/client-server-api/_index.md#syncing", Timeline(shown::twice);
    /// Clients are not shown invites.
    InvitesNotShown, "invites-not-shown", "content/client-server-api/_index.md#syncing", Branch("client/sync/rooms.rs");
    /// Clients are shown no room version.
    CapabilitiesWithoutVersions, "capabilities-without-versions", "content/client-server-api/_index.md#capabilities-negotiation", ClientResponse("GET", CAPABILITIES, shown::no_room_versions);
    // files
    /// The server does not give files to other servers.
    MediaRefused, "media-refused", "SS-MEDIA-001", Request(MEDIA, media::refuse_download);
    /// The server returns a file as it is, not in two parts.
    MediaNotInParts, "media-not-in-parts", "SS-MEDIA-001", Branch("client/media.rs");
    /// No file can be uploaded.
    UploadsRefused, "uploads-refused", "content/client-server-api/modules/content_repo.md#client-behaviour", ClientRequest("POST", UPLOAD, media::refuse_upload);
    /// The server cuts files.
    MediaCut, "media-cut", "SS-MEDIA-003", Upload(media::cut);
    /// The server loses the types of files.
    MediaTypesLost, "media-types-lost", "SS-MEDIA-003", Upload(media::without_type);
    /// The server keeps only plain letters of the names of files.
    MediaNamesSimplified, "media-names-simplified", "SS-MEDIA-024", Upload(media::with_plain_name);
    /// The IDs of files hold characters that are not allowed.
    MediaIdsInvalid, "media-ids-invalid", "SS-MEDIA-023", Branch("client/media.rs");
    // restarts
    /// After a restart the server names the version of before.
    VersionOutdatedAfterRestart, "version-outdated-after-restart", "SS-VERSION-001", Branch("homeserver.rs");
    /// After a restart the server has another key, and does not publish the old one.
    KeyReplacedAfterRestart, "key-replaced-after-restart", "SS-KEYS-001", Branch("homeserver.rs");
    /// A restart logs out all users.
    LoginsLost, "logins-lost", "content/client-server-api/_index.md#client-authentication", Branch("homeserver.rs");
    /// After a restart rooms have no topic any more.
    TopicsLost, "topics-lost", "content/client-server-api/_index.md#room-events", Branch("client/room_state.rs");
    /// After a restart the messages of before are lost.
    HistoryLost, "history-lost", "content/client-server-api/_index.md#syncing", Branch("homeserver.rs");
    /// After a restart the events that were still to be sent are lost.
    QueuesLost, "queues-lost", "SS-TXN-019", Branch("homeserver.rs");
    /// The server acknowledges and loses the first events that it receives from a server after a restart.
    FirstPdusLost, "first-pdus-lost", "SS-TXN-008", Branch("federation/transactions.rs");
    /// After a restart the server sends the last messages of its users once more, as new ones.
    LastMessagesSentAgain, "last-messages-sent-again", "SS-PDU-011", Branch("restart.rs");
    /// After a restart the server's own events have only one of the forward extremities as a prev event.
    ForksLost, "forks-lost", "SS-PDU-032", Draft(drafts::after_latest);
}
