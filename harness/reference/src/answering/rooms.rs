//! What a room holds, for servers that are in it (server-server API, transactions, retrieving events, backfilling).

use std::collections::{BTreeSet, VecDeque};

use samklang_matrix::{Event, EventOutcome};
use serde_json::{Value, json};

use super::Asked;
use crate::{
    acl,
    fault::Fault,
    held_room::HeldRoom,
    homeserver::{Homeserver, now_ms},
    reply::{Refusal, Reply, refuse},
};

/// The most events that one answer brings.
const MOST: usize = 100;

fn not_found<T>() -> Result<T, Refusal> {
    refuse(404, "M_NOT_FOUND", "the event is not known")
}

/// The numbers that a query or a body gives, kept within bounds.
fn bounded(limit: Option<u64>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(10).min(MOST)
}

impl Homeserver {
    /// Looks into a room for a server that is in it.
    fn in_room(
        &self,
        asked: &Asked<'_>,
        room: &str,
        careless: Fault,
        look: impl FnOnce(&HeldRoom) -> Reply,
    ) -> Reply {
        match self.known().rooms.get(room) {
            Some(held) => {
                self.entitled(held, &asked.origin, careless)?;
                look(held)
            }
            None => refuse(404, "M_NOT_FOUND", "the room is not known"),
        }
    }

    /// Whether a server may look into a room: it takes part, and the room's ACL does not deny it.
    fn entitled(&self, held: &HeldRoom, server: &str, careless: Fault) -> Result<(), Refusal> {
        if !held.has_server(server) && !self.has(careless) {
            return refuse(403, "M_FORBIDDEN", "the server is not in the room");
        }
        if !acl::admits(held, server) {
            return refuse(403, "M_FORBIDDEN", "the room's server ACL denies the asking server");
        }
        Ok(())
    }

    /// An event as it is given to a server: redacted where the server may not see it.
    fn as_seen_by(&self, held: &HeldRoom, id: &str, server: &str) -> Option<Value> {
        const BLIND: [Fault; 4] = [
            Fault::VisibilityIgnored,
            Fault::EventForStrangers,
            Fault::BackfillForStrangers,
            Fault::MissingForStrangers,
        ];
        if BLIND.iter().any(|fault| self.has(*fault)) || held.visible_to_server(id, server) {
            return self.given_out(held, id);
        }
        held.event(id).map(|event| Value::Object(event.redacted().json().clone()))
    }

    fn given_out(&self, held: &HeldRoom, id: &str) -> Option<Value> {
        if self.has(Fault::GivenUnsigned) {
            let mut pdu = held.pdu(id)?;
            pdu["signatures"] = json!({});
            return Some(pdu);
        }
        if self.has(Fault::RedactedGivenWhole) {
            return held.event(id).map(|event| Value::Object(event.json().clone()));
        }
        held.pdu(id)
    }

    /// What single events and history are wrapped in.
    fn transaction(&self, pdus: &[Value]) -> Value {
        if self.has(Fault::AnswersBare) {
            return json!({ "pdus": pdus });
        }
        json!({"origin": self.name(), "origin_server_ts": now_ms(), "pdus": pdus})
    }

    pub(super) fn give_event(&self, asked: &Asked<'_>, id: &str) -> Reply {
        if let Some((_, kept)) = self.known().malformed.get(id).filter(|_| self.has(Fault::MalformedKept)) {
            return Ok(self.transaction(std::slice::from_ref(kept)));
        }
        let given = {
            let known = self.known();
            let held = known.rooms.values().find(|held| held.event(id).is_some());
            let Some(held) = held.filter(|held| is_given_out(held, id)) else { return not_found() };
            self.entitled(held, &asked.origin, Fault::EventForStrangers)?;
            let another = held.room.state_event("m.room.create", "").map(Event::id);
            let id = another.filter(|_| self.has(Fault::AnotherEventGiven)).unwrap_or(id);
            self.as_seen_by(held, id, &asked.origin)
        };
        Ok(self.transaction(&Vec::from_iter(given)))
    }

    pub(super) fn give_state(&self, asked: &Asked<'_>, room: &str, ids: bool) -> Reply {
        let id = asked.value("event_id").unwrap_or_default();
        let careless = if ids { Fault::StateIdsForStrangers } else { Fault::StateForStrangers };
        self.in_room(asked, room, careless, |held| {
            let Some((state, chain)) = held.room.state_and_auth_chain(id) else { return not_found() };
            if !ids {
                return Ok(json!({"pdus": state, "auth_chain": chain}));
            }
            let id_of = |pdu: &Value| Some(Event::read(pdu, held.room.version()).ok()?.id().to_owned());
            let all = |pdus: &[Value]| pdus.iter().filter_map(id_of).collect::<Vec<_>>();
            Ok(json!({"pdu_ids": all(&state), "auth_chain_ids": all(&chain)}))
        })
    }

    pub(super) fn give_auth_chain(&self, asked: &Asked<'_>, room: &str, id: &str) -> Reply {
        self.in_room(asked, room, Fault::EventAuthForStrangers, |held| {
            if held.room.event(id).is_none() {
                return not_found();
            }
            Ok(json!({ "auth_chain": auth_chain(held, id) }))
        })
    }

    pub(super) fn give_history(&self, asked: &Asked<'_>, room: &str) -> Reply {
        let from: Vec<_> = asked.values("v").map(str::to_owned).collect();
        let limit = bounded(asked.value("limit").and_then(|limit| limit.parse().ok()));
        let mut history = Vec::new();
        if self.has(Fault::HistoryNotGiven) {
            return Ok(self.transaction(&[]));
        }
        self.in_room(asked, room, Fault::BackfillForStrangers, |held| {
            history = self.walk(held, from, &BTreeSet::new(), limit, &asked.origin);
            Ok(Value::Null)
        })?;
        Ok(self.transaction(&history))
    }

    pub(super) fn give_missing(&self, asked: &Asked<'_>, room: &str) -> Reply {
        let ids = |name: &str| -> Vec<String> {
            let list = asked.body[name].as_array().into_iter().flatten();
            list.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let limit = bounded(asked.body["limit"].as_u64());
        let (earliest, latest) = (ids("earliest_events").into_iter().collect(), ids("latest_events"));
        if self.has(Fault::HistoryNotGiven) {
            return Ok(json!({ "events": [] }));
        }
        self.in_room(asked, room, Fault::MissingForStrangers, |held| {
            let before = latest.iter().filter_map(|id| held.event(id)).flat_map(Event::prev_events).collect();
            let mut missing = self.walk(held, before, &earliest, limit, &asked.origin);
            missing.reverse();
            Ok(json!({ "events": missing }))
        })
    }

    /// Events from `from` backwards along `prev_events`, breadth first, at most `limit`, none of `known`, as `server` is
    /// given them.
    fn walk(
        &self,
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
            found.extend(is_given_out(held, &id).then(|| self.as_seen_by(held, &id, server)).flatten());
        }
        found
    }
}

/// Rejected events are given to nobody.
fn is_given_out(held: &HeldRoom, id: &str) -> bool {
    !matches!(held.room.outcome(id), Some(EventOutcome::Rejected(_) | EventOutcome::Undecided { .. }))
}

fn auth_chain(held: &HeldRoom, id: &str) -> Vec<Value> {
    let cited = |id: &str| held.room.event(id).map(Event::auth_events).unwrap_or_default();
    let (mut left, mut chain) = (cited(id), BTreeSet::new());
    while let Some(id) = left.pop() {
        if chain.insert(id.clone()) {
            left.extend(cited(&id));
        }
    }
    let events = chain.iter().filter_map(|id| held.room.event(id));
    events.map(|event| Value::Object(event.json().clone())).collect()
}
