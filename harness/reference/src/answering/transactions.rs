//! Transactions (server-server API, transactions).

use samklang_matrix::{Event, Outcome, Receipt};
use serde_json::{Map, Value, json};

use super::Asked;
use crate::{
    acl,
    homeserver::{Homeserver, Received},
    outbox::{MOST_EDUS, MOST_PDUS},
    reply::{Reply, refuse},
};

const LIMITS: [(&str, usize); 2] = [("pdus", MOST_PDUS), ("edus", MOST_EDUS)];

impl Homeserver {
    /// Takes in what a server sends. A transaction that was taken before changes nothing and gets the same answer.
    pub(super) async fn take_transaction(&self, asked: &Asked<'_>, id: &str) -> Reply {
        let key = (asked.origin.clone(), id.to_owned());
        if let Some(answer) = self.known().answered.get(&key) {
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
        let mut results = Map::new();
        for pdu in items("pdus") {
            results.extend(self.take_pdu(asked, &pdu).await);
        }
        for edu in items("edus") {
            self.hear_signal(&asked.origin, &edu);
            self.log(asked, false, edu);
        }
        let answer = json!({ "pdus": results });
        self.known().answered.insert(key, answer.clone());
        Ok(answer)
    }

    fn log(&self, asked: &Asked<'_>, is_pdu: bool, json: Value) {
        let origin = asked.origin.clone();
        self.known().received.push(Received { origin, is_pdu, json, exchange: asked.exchange });
    }

    /// An event's result; none for what has no id, since its room is not known.
    async fn take_pdu(&self, asked: &Asked<'_>, pdu: &Value) -> Option<(String, Value)> {
        self.log(asked, true, pdu.clone());
        let room = pdu["room_id"].as_str()?;
        let Some(version) = self.known().rooms.get(room).map(|held| held.room.version().clone()) else {
            self.take_from_outside(pdu).await;
            return None;
        };
        let event = Event::read(pdu, &version).ok()?;
        if self.known().rooms.get(room).is_some_and(|held| !acl::admits(held, &asked.origin)) {
            let refused = json!({"error": "the room's server ACL denies the server that brings this"});
            return Some((event.id().to_owned(), refused));
        }
        let result = match self.take_event(room, pdu, &asked.origin).await {
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
}
