//! The events of this server's users.

use std::collections::BTreeSet;

use samklang_matrix::{Event, Rule, Tamper, canonical_size, format_breaches, server_of, sign_event};
use serde_json::{Value, json};

use super::publish::publish;
use crate::{
    clock::timestamp,
    fault::{Drafted, Fault},
    homeserver::Homeserver,
    outbox,
    response::{ErrorResponse, error_response, refuse},
    store::held_room::HeldRoom,
};

/// The largest event, in bytes of canonical JSON (client-server API, size limits).
const LARGEST: usize = 65_536;

/// An event that a user wants to send.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewEvent<'a> {
    pub(crate) kind: &'a str,
    pub(crate) state_key: Option<&'a str>,
    pub(crate) content: Value,
    /// The event that it redacts.
    pub(crate) redacts: Option<&'a str>,
}

impl<'a> NewEvent<'a> {
    /// A state event.
    pub(crate) fn state(kind: &'a str, state_key: &'a str, content: Value) -> Self {
        Self { kind, state_key: Some(state_key), content, redacts: None }
    }

    /// A member event.
    pub(crate) fn member(user: &'a str, content: Value) -> Self {
        Self::state("m.room.member", user, content)
    }
}

/// The error for a defect of the server itself.
pub(crate) fn internal_error(error: &dyn std::fmt::Display) -> ErrorResponse {
    error_response(500, "M_UNKNOWN", error.to_string())
}

/// Sends an event of a member of the room; returns its ID.
///
/// # Errors
/// When the room is not known here, the rules forbid the event, or it is too large.
pub(crate) fn send_event(
    home: &Homeserver,
    room: &str,
    sender: &str,
    event: &NewEvent<'_>,
) -> Result<String, ErrorResponse> {
    if !may_send(home, room, sender) {
        return refuse(403, "M_FORBIDDEN", format!("{sender} is not in the room"));
    }
    send_as_any_user(home, room, sender, event)
}

fn may_send(home: &Homeserver, room: &str, sender: &str) -> bool {
    let is_member = home.store().rooms.get(room).is_some_and(|held| held.membership(sender) == "join");
    is_member || home.has(Fault::RuleSkipped(Rule::SenderNotJoined))
}

/// As [`send_event`], also for users who are not members of the room yet.
///
/// # Errors
/// As for [`send_event`].
pub(crate) fn send_as_any_user(
    home: &Homeserver,
    room: &str,
    sender: &str,
    event: &NewEvent<'_>,
) -> Result<String, ErrorResponse> {
    let mut store = home.store();
    let is_restarted = store.restarted;
    let held = store
        .rooms
        .get_mut(room)
        .ok_or_else(|| error_response(404, "M_NOT_FOUND", "the room is not known"))?;
    let before = held.servers();
    let (event, pdu) = draft(home, held, sender, event, is_restarted)?;
    held.room.add(&pdu).map_err(|error| internal_error(&error))?;
    let servers = receivers(home, held, before, &event);
    drop(store);
    publish(home, room);
    outbox::send_pdu(home, &servers, &pdu);
    Ok(event.id().to_owned())
}

/// The servers that are sent an event: those in the room before and after it, and that of a user whose membership it
/// changes.
fn receivers(
    home: &Homeserver,
    held: &HeldRoom,
    before: BTreeSet<String>,
    event: &Event,
) -> BTreeSet<String> {
    let mut servers = held.servers();
    if !home.has(Fault::PdusNotSentToKicked) {
        servers.extend(before);
        servers.extend(event.membership().and(event.state_key()).and_then(server_of).map(str::to_owned));
    }
    if home.has(Fault::PdusSentToFormerMembers) {
        servers.extend(held.members("leave").iter().filter_map(|user| server_of(user)).map(str::to_owned));
    }
    servers
}

/// An event that the room's rules allow, signed but not added to the room.
///
/// # Errors
/// When the rules forbid the event, or it is malformed or too large.
pub(crate) fn draft(
    home: &Homeserver,
    held: &HeldRoom,
    sender: &str,
    event: &NewEvent<'_>,
    is_restarted: bool,
) -> Result<(Event, Value), ErrorResponse> {
    let room = &held.room;
    let mut content = event.content.clone();
    let names_target_in_content = names_target_in_content(home, held);
    if let Some(target) = event.redacts.filter(|_| names_target_in_content) {
        content["redacts"] = json!(target);
    }
    let mut draft = room.draft(event.kind, sender).content(content).at(timestamp());
    if let Some(state_key) = event.state_key {
        draft = draft.state_key(state_key);
    }
    if let Some(target) = event.redacts.filter(|_| !names_target_in_content) {
        let target = target.to_owned();
        draft = draft.tampered(Tamper::before_hash(move |pdu| pdu["redacts"] = json!(target)));
    }
    let NewEvent { kind, state_key, .. } = *event;
    let drafted = Drafted { room, kind, state_key, content: &event.content, is_restarted };
    let mut pdu = home.identity().draft(&drafted, draft).sign(home.key()).json;
    if event.content["join_authorised_via_users_server"].is_string()
        && let Some(object) = pdu.as_object_mut()
    {
        sign_event(object, home.name(), home.key(), room.version());
    }
    if is_too_large(home, &pdu) {
        return refuse(413, "M_TOO_LARGE", format!("an event has {LARGEST} bytes at most"));
    }
    let event = Event::read(&pdu, room.version())
        .map_err(|error| error_response(400, "M_BAD_JSON", error.to_string()))?;
    if let Some(breach) = format_breaches(&pdu, room.version()).first().filter(|_| minds_size(home)) {
        return refuse(400, "M_BAD_JSON", format!("{breach:?}"));
    }
    let allowed = room.check(&event).map_err(|error| internal_error(&error))?;
    allowed.map_err(|rule| error_response(403, "M_FORBIDDEN", rule.to_string()))?;
    Ok((event, pdu))
}

/// Whether redactions name their target in the content (rooms/v11, redactions).
fn names_target_in_content(home: &Homeserver, held: &HeldRoom) -> bool {
    held.room.version().has_redacts_in_content() != home.has(Fault::PduRedactsElsewhere)
}

fn is_too_large(home: &Homeserver, pdu: &Value) -> bool {
    canonical_size(pdu).is_none_or(|size| size > LARGEST) && minds_size(home)
}

fn minds_size(home: &Homeserver) -> bool {
    !home.has(Fault::PduTooLargeSent)
}

/// Sends an event that came by a handshake to the other servers of the room.
pub(crate) fn relay(home: &Homeserver, room: &str, pdu: &Value, origin: &str) {
    let mut servers = home.store().rooms.get(room).map(HeldRoom::servers).unwrap_or_default();
    servers.remove(origin);
    outbox::send_pdu(home, &servers, pdu);
}

/// Sends the last messages of this server's users once more, in new events.
pub(crate) fn send_last_messages_again(home: &Homeserver) {
    let last_of = |held: &HeldRoom| {
        let events = held.timeline.iter().rev().filter_map(|entry| held.event(&entry.id));
        let mut own = events.filter(|event| home.is_own(event.sender()) && event.kind() == "m.room.message");
        own.next()
            .map(|event| (held.room.id().to_owned(), event.sender().to_owned(), event.content().clone()))
    };
    let last: Vec<_> = home.store().rooms.values().filter_map(last_of).collect();
    for (room, sender, content) in last {
        let content = Value::Object(content);
        let message = NewEvent { kind: "m.room.message", content, ..NewEvent::default() };
        // A user who has left the room since then cannot send.
        let _ = send_event(home, &room, &sender, &message);
    }
}

/// Adds all fields of `more` to an object.
pub(crate) fn merge(object: &mut Value, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        object[key] = value.clone();
    }
}
