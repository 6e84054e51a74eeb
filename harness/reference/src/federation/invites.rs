//! Invites of this server's users by other servers (server-server API, inviting to a room).

use samklang_matrix::{Event, RoomVersion, Verified, server_of, sign_event, verify_event};
use serde_json::{Value, json};

use crate::{
    client::users::has_user,
    fault::Fault,
    homeserver::Homeserver,
    request::ParsedRequest,
    response::{ErrorResponse, JsonResult, error_response, refuse},
    room_versions::ROOM_VERSIONS,
    store::{ReceivedInvite, acl},
};

/// Receives an invite and signs it.
pub(super) fn receive(home: &Homeserver, request: &ParsedRequest, room: &str, id: &str) -> JsonResult {
    let event = &request.body["event"];
    let named = request.body["room_version"].as_str().unwrap_or_default();
    let Some(version) = invite_version(home, named) else {
        let error = format!("room version {named} is not known");
        return Err(error_response(400, "M_INCOMPATIBLE_ROOM_VERSION", error).with("room_version", named));
    };
    let invite = Event::read(event, &version)
        .ok()
        .filter(|invite| is_named(home, invite, room, id) && is_invite_of_own_user(home, invite));
    let Some(invite) = invite else {
        return refuse(400, "M_INVALID_PARAM", "no invite of a user of this server");
    };
    let user = invite.state_key().unwrap_or_default();
    check_invite(home, request, &invite, user)?;
    let room_state = request.body["invite_room_state"].as_array().cloned().unwrap_or_default();
    if checks_state(home) {
        check_state(home, &room_state, room, &version)?;
    }
    let mut signed = event.clone();
    if let Some(object) = signed.as_object_mut() {
        sign_event(object, home.name(), home.key(), &version);
    }
    let mut store = home.store();
    let position = store.next_position();
    let received =
        ReceivedInvite { room_version: version.id().to_owned(), event: event.clone(), room_state, position };
    store.rooms.invites.insert((room.to_owned(), user.to_owned()), received);
    drop(store);
    home.announce();
    Ok(json!({ "event": signed }))
}

/// The version of the room, if it is known.
fn invite_version(home: &Homeserver, named: &str) -> Option<RoomVersion> {
    let named = if home.has(Fault::InviteVersionUnchecked) { "11" } else { named };
    RoomVersion::new(named).ok().filter(|_| ROOM_VERSIONS.contains(&named))
}

/// Whether an invite has the room and the ID that the path names.
fn is_named(home: &Homeserver, invite: &Event, room: &str, id: &str) -> bool {
    (invite.id() == id || home.has(Fault::SubmittedIdUnchecked))
        && (invite.room_id() == Some(room) || home.has(Fault::SubmittedRoomUnchecked))
}

fn is_invite_of_own_user(home: &Homeserver, event: &Event) -> bool {
    let membership = event.content().get("membership").and_then(Value::as_str);
    (event.kind() == "m.room.member" || home.has(Fault::InviteTypeUnchecked))
        && (membership == Some("invite") || home.has(Fault::InviteMembershipUnchecked))
        && (home.is_own(event.state_key().unwrap_or_default()) || home.has(Fault::InviteTargetUnchecked))
}

/// Checks that an invite is the sender's own, and that the user can be invited.
fn check_invite(
    home: &Homeserver,
    request: &ParsedRequest,
    invite: &Event,
    user: &str,
) -> Result<(), ErrorResponse> {
    if !home.is_live() {
        return Ok(());
    }
    let is_foreign = server_of(invite.sender()) != Some(request.origin.as_str());
    if is_foreign && !home.has(Fault::InviteSenderUnchecked) {
        return refuse(400, "M_INVALID_PARAM", "the invite is by another server's user");
    }
    check_signature(home, invite, is_foreign)?;
    if !has_user(home, user) && home.is_own(user) {
        return refuse(404, "M_NOT_FOUND", format!("{user} does not exist"));
    }
    let store = home.store();
    let room = invite.room_id().and_then(|room| store.rooms.get(room));
    if room.is_some_and(|held| !acl::admits(held, &request.origin)) {
        return refuse(403, "M_FORBIDDEN", "the room's server ACL denies the inviting server");
    }
    Ok(())
}

fn check_signature(home: &Homeserver, invite: &Event, is_foreign: bool) -> Result<(), ErrorResponse> {
    match verify_event(invite, &home.store().keys.ring) {
        Ok(Verified::All) => Ok(()),
        _ if is_foreign || home.has(Fault::InviteSignatureUnchecked) => Ok(()),
        Ok(Verified::ContentHashMismatch) => {
            refuse(400, "M_INVALID_PARAM", "the invite's content does not match its hash")
        }
        Err(fault) => refuse(400, "M_INVALID_PARAM", fault.to_string()),
    }
}

fn checks_state(home: &Homeserver) -> bool {
    home.is_live() && !home.has(Fault::InviteStateUnchecked)
}

/// From version 12 on an invite has to show the create event that gives the room its ID, and no events of other rooms
/// (rooms/v12; server-server API, inviting to a room).
fn check_state(
    home: &Homeserver,
    state: &[Value],
    room: &str,
    version: &RoomVersion,
) -> Result<(), ErrorResponse> {
    if !version.is_named_by_create() {
        return Ok(());
    }
    let store = home.store();
    let is_valid = |pdu: &Value| {
        let Some(event) = Event::read(pdu, version).ok().filter(|_| pdu["hashes"].is_object()) else {
            return false;
        };
        // The keys of other servers than the inviting one may not be known yet.
        let is_unknown = server_of(event.sender()).is_none_or(|server| !store.keys.ring.knows(server));
        let is_signed = is_unknown || verify_event(&event, &store.keys.ring).is_ok();
        event.room_id() == Some(room) && is_signed
    };
    if !state.iter().any(|pdu| pdu["type"] == "m.room.create") {
        return refuse(400, "M_MISSING_PARAM", "invite_room_state does not show the room's create event");
    }
    if !state.iter().all(is_valid) {
        return refuse(400, "M_MISSING_PARAM", "invite_room_state shows what is no event of the room");
    }
    Ok(())
}
