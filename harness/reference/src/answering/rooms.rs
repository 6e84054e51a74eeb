//! What a room holds, for servers that are in it (server-server API, transactions, retrieving events, backfilling).

use std::collections::BTreeSet;

use samklang_matrix::{Event, Room, server_of};
use serde_json::{Value, json};

use super::{Asked, Refusal, Reply, refuse};
use crate::peer::{Peer, now_ms};

/// The most events that one answer brings.
const MOST: usize = 100;

/// An event in the federation format.
fn pdu(event: &Event) -> Value {
    Value::Object(event.json().clone())
}

/// Whether a server has a user in the room, as its current state has it.
pub(super) fn takes_part(room: &Room, server: &str) -> bool {
    let joined = |id: &String| room.event(id).is_some_and(|event| event.membership() == Some("join"));
    room.state().is_ok_and(|state| {
        state.iter().any(|((kind, user), id)| {
            kind == "m.room.member" && server_of(user) == Some(server) && joined(id)
        })
    })
}

fn not_found<T>() -> Result<T, Refusal> {
    refuse(404, "M_NOT_FOUND", "the event is not known")
}

/// The numbers that a query or a body gives, kept within bounds.
fn bounded(limit: Option<u64>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(10).min(MOST)
}

impl Peer {
    /// Looks into a room for a server that is in it.
    fn in_room(&self, asked: &Asked<'_>, room: &str, look: impl FnOnce(&Room) -> Reply) -> Reply {
        match self.inner().rooms.get(room) {
            Some(room) if takes_part(room, &asked.origin) => look(room),
            Some(_) => refuse(403, "M_FORBIDDEN", "the server is not in the room"),
            None => refuse(404, "M_NOT_FOUND", "the room is not known"),
        }
    }

    /// What single events and history are wrapped in.
    fn transaction(&self, pdus: &[Value]) -> Value {
        json!({"origin": self.name(), "origin_server_ts": now_ms(), "pdus": pdus})
    }

    pub(super) fn give_event(&self, asked: &Asked<'_>, id: &str) -> Reply {
        let inner = self.inner();
        let room = inner.rooms.values().find(|room| room.event(id).is_some());
        match room {
            Some(room) if takes_part(room, &asked.origin) => {
                let event: Vec<_> = room.event(id).map(pdu).into_iter().collect();
                drop(inner);
                Ok(self.transaction(&event))
            }
            Some(_) => refuse(403, "M_FORBIDDEN", "the server is not in the room"),
            None => not_found(),
        }
    }

    pub(super) fn give_state(&self, asked: &Asked<'_>, room: &str, ids: bool) -> Reply {
        let id = asked.value("event_id").unwrap_or_default();
        self.in_room(asked, room, |room| {
            let Some((state, chain)) = room.state_and_auth_chain(id) else { return not_found() };
            if !ids {
                return Ok(json!({"pdus": state, "auth_chain": chain}));
            }
            let id_of = |pdu: &Value| Some(Event::read(pdu, room.version()).ok()?.id().to_owned());
            let all = |pdus: &[Value]| pdus.iter().filter_map(id_of).collect::<Vec<_>>();
            Ok(json!({"pdu_ids": all(&state), "auth_chain_ids": all(&chain)}))
        })
    }

    pub(super) fn give_auth_chain(&self, asked: &Asked<'_>, room: &str, id: &str) -> Reply {
        self.in_room(asked, room, |room| {
            let Some(event) = room.event(id) else { return not_found() };
            let mut left = event.auth_events();
            let mut chain = BTreeSet::new();
            while let Some(id) = left.pop() {
                if let Some(event) = room.event(&id)
                    && chain.insert(id)
                {
                    left.extend(event.auth_events());
                }
            }
            let chain: Vec<_> = chain.iter().filter_map(|id| room.event(id)).map(pdu).collect();
            Ok(json!({ "auth_chain": chain }))
        })
    }

    pub(super) fn give_history(&self, asked: &Asked<'_>, room: &str) -> Reply {
        let from: Vec<_> = asked.values("v").map(str::to_owned).collect();
        let limit = bounded(asked.value("limit").and_then(|limit| limit.parse().ok()));
        let mut history = Vec::new();
        self.in_room(asked, room, |room| {
            history = walk(room, from, &BTreeSet::new(), limit);
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
        self.in_room(asked, room, |room| {
            let before = latest.iter().filter_map(|id| room.event(id)).flat_map(Event::prev_events).collect();
            let mut missing = walk(room, before, &earliest, limit);
            missing.reverse();
            Ok(json!({ "events": missing }))
        })
    }
}

/// Events from `from` backwards along `prev_events`, breadth first, at most `limit`, none of `known`.
fn walk(room: &Room, from: Vec<String>, known: &BTreeSet<String>, limit: usize) -> Vec<Value> {
    let (mut seen, mut found) = (known.clone(), Vec::new());
    let mut left: std::collections::VecDeque<_> = from.into();
    while let Some(id) = left.pop_front() {
        if found.len() == limit {
            break;
        }
        if let Some(event) = room.event(&id)
            && seen.insert(id)
        {
            left.extend(event.prev_events());
            found.push(pdu(event));
        }
    }
    found
}
