//! The events that users send (client-server API, sending events to a room).

use serde_json::json;

use super::{ClientRequest, membership::set_member_state};
use crate::{
    events::send::{NewEvent, send_event},
    fault::Fault,
    homeserver::Homeserver,
    response::{JsonResult, refuse},
};

/// Sends an event once, however often the client sends it under the same transaction ID (client-server API, transaction
/// identifiers).
fn send_once(
    home: &Homeserver,
    call: &ClientRequest,
    room: &str,
    transaction: &str,
    event: &NewEvent<'_>,
) -> JsonResult {
    let what = format!("{} {room} {}", event.kind, event.redacts.unwrap_or_default());
    let key = (what, transaction.to_owned());
    let sent = home.store().users.device(&call.user, &call.device).and_then(|it| it.sent.get(&key)).cloned();
    let id = match sent {
        Some(id) => id,
        None => {
            let id = send_event(home, room, &call.user, event)?;
            if let Some(device) = home.store().users.device_mut(&call.user, &call.device) {
                device.sent.insert(key, id.clone());
            }
            id
        }
    };
    Ok(json!({ "event_id": id }))
}

pub(super) fn send_message(
    home: &Homeserver,
    call: &ClientRequest,
    room: &str,
    kind: &str,
    transaction: &str,
) -> JsonResult {
    if !call.body().is_object() {
        return refuse(400, "M_BAD_JSON", "the content is not an object");
    }
    let redacts = (kind == "m.room.redaction").then(|| call.body()["redacts"].as_str()).flatten();
    let event = NewEvent { kind, state_key: None, content: call.body().clone(), redacts };
    send_once(home, call, room, transaction, &event)
}

pub(super) fn send_redaction(
    home: &Homeserver,
    call: &ClientRequest,
    room: &str,
    id: &str,
    transaction: &str,
) -> JsonResult {
    if !may_redact(home, call, room, id) {
        return refuse(
            403,
            "M_FORBIDDEN",
            "only the sender, or a user with the power level, may redact an event",
        );
    }
    let event =
        NewEvent { kind: "m.room.redaction", state_key: None, content: call.reason(), redacts: Some(id) };
    send_once(home, call, room, transaction, &event)
}

/// Whether the user sent an event or has the power level to redact others; an unknown event may be redacted.
fn may_redact(home: &Homeserver, call: &ClientRequest, room: &str, id: &str) -> bool {
    let is_allowed = {
        let store = home.store();
        let held = store.rooms.get(room);
        let event = held.and_then(|held| Some((held.event(id)?, held)));
        event.is_none_or(|(event, held)| {
            let level = held.room.level("redact").unwrap_or_default();
            let power = held.room.power_of(&call.user);
            event.sender() == call.user
                || power.is_some_and(|power| power >= samklang_matrix::Power::Level(level))
        })
    };
    is_allowed || home.has(Fault::RedactionByAnybody)
}

pub(super) async fn send_state(
    home: &Homeserver,
    call: &ClientRequest,
    room: &str,
    kind: &str,
    state_key: &str,
) -> JsonResult {
    if !call.body().is_object() {
        return refuse(400, "M_BAD_JSON", "the content is not an object");
    }
    if kind == "m.room.member" {
        set_member_state(home, call, room, state_key).await?;
        let store = home.store();
        let held = store.rooms.get(room);
        let id = held.and_then(|held| Some(held.room.state_event(kind, state_key)?.id()));
        return Ok(json!({ "event_id": id }));
    }
    let event = NewEvent::state(kind, state_key, call.body().clone());
    Ok(json!({ "event_id": send_event(home, room, &call.user, &event)? }))
}
