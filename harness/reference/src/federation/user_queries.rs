//! Queries about users and rooms (server-server API, querying for information, device management, end-to-end encryption,
//! published room directory, spaces).

use serde_json::{Map, Value, json};

use super::room_queries;
use crate::{
    client::{directory, encryption_keys, hierarchy, profile},
    fault::Fault,
    homeserver::Homeserver,
    request::ParsedRequest,
    response::{ErrorResponse, JsonResult, refuse},
};

/// Answers a query, by the name of its endpoint and the values of the parameters in its path.
pub(super) fn answer(home: &Homeserver, request: &ParsedRequest, name: &str, values: &[&str]) -> JsonResult {
    if !home.is_live() {
        return answer_as_scripted(home, request, name, values);
    }
    match (name, values) {
        ("query-profile", _) => {
            let user = request.value("user_id").unwrap_or_default();
            localpart_of_own(home, user)?;
            profile::own_profile(home, user, request.value("field"))
        }
        ("query-directory", _) => directory::own_alias(home, request.value("room_alias").unwrap_or_default()),
        ("public-rooms" | "public-rooms-search", _) => {
            let limit = request.value("limit").and_then(|limit| limit.parse().ok());
            let term = request.body["filter"]["generic_search_term"].as_str();
            Ok(directory::own_public_rooms(home, request.body["limit"].as_u64().or(limit), term))
        }
        ("user-devices", [user]) => devices(home, user),
        ("user-keys-query", _) => Ok(encryption_keys::own_keys(home, &request.body["device_keys"])),
        ("user-keys-claim", _) => Ok(encryption_keys::claim_own_keys(home, &request.body["one_time_keys"])),
        ("hierarchy", [room]) => {
            let suggested = request.value("suggested_only") == Some("true");
            hierarchy::hierarchy_for_server(home, &request.origin, room, suggested)
        }
        ("timestamp-to-event", [room]) => room_queries::event_near(home, request, room),
        _ => refuse(404, "M_UNRECOGNIZED", "no such endpoint"),
    }
}

fn devices(home: &Homeserver, user: &str) -> JsonResult {
    if let Some(devices) = devices_of_other_server(home, user) {
        return Ok(json!({"user_id": user, "stream_id": 1, "devices": devices}));
    }
    match home.store().users.accounts.get(user) {
        Some(account) => Ok(account.devices_for_servers(user)),
        None => refuse(404, "M_NOT_FOUND", format!("{user} does not exist")),
    }
}

/// The devices of another server's user, as a faulty server returns them.
fn devices_of_other_server(home: &Homeserver, user: &str) -> Option<Vec<Value>> {
    if !home.has(Fault::DevicesOfOtherServersServed) {
        return None;
    }
    let store = home.store();
    let copy = store.edus.device_lists.copies.get(user)?;
    Some(copy.devices.values().cloned().collect())
}

/// Answers for a scripted server. Its users have no devices and no keys, and their localpart as their name.
fn answer_as_scripted(home: &Homeserver, request: &ParsedRequest, name: &str, values: &[&str]) -> JsonResult {
    match (name, values) {
        ("query-profile", _) => {
            let name = localpart_of_own(home, request.value("user_id").unwrap_or_default())?;
            match request.value("field") {
                None | Some("displayname") => Ok(json!({ "displayname": name })),
                Some(_) => Ok(json!({})),
            }
        }
        ("query-directory", _) => refuse(404, "M_NOT_FOUND", "no such alias"),
        ("public-rooms" | "public-rooms-search", _) => {
            Ok(json!({"chunk": [], "total_room_count_estimate": 0}))
        }
        ("user-devices", [user]) => {
            localpart_of_own(home, user)?;
            Ok(json!({"user_id": user, "stream_id": 1, "devices": []}))
        }
        ("user-keys-query", _) => {
            Ok(json!({"device_keys": nothing_for_each(home, &request.body["device_keys"])?}))
        }
        ("user-keys-claim", _) => {
            Ok(json!({"one_time_keys": nothing_for_each(home, &request.body["one_time_keys"])?}))
        }
        ("hierarchy" | "timestamp-to-event", _) => refuse(404, "M_NOT_FOUND", "the room is not known"),
        _ => refuse(404, "M_UNRECOGNIZED", "no such endpoint"),
    }
}

/// The localpart of a user of this server.
fn localpart_of_own<'a>(home: &Homeserver, user: &'a str) -> Result<&'a str, ErrorResponse> {
    let localpart = user.strip_prefix('@').and_then(|rest| rest.strip_suffix(home.name()));
    match localpart.and_then(|rest| rest.strip_suffix(':')) {
        Some(localpart) => Ok(localpart),
        None => refuse(404, "M_NOT_FOUND", format!("{user} is not a user of this server")),
    }
}

fn nothing_for_each(home: &Homeserver, users: &Value) -> Result<Map<String, Value>, ErrorResponse> {
    let users = users.as_object().into_iter().flat_map(Map::keys);
    users.map(|user| localpart_of_own(home, user).map(|_| (user.clone(), json!({})))).collect()
}
