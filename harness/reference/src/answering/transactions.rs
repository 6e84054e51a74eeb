//! Transactions (server-server API, transactions).

use std::collections::BTreeSet;

use samklang_matrix::{Event, Outcome, Receipt, server_of};
use serde_json::{Map, Value, json};

use super::{Asked, Reply, refuse};
use crate::peer::{Peer, Received};

/// The most PDUs and EDUs of a transaction (server-server API, transactions).
const LIMITS: [(&str, usize); 2] = [("pdus", 50), ("edus", 100)];

impl Peer {
    /// Takes in what a server sends. A transaction that was taken before changes nothing and gets the same answer.
    pub(super) fn take_transaction(&self, asked: &Asked<'_>, id: &str) -> Reply {
        let key = (asked.origin.clone(), id.to_owned());
        if let Some(answer) = self.inner().answered.get(&key) {
            return Ok(answer.clone());
        }
        if asked.body["origin"] != *asked.origin {
            return refuse(403, "M_FORBIDDEN", "the transaction's origin is not the server that sends it");
        }
        for (list, most) in LIMITS {
            if asked.body[list].as_array().is_some_and(|list| list.len() > most) {
                return refuse(400, "M_BAD_JSON", format!("more than {most} {list}"));
            }
        }
        let items = |list: &str| asked.body[list].as_array().cloned().unwrap_or_default();
        let results: Map<_, _> = items("pdus").iter().filter_map(|pdu| self.take_event(asked, pdu)).collect();
        for edu in items("edus") {
            self.note(asked, false, edu);
        }
        let answer = json!({ "pdus": results });
        self.inner().answered.insert(key, answer.clone());
        Ok(answer)
    }

    fn note(&self, asked: &Asked<'_>, is_pdu: bool, json: Value) {
        let origin = asked.origin.clone();
        self.inner().received.push(Received { origin, is_pdu, json, exchange: asked.exchange });
    }

    /// An event's result; none for what has no id, since its room is not known.
    fn take_event(&self, asked: &Asked<'_>, pdu: &Value) -> Option<(String, Value)> {
        self.note(asked, true, pdu.clone());
        let mut inner = self.inner();
        let ring = inner.ring.clone();
        let room = inner.rooms.get_mut(pdu["room_id"].as_str()?)?;
        let event = Event::read(pdu, room.version()).ok()?;
        let result = match room.receive(pdu, &ring) {
            Ok(Receipt::Held { outcome: Outcome::Rejected(rule), .. }) => {
                json!({ "error": rule.to_string() })
            }
            // What is soft-failed, or waits for its predecessors, was taken.
            Ok(Receipt::Held { .. }) => json!({}),
            Ok(Receipt::BadSignature(fault)) => json!({ "error": fault.to_string() }),
            Ok(Receipt::Malformed(breaches)) => json!({ "error": format!("{breaches:?}") }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        Some((event.id().to_owned(), result))
    }

    /// Fetches the keys of those whose events a transaction holds, as far as they are not known.
    pub(super) async fn learn_senders(&self, transaction: &Value) {
        let pdus = transaction["pdus"].as_array().into_iter().flatten();
        let servers: BTreeSet<_> = pdus.filter_map(|pdu| server_of(pdu["sender"].as_str()?)).collect();
        for server in servers {
            let known = self.inner().ring.knows(server);
            if !known {
                self.learn_keys(server).await;
            }
        }
    }
}
