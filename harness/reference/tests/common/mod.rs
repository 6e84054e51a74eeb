//! A network inside the test, and users at its servers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(dead_code, reason = "each test uses what it needs")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use samklang_matrix::RoomGraph;
use samklang_matrix::endpoints::encoded as segment;
use samklang_reference::{Homeserver, NoResponse, Peer, ServerResponse, Transport};
use serde_json::{Value, json};

/// All supported room versions.
pub(crate) const VERSIONS: [&str; 10] = ["3", "4", "5", "6", "7", "8", "9", "10", "11", "12"];

/// The time limit for an expected event.
const BOUND: Duration = Duration::from_secs(20);

#[derive(Clone)]
enum Server {
    Peer(Weak<Peer>),
    Live(Weak<Homeserver>),
}

/// A network that passes requests on unchanged.
#[derive(Clone, Default)]
pub(crate) struct Air(Arc<Mutex<BTreeMap<String, Server>>>);

#[async_trait]
impl Transport for Air {
    async fn request(
        &self,
        method: &str,
        server_name: &str,
        target: &str,
        headers: &[(String, String)],
        body: Bytes,
    ) -> Result<ServerResponse, NoResponse> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(body).unwrap();
        let server = self.0.lock().unwrap().get(server_name).cloned();
        let response = match server {
            Some(Server::Peer(peer)) => match peer.upgrade() {
                Some(peer) => peer.answer(&request).await,
                None => return Err(NoResponse::new("the peer is gone")),
            },
            Some(Server::Live(server)) => match server.upgrade() {
                Some(server) => server.federation(&request).await,
                None => return Err(NoResponse::new("the server is gone")),
            },
            None => return Err(NoResponse::new("there is no such server")),
        };
        Ok(answer(&response))
    }
}

fn answer(response: &Response<Bytes>) -> ServerResponse {
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
    ServerResponse {
        status: response.status().as_u16(),
        headers: headers.collect(),
        body: response.body().clone(),
        exchange: None,
    }
}

impl Air {
    pub(crate) fn peer(&self, name: &str) -> Arc<Peer> {
        let peer = Arc::new(Peer::new(name, Box::new(self.clone())).unwrap());
        self.0.lock().unwrap().insert(name.to_owned(), Server::Peer(Arc::downgrade(&peer)));
        peer
    }

    pub(crate) fn server(&self, name: &str) -> Arc<Homeserver> {
        let server = Homeserver::new(name, Box::new(self.clone()), None).unwrap();
        self.0.lock().unwrap().insert(name.to_owned(), Server::Live(Arc::downgrade(&server)));
        server
    }

    /// Two peers in a room that the first peer created.
    pub(crate) async fn two_in_a_room(&self, version: &str) -> (Arc<Peer>, Arc<Peer>, String) {
        let [host, guest] = ["host.test", "guest.test"].map(|name| self.peer(name));
        let room = RoomGraph::create(version, &host.user("alice"), host.key(), 1_700_000_000_000).unwrap();
        let id = room.id().to_owned();
        host.hold(room);
        guest.change_membership("join", host.name(), &id, &guest.user("bob")).await.unwrap();
        (host, guest, id)
    }

    /// Alice and Bob at two servers.
    pub(crate) async fn alice_and_bob(&self) -> (User, User) {
        let [a, b] = ["a.test", "b.test"].map(|name| self.server(name));
        (User::new(&a, "alice").await, User::new(&b, "bob").await)
    }
}

/// A logged-in user, and the events that the user was shown so far.
pub(crate) struct User {
    pub(crate) server: Arc<Homeserver>,
    pub(crate) id: String,
    token: String,
    since: Mutex<Option<String>>,
    seen: Mutex<Vec<Value>>,
    transactions: Mutex<u32>,
}

impl User {
    pub(crate) async fn new(server: &Arc<Homeserver>, localpart: &str) -> Self {
        let ask = async |auth: Value| {
            let mut body = json!({"username": localpart, "password": "x"});
            if auth.is_object() {
                body["auth"] = auth;
            }
            let request = Request::post("/_matrix/client/v3/register").body(body.to_string().into());
            answer(&server.client(&request.unwrap()).await)
        };
        let challenge = ask(Value::Null).await;
        assert_eq!(challenge.status, 401);
        let answer = ask(json!({"type": "m.login.dummy", "session": challenge.json()["session"]})).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        let text = |key: &str| answer.json()[key].as_str().unwrap().to_owned();
        Self {
            server: Arc::clone(server),
            id: text("user_id"),
            token: text("access_token"),
            since: Mutex::default(),
            seen: Mutex::default(),
            transactions: Mutex::default(),
        }
    }

    /// Sends a request with bytes as its body; the path is below `/_matrix`.
    pub(crate) async fn raw(&self, method: &str, path: &str, kind: &str, body: Bytes) -> ServerResponse {
        let request = Request::builder().method(method).uri(format!("/_matrix/{path}"));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let request = request.header("content-type", kind).body(body).unwrap();
        answer(&self.server.client(&request).await)
    }

    /// Sends a request; the path is below `/_matrix/client`.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Value) -> ServerResponse {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        self.raw(method, &format!("client/{path}"), "application/json", body).await
    }

    /// Sends a request that has to succeed.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.ask(method, path, body).await;
        assert_eq!(answer.status, 200, "{} {method} {path}: {}", self.id, answer.json());
        answer.json()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.call("GET", path, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, body).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Value {
        self.call("PUT", path, body).await
    }

    /// A fresh transaction id.
    pub(crate) fn transaction(&self) -> String {
        let mut count = self.transactions.lock().unwrap();
        *count += 1;
        format!("t{count}")
    }

    pub(crate) async fn room(&self, body: Value) -> String {
        self.post("v3/createRoom", body).await["room_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn join(&self, room: &str, via: &User) -> Value {
        self.post(&format!("v3/join/{}?via={}", segment(room), via.server.name()), json!({})).await
    }

    pub(crate) async fn invite(&self, room: &str, other: &User) {
        self.post(&format!("v3/rooms/{}/invite", segment(room)), json!({"user_id": other.id})).await;
    }

    pub(crate) async fn send(&self, room: &str, kind: &str, content: Value) -> String {
        let path = format!("v3/rooms/{}/send/{kind}/{}", segment(room), self.transaction());
        self.put(&path, content).await["event_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn say(&self, room: &str, body: &str) -> String {
        self.send(room, "m.room.message", json!({"msgtype": "m.text", "body": body})).await
    }

    pub(crate) async fn set(&self, room: &str, kind: &str, content: Value) -> String {
        let path = format!("v3/rooms/{}/state/{kind}", segment(room));
        self.put(&path, content).await["event_id"].as_str().unwrap().to_owned()
    }

    /// Syncs until the user is shown a matching event in this section of the response: `join/timeline` for events in
    /// rooms, or `to_device` and the like.
    pub(crate) async fn sees(&self, place: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let found = async {
            loop {
                if let Some(event) = self.shown(place).into_iter().find(|event| is_it(event)) {
                    return event;
                }
                self.sync(10_000).await;
            }
        };
        let found = tokio::time::timeout(BOUND, found).await;
        found.unwrap_or_else(|_| panic!("{} did not see it in {place}: {:#?}", self.id, self.shown(place)))
    }

    /// Syncs until an event is in a timeline.
    pub(crate) async fn sees_event(&self, id: &str) -> Value {
        self.sees("join/timeline", |event| event["event_id"] == id).await
    }

    /// All events that this section has shown so far.
    pub(crate) fn shown(&self, place: &str) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        seen.iter().flat_map(|answer| events_at(answer, place)).collect()
    }

    /// Syncs once; the server may hold the request for this long. Returns the response.
    pub(crate) async fn sync(&self, wait_ms: u32) -> Value {
        let since = self.since.lock().unwrap().clone();
        let since = since.map(|since| format!("&since={since}")).unwrap_or_default();
        let filter = segment(r#"{"room":{"timeline":{"limit":500}}}"#);
        let answer = self.get(&format!("v3/sync?timeout={wait_ms}&filter={filter}{since}")).await;
        *self.since.lock().unwrap() = Some(answer["next_batch"].as_str().unwrap().to_owned());
        self.seen.lock().unwrap().push(answer.clone());
        answer
    }
}

fn events_at(answer: &Value, place: &str) -> Vec<Value> {
    let list = |value: &Value| value["events"].as_array().cloned().unwrap_or_default();
    match place.split_once('/') {
        Some((membership, part)) => {
            let rooms = answer["rooms"][membership].as_object().cloned().unwrap_or_default();
            rooms.values().flat_map(|room| list(&room[part])).collect()
        }
        None if place == "device_lists" => vec![answer[place].clone()],
        None => list(&answer[place]),
    }
}
