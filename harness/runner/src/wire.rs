//! What the wire between the servers shows about one scenario.

use std::{collections::BTreeSet, sync::Arc};

use samklang_matrix::Event;
use samklang_stage::recorder::Recorder;
use samklang_verdict::{Exchange, ExchangeId, Party, Role, Wire};
use serde_json::Value;

/// The exchanges of one scenario.
pub struct WireView {
    exchanges: Vec<Arc<Exchange>>,
    room_version: String,
}

/// What became of an event or a signal on its way from one server to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passage {
    /// It never went out.
    NotSent,
    /// It went out, and the receiver did not take it.
    Refused {
        /// The exchange that shows it.
        exchange: ExchangeId,
        /// What the receiver answered.
        answer: String,
    },
    /// It went out, and the receiver took it.
    Delivered {
        /// The exchange that shows it.
        exchange: ExchangeId,
    },
}

/// The server that an end of an exchange is.
pub fn role_of(party: &Party) -> Option<Role> {
    match party {
        Party::Server { role } => Some(*role),
        _ => None,
    }
}

impl WireView {
    /// The exchanges that mention one of `ids`.
    pub fn of(recorder: &Recorder, ids: &BTreeSet<String>, room_version: &str) -> Self {
        Self { exchanges: recorder.mentioning(ids), room_version: room_version.to_owned() }
    }

    /// All of them, client and federation, in order.
    pub fn exchanges(&self) -> &[Arc<Exchange>] {
        &self.exchanges
    }

    /// Those between servers.
    pub fn federation(&self) -> impl DoubleEndedIterator<Item = &Arc<Exchange>> {
        self.exchanges.iter().filter(|exchange| exchange.wire == Wire::Federation)
    }

    fn transactions(&self, from: Role, to: Role) -> impl Iterator<Item = (&Arc<Exchange>, Value)> {
        self.federation()
            .filter(move |exchange| {
                role_of(&exchange.from) == Some(from) && role_of(&exchange.to) == Some(to)
            })
            .filter(|exchange| exchange.path_only().contains("/federation/v1/send/"))
            .filter_map(|exchange| Some((exchange, exchange.request_body.json()?)))
    }

    /// How the event `id` fared on its way from `from` to `to` by transaction.
    pub fn event_passage(&self, id: &str, from: Role, to: Role) -> Passage {
        let mut passage = Passage::NotSent;
        for (exchange, body) in self.transactions(from, to) {
            let carries = body["pdus"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|pdu| Event::parse(pdu, &self.room_version).is_ok_and(|event| event.id() == id));
            if carries {
                match fate(exchange, Some(id)) {
                    delivered @ Passage::Delivered { .. } => return delivered,
                    other => passage = other,
                }
            }
        }
        passage
    }

    /// How a signal (EDU) of this type that mentions all of `ids` fared.
    pub fn signal_passage(&self, kind: &str, ids: &[String], from: Role, to: Role) -> Passage {
        let mut passage = Passage::NotSent;
        for (exchange, body) in self.transactions(from, to) {
            let carries = body["edus"].as_array().into_iter().flatten().any(|edu| {
                let text = edu.to_string();
                edu["edu_type"] == *kind && ids.iter().all(|id| text.contains(id.as_str()))
            });
            if carries {
                match fate(exchange, None) {
                    delivered @ Passage::Delivered { .. } => return delivered,
                    other => passage = other,
                }
            }
        }
        passage
    }

    /// The signals (EDUs) of this type that `from` sent in transactions, each with the exchange that shows it.
    pub fn signals_on_wire(&self, kind: &str, from: Role) -> Vec<(Value, ExchangeId)> {
        let sent = self.federation().filter(|exchange| role_of(&exchange.from) == Some(from));
        let bodies = sent.filter_map(|exchange| Some((exchange.id, exchange.request_body.json()?)));
        bodies
            .flat_map(|(id, mut body)| match body["edus"].take() {
                Value::Array(edus) => edus.into_iter().map(|edu| (edu, id)).collect(),
                _ => Vec::new(),
            })
            .filter(|(edu, _)| edu["edu_type"] == *kind)
            .collect()
    }

    /// Any transaction from `from` to `to` that mentions all of `ids` somewhere in its PDUs and EDUs.
    pub fn mention_passage(&self, ids: &[String], from: Role, to: Role) -> Passage {
        let mut passage = Passage::NotSent;
        for (exchange, body) in self.transactions(from, to) {
            let parts = [&body["pdus"], &body["edus"]];
            let carries = parts
                .into_iter()
                .filter_map(Value::as_array)
                .flatten()
                .map(Value::to_string)
                .any(|text| ids.iter().all(|id| text.contains(id.as_str())));
            if carries {
                match fate(exchange, None) {
                    delivered @ Passage::Delivered { .. } => return delivered,
                    other => passage = other,
                }
            }
        }
        passage
    }

    /// The content with which the event `id` crossed the wire, and the exchange that shows it.
    pub fn content_on_wire(&self, id: &str, from: Role) -> Option<(Value, ExchangeId)> {
        let sent = self.federation().filter(|exchange| role_of(&exchange.from) == Some(from));
        sent.filter_map(|exchange| Some((exchange, exchange.request_body.json()?))).find_map(
            |(exchange, body)| {
                let is_it =
                    |pdu: &&Value| Event::parse(pdu, &self.room_version).is_ok_and(|event| event.id() == id);
                let pdu = body["pdus"].as_array()?.iter().find(is_it)?;
                Some((pdu["content"].clone(), exchange.id))
            },
        )
    }

    /// What `asker` asked of other servers while the client exchange `id` lasted, and did not get.
    pub fn unanswered_during(&self, id: ExchangeId, asker: Role) -> Option<&Arc<Exchange>> {
        let client = self.exchanges.iter().find(|exchange| exchange.id == id)?;
        let end = client.at_us + client.took_us;
        self.federation()
            .filter(|exchange| role_of(&exchange.from) == Some(asker))
            .filter(|exchange| exchange.at_us >= client.at_us && exchange.at_us <= end)
            .filter(|exchange| exchange.fault.is_none())
            .find(|exchange| exchange.status.is_none_or(|status| status >= 400))
    }
}

/// What the receiver of a transaction made of it, or of one PDU in it.
fn fate(exchange: &Exchange, event: Option<&str>) -> Passage {
    let id = exchange.id;
    match exchange.status {
        Some(200) => {
            let answer = exchange.response_body.json().unwrap_or_default();
            let error = event.and_then(|event| answer["pdus"][event]["error"].as_str().map(str::to_owned));
            match error {
                Some(answer) => Passage::Refused { exchange: id, answer },
                None => Passage::Delivered { exchange: id },
            }
        }
        Some(status) => Passage::Refused { exchange: id, answer: format!("status {status}") },
        None => Passage::Refused { exchange: id, answer: exchange.broken.clone().unwrap_or_default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use samklang_verdict::Body;
    use serde_json::json;

    fn exchange(id: u64, status: Option<u16>, request: &Value, answer: &Value) -> Exchange {
        Exchange {
            id: ExchangeId(id),
            wire: Wire::Federation,
            at_us: id * 10,
            took_us: 5,
            from: Party::Server { role: Role::A },
            to: Party::Server { role: Role::B },
            method: "PUT".into(),
            path: "/_matrix/federation/v1/send/1".into(),
            request_headers: vec![],
            request_body: Body::of(request.to_string().as_bytes()),
            status,
            response_headers: vec![],
            response_body: Body::of(answer.to_string().as_bytes()),
            broken: None,
            fault: None,
        }
    }

    fn pdu() -> (Value, String) {
        let pdu = json!({
            "type": "m.room.message", "room_id": "!room", "sender": "@a:a.test", "content": {"body": "x"}, "depth": 1,
            "origin_server_ts": 1, "hashes": {"sha256": "x"}, "prev_events": [], "auth_events": [], "signatures": {},
        });
        let id = Event::parse(&pdu, "11").unwrap().id().to_owned();
        (pdu, id)
    }

    fn view(exchanges: Vec<Exchange>) -> WireView {
        WireView { exchanges: exchanges.into_iter().map(Arc::new).collect(), room_version: "11".into() }
    }

    #[test]
    fn an_event_is_followed_by_its_id() {
        let (pdu, id) = pdu();
        let request = json!({"pdus": [pdu], "edus": []});
        let delivered = view(vec![
            exchange(1, Some(502), &request, &json!({})),
            exchange(2, Some(200), &request, &json!({"pdus": {id.clone(): {}}})),
        ]);
        assert_eq!(
            delivered.event_passage(&id, Role::A, Role::B),
            Passage::Delivered { exchange: ExchangeId(2) }
        );
        assert_eq!(delivered.event_passage("$other", Role::A, Role::B), Passage::NotSent);
        assert_eq!(delivered.event_passage(&id, Role::B, Role::A), Passage::NotSent);

        let answer = json!({"pdus": {id.clone(): {"error": "not today"}}});
        let refused = view(vec![exchange(3, Some(200), &request, &answer)]);
        let expected = Passage::Refused { exchange: ExchangeId(3), answer: "not today".into() };
        assert_eq!(refused.event_passage(&id, Role::A, Role::B), expected);
    }

    #[test]
    fn a_signal_is_followed_by_its_type_and_what_it_mentions() {
        let edu = json!({"edu_type": "m.typing", "content": {"user_id": "@a:a.test", "room_id": "!room"}});
        let wire = view(vec![exchange(1, Some(200), &json!({"edus": [edu]}), &json!({}))]);
        let ids = ["@a:a.test".to_owned(), "!room".to_owned()];
        let delivered = Passage::Delivered { exchange: ExchangeId(1) };
        assert_eq!(wire.signal_passage("m.typing", &ids, Role::A, Role::B), delivered);
        assert_eq!(wire.signal_passage("m.receipt", &ids, Role::A, Role::B), Passage::NotSent);
        assert_eq!(wire.mention_passage(&ids, Role::A, Role::B), delivered);
        assert_eq!(wire.mention_passage(&["!other".to_owned()], Role::A, Role::B), Passage::NotSent);
    }
}
