//! The endpoints whose requests and responses a faulty server may malform, and patterns of paths.

use samklang_matrix::endpoints::{
    BACKFILL, EVENT, EVENT_AUTH, Endpoint, GET_MISSING_EVENTS, HIERARCHY, INVITE, KEY_QUERIES, KEY_QUERY,
    MAKE_JOIN, MAKE_KNOCK, MAKE_LEAVE, OPENID, PUBLIC_ROOMS, PUBLIC_ROOMS_SEARCH, QUERY_DIRECTORY,
    QUERY_PROFILE, SEND, SEND_JOIN, SEND_KNOCK, SEND_LEAVE, SERVER_KEYS, STATE, STATE_IDS,
    TIMESTAMP_TO_EVENT, USER_DEVICES, USER_KEYS_CLAIM, USER_KEYS_QUERY, VERSION,
};

/// The endpoints to which the suite has a server send a query or a body.
pub(super) const REQUESTED: &[Endpoint] = &[
    BACKFILL,
    GET_MISSING_EVENTS,
    STATE,
    INVITE,
    MAKE_JOIN,
    SEND_JOIN,
    MAKE_KNOCK,
    SEND_KNOCK,
    SEND_LEAVE,
    QUERY_PROFILE,
    SEND,
    USER_KEYS_CLAIM,
    USER_KEYS_QUERY,
    QUERY_DIRECTORY,
];

/// The endpoints of a server to which the suite sends requests.
pub(super) const SERVED: &[Endpoint] = &[
    BACKFILL,
    GET_MISSING_EVENTS,
    EVENT_AUTH,
    EVENT,
    STATE,
    STATE_IDS,
    INVITE,
    MAKE_JOIN,
    SEND_JOIN,
    MAKE_KNOCK,
    SEND_KNOCK,
    MAKE_LEAVE,
    SERVER_KEYS,
    QUERY_PROFILE,
    HIERARCHY,
    SEND,
    USER_DEVICES,
    USER_KEYS_QUERY,
    USER_KEYS_CLAIM,
    KEY_QUERY,
    KEY_QUERIES,
    PUBLIC_ROOMS,
    PUBLIC_ROOMS_SEARCH,
    QUERY_DIRECTORY,
    TIMESTAMP_TO_EVENT,
    VERSION,
    OPENID,
];

/// Whether a path is one that a pattern describes: `{}` stands for any segment.
pub(super) fn fits(pattern: &str, path: &str) -> bool {
    let (wanted, segments) = (pattern.split('/'), path.split('/'));
    wanted.clone().count() == segments.clone().count()
        && wanted.zip(segments).all(|(wanted, segment)| wanted == "{}" || wanted == segment)
}
