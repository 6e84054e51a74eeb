//! Builders of the paths of the server-server API, with the query that the specification asks for. A path without parameters
//! is its endpoint's template.

use super::*;

/// [`BACKFILL`]: at most `limit` events up to and including these.
pub fn backfill<T: AsRef<str>>(room_id: &str, event_ids: impl IntoIterator<Item = T>, limit: u64) -> String {
    let events = event_ids.into_iter().map(|id| ("v", id));
    with_query(&with_query(&BACKFILL.path(&[room_id]), events), [("limit", limit.to_string())])
}

/// [`GET_MISSING_EVENTS`].
pub fn get_missing_events(room_id: &str) -> String {
    GET_MISSING_EVENTS.path(&[room_id])
}

/// [`EVENT_AUTH`].
pub fn event_auth(room_id: &str, event_id: &str) -> String {
    EVENT_AUTH.path(&[room_id, event_id])
}

/// [`EVENT`].
pub fn event(event_id: &str) -> String {
    EVENT.path(&[event_id])
}

/// [`STATE`].
pub fn state(room_id: &str, event_id: &str) -> String {
    with_query(&STATE.path(&[room_id]), [("event_id", event_id)])
}

/// [`STATE_IDS`].
pub fn state_ids(room_id: &str, event_id: &str) -> String {
    with_query(&STATE_IDS.path(&[room_id]), [("event_id", event_id)])
}

/// [`TIMESTAMP_TO_EVENT`]: the event closest to a time in milliseconds since 1970; `direction` is `f` or `b`.
pub fn timestamp_to_event(room_id: &str, time: u64, direction: &str) -> String {
    let query = [("ts", time.to_string()), ("dir", direction.to_owned())];
    with_query(&TIMESTAMP_TO_EVENT.path(&[room_id]), query)
}

/// [`INVITE`].
pub fn invite(room_id: &str, event_id: &str) -> String {
    INVITE.path(&[room_id, event_id])
}

/// [`MAKE_JOIN`], with the room versions that the joining server knows.
pub fn make_join(room_id: &str, user_id: &str, room_versions: &[&str]) -> String {
    template(&MAKE_JOIN, room_id, user_id, room_versions)
}

/// [`SEND_JOIN`].
pub fn send_join(room_id: &str, event_id: &str) -> String {
    SEND_JOIN.path(&[room_id, event_id])
}

/// [`MAKE_KNOCK`], with the room versions that the knocking server knows.
pub fn make_knock(room_id: &str, user_id: &str, room_versions: &[&str]) -> String {
    template(&MAKE_KNOCK, room_id, user_id, room_versions)
}

/// [`SEND_KNOCK`].
pub fn send_knock(room_id: &str, event_id: &str) -> String {
    SEND_KNOCK.path(&[room_id, event_id])
}

/// [`MAKE_LEAVE`].
pub fn make_leave(room_id: &str, user_id: &str) -> String {
    template(&MAKE_LEAVE, room_id, user_id, &[])
}

/// [`SEND_LEAVE`].
pub fn send_leave(room_id: &str, event_id: &str) -> String {
    SEND_LEAVE.path(&[room_id, event_id])
}

/// [`KEY_QUERY`].
pub fn key_query(server_name: &str) -> String {
    KEY_QUERY.path(&[server_name])
}

/// [`OPENID`].
pub fn openid(access_token: &str) -> String {
    with_query(&OPENID.path(&[]), [("access_token", access_token)])
}

/// [`QUERY_DIRECTORY`].
pub fn query_directory(room_alias: &str) -> String {
    with_query(&QUERY_DIRECTORY.path(&[]), [("room_alias", room_alias)])
}

/// [`QUERY_PROFILE`].
pub fn query_profile(user_id: &str) -> String {
    with_query(&QUERY_PROFILE.path(&[]), [("user_id", user_id)])
}

/// [`HIERARCHY`].
pub fn hierarchy(room_id: &str) -> String {
    HIERARCHY.path(&[room_id])
}

/// [`SEND`].
pub fn send(transaction_id: &str) -> String {
    SEND.raw_path(&[&encoded_opaque(transaction_id)])
}

/// [`USER_DEVICES`].
pub fn user_devices(user_id: &str) -> String {
    USER_DEVICES.path(&[user_id])
}

/// [`MEDIA_DOWNLOAD`].
pub fn media_download(media_id: &str) -> String {
    MEDIA_DOWNLOAD.path(&[media_id])
}

/// The path of a request for the template of a member event; `membership` is `join`, `knock` or `leave`.
pub fn make_member(membership: &str, room_id: &str, user_id: &str, room_versions: &[&str]) -> String {
    match membership {
        "knock" => make_knock(room_id, user_id, room_versions),
        "leave" => make_leave(room_id, user_id),
        _ => make_join(room_id, user_id, room_versions),
    }
}

/// The path that a finished member event is sent to; `membership` is `join`, `knock` or `leave`.
pub fn send_member(membership: &str, room_id: &str, event_id: &str) -> String {
    match membership {
        "knock" => send_knock(room_id, event_id),
        "leave" => send_leave(room_id, event_id),
        _ => send_join(room_id, event_id),
    }
}

fn template(endpoint: &Endpoint, room_id: &str, user_id: &str, room_versions: &[&str]) -> String {
    let versions = room_versions.iter().map(|version| ("ver", version));
    with_query(&endpoint.path(&[room_id, user_id]), versions)
}
