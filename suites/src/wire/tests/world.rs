//! Made-up traffic of the server a.test with the server b.test.

use std::{collections::BTreeMap, sync::Arc};

use samklang_matrix::{
    Draft, KeyPublication, RequestSignature, RoomCreation, RoomGraph, RoomVersion, SigningKey,
    add_content_hash,
    endpoints::{Endpoint, Field, FieldType, SERVER_KEYS, paths},
    sign_event, sign_request,
};
use samklang_reference::now_ms;
use samklang_verdict::{Body, Exchange, ExchangeId, Party, Role, Wire};
use serde_json::{Value, json};

pub(super) const ALICE: &str = "@alice:a.test";
pub(super) const BOB: &str = "@bob:a.test";

pub(super) struct World {
    pub(super) version: String,
    pub(super) key: SigningKey,
}

impl World {
    pub(super) fn new(version: &str) -> Self {
        Self { version: version.to_owned(), key: SigningKey::from_seed(&[1; 32], "1").unwrap() }
    }

    pub(super) fn names(&self) -> BTreeMap<Role, String> {
        BTreeMap::from([(Role::A, "a.test".to_owned()), (Role::B, "b.test".to_owned())])
    }

    /// The exchanges, numbered in their order.
    pub(super) fn numbered(&self, exchanges: Vec<Exchange>) -> Vec<Arc<Exchange>> {
        let number = |(id, exchange)| Arc::new(Exchange { id: ExchangeId(id), ..exchange });
        (100..).zip(exchanges).map(number).collect()
    }

    pub(super) fn key_documents(&self) -> Vec<Arc<Exchange>> {
        vec![Arc::new(self.response("GET", SERVER_KEYS.template, 200, &self.key_document()))]
    }

    pub(super) fn key_document(&self) -> Value {
        KeyPublication::new("a.test", now_ms() + 3_600_000).current(&self.key).build()
    }

    fn exchange(&self, from: Role, to: Role, method: &str, path: &str) -> Exchange {
        Exchange {
            id: ExchangeId(1),
            wire: Wire::Federation,
            at_us: 0,
            took_us: 1,
            from: Party::Server { role: from },
            to: Party::Server { role: to },
            method: method.to_owned(),
            path: path.to_owned(),
            request_headers: vec![],
            request_body: Body::Empty,
            status: Some(200),
            response_headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            response_body: Body::of(b"{}"),
            broken: None,
            fault: None,
        }
    }

    /// A valid request of a.test to b.test.
    pub(super) fn request(&self, method: &str, path: &str, body: &Value) -> Exchange {
        let content = (!body.is_null()).then_some(body);
        let request =
            RequestSignature { origin: "a.test", destination: "b.test", method, uri: path, content };
        let header = sign_request(&request, &self.key).unwrap();
        let mut exchange = self.exchange(Role::A, Role::B, method, path);
        exchange.request_headers.push(("authorization".to_owned(), header));
        if let Some(content) = content {
            exchange.request_headers.push(("content-type".to_owned(), "application/json".to_owned()));
            exchange.request_body = Body::of(content.to_string().as_bytes());
        }
        exchange
    }

    /// A response of a.test to b.test.
    pub(super) fn response(&self, method: &str, path: &str, status: u16, body: &Value) -> Exchange {
        let mut exchange = self.exchange(Role::B, Role::A, method, path);
        exchange.status = Some(status);
        exchange.response_body = Body::of(body.to_string().as_bytes());
        exchange
    }

    /// A transaction of a.test with these PDUs.
    pub(super) fn send_pdus(&self, pdus: &[Value]) -> Exchange {
        self.transaction(&json!({"origin": "a.test", "origin_server_ts": 1, "pdus": pdus}))
    }

    /// A transaction of a.test with one EDU.
    pub(super) fn send_edu(&self, kind: &str, content: &Value) -> Exchange {
        let edus = [json!({"edu_type": kind, "content": content})];
        self.transaction(&json!({"origin": "a.test", "origin_server_ts": 1, "pdus": [], "edus": edus}))
    }

    pub(super) fn transaction(&self, body: &Value) -> Exchange {
        self.request("PUT", &paths::send("1"), body)
    }

    /// A response of a.test with all events of a room.
    pub(super) fn state_response(&self, room: &RoomGraph) -> Exchange {
        self.state_response_with(room.id(), &pdus(room))
    }

    pub(super) fn state_response_with(&self, room: &str, pdus: &[Value]) -> Exchange {
        self.response("GET", &paths::state(room, "$x"), 200, &json!({"pdus": pdus, "auth_chain": []}))
    }

    /// A public room of Alice's.
    pub(super) fn room(&self) -> RoomGraph {
        self.created_room(|founding| founding)
    }

    pub(super) fn created_room(&self, plan: impl FnOnce(RoomCreation) -> RoomCreation) -> RoomGraph {
        plan(RoomCreation::new(&self.version, ALICE, 1_000).unwrap()).create(&self.key).unwrap()
    }

    /// A public room of Alice's that Bob has joined.
    pub(super) fn room_with_bob(&self) -> RoomGraph {
        let mut room = self.room();
        let join = room.draft_member(BOB, BOB, "join").sign(&self.key).json;
        room.add(&join).unwrap();
        room
    }

    pub(super) fn message<'a>(&self, room: &'a RoomGraph) -> Draft<'a> {
        room.draft("m.room.message", ALICE).content(json!({"body": "hej", "msgtype": "m.text"}))
    }

    /// The event with a change, hashed and signed again.
    pub(super) fn changed(&self, pdu: &Value, change: impl FnOnce(&mut Value)) -> Value {
        let mut pdu = pdu.clone();
        change(&mut pdu);
        let object = pdu.as_object_mut().unwrap();
        object.remove("signatures");
        add_content_hash(object);
        sign_event(object, "a.test", &self.key, &RoomVersion::new(&self.version).unwrap());
        pdu
    }

    /// An exchange with the right fields for an endpoint, and wrong ones, each with what is wrong in it.
    pub(super) fn forms(&self, endpoint: &Endpoint, is_request: bool) -> (Exchange, Vec<(String, Exchange)>) {
        let fields = if is_request { endpoint.request } else { endpoint.response };
        let values: Vec<_> = endpoint.parameters().map(|_| "x").collect();
        let path = endpoint.path(&values);
        let query: Vec<_> = endpoint.query.iter().map(|name| format!("{name}=1")).collect();
        let full = format!("{path}?{}", query.join("&"));
        let exchange = |path: &str, body: &Value| match (is_request, endpoint.method) {
            (false, method) => self.response(method, path, 200, body),
            (true, "GET") => self.request("GET", path, &Value::Null),
            (true, method) => self.request(method, path, body),
        };
        let right = sample(fields);
        let mut wrong = Vec::new();
        for name in endpoint.query.iter().filter(|_| is_request) {
            let others: Vec<_> = query.iter().filter(|pair| !pair.starts_with(name)).cloned().collect();
            wrong.push((format!("no {name}"), exchange(&format!("{path}?{}", others.join("&")), &right)));
        }
        for field in fields {
            let mut without = right.clone();
            remove(&mut without, field.place);
            if field.required && !field.place.ends_with('*') {
                wrong.push((format!("no {}", field.place), exchange(&full, &without)));
            }
            let mut other = right.clone();
            set(&mut other, field.place, json!(1.5));
            wrong.push((format!("{} is 1.5", field.place), exchange(&full, &other)));
        }
        (exchange(&full, &right), wrong)
    }
}

/// All events of a room.
pub(super) fn pdus(room: &RoomGraph) -> Vec<Value> {
    let mut events: Vec<_> = room.ids().filter_map(|id| room.event(id)).collect();
    events.sort_by_key(|event| event.depth());
    events.iter().map(|event| Value::Object(event.json().clone())).collect()
}

/// A body with all fields.
fn sample(fields: &[Field]) -> Value {
    let mut body = json!({});
    for field in fields {
        let value = match field.kind {
            FieldType::String => json!("text"),
            FieldType::Integer => json!(1),
            FieldType::Boolean => json!(true),
            FieldType::Object => json!({}),
            FieldType::Strings => json!(["text"]),
            FieldType::Objects => json!([{}]),
        };
        set(&mut body, field.place, value);
    }
    body
}

/// Sets each value at a place.
fn set(body: &mut Value, place: &str, value: Value) {
    match place.split_once('/') {
        None if place == "*" => entries(body).into_iter().for_each(|entry| *entry = value.clone()),
        None => body[place] = value,
        Some(("*", rest)) => entries(body).into_iter().for_each(|entry| set(entry, rest, value.clone())),
        Some((name, rest)) => set(&mut body[name], rest, value),
    }
}

fn remove(body: &mut Value, place: &str) {
    match place.split_once('/') {
        None => drop(body.as_object_mut().map(|map| map.remove(place))),
        Some(("*", rest)) => entries(body).into_iter().for_each(|entry| remove(entry, rest)),
        Some((name, rest)) => remove(&mut body[name], rest),
    }
}

/// The entries of a list or an object; an empty object gets one.
fn entries(body: &mut Value) -> Vec<&mut Value> {
    if let Some(map) = body.as_object_mut().filter(|map| map.is_empty()) {
        map.insert("entry".to_owned(), json!({}));
    }
    match body {
        Value::Array(list) => list.iter_mut().collect(),
        Value::Object(map) => map.values_mut().collect(),
        _ => Vec::new(),
    }
}
