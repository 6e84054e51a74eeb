//! Joins, leaves and knocks that other servers submit (server-server API, joining rooms, leaving rooms, knocking upon a
//! room).

use samklang_matrix::{Event, EventOutcome, ReceivedPdu, server_of, sign_event};
use serde_json::{Value, json};

use super::templates::open_room;
use crate::{
    events::{receive::receive_event, send::relay},
    fault::Fault,
    homeserver::Homeserver,
    memberships::restricted::authoriser_for,
    request::ParsedRequest,
    response::{ErrorResponse, JsonResult, refuse},
    store::{Rooms, held_room::HeldRoom},
};

pub(super) async fn send_join(
    home: &Homeserver,
    request: &ParsedRequest,
    room: &str,
    id: &str,
) -> JsonResult {
    let (event, id) = receive_member_event(home, request, room, id, "join").await?;
    let store = home.store();
    let held = store.rooms.get(event["room_id"].as_str().unwrap_or(room));
    let found = held.and_then(|held| held.room.state_and_auth_chain(&id).map(|lists| (held, lists)));
    let Some((held, (state, auth_chain))) = found else {
        return refuse(500, "M_UNKNOWN", "the state before the join is not known");
    };
    Ok(json!({
        "origin": home.name(), "event": event, "state": state, "auth_chain": auth_chain, "members_omitted": false,
        "servers_in_room": held.servers(),
    }))
}

pub(super) async fn send_leave(
    home: &Homeserver,
    request: &ParsedRequest,
    room: &str,
    id: &str,
) -> JsonResult {
    receive_member_event(home, request, room, id, "leave").await.map(|_| json!({}))
}

pub(super) async fn send_knock(
    home: &Homeserver,
    request: &ParsedRequest,
    room: &str,
    id: &str,
) -> JsonResult {
    receive_member_event(home, request, room, id, "knock").await?;
    let store = home.store();
    let shown = store.rooms.get(room).map(|held| held.invite_state(None)).unwrap_or_default();
    Ok(json!({ "knock_room_state": shown }))
}

/// Receives a member event, which the rules of the room have to allow; returns it and its ID.
async fn receive_member_event(
    home: &Homeserver,
    request: &ParsedRequest,
    room: &str,
    id: &str,
    membership: &str,
) -> Result<(Value, String), ErrorResponse> {
    let mut pdu = request.body.clone();
    let room = room_of(home, request, room);
    let is_own = pdu["sender"].as_str().and_then(server_of) == Some(request.origin.as_str());
    let is_right = pdu["type"] == "m.room.member" && pdu["content"]["membership"] == membership;
    if !is_own || !is_right || pdu["sender"] != pdu["state_key"] || pdu["room_id"] != room {
        return refuse(400, "M_BAD_JSON", format!("no {membership} of a user of the sending server"));
    }
    let version = {
        let store = home.store();
        let held = open_room(home, &store.rooms, room, request)?;
        if membership == "join" {
            authorise(home, &store.rooms, held, &mut pdu)?;
        }
        held.room.version().clone()
    };
    match Event::read(&pdu, &version) {
        Ok(event) if has_id(home, &event, id) => {}
        Ok(_) => return refuse(400, "M_INVALID_PARAM", "the event has another id than the path says"),
        Err(error) => return refuse(400, "M_BAD_JSON", error.to_string()),
    }
    match receive_event(home, room, &pdu, &request.origin).await {
        Ok(ReceivedPdu::Held { id, outcome: EventOutcome::Accepted, .. }) => {
            if relays_joins(home) {
                relay(home, room, &pdu, &request.origin);
            }
            Ok((pdu, id))
        }
        Ok(other) => refuse(403, "M_FORBIDDEN", format!("the event is not accepted: {other:?}")),
        Err(error) => refuse(400, "M_BAD_JSON", error.to_string()),
    }
}

/// The room that an event is submitted to: the one that the path names.
fn room_of<'a>(home: &Homeserver, request: &'a ParsedRequest, room: &'a str) -> &'a str {
    if home.has(Fault::SubmittedRoomUnchecked) {
        return request.body["room_id"].as_str().unwrap_or(room);
    }
    room
}

/// Whether an event has the ID that the path names.
fn has_id(home: &Homeserver, event: &Event, id: &str) -> bool {
    event.id() == id || home.has(Fault::SubmittedIdUnchecked)
}

fn relays_joins(home: &Homeserver) -> bool {
    !home.has(Fault::JoinNotRelayed)
}

/// Signs a join that names a user of this server as the authorising one, if that user still may authorise it.
fn authorise(
    home: &Homeserver,
    rooms: &Rooms,
    held: &HeldRoom,
    pdu: &mut Value,
) -> Result<(), ErrorResponse> {
    let Some(user) = pdu["sender"].as_str().map(str::to_owned) else { return Ok(()) };
    let named = pdu["content"]["join_authorised_via_users_server"].as_str();
    if named.is_some_and(|authoriser| home.is_own(authoriser)) {
        authoriser_for(home, rooms, held, &user)?;
        if let Some(object) = pdu.as_object_mut() {
            sign_event(object, home.name(), home.key(), held.room.version());
        }
    }
    Ok(())
}
