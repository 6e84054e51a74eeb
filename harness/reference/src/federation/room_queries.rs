//! The events and the state of a room, for the servers in it (server-server API, transactions, retrieving events,
//! backfilling and retrieving missing events).

use std::collections::{BTreeSet, VecDeque};

use samklang_matrix::{Event, EventOutcome};
use serde_json::{Value, json};

use crate::{
    clock::now_ms,
    fault::Fault,
    homeserver::Homeserver,
    request::ParsedRequest,
    response::{ErrorResponse, JsonResult, refuse},
    store::{acl, held_room::HeldRoom},
};

/// The most events of one response.
const MOST: usize = 100;

fn not_found<T>() -> Result<T, ErrorResponse> {
    refuse(404, "M_NOT_FOUND", "the event is not known")
}

/// The limit that a query or a body names, within bounds.
fn bounded(limit: Option<u64>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(10).min(MOST)
}

/// Looks into a room for the requesting server. `careless` is the fault of a server that lets every server look.
fn look(
    home: &Homeserver,
    request: &ParsedRequest,
    room: &str,
    careless: Fault,
    look: impl FnOnce(&HeldRoom) -> JsonResult,
) -> JsonResult {
    match home.store().rooms.get(room) {
        Some(held) => {
            check_access(home, held, &request.origin, careless)?;
            look(held)
        }
        None => refuse(404, "M_NOT_FOUND", "the room is not known"),
    }
}

/// Checks that a server is in a room, and that the room's ACL does not deny it.
fn check_access(
    home: &Homeserver,
    held: &HeldRoom,
    server: &str,
    careless: Fault,
) -> Result<(), ErrorResponse> {
    if !held.has_server(server) && !home.has(careless) {
        return refuse(403, "M_FORBIDDEN", "the server is not in the room");
    }
    if !acl::admits(held, server) {
        return refuse(403, "M_FORBIDDEN", "the room's server ACL denies the requesting server");
    }
    Ok(())
}

/// An event as a server gets it: redacted where the server may not see it.
fn as_seen_by(home: &Homeserver, held: &HeldRoom, id: &str, server: &str) -> Option<Value> {
    if ignores_visibility(home) || held.visible_to_server(id, server) {
        return as_stored(home, held, id).map(|pdu| home.identity().served_pdu(pdu));
    }
    held.event(id).map(|event| Value::Object(event.redacted().json().clone()))
}

fn ignores_visibility(home: &Homeserver) -> bool {
    const BLIND: [Fault; 4] = [
        Fault::VisibilityIgnored,
        Fault::EventForNonMembers,
        Fault::BackfillForNonMembers,
        Fault::MissingEventsForNonMembers,
    ];
    BLIND.iter().any(|fault| home.has(*fault))
}

/// An event without what was redacted.
fn as_stored(home: &Homeserver, held: &HeldRoom, id: &str) -> Option<Value> {
    if home.has(Fault::RedactedServedWhole) {
        return held.event(id).map(|event| Value::Object(event.json().clone()));
    }
    held.pdu(id)
}

/// The form of a transaction, in which single events and history are returned.
fn transaction(home: &Homeserver, pdus: &[Value]) -> Value {
    json!({"origin": home.name(), "origin_server_ts": now_ms(), "pdus": pdus})
}

pub(super) fn event(home: &Homeserver, request: &ParsedRequest, id: &str) -> JsonResult {
    if let Some(kept) = malformed(home, id) {
        return Ok(transaction(home, &[kept]));
    }
    let served = {
        let store = home.store();
        let held = store.rooms.values().find(|held| held.event(id).is_some());
        let Some(held) = held.filter(|held| is_served(held, id)) else { return not_found() };
        check_access(home, held, &request.origin, Fault::EventForNonMembers)?;
        as_seen_by(home, held, served_id(home, held, id), &request.origin)
    };
    Ok(transaction(home, &Vec::from_iter(served)))
}

/// A malformed event that a faulty server returns.
fn malformed(home: &Homeserver, id: &str) -> Option<Value> {
    let store = home.store();
    store.defects.malformed.get(id).filter(|_| home.has(Fault::MalformedKept)).map(|(_, kept)| kept.clone())
}

/// The ID of the event that is returned where `id` is requested.
fn served_id<'a>(home: &Homeserver, held: &'a HeldRoom, id: &'a str) -> &'a str {
    let another = held.room.state_event("m.room.create", "").map(Event::id);
    another.filter(|_| home.has(Fault::AnotherEventServed)).unwrap_or(id)
}

pub(super) fn state(home: &Homeserver, request: &ParsedRequest, room: &str) -> JsonResult {
    look(home, request, room, Fault::StateForNonMembers, |held| {
        let id = request.value("event_id").unwrap_or_default();
        let Some((state, chain)) = held.room.state_and_auth_chain(id) else { return not_found() };
        Ok(json!({"pdus": state, "auth_chain": chain}))
    })
}

pub(super) fn state_ids(home: &Homeserver, request: &ParsedRequest, room: &str) -> JsonResult {
    look(home, request, room, Fault::StateIdsForNonMembers, |held| {
        let id = request.value("event_id").unwrap_or_default();
        let Some((state, chain)) = held.room.state_and_auth_chain(id) else { return not_found() };
        let id_of = |pdu: &Value| Some(Event::read(pdu, held.room.version()).ok()?.id().to_owned());
        let all = |pdus: &[Value]| pdus.iter().filter_map(id_of).collect::<Vec<_>>();
        Ok(json!({"pdu_ids": all(&state), "auth_chain_ids": all(&chain)}))
    })
}

pub(super) fn event_auth(home: &Homeserver, request: &ParsedRequest, room: &str, id: &str) -> JsonResult {
    look(home, request, room, Fault::EventAuthForNonMembers, |held| {
        if held.room.event(id).is_none() {
            return not_found();
        }
        Ok(json!({ "auth_chain": auth_chain(held, id) }))
    })
}

pub(super) fn backfill(home: &Homeserver, request: &ParsedRequest, room: &str) -> JsonResult {
    look(home, request, room, Fault::BackfillForNonMembers, |held| {
        let from: Vec<_> = request.values("v").map(str::to_owned).collect();
        let limit = bounded(request.value("limit").and_then(|limit| limit.parse().ok()));
        let history = events_before(home, held, from, &BTreeSet::new(), limit, &request.origin);
        Ok(transaction(home, &history))
    })
}

pub(super) fn missing_events(home: &Homeserver, request: &ParsedRequest, room: &str) -> JsonResult {
    let ids = |name: &str| -> Vec<String> {
        let list = request.body[name].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    look(home, request, room, Fault::MissingEventsForNonMembers, |held| {
        let (earliest, latest) = (ids("earliest_events").into_iter().collect(), ids("latest_events"));
        let limit = bounded(request.body["limit"].as_u64());
        let before = latest.iter().filter_map(|id| held.event(id)).flat_map(Event::prev_events).collect();
        let mut missing = events_before(home, held, before, &earliest, limit, &request.origin);
        missing.reverse();
        Ok(json!({ "events": missing }))
    })
}

/// The event of a room that is closest to a time, before or after it.
pub(super) fn event_near(home: &Homeserver, request: &ParsedRequest, room: &str) -> JsonResult {
    let Some(time) = request.value("ts").and_then(|time| time.parse().ok()) else {
        return refuse(400, "M_INVALID_PARAM", "parameter `ts` is missing or not a time");
    };
    let store = home.store();
    let Some(held) = store.rooms.get(room).filter(|held| held.has_server(&request.origin)) else {
        return refuse(403, "M_FORBIDDEN", "the server is not in the room");
    };
    match closest(home, held, time, request.value("dir") == Some("b")) {
        Some((id, time)) => Ok(json!({"event_id": id, "origin_server_ts": time})),
        None => refuse(404, "M_NOT_FOUND", "there is no event in that direction"),
    }
}

fn closest(home: &Homeserver, held: &HeldRoom, time: i64, backwards: bool) -> Option<(String, i64)> {
    match closest_in_direction(held, time, backwards) {
        None if home.has(Fault::TimestampDirectionIgnored) => closest_in_direction(held, time, !backwards),
        found => found,
    }
}

fn closest_in_direction(held: &HeldRoom, time: i64, backwards: bool) -> Option<(String, i64)> {
    let events = held.timeline.iter().filter_map(|entry| held.event(&entry.id));
    let times = events.map(|event| (event.origin_server_ts(), event.id().to_owned()));
    let found = if backwards {
        times.filter(|(at, _)| *at <= time).max()
    } else {
        times.filter(|(at, _)| *at >= time).min()
    };
    found.map(|(at, id)| (id, at))
}

/// The events from `from` backwards along `prev_events`, breadth first, at most `limit` and without those of `known`, as
/// `server` gets them.
fn events_before(
    home: &Homeserver,
    held: &HeldRoom,
    from: Vec<String>,
    known: &BTreeSet<String>,
    limit: usize,
    server: &str,
) -> Vec<Value> {
    let (mut seen, mut found) = (known.clone(), Vec::new());
    let mut left: VecDeque<_> = from.into();
    while let Some(id) = left.pop_front() {
        if found.len() == limit {
            break;
        }
        let Some(event) = held.event(&id).filter(|_| seen.insert(id.clone())) else { continue };
        left.extend(event.prev_events());
        found.extend(is_served(held, &id).then(|| as_seen_by(home, held, &id, server)).flatten());
    }
    found
}

/// Whether an event is returned to servers: rejected events are not.
fn is_served(held: &HeldRoom, id: &str) -> bool {
    !matches!(held.room.outcome(id), Some(EventOutcome::Rejected(_) | EventOutcome::Undecided { .. }))
}

fn auth_chain(held: &HeldRoom, id: &str) -> Vec<Value> {
    let auth_events = |id: &str| held.room.event(id).map(Event::auth_events).unwrap_or_default();
    let (mut left, mut chain) = (auth_events(id), BTreeSet::new());
    while let Some(id) = left.pop() {
        if chain.insert(id.clone()) {
            left.extend(auth_events(&id));
        }
    }
    let events = chain.iter().filter_map(|id| held.room.event(id));
    events.map(|event| Value::Object(event.json().clone())).collect()
}
