//! Templates for member events of other servers' users (server-server API, joining rooms, leaving rooms, knocking upon a
//! room).

use samklang_matrix::{Event, RoomGraph, Rule, server_of};
use serde_json::{Value, json};

use crate::{
    clock::timestamp,
    fault::Fault,
    homeserver::Homeserver,
    memberships::restricted::authoriser_for,
    request::ParsedRequest,
    response::{ErrorResponse, JsonResult, error_response, refuse},
    store::{Rooms, acl, held_room::HeldRoom},
};

/// A room in which the requesting server may take part.
///
/// # Errors
/// When the server does not know the room or is not in it, or its ACL denies the requesting server.
pub(super) fn open_room<'a>(
    home: &Homeserver,
    rooms: &'a Rooms,
    room: &str,
    request: &ParsedRequest,
) -> Result<&'a HeldRoom, ErrorResponse> {
    let held = rooms.get(room).ok_or_else(|| error_response(404, "M_NOT_FOUND", "the room is not known"))?;
    if !held.has_server(home.name()) {
        return refuse(404, "M_NOT_FOUND", "this server is not in the room any more");
    }
    if !acl::admits(held, &request.origin) {
        return refuse(403, "M_FORBIDDEN", "the room's server ACL denies the requesting server");
    }
    Ok(held)
}

/// A template for a member event of a user of the requesting server.
pub(super) fn template(
    home: &Homeserver,
    request: &ParsedRequest,
    room: &str,
    user: &str,
    membership: &str,
) -> JsonResult {
    if !is_for_user(home, request, user) {
        return refuse(403, "M_FORBIDDEN", format!("{user} is not a user of the requesting server"));
    }
    let store = home.store();
    let held = open_room(home, &store.rooms, room, request)?;
    let version = held.room.version();
    if membership != "leave" && !knows_version(home, request, version.id()) {
        let error = format!("the room is of version {}", version.id());
        let error = error_response(400, "M_INCOMPATIBLE_ROOM_VERSION", error);
        return Err(error.with("room_version", version.id()));
    }
    check_features(home, held, user, membership)?;
    let mut content = json!({ "membership": membership });
    if membership == "join"
        && let Some(authoriser) = authoriser_for(home, &store.rooms, held, user)?
    {
        content["join_authorised_via_users_server"] = json!(authoriser);
    }
    let mut event = signed_member_event(home, &held.room, user, content);
    let drafted =
        Event::read(&event, version).map_err(|error| error_response(500, "M_UNKNOWN", error.to_string()))?;
    if let Some(rule) = forbidding_rule(home, held, &drafted) {
        return refuse(403, "M_FORBIDDEN", rule.to_string());
    }
    check_leave(home, held, user, membership)?;
    if let Some(event) = event.as_object_mut() {
        event.remove("hashes");
        event.remove("signatures");
    }
    Ok(json!({"room_version": version.id(), "event": event}))
}

fn signed_member_event(home: &Homeserver, room: &RoomGraph, user: &str, content: Value) -> Value {
    let draft = room.draft("m.room.member", user).state_key(user).at(timestamp());
    draft.content(content).sign(home.key()).json
}

fn is_for_user(home: &Homeserver, request: &ParsedRequest, user: &str) -> bool {
    server_of(user) == Some(request.origin.as_str()) || home.has(Fault::TemplateForOtherServersUsers)
}

/// Whether the requesting server knows a room version. Without the parameter, version 1 is meant.
fn knows_version(home: &Homeserver, request: &ParsedRequest, version: &str) -> bool {
    request.values("ver").any(|known| known == version) || home.has(Fault::TemplateVersionIgnored)
}

/// The rule that forbids a drafted event.
fn forbidding_rule(home: &Homeserver, held: &HeldRoom, event: &Event) -> Option<Rule> {
    match held.room.check(event) {
        Ok(Err(rule)) if !home.has(Fault::TemplateUnauthorised) => Some(rule),
        _ => None,
    }
}

/// Refuses what needs a feature that the server lacks.
fn check_features(
    home: &Homeserver,
    held: &HeldRoom,
    user: &str,
    membership: &str,
) -> Result<(), ErrorResponse> {
    let rule = held.state_content("m.room.join_rules");
    if rule["join_rule"] == "knock_restricted" && home.has(Fault::LeftOut("knock-restricted")) {
        return refuse(403, "M_FORBIDDEN", "the join rule is not known");
    }
    let is_uninvited = membership == "join" && held.membership(user) != "invite";
    if is_uninvited && home.has(Fault::LeftOut("uninvited-joins")) {
        return refuse(403, "M_FORBIDDEN", format!("{user} is not invited"));
    }
    Ok(())
}

/// Refuses an invited user's leave.
fn check_leave(
    home: &Homeserver,
    held: &HeldRoom,
    user: &str,
    membership: &str,
) -> Result<(), ErrorResponse> {
    if membership == "leave" && held.membership(user) == "invite" && home.has(Fault::TemplateRefusedToInvited)
    {
        return refuse(403, "M_FORBIDDEN", format!("{user} is not in the room"));
    }
    Ok(())
}
