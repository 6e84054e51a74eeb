//! The recorded exchanges of one scenario, and questions about them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use samklang_actors::user::EduPattern;
use samklang_matrix::{Event, endpoints::SEND, server_of};
use samklang_reference::decoded;
use samklang_verdict::{Exchange, ExchangeId, Party, Role, Wire};
use samklang_wire::recorder::Recorder;
use serde_json::Value;

use super::LISTS;

/// The requests that carry a membership event or an invite to another server.
const HANDSHAKES: [&str; 4] = ["/invite/", "/send_join/", "/send_leave/", "/send_knock/"];

/// The exchanges of one scenario.
pub struct WireView {
    exchanges: Vec<Arc<Exchange>>,
    room_version: String,
}

/// What became of an event or an EDU on its way from one server to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It never went out.
    NotSent,
    /// It went out, and the receiving server did not accept it.
    Refused {
        /// The exchange that shows it.
        exchange: ExchangeId,
        /// The answer of the receiving server.
        answer: String,
    },
    /// It went out, and the receiving server accepted it.
    Delivered {
        /// The exchange that shows it.
        exchange: ExchangeId,
    },
}

/// A prev event of an event that the receiving server cannot have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingPrevEvent {
    /// It never went over the wire to that server, or from it.
    NeverSent(String),
    /// It did, but without a signature of its sender's server, so that no server accepts it.
    Unsigned(String),
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

    #[cfg(test)]
    pub(crate) fn of_exchanges(exchanges: Vec<Exchange>) -> Self {
        Self { exchanges: exchanges.into_iter().map(Arc::new).collect(), room_version: "11".into() }
    }

    /// All of them, client and federation, in order.
    pub fn exchanges(&self) -> &[Arc<Exchange>] {
        &self.exchanges
    }

    /// Those between servers.
    pub fn federation(&self) -> impl DoubleEndedIterator<Item = &Arc<Exchange>> {
        self.exchanges.iter().filter(|exchange| exchange.wire == Wire::Federation)
    }

    fn sent(&self, from: Role, to: Role) -> impl Iterator<Item = &Arc<Exchange>> {
        self.federation().filter(move |exchange| {
            role_of(&exchange.from) == Some(from) && role_of(&exchange.to) == Some(to)
        })
    }

    fn transactions(&self, from: Role, to: Role) -> impl Iterator<Item = (&Arc<Exchange>, Value)> {
        self.sent(from, to)
            .filter(|exchange| SEND.matches(&exchange.method, &exchange.path))
            .filter_map(|exchange| Some((exchange, exchange.request_body.json()?)))
    }

    /// How the event `id` fared on its way from `from` to `to` by transaction.
    pub fn event_delivery(&self, id: &str, from: Role, to: Role) -> Delivery {
        let mut delivery = Delivery::NotSent;
        for (exchange, body) in self.transactions(from, to) {
            let carries = body["pdus"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|pdu| Event::parse(pdu, &self.room_version).is_ok_and(|event| event.id() == id));
            if carries {
                match fate(exchange, Some(id)) {
                    delivered @ Delivery::Delivered { .. } => return delivered,
                    other => delivery = other,
                }
            }
        }
        delivery
    }

    /// A prev event of `id` that `to` cannot have, although `from` sent `id` there. Without it `to` cannot judge `id`.
    pub fn missing_prev_event(&self, id: &str, from: Role, to: Role) -> Option<MissingPrevEvent> {
        let read = |json: &Value| Event::parse(json, &self.room_version).ok();
        let pdus = |body: Value| body["pdus"].as_array().cloned().unwrap_or_default();
        let mut sent = self.transactions(from, to).flat_map(|(_, body)| pdus(body));
        let event = sent.find_map(|pdu| read(&pdu).filter(|event| event.id() == id))?;
        let with_receiver = self
            .federation()
            .filter(|exchange| [&exchange.from, &exchange.to].iter().any(|party| role_of(party) == Some(to)));
        let bodies = with_receiver
            .flat_map(|exchange| [exchange.request_body.json(), exchange.response_body.json()])
            .flatten();
        // Whether an event came with its sender's signature at least once.
        let mut known: BTreeMap<String, bool> = BTreeMap::new();
        for body in bodies {
            let listed = LISTS.iter().filter_map(|list| body[list].as_array()).flatten();
            for json in listed.chain([&body, &body["event"]]) {
                if let Some(event) = read(json) {
                    *known.entry(event.id().to_owned()).or_default() |= is_signed_by_sender(json);
                }
            }
        }
        event.prev_events().into_iter().find_map(|before| match known.get(&before) {
            Some(true) => None,
            Some(false) => Some(MissingPrevEvent::Unsigned(before)),
            None => Some(MissingPrevEvent::NeverSent(before)),
        })
    }

    /// What became of an EDU.
    pub fn edu_delivery(&self, signal: &EduPattern, from: Role, to: Role) -> Delivery {
        let carries = |body: &Value| body["edus"].as_array().into_iter().flatten().any(|edu| signal.is(edu));
        best(self.transactions(from, to).filter(|(_, body)| carries(body)).map(|(exchange, _)| exchange))
    }

    /// The EDUs of this type that `from` sent in transactions, each with the exchange that shows it.
    pub fn edus_on_wire(&self, kind: &str, from: Role) -> Vec<(Value, ExchangeId)> {
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

    /// What became of an event or EDU in a transaction, or of a request about a membership, that mentions all of `ids`.
    /// Two of them that mention the same ids cannot be told apart.
    pub fn mention_delivery(&self, ids: &[String], from: Role, to: Role) -> Delivery {
        let mentions = |text: String| ids.iter().all(|id| text.contains(id.as_str()));
        let carries = |(_, body): &(&Arc<Exchange>, Value)| {
            let lists = [&body["pdus"], &body["edus"]];
            lists.into_iter().filter_map(Value::as_array).flatten().any(|part| mentions(part.to_string()))
        };
        let by_transaction = self.transactions(from, to).filter(carries).map(|(exchange, _)| exchange);
        let by_handshake = self.sent(from, to).filter(|exchange| {
            let path = exchange.path_only();
            let brings = HANDSHAKES.iter().any(|step| path.contains(step));
            brings
                && mentions(format!("{} {}", decoded(path), exchange.request_body.json().unwrap_or_default()))
        });
        best(by_transaction.chain(by_handshake))
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

    /// A failed request of `asker` to another server during the client exchange `id`.
    pub fn unanswered_during(&self, id: ExchangeId, asker: Role) -> Option<&Arc<Exchange>> {
        let client = self.exchanges.iter().find(|exchange| exchange.id == id)?;
        let end = client.at_us + client.took_us;
        self.federation()
            .filter(|exchange| role_of(&exchange.from) == Some(asker))
            .filter(|exchange| exchange.at_us >= client.at_us && exchange.at_us <= end)
            .filter(|exchange| exchange.fault.is_none())
            // A server without delegation answers 404, which is not a failure.
            .filter(|exchange| !exchange.path_only().starts_with("/.well-known/"))
            .find(|exchange| exchange.status.is_none_or(|status| status >= 400))
    }
}

/// Whether the event has a signature in the name of its sender's server, be it good or bad.
fn is_signed_by_sender(pdu: &Value) -> bool {
    let server = pdu["sender"].as_str().and_then(server_of);
    server.is_some_and(|server| pdu["signatures"][server].is_object())
}

/// Of several attempts the one that was delivered counts, else the last one.
fn best<'a>(attempts: impl Iterator<Item = &'a Arc<Exchange>>) -> Delivery {
    let mut delivery = Delivery::NotSent;
    for exchange in attempts {
        match fate(exchange, None) {
            delivered @ Delivery::Delivered { .. } => return delivered,
            other => delivery = other,
        }
    }
    delivery
}

/// What the receiving server did with a transaction, or with one PDU in it.
fn fate(exchange: &Exchange, event: Option<&str>) -> Delivery {
    let id = exchange.id;
    match exchange.status {
        Some(200) => {
            let answer = exchange.response_body.json().unwrap_or_default();
            let error = event.and_then(|event| answer["pdus"][event]["error"].as_str().map(str::to_owned));
            match error {
                Some(answer) => Delivery::Refused { exchange: id, answer },
                None => Delivery::Delivered { exchange: id },
            }
        }
        Some(status) => Delivery::Refused { exchange: id, answer: format!("status {status}") },
        None => Delivery::Refused { exchange: id, answer: exchange.broken.clone().unwrap_or_default() },
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use samklang_verdict::Body;
    use serde_json::json;

    pub(crate) fn exchange(id: u64, status: Option<u16>, request: &Value, answer: &Value) -> Exchange {
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

    pub(crate) fn pdu() -> (Value, String) {
        let pdu = json!({
            "type": "m.room.message", "room_id": "!room", "sender": "@a:a.test", "content": {"body": "x"}, "depth": 1,
            "origin_server_ts": 1, "hashes": {"sha256": "x"}, "prev_events": [], "auth_events": [],
            "signatures": {"a.test": {"ed25519:1": "x"}},
        });
        let id = Event::parse(&pdu, "11").unwrap().id().to_owned();
        (pdu, id)
    }

    fn view(exchanges: Vec<Exchange>) -> WireView {
        WireView::of_exchanges(exchanges)
    }

    #[test]
    fn an_event_is_found_by_its_id() {
        let (pdu, id) = pdu();
        let request = json!({"pdus": [pdu], "edus": []});
        let delivered = view(vec![
            exchange(1, Some(502), &request, &json!({})),
            exchange(2, Some(200), &request, &json!({"pdus": {id.clone(): {}}})),
        ]);
        assert_eq!(
            delivered.event_delivery(&id, Role::A, Role::B),
            Delivery::Delivered { exchange: ExchangeId(2) }
        );
        assert_eq!(delivered.event_delivery("$other", Role::A, Role::B), Delivery::NotSent);
        assert_eq!(delivered.event_delivery(&id, Role::B, Role::A), Delivery::NotSent);

        let answer = json!({"pdus": {id.clone(): {"error": "not today"}}});
        let refused = view(vec![exchange(3, Some(200), &request, &answer)]);
        let expected = Delivery::Refused { exchange: ExchangeId(3), answer: "not today".into() };
        assert_eq!(refused.event_delivery(&id, Role::A, Role::B), expected);
    }

    #[test]
    fn a_prev_event_that_was_not_sent_is_found() {
        let (first, first_id) = pdu();
        let mut second = first.clone();
        second["prev_events"] = json!([first_id]);
        let id = Event::parse(&second, "11").unwrap().id().to_owned();
        let sent = |pdus: &[&Value]| exchange(1, Some(200), &json!({"pdus": pdus}), &json!({}));
        let missing = |exchanges| view(exchanges).missing_prev_event(&id, Role::A, Role::B);
        assert_eq!(missing(vec![sent(&[&second])]), Some(MissingPrevEvent::NeverSent(first_id.clone())));
        let mut unsigned = first.clone();
        unsigned["signatures"] = json!({"b.test": {"ed25519:1": "x"}});
        assert_eq!(missing(vec![sent(&[&unsigned, &second])]), Some(MissingPrevEvent::Unsigned(first_id)));
        assert_eq!(missing(vec![sent(&[&first, &second])]), None);
        let asked_for = exchange(2, Some(200), &json!({}), &json!({"events": [first]}));
        assert_eq!(missing(vec![sent(&[&second]), asked_for]), None);
        assert_eq!(missing(vec![]), None);
    }

    #[test]
    fn an_edu_is_found_by_its_type_and_its_content() {
        let edu = json!({"edu_type": "m.typing", "content": {"user_id": "@a:a.test", "room_id": "!room"}});
        let wire = view(vec![exchange(1, Some(200), &json!({"edus": [edu]}), &json!({}))]);
        let delivered = Delivery::Delivered { exchange: ExchangeId(1) };
        let delivery = |kind, user: &'static str| {
            let signal = EduPattern::new(kind, move |content| content["user_id"] == user);
            wire.edu_delivery(&signal, Role::A, Role::B)
        };
        assert_eq!(delivery("m.typing", "@a:a.test"), delivered);
        assert_eq!(delivery("m.receipt", "@a:a.test"), Delivery::NotSent);
        assert_eq!(delivery("m.typing", "@b:a.test"), Delivery::NotSent);
        let ids = ["@a:a.test".to_owned(), "!room".to_owned()];
        assert_eq!(wire.mention_delivery(&ids, Role::A, Role::B), delivered);
        assert_eq!(wire.mention_delivery(&["!other".to_owned()], Role::A, Role::B), Delivery::NotSent);
    }

    #[test]
    fn requests_about_a_membership_are_found_too() {
        let ids = ["!room:a.test".to_owned(), "@b:b.test".to_owned()];
        let brought = |status, path: &str| {
            let body = json!({"event": {"state_key": "@b:b.test"}});
            Exchange { path: path.into(), ..exchange(1, Some(status), &body, &json!({})) }
        };
        let delivery = |exchange| view(vec![exchange]).mention_delivery(&ids, Role::A, Role::B);
        let invite = "/_matrix/federation/v2/invite/%21room%3Aa.test/$1";
        assert_eq!(delivery(brought(200, invite)), Delivery::Delivered { exchange: ExchangeId(1) });
        assert!(matches!(delivery(brought(403, invite)), Delivery::Refused { .. }));
        let other = "/_matrix/federation/v2/invite/%21other%3Aa.test/$1";
        assert_eq!(delivery(brought(200, other)), Delivery::NotSent);
        assert_eq!(
            delivery(brought(200, "/_matrix/federation/v1/state/%21room%3Aa.test")),
            Delivery::NotSent
        );
    }
}
