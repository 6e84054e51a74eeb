//! Peers as scenarios use them: homeservers of the harness's own that join rooms, send what the scenario says, and look
//! at what a server made of it.

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

/// A homeserver of the harness's own. Clones are the same one.
#[derive(Clone)]
pub struct ScriptedPeer {
    peer: Arc<Peer>,
    label: String,
    ledger: Arc<Ledger>,
}

/// What a server answered to a peer.
#[derive(Debug, Clone)]
pub struct PeerResponse {
    /// The status.
    pub status: u16,
    /// The body; null where it is no JSON.
    pub body: Value,
    /// The body's bytes.
    pub bytes: Bytes,
    /// Where it was seen.
    pub observation: Observation,
}

/// A room as a peer holds it, and the user of the peer's who is in it.
#[derive(Clone)]
pub struct RoomCopy {
    /// Whose copy it is.
    pub peer: ScriptedPeer,
    /// The room's id.
    pub room: String,
    /// The peer's user.
    pub user: String,
}

/// An event that a peer made.
#[derive(Debug)]
pub struct Planted {
    /// Its id.
    pub id: String,
    /// The room it is in.
    pub room: String,
    /// What it is, for people.
    pub what: String,
    built: WireEvent,
    /// When it was brought to a server, on the scenario's clock, and where that shows.
    taken: OnceLock<(u64, ExchangeId)>,
}

/// What goes out together (server-server API, transactions); honest in all that is not said.
#[derive(Debug, Clone, Copy, Default)]
pub struct Transaction<'a> {
    /// The events (PDUs).
    pub events: &'a [&'a Planted],
    /// The signals (EDUs).
    pub signals: &'a [Value],
    /// Its id; a fresh one, when none is said.
    pub id: Option<&'a str>,
    /// The origin in its body; the sending peer, when none is said.
    pub origin: Option<&'a str>,
}

/// What a server holds of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldContent {
    /// Nothing.
    Nothing,
    /// The event without what redaction removes.
    Redacted,
    /// All of it.
    Whole,
}

impl PeerResponse {
    /// Whether the status is one of success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// `errcode`; empty where there is none.
    pub fn errcode(&self) -> &str {
        self.body["errcode"].as_str().unwrap_or_default()
    }

    /// Status and `errcode` in words.
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
    /// `peer`, which the scenario that has this ledger calls `label`.
    pub fn new(peer: Arc<Peer>, label: &str, ledger: &Arc<Ledger>) -> Self {
        ledger.call_server(peer.name(), &format!("{label}.test"));
        Self { peer, label: label.to_owned(), ledger: Arc::clone(ledger) }
    }

    /// Its server name.
    pub fn name(&self) -> &str {
        self.peer.name()
    }

    /// What the scenario calls it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The peer itself: its key, its lies, what it received.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The full id of a user of its own.
    pub fn user(&self, name: &str) -> String {
        let id = self.peer.user(&format!("{name}-{}", self.ledger.nonce));
        self.ledger.call(&id, &format!("@{name}:{}.test", self.label));
        id
    }

    fn who(&self, host: &Host) -> Actor {
        Actor { name: self.label.clone(), role: host.role() }
    }

    /// The failure that a refusal or a missing answer of `host` amounts to.
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

    /// What came of a request, where anything did.
    fn answered(
        &self,
        host: &Host,
        answer: Result<ServerResponse, NoResponse>,
    ) -> Result<PeerResponse, Failure> {
        let answer = answer.map_err(|error| self.failure(host, "ask", error.into()))?;
        self.reply(host, &answer)
    }

    /// Admits what is wrong with the request that got this reply.
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

    /// Asks `host`, signed in due form, whatever the answer.
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

    /// Asks `host` with these `Authorization` headers, whatever they say and whatever the answer. What is wrong with the
    /// request is admitted.
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

    /// Sends this very text as a body, whatever the answer. What is wrong with the request is admitted.
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

    /// Has its user join a room by way of `host`.
    ///
    /// # Errors
    /// When the server does not let the user in, or its answers do not make a room.
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

    /// Brings events to `host` in one transaction, which has to be taken as a whole.
    ///
    /// # Errors
    /// When the transaction is refused.
    pub async fn transmit(&self, host: &Host, events: &[&Planted]) -> Result<PeerResponse, Failure> {
        self.insist(host, &Transaction { events, ..Transaction::default() }).await
    }

    /// As [`Self::transmit`], for what a server may refuse as a whole. What is wrong with the transaction is admitted.
    ///
    /// # Errors
    /// Inconclusive when no complete answer comes.
    pub async fn offer(&self, host: &Host, events: &[&Planted]) -> Result<PeerResponse, Failure> {
        self.deliver(host, &Transaction { events, ..Transaction::default() }).await
    }

    /// Sends a transaction, whatever the answer. What is wrong with it is admitted.
    ///
    /// # Errors
    /// Inconclusive when no complete answer comes.
    pub async fn deliver(&self, host: &Host, transaction: &Transaction<'_>) -> Result<PeerResponse, Failure> {
        let answer = self.send_transaction(host, transaction).await?;
        Ok(self.admitting(self.reply(host, &answer)?))
    }

    /// Sends signals (EDUs) in one transaction, which has to be taken.
    ///
    /// # Errors
    /// When the transaction is refused.
    pub async fn signal(&self, host: &Host, edus: &[Value]) -> Result<PeerResponse, Failure> {
        self.insist(host, &Transaction { signals: edus, ..Transaction::default() }).await
    }

    /// Sends a transaction that has to be taken.
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
        // Events go out as they were written, which need not be canonical JSON.
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
            // Sent again, it keeps its first time: what was sent later is later than that.
            let _ = event.taken.set((self.ledger.tick(), exchange));
        }
        Ok(answer)
    }

    /// What `host` holds of an event, as `GET /event` gives it to this peer (server-server API, retrieving events).
    ///
    /// # Errors
    /// When the answer is neither the event nor a refusal.
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

    /// An honest event, which the copy holds from now on. `make` drafts it for the peer's user.
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

    /// An honest event that the copy does not hold: nothing that the peer makes later follows it.
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

    /// An honest message that follows an event which nobody has any more, as far as this peer knows: the state before it is
    /// what others told the peer, the current one changed by `told`. The copy holds it from now on, and gives that state to
    /// who asks for it.
    ///
    /// ```text
    ///   … ◀─ (gone) ◀─ message
    ///           └ the state from here on is hearsay
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

    /// From now on the copy does not enforce a rule. What is planted against it has to be admitted.
    pub fn forgive(&self, rule: Rule) {
        self.peer.peer.with_room(&self.room, |room| {
            *room = room.clone().with_fault(Some(RoomFault::SkipsRule(rule)));
        });
    }

    /// An event that is not in due form, admitted as such; the copy does not hold it.
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

    /// An event in due form that one rule of the room forbids, admitted as such; the copy does not hold it.
    ///
    /// # Errors
    /// A harness problem when the copy does not reject it by that very rule: then it would test something else.
    pub fn defy(
        &self,
        what: &str,
        rule: Rule,
        make: impl for<'a> FnOnce(&'a RoomGraph, &str) -> Draft<'a>,
    ) -> Result<Planted, Failure> {
        self.unwelcome(what, &EventOutcome::Rejected(rule), make)
    }

    /// An event in due form that the rules allow at its place and the current state forbids by `rule`, admitted as such;
    /// the copy does not hold it.
    ///
    /// # Errors
    /// A harness problem when the copy does not soft-fail it by that very rule.
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

    /// Has the copy hold an event whatever it makes of it, so that others can build on it.
    ///
    /// # Errors
    /// A harness problem when it is no event of the room.
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

    /// The same room as another user of the same peer has it.
    pub fn as_user(&self, user: &str) -> Self {
        Self { user: user.to_owned(), ..self.clone() }
    }
}

/// A text message of `user`'s.
pub fn draft_message<'a>(room: &'a RoomGraph, user: &str, body: &str) -> Draft<'a> {
    room.draft("m.room.message", user).content(json!({"msgtype": "m.text", "body": body}))
}
