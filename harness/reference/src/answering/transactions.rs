//! Transactions (server-server API, transactions).

use samklang_matrix::{Event, EventOutcome, ReceivedPdu, RoomVersion, server_of};
use serde_json::{Map, Value, json};

use super::Asked;
use crate::{
    acl,
    fault::Fault,
    homeserver::{Homeserver, Received},
    outbox::{MOST_EDUS, MOST_PDUS},
    reply::{Reply, refuse},
    signals::{SIGNALS, is_well_formed},
};

/// The most events that one may follow (rooms/v1, event format).
const MOST_PREDECESSORS: usize = 20;
const LIMITS: [(&str, usize); 2] = [("pdus", MOST_PDUS), ("edus", MOST_EDUS)];

impl Homeserver {
    /// Takes in what a server sends. A transaction that was taken before changes nothing and gets the same answer.
    pub(super) async fn take_transaction(&self, asked: &Asked<'_>, id: &str) -> Reply {
        let claimed = asked.body["origin"].as_str().unwrap_or_default();
        let believed = self.has(Fault::TransactionOriginBelieved);
        let scope = if believed { claimed } else { &asked.origin };
        let scope = if self.has(Fault::TransactionIdsShared) { "" } else { scope };
        let key = (scope.to_owned(), id.to_owned());
        let answered = self.known().answered.get(&key).cloned();
        if let Some(answer) = answered {
            if !self.has(Fault::TransactionRepeatsCount) {
                return Ok(answer);
            }
            self.forget_transaction(asked, &answer);
        }
        if claimed != asked.origin && !believed {
            return refuse(403, "M_FORBIDDEN", "the transaction's origin is not the server that sends it");
        }
        let origin = if believed { claimed } else { &asked.origin };
        for (list, most) in LIMITS {
            let most = if self.has(Fault::TransactionUnderLimit) { most - 1 } else { most };
            let long = asked.body[list].as_array().is_some_and(|list| list.len() > most);
            if long && !self.has(Fault::TransactionOverLimit) {
                return refuse(400, "M_BAD_JSON", format!("more than {most} {list}"));
            }
        }
        let deafened = self.has(Fault::MalformedKeysDeafen) && self.known().wedged.contains(&asked.origin);
        if deafened {
            return refuse(500, "M_UNKNOWN", "the stream of signals is broken");
        }
        if self.has(Fault::FirstBroughtLost)
            && asked.body["pdus"].as_array().is_some_and(|pdus| !pdus.is_empty())
            && self.is_first_since_restart(&asked.origin)
        {
            return Ok(json!({ "pdus": {} }));
        }
        let items = |list: &str| asked.body[list].as_array().cloned().unwrap_or_default();
        let mut results = Map::new();
        for pdu in items("pdus") {
            let result = self.take_pdu(asked, &pdu).await;
            if result.as_ref().is_some_and(|(id, _)| id.is_empty()) {
                return refuse(404, "M_NOT_FOUND", "the room of an event is not known");
            }
            let broken = result.as_ref().is_none_or(|(_, result)| result["error"].is_string());
            let misnamed = self.has(Fault::TransactionResultsMisnamed);
            results.extend(result.map(|(id, result)| (if misnamed { format!("{id}x") } else { id }, result)));
            if broken && self.has(Fault::TransactionSunkByOne) {
                return refuse(400, "M_BAD_JSON", "an event of the transaction is broken");
            }
            if broken && self.has(Fault::TransactionNeighboursLost) {
                break;
            }
        }
        let most_edus = if self.has(Fault::SignalsCut) { 50 } else { usize::MAX };
        for edu in items("edus").into_iter().take(most_edus) {
            let kind = SIGNALS.into_iter().find(|kind| edu["edu_type"] == **kind);
            if kind.is_none() && self.has(Fault::UnknownSignalsRefused) {
                return refuse(400, "M_UNRECOGNIZED", "no such signal");
            }
            let sinks = kind.is_some_and(|kind| self.has(Fault::SignalSinks(kind)));
            let deafens = kind == Some("m.signing_key_update") && self.has(Fault::MalformedKeysDeafen);
            if (sinks || deafens) && !is_well_formed(&edu) {
                if sinks {
                    return refuse(400, "M_BAD_JSON", "a signal of the transaction is malformed");
                }
                self.known().wedged.insert(asked.origin.clone());
            }
            self.hear_signal(origin, &edu);
            self.log(asked, false, edu);
        }
        let mut answer = json!({ "pdus": results });
        if self.has(Fault::TransactionAnswerBare) {
            answer = json!({});
        }
        self.known().answered.insert(key, answer.clone());
        Ok(answer)
    }

    /// Has what a transaction held be news again.
    fn forget_transaction(&self, asked: &Asked<'_>, answer: &Value) {
        let mut known = self.known();
        known.seen_notes.retain(|(server, _)| *server != asked.origin);
        for id in answer["pdus"].as_object().into_iter().flat_map(Map::keys) {
            known.rooms.values_mut().for_each(|held| held.show_again(id));
        }
    }

    /// Whether this server brings events for the first time since a restart.
    fn is_first_since_restart(&self, server: &str) -> bool {
        let mut known = self.known();
        known.restarted && known.heard_again.insert(server.to_owned())
    }

    fn log(&self, asked: &Asked<'_>, is_pdu: bool, json: Value) {
        let origin = asked.origin.clone();
        self.known().received.push(Received { origin, is_pdu, json, exchange: asked.exchange });
    }

    fn keep_malformed(&self, pdu: &Value, version: &RoomVersion) {
        let Some(object) = pdu.as_object() else { return };
        let id = format!("${}", samklang_matrix::reference_hash(object, version));
        let mut known = self.known();
        let position = known.next_position();
        known.malformed.insert(id, (position, pdu.clone()));
    }

    fn follows_soft_failed(&self, room: &str, event: &Event) -> bool {
        let known = self.known();
        let Some(held) = known.rooms.get(room) else { return false };
        let is_soft_failed = |id: &String| matches!(held.room.outcome(id), Some(EventOutcome::SoftFailed(_)));
        event.prev_events().iter().any(is_soft_failed)
    }

    /// An event's result; none for what has no id, since its room is not known.
    async fn take_pdu(&self, asked: &Asked<'_>, pdu: &Value) -> Option<(String, Value)> {
        self.log(asked, true, pdu.clone());
        let room = pdu["room_id"].as_str()?;
        let Some(version) = self.known().rooms.get(room).map(|held| held.room.version().clone()) else {
            self.take_from_outside(pdu).await;
            return self.has(Fault::UnknownRoomRefused).then(|| (String::new(), Value::Null));
        };
        if self.has(Fault::MalformedKept) || self.has(Fault::MalformedShown) {
            self.keep_malformed(pdu, &version);
        }
        let event = Event::read(pdu, &version).ok()?;
        if self.has(Fault::PredecessorsUnderLimit) && event.prev_events().len() >= MOST_PREDECESSORS {
            return Some((event.id().to_owned(), json!({"error": "the event follows too many others"})));
        }
        let gossip = server_of(event.sender()) != Some(asked.origin.as_str());
        if gossip && self.has(Fault::GossipRefused) {
            return Some((event.id().to_owned(), json!({"error": "the event is another server's"})));
        }
        if self.known().rooms.get(room).is_some_and(|held| !acl::admits(held, &asked.origin)) {
            let refused = json!({"error": "the room's server ACL denies the server that brings this"});
            return Some((event.id().to_owned(), refused));
        }
        if self.has(Fault::SoftFailedShunned) && self.follows_soft_failed(room, &event) {
            return Some((event.id().to_owned(), json!({"error": "the event follows a soft-failed one"})));
        }
        let mut result = match self.take_event(room, pdu, &asked.origin).await {
            Ok(ReceivedPdu::Held { outcome: EventOutcome::Rejected(rule), .. }) => {
                json!({ "error": rule.to_string() })
            }
            // What is soft-failed, or waits for its predecessors, was taken.
            Ok(ReceivedPdu::Held { .. }) => json!({}),
            Ok(ReceivedPdu::BadSignature(fault)) => json!({ "error": fault.to_string() }),
            Ok(ReceivedPdu::Malformed(breaches)) => json!({ "error": format!("{breaches:?}") }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        if self.has(Fault::MalformedStopsQueue) && result["error"].is_string() {
            self.known().wedged.insert(asked.origin.clone());
        }
        if self.has(Fault::TransactionResultsBare) {
            result = json!({});
        } else if self.has(Fault::TransactionResultsAllBad) {
            result = json!({"error": "no"});
        }
        Some((event.id().to_owned(), result))
    }
}
