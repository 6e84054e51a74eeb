//! Peers as scenarios use them. A peer is a scripted homeserver inside the harness. It joins rooms, sends what the
//! scenario says, and checks how a server treated it.

mod hosting;

use std::sync::{Arc, OnceLock};

use crate::user::{self, Actor, Failure, Ledger, Pattern};
use bytes::Bytes;
use samklang_drivers::{ApiRefusal, CallError};
use samklang_matrix::{
    Draft, Event, EventOutcome, KeyRing, ReceivedPdu, RoomError, RoomFault, RoomGraph, Rule, StateMap,
    Tamper, WireEvent, endpoints::paths,
};
pub use samklang_reference::now_ms;
use samklang_reference::{HandshakeError, NoResponse, Peer, ServerResponse};
use samklang_verdict::{ExchangeId, Observation, Observations, Problem, message};
use serde_json::{Value, json};

pub use self::hosting::Invitation;
use crate::host::Host;

/// A scripted homeserver inside the harness. Clones are the same peer.
#[derive(Clone)]
pub struct ScriptedPeer {
    peer: Arc<Peer>,
    label: String,
    ledger: Arc<Ledger>,
}

/// A server's response to a peer.
#[derive(Debug, Clone)]
pub struct PeerResponse {
    /// The status.
    pub status: u16,
    /// The body; null if it is not JSON.
    pub body: Value,
    /// The body's bytes.
    pub bytes: Bytes,
    /// The exchange, as an observation of the server.
    pub observation: Observation,
}

/// A peer's copy of a room, and the peer's user in the room.
#[derive(Clone)]
pub struct RoomCopy {
    /// The peer that holds the copy.
    pub peer: ScriptedPeer,
    /// The room's id.
    pub room: String,
    /// The peer's user.
    pub user: String,
}

/// An event that a peer made.
#[derive(Debug)]
pub struct Planted {
    /// The event id.
    pub id: String,
    /// The room it is in.
    pub room: String,
    /// A description for people.
    pub what: String,
    built: WireEvent,
    /// The time of its first sending to a server, on the scenario's clock, and the exchange.
    taken: OnceLock<(u64, ExchangeId)>,
}

/// A transaction (server-server API, transactions). Its `None` fields are filled in honestly.
#[derive(Debug, Clone, Copy, Default)]
pub struct Transaction<'a> {
    /// The events (PDUs).
    pub events: &'a [&'a Planted],
    /// The EDUs.
    pub signals: &'a [Value],
    /// The transaction id; `None` for a fresh one.
    pub id: Option<&'a str>,
    /// The origin in the body; `None` for the sending peer.
    pub origin: Option<&'a str>,
}

/// How much of an event a server holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldContent {
    /// The server does not hold the event.
    Nothing,
    /// The redacted event.
    Redacted,
    /// The whole event.
    Whole,
}

impl PeerResponse {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// `errcode`; empty if the body has none.
    pub fn errcode(&self) -> &str {
        self.body["errcode"].as_str().unwrap_or_default()
    }

    /// The status and the `errcode` in words.
    pub fn in_words(&self) -> String {
        format!("{} {}", self.status, self.errcode()).trim_end().to_owned()
    }
}

impl From<PeerResponse> for Observations {
    fn from(reply: PeerResponse) -> Self {
        Self::new(reply.observation, [])
    }
}

impl From<&Planted> for Pattern {
    fn from(planted: &Planted) -> Self {
        let pattern = Self::event_with_id(&planted.what, &planted.room, &planted.id);
        match planted.taken.get() {
            Some((tick, exchange)) => pattern.taken_in(*exchange, *tick),
            None => pattern,
        }
    }
}

impl Planted {
    /// The PDU.
    pub fn json(&self) -> &Value {
        &self.built.json
    }
}

fn no_wire() -> Failure {
    Failure::Inconclusive(message!("judging.no-wire"))
}

impl ScriptedPeer {
    /// `peer`, for the scenario with this ledger; `label` is its name in the scenario.
    pub fn new(peer: Arc<Peer>, label: &str, ledger: &Arc<Ledger>) -> Self {
        ledger.call_server(peer.name(), &format!("{label}.test"));
        Self { peer, label: label.to_owned(), ledger: Arc::clone(ledger) }
    }

    /// Its server name.
    pub fn name(&self) -> &str {
        self.peer.name()
    }

    /// The peer's name in the scenario.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The peer itself: its key, its lies, what it received.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The full id of one of its users.
    pub fn user(&self, name: &str) -> String {
        let id = self.peer.user(&format!("{name}-{}", self.ledger.nonce));
        self.ledger.call(&id, &format!("@{name}:{}.test", self.label));
        id
    }

    fn who(&self, host: &Host) -> Actor {
        Actor { name: self.label.clone(), role: host.role() }
    }

    /// The failure of a scenario when `host` refuses or does not answer.
    pub fn failure(&self, host: &Host, verb: &'static str, obstacle: HandshakeError) -> Failure {
        let error = match obstacle {
            HandshakeError::NoResponse(error) => match error.exchange {
                Some(exchange) => Some(CallError::Broken { what: error.why, exchange }),
                None => return Failure::Inconclusive(message!("judging.no-answer", what = error.why)),
            },
            HandshakeError::Refused(answer) => answer.exchange.map(|exchange| {
                let body = answer.json();
                let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
                let (errcode, error) = (text("errcode"), text("error"));
                CallError::Refused(ApiRefusal { status: answer.status, errcode, error, exchange })
            }),
            HandshakeError::Malformed { what, exchange } => {
                exchange.map(|exchange| CallError::Malformed { what, exchange })
            }
        };
        match error {
            Some(error) => Failure::Call { who: self.who(host), verb, error, about: vec![] },
            None => no_wire(),
        }
    }

    /// The response of a request; a failure if none came.
    fn answered(
        &self,
        host: &Host,
        answer: Result<ServerResponse, NoResponse>,
    ) -> Result<PeerResponse, Failure> {
        let answer = answer.map_err(|error| self.failure(host, "ask", error.into()))?;
        self.reply(host, &answer)
    }

    /// Admits that the request of this response was a lie.
    fn admitting(&self, reply: PeerResponse) -> PeerResponse {
        self.peer.admit(&reply.observation.exchange.to_string());
        reply
    }

    fn reply(&self, host: &Host, answer: &ServerResponse) -> Result<PeerResponse, Failure> {
        let exchange = answer.exchange.ok_or_else(no_wire)?;
        let observation = self.ledger.observe(host.role(), exchange);
        Ok(PeerResponse {
            status: answer.status,
            body: answer.json(),
            bytes: answer.body.clone(),
            observation,
        })
    }

    /// Sends a correctly signed request to `host` and accepts any response.
    ///
    /// # Errors
    /// Inconclusive when no complete answer comes.
    pub async fn ask(
        &self,
        host: &Host,
        method: &str,
        target: &str,
        body: Option<&Value>,
    ) -> Result<PeerResponse, Failure> {
        self.answered(host, self.peer.ask(method, host.name(), target, body).await)
    }

    /// Sends a request to `host` with these `Authorization` headers and accepts any response. The request is admitted
    /// as a lie.
    ///
    /// # Errors
    /// Inconclusive when no complete answer comes.
    pub async fn ask_with(
        &self,
        host: &Host,
        method: &str,
        target: &str,
        body: Option<&Value>,
        authorization: &[String],
    ) -> Result<PeerResponse, Failure> {
        let answer = self.peer.ask_with(method, host.name(), target, body, authorization).await;
        Ok(self.admitting(self.answered(host, answer)?))
    }

    /// Sends this text as the body and accepts any response. The request is admitted as a lie.
    ///
    /// # Errors
    /// Inconclusive when no complete answer comes.
    pub async fn put_text(
        &self,
        host: &Host,
        target: &str,
        text: String,
        authorization: &[String],
    ) -> Result<PeerResponse, Failure> {
        let answer = self.peer.ask_raw("PUT", host.name(), target, text.into(), authorization).await;
        Ok(self.admitting(self.answered(host, answer)?))
    }

    /// Joins a room through `host`, as the peer's user `name`.
    ///
    /// # Errors
    /// When the server refuses the join, or its responses do not make a room.
    pub async fn join(&self, host: &Host, room: &user::Room, name: &str) -> Result<RoomCopy, Failure> {
        let user = self.user(name);
        let (taken, reply) = self.change(host, "join", room, &user).await?;
        let copy = RoomCopy { peer: self.clone(), room: room.id.clone(), user };
        let join = Event::parse(&taken.event, &room.version).map_err(|error| {
            let exchange = Some(reply.observation.exchange);
            self.failure(host, "join", HandshakeError::Malformed { what: error.to_string(), exchange })
        })?;
        self.ledger.call_event(join.id(), &format!("join of {name}"), None);
        Ok(copy)
    }

    /// Sends events to `host` in one transaction, which the server has to accept.
    ///
    /// # Errors
    /// When the transaction is refused.
    pub async fn transmit(&self, host: &Host, events: &[&Planted]) -> Result<PeerResponse, Failure> {
        self.insist(host, &Transaction { events, ..Transaction::default() }).await
    }

    /// As [`Self::transmit`], but the server may refuse the transaction. The transaction is admitted as a lie.
    ///
    /// # Errors
    /// Inconclusive when no complete answer comes.
    pub async fn offer(&self, host: &Host, events: &[&Planted]) -> Result<PeerResponse, Failure> {
        self.deliver(host, &Transaction { events, ..Transaction::default() }).await
    }

    /// Sends a transaction and accepts any response. The transaction is admitted as a lie.
    ///
    /// # Errors
    /// Inconclusive when no complete answer comes.
    pub async fn deliver(&self, host: &Host, transaction: &Transaction<'_>) -> Result<PeerResponse, Failure> {
        let answer = self.send_transaction(host, transaction).await?;
        Ok(self.admitting(self.reply(host, &answer)?))
    }

    /// Sends EDUs in one transaction, which the server has to accept.
    ///
    /// # Errors
    /// When the transaction is refused.
    pub async fn signal(&self, host: &Host, edus: &[Value]) -> Result<PeerResponse, Failure> {
        self.insist(host, &Transaction { signals: edus, ..Transaction::default() }).await
    }

    /// Sends a transaction that the server has to accept.
    async fn insist(&self, host: &Host, transaction: &Transaction<'_>) -> Result<PeerResponse, Failure> {
        let answer = self.send_transaction(host, transaction).await?;
        if answer.is_success() {
            self.reply(host, &answer)
        } else {
            Err(self.failure(host, "send", HandshakeError::Refused(answer)))
        }
    }

    async fn send_transaction(
        &self,
        host: &Host,
        transaction: &Transaction<'_>,
    ) -> Result<ServerResponse, Failure> {
        let Transaction { events, signals, id, origin } = *transaction;
        let id = id.map_or_else(|| self.peer.transaction_id(), str::to_owned);
        let target = paths::send(&id);
        // Events are sent as they were written, which may not be canonical JSON.
        let pdus: Vec<_> = events.iter().map(|event| event.built.text.as_str()).collect();
        let origin = origin.unwrap_or_else(|| self.name());
        let rest = json!({"origin": origin, "origin_server_ts": now_ms(), "edus": signals}).to_string();
        let text = format!("{{\"pdus\":[{}],{}", pdus.join(","), rest.trim_start_matches('{'));
        let signed: Value = serde_json::from_str(&text).unwrap_or_default();
        let header = self.peer.header("PUT", host.name(), &target, Some(&signed)).build();
        let answer = self.peer.ask_raw("PUT", host.name(), &target, text.into(), &[header]).await;
        let answer = answer.map_err(|error| self.failure(host, "send", error.into()))?;
        let exchange = answer.exchange.ok_or_else(no_wire)?;
        for event in events {
            // An event that is sent again keeps its first time.
            let _ = event.taken.set((self.ledger.tick(), exchange));
        }
        Ok(answer)
    }

    /// How much `host` holds of an event, as `GET /event` returns it to this peer (server-server API, retrieving
    /// events).
    ///
    /// # Errors
    /// When the response is neither the event nor a refusal.
    pub async fn held(&self, host: &Host, event: &Planted) -> Result<(HeldContent, Observation), Failure> {
        let target = paths::event(&event.id);
        let reply = self.ask(host, "GET", &target, None).await?;
        if !reply.is_success() {
            return Ok((HeldContent::Nothing, reply.observation));
        }
        let content = &reply.body["pdus"][0]["content"];
        if !content.is_object() {
            let exchange = Some(reply.observation.exchange);
            let what = "the answer holds no event".to_owned();
            return Err(self.failure(host, "event", HandshakeError::Malformed { what, exchange }));
        }
        let held =
            if *content == event.json()["content"] { HeldContent::Whole } else { HeldContent::Redacted };
        Ok((held, reply.observation))
    }
}

impl RoomCopy {
    fn planted(&self, what: &str, built: WireEvent) -> Planted {
        self.peer.ledger.call_event(&built.id, what, Some(what));
        let (id, room) = (built.id.clone(), self.room.clone());
        Planted { id, room, what: what.to_owned(), built, taken: OnceLock::new() }
    }

    fn build(
        &self,
        tamper: Option<Tamper<'_>>,
        make: impl for<'a> FnOnce(&'a RoomGraph, &str) -> Draft<'a>,
    ) -> Result<WireEvent, Failure> {
        let peer = &self.peer.peer;
        let built = peer.with_room(&self.room, |room| {
            let draft = make(room, &self.user);
            let draft = match tamper {
                Some(tamper) => draft.tampered(tamper),
                None => draft,
            };
            draft.sign(peer.key())
        });
        let none = || Problem::harness(message!("judging.no-copy", peer = self.peer.label));
        built.ok_or_else(|| Failure::Problem(none()))
    }

    /// An honest event, drafted by `make` for the peer's user. The copy holds it from now on.
    ///
    /// # Errors
    /// A harness problem when the copy does not accept it.
    pub fn plant(
        &self,
        what: &str,
        make: impl for<'a> FnOnce(&'a RoomGraph, &str) -> Draft<'a>,
    ) -> Result<Planted, Failure> {
        let built = self.build(None, make)?;
        let added = self.peer.peer.with_room(&self.room, |room| room.add(&built.json));
        match added {
            Some(Ok(EventOutcome::Accepted)) => Ok(self.planted(what, built)),
            other => {
                let text = message!("judging.dishonest", what = what, outcome = format!("{other:?}"));
                Err(Failure::Problem(Problem::harness(text)))
            }
        }
    }

    /// An honest message.
    ///
    /// # Errors
    /// As [`Self::plant`].
    pub fn message(&self, body: &str) -> Result<Planted, Failure> {
        self.plant(body, |room, user| draft_message(room, user, body))
    }

    /// An honest event that the copy does not hold: no later event of the peer has it as a prev event.
    ///
    /// # Errors
    /// As [`Self::plant`].
    pub fn aside(
        &self,
        what: &str,
        make: impl for<'a> FnOnce(&'a RoomGraph, &str) -> Draft<'a>,
    ) -> Result<Planted, Failure> {
        let built = self.build(None, make)?;
        let outcome = self.peer.peer.with_room(&self.room, |room| room.clone().add(&built.json));
        match outcome {
            Some(Ok(EventOutcome::Accepted)) => Ok(self.planted(what, built)),
            other => {
                let text = message!("judging.dishonest", what = what, outcome = format!("{other:?}"));
                Err(Failure::Problem(Problem::harness(text)))
            }
        }
    }

    /// An honest message whose prev event no server has, as far as this peer knows. The state before it is the current
    /// state changed by `told`, as if other servers had sent it to the peer. The copy holds the message from now on and
    /// returns that state to requests for it.
    ///
    /// ```text
    ///   … ◀─ (gone) ◀─ message
    ///           └ other servers sent the state from here on
    /// ```
    ///
    /// # Errors
    /// As [`Self::plant`].
    pub fn beyond_a_gap(&self, body: &str, told: impl FnOnce(&mut StateMap)) -> Result<Planted, Failure> {
        let peer = &self.peer.peer;
        let ring = KeyRing::new().with(peer.name(), peer.key());
        let built = peer.with_room(&self.room, |room| {
            let gone = draft_message(room, &self.user, "gone").sign(peer.key());
            let mut state = room.state()?;
            told(&mut state);
            let mut beyond = room.clone();
            beyond.receive_with_state(&gone.json, &ring, state.clone())?;
            let built = draft_message(&beyond, &self.user, body).after([&gone.id]).sign(peer.key());
            Ok((room.receive_with_state(&built.json, &ring, state)?, built))
        });
        match built {
            Some(Ok((ReceivedPdu::Held { outcome: EventOutcome::Accepted, .. }, built))) => {
                Ok(self.planted(body, built))
            }
            other => {
                let outcome = other.map(|came: Result<_, RoomError>| came.map(|(receipt, _)| receipt));
                let text = message!("judging.dishonest", what = body, outcome = format!("{outcome:?}"));
                Err(Failure::Problem(Problem::harness(text)))
            }
        }
    }

    /// Stops enforcing a rule in the copy. Events against the rule have to be admitted.
    pub fn forgive(&self, rule: Rule) {
        self.peer.peer.with_room(&self.room, |room| {
            *room = room.clone().with_fault(Some(RoomFault::SkipsRule(rule)));
        });
    }

    /// An event with an invalid format, hash or signature, admitted as a lie; the copy does not hold it.
    ///
    /// # Errors
    /// A harness problem when the peer has no copy.
    pub fn forge(
        &self,
        what: &str,
        tamper: Tamper<'_>,
        make: impl for<'a> FnOnce(&'a RoomGraph, &str) -> Draft<'a>,
    ) -> Result<Planted, Failure> {
        Ok(self.admitted(what, self.build(Some(tamper), make)?))
    }

    /// A well-formed event that one rule of the room forbids, admitted as a lie; the copy does not hold it.
    ///
    /// # Errors
    /// A harness problem when the copy does not reject the event by that rule, since the test would test something
    /// else.
    pub fn defy(
        &self,
        what: &str,
        rule: Rule,
        make: impl for<'a> FnOnce(&'a RoomGraph, &str) -> Draft<'a>,
    ) -> Result<Planted, Failure> {
        self.unwelcome(what, &EventOutcome::Rejected(rule), make)
    }

    /// A well-formed event that the rules allow at its place and that the current state forbids by `rule`, admitted as
    /// a lie; the copy does not hold it.
    ///
    /// # Errors
    /// A harness problem when the copy does not soft-fail the event by that rule.
    pub fn belated(
        &self,
        what: &str,
        rule: Rule,
        make: impl for<'a> FnOnce(&'a RoomGraph, &str) -> Draft<'a>,
    ) -> Result<Planted, Failure> {
        self.unwelcome(what, &EventOutcome::SoftFailed(rule), make)
    }

    fn unwelcome(
        &self,
        what: &str,
        meant: &EventOutcome,
        make: impl for<'a> FnOnce(&'a RoomGraph, &str) -> Draft<'a>,
    ) -> Result<Planted, Failure> {
        let built = self.build(None, make)?;
        let peer = &self.peer.peer;
        let ring = KeyRing::new().with(peer.name(), peer.key());
        let receipt = peer.with_room(&self.room, |room| room.clone().receive(&built.json, &ring));
        match receipt {
            Some(Ok(ReceivedPdu::Held { outcome, .. })) if outcome == *meant => {
                Ok(self.admitted(what, built))
            }
            other => {
                let (meant, outcome) = (format!("{meant:?}"), format!("{other:?}"));
                let text = message!("judging.other-rule", what = what, meant = meant, outcome = outcome);
                Err(Failure::Problem(Problem::harness(text)))
            }
        }
    }

    /// Adds an event to the copy, even if the copy rejects it, so that other events can build on it.
    ///
    /// # Errors
    /// A harness problem when the event does not belong to the room.
    pub fn keep(&self, event: &Planted) -> Result<(), Failure> {
        match self.peer.peer.with_room(&self.room, |room| room.add(event.json())) {
            Some(Ok(_)) => Ok(()),
            other => {
                let (what, outcome) = (&event.what, format!("{other:?}"));
                let text = message!("judging.dishonest", what = what, outcome = outcome);
                Err(Failure::Problem(Problem::harness(text)))
            }
        }
    }

    fn admitted(&self, what: &str, built: WireEvent) -> Planted {
        self.peer.peer.admit(&built.id);
        self.planted(what, built)
    }

    /// The same copy for another user of the same peer.
    pub fn as_user(&self, user: &str) -> Self {
        Self { user: user.to_owned(), ..self.clone() }
    }
}

/// A text message of `user`.
pub fn draft_message<'a>(room: &'a RoomGraph, user: &str, body: &str) -> Draft<'a> {
    room.draft("m.room.message", user).content(json!({"msgtype": "m.text", "body": body}))
}
