//! Events that a server receives: they are checked, their gaps are filled, and users are shown the accepted ones
//! (server-server API, checks performed on receipt of a PDU; backfilling and retrieving missing events).

use std::collections::BTreeSet;

use samklang_matrix::{
    Event, EventOutcome, KeyRing, ReceivedPdu, RoomError, RoomGraph, RoomVersion, StateMap, endpoints::paths,
    required_signers,
};
use serde_json::{Value, json};

use super::{
    publish::publish,
    send::{NewEvent, send_event},
};
use crate::{
    fault::Fault,
    homeserver::Homeserver,
    key_documents::fetch_keys,
    requests::{self, request_list},
    store::Store,
};

/// How often a server that lacks events asks for more of them before it asks for the state instead.
const ROUNDS: usize = 4;
/// How many events it asks for at a time.
const LIMIT: usize = 20;

/// Receives an event of a room, as `from` sent it. The events that it builds on and that are not known are requested.
///
/// # Errors
/// When it is of another room, or the room is not known.
pub(crate) async fn receive_event(
    home: &Homeserver,
    room: &str,
    pdu: &Value,
    from: &str,
) -> Result<ReceivedPdu, RoomError> {
    if let Some(version) = version_of(home, room) {
        fetch_signers_keys(home, &version, [pdu]).await;
    }
    if !has_keys_of_sender(home, from).await {
        return Ok(ReceivedPdu::Malformed(vec![]));
    }
    let receipt = with_ring(home, room, |room, ring| room.receive(pdu, ring))?;
    let ReceivedPdu::Held { id, outcome: EventOutcome::Undecided { .. }, redacted } = receipt else {
        show(home, room);
        return Ok(receipt);
    };
    if fills_gaps(home) {
        fill_gap(home, room, pdu, &id, from).await;
    }
    show(home, room);
    let store = home.store();
    let outcome = store.rooms.get(room).and_then(|held| held.room.outcome(&id)).cloned();
    Ok(ReceivedPdu::Held {
        id,
        outcome: outcome.unwrap_or(EventOutcome::Undecided { missing: vec![] }),
        redacted,
    })
}

async fn has_keys_of_sender(home: &Homeserver, server: &str) -> bool {
    !home.has(Fault::KeysNotKept) || fetch_keys(home, server).await
}

fn fills_gaps(home: &Homeserver) -> bool {
    !home.has(Fault::GapsNotFilled)
}

/// Shows users the new events of a room.
fn show(home: &Homeserver, room: &str) {
    let new = publish(home, room);
    new.iter().filter(|event| obeys(home, event)).for_each(|event| obey(home, room, event));
}

/// Whether the server obeys an event as a command.
fn obeys(home: &Homeserver, event: &Event) -> bool {
    home.is_live()
        && home.has(Fault::CommandsObeyed)
        && body_of(event).starts_with('/')
        && !home.is_own(event.sender())
}

fn body_of(event: &Event) -> &str {
    event.content().get("body").and_then(Value::as_str).unwrap_or_default()
}

/// Has every user of this server who may do what a message says.
fn obey(home: &Homeserver, room: &str, command: &Event) {
    let members = home.store().rooms.get(room).map(|held| held.members("join")).unwrap_or_default();
    for user in members.iter().filter(|user| home.is_own(user)) {
        let topic = NewEvent::state("m.room.topic", "", json!({ "topic": body_of(command) }));
        let _ = send_event(home, room, user, &topic);
    }
}

/// Works on a room with the keys that are known.
fn with_ring<T>(
    home: &Homeserver,
    room: &str,
    work: impl FnOnce(&mut RoomGraph, &KeyRing) -> Result<T, RoomError>,
) -> Result<T, RoomError> {
    let mut store = home.store();
    let Store { rooms, keys, .. } = &mut *store;
    let held = rooms.get_mut(room).ok_or_else(|| RoomError::OtherRoom(Some(room.to_owned())))?;
    work(&mut held.room, &keys.ring)
}

/// The version of a room that the server takes part in.
pub(crate) fn version_of(home: &Homeserver, room: &str) -> Option<RoomVersion> {
    home.store().rooms.get(room).map(|held| held.room.version().clone())
}

/// Fetches the keys of the servers that must have signed events, as far as no valid key of theirs is known.
pub(crate) async fn fetch_signers_keys<'a>(
    home: &Homeserver,
    version: &RoomVersion,
    pdus: impl IntoIterator<Item = &'a Value>,
) {
    let mut unknown = BTreeSet::new();
    for pdu in pdus {
        let Ok(event) = Event::read(pdu, version) else { continue };
        let signers = required_signers(&event).unwrap_or_default();
        let store = home.store();
        // A key that is not known, or not valid for long enough, may have been published since the keys were fetched.
        let is_unknown = |server: &&String| {
            let signed = pdu["signatures"][server.as_str()].as_object();
            !signed.is_some_and(|keys| {
                keys.keys().all(|id| store.keys.ring.for_event(server, id, &event).is_some())
            })
        };
        unknown.extend(signers.keys().filter(is_unknown).cloned());
    }
    for server in unknown {
        fetch_keys(home, &server).await;
    }
}

/// Requests of `from` what an undecided event builds on: first the events before it, then the state there.
async fn fill_gap(home: &Homeserver, room: &str, pdu: &Value, id: &str, from: &str) {
    for _ in 0..ROUNDS {
        let Some(missing) = missing(home, room, id) else { return };
        let fetched = fetch_missing_events(home, room, id, from).await;
        if fetched.is_empty() {
            break;
        }
        receive_all(home, room, &fetched).await;
        if self::missing(home, room, id).as_ref() == Some(&missing) {
            break;
        }
    }
    let Some(missing) = missing(home, room, id) else { return };
    fetch_auth_chain(home, room, id, from).await;
    if !missing.is_empty()
        && self::missing(home, room, id).is_some()
        && let Some(state) = fetch_state(home, room, id, from).await
    {
        // An event that cannot be decided now stays undecided, and has no effect.
        let _ = with_ring(home, room, |room, ring| room.receive_with_state(pdu, ring, state));
    }
}

/// The IDs of the events that an event waits for; `None` when it is decided.
fn missing(home: &Homeserver, room: &str, id: &str) -> Option<Vec<String>> {
    match home.store().rooms.get(room)?.room.outcome(id)? {
        EventOutcome::Undecided { missing } => Some(missing.clone()),
        _ => None,
    }
}

async fn fetch_missing_events(home: &Homeserver, room: &str, id: &str, from: &str) -> Vec<Value> {
    let earliest = home.store().rooms.get(room).map(|held| held.room.extremities()).unwrap_or_default();
    let latest = earliest_undecided(home, room, id);
    let target = paths::get_missing_events(room);
    let body = json!({
        "earliest_events": earliest, "latest_events": latest, "limit": LIMIT, "min_depth": 0,
    });
    request_list(home, "POST", from, &target, Some(&body), "events").await
}

/// Of an undecided event and all undecided events before it, those of which no prev event is known.
fn earliest_undecided(home: &Homeserver, room: &str, id: &str) -> Vec<String> {
    let store = home.store();
    let Some(held) = store.rooms.get(room) else { return Vec::new() };
    let (mut left, mut seen, mut earliest) = (vec![id.to_owned()], BTreeSet::new(), Vec::new());
    while let Some(id) = left.pop() {
        let Some(event) = held.room.event(&id).filter(|_| seen.insert(id.clone())) else { continue };
        let before = event.prev_events();
        if before.iter().any(|id| held.room.event(id).is_none()) {
            earliest.push(id);
        }
        let is_undecided =
            |id: &String| matches!(held.room.outcome(id), Some(EventOutcome::Undecided { .. }));
        left.extend(before.into_iter().filter(is_undecided));
    }
    earliest
}

/// Receives fetched events, earlier ones first.
async fn receive_all(home: &Homeserver, room: &str, pdus: &[Value]) {
    let Some(version) = version_of(home, room) else { return };
    fetch_signers_keys(home, &version, pdus).await;
    let mut sorted: Vec<_> = pdus.iter().collect();
    sorted.sort_by_key(|pdu| pdu["depth"].as_i64());
    for pdu in sorted {
        // An invalid event is left out; the events that build on it stay undecided.
        let _ = with_ring(home, room, |room, ring| room.receive(pdu, ring));
    }
}

async fn fetch_auth_chain(home: &Homeserver, room: &str, id: &str, from: &str) {
    let target = paths::event_auth(room, id);
    let chain = request_list(home, "GET", from, &target, None, "auth_chain").await;
    receive_auth_events(home, room, &chain).await;
}

async fn receive_auth_events(home: &Homeserver, room: &str, pdus: &[Value]) {
    let Some(version) = version_of(home, room) else { return };
    fetch_signers_keys(home, &version, pdus).await;
    for pdu in pdus {
        let _ = with_ring(home, room, |room, ring| room.receive_outlier(pdu, ring));
    }
}

/// The state before an event, as another server returns it; its events are held from now on.
async fn fetch_state(home: &Homeserver, room: &str, id: &str, from: &str) -> Option<StateMap> {
    let target = paths::state(room, id);
    let response = requests::request(home, "GET", from, &target, None).await;
    let body = response.ok().filter(|response| response.is_success())?.json();
    let (chain, state) = (body["auth_chain"].as_array()?, body["pdus"].as_array()?);
    receive_auth_events(home, room, chain).await;
    receive_auth_events(home, room, state).await;
    let version = version_of(home, room)?;
    let place = |pdu: &Value| {
        let event = Event::read(pdu, &version).ok()?;
        Some(((event.kind().to_owned(), event.state_key()?.to_owned()), event.id().to_owned()))
    };
    Some(state.iter().filter_map(place).collect())
}
