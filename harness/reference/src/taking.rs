//! Events that arrive: checked, their gaps filled, and what came of them shown to users (server-server API, checks
//! performed on receipt of a PDU; backfilling and retrieving missing events).

use std::collections::BTreeSet;

use samklang_matrix::{
    Event, EventOutcome, KeyRing, ReceivedPdu, RoomError, RoomGraph, RoomVersion, StateMap, required_signers,
};
use serde_json::{Value, json};

use crate::{
    answering::shown_to,
    fault::Fault,
    held_room::HeldRoom,
    homeserver::{Homeserver, Invite, Known},
    joining::segment,
};

/// How often a server that lacks events asks for more of them before it asks for the state instead.
const ROUNDS: usize = 4;
/// How many events it asks for at a time.
const LIMIT: usize = 20;

impl Homeserver {
    /// Takes an event of a room into its copy, as `from` brought it. What it builds on and is not known is asked for.
    ///
    /// # Errors
    /// When it is of another room, or the room is not known.
    pub(crate) async fn take_event(
        &self,
        room: &str,
        pdu: &Value,
        from: &str,
    ) -> Result<ReceivedPdu, RoomError> {
        if let Some(version) = self.version_of(room) {
            self.learn_signers(&version, [pdu]).await;
        }
        if self.has(Fault::KeysNotKept) && !self.learn_keys(from).await {
            return Ok(ReceivedPdu::Malformed(vec![]));
        }
        let receipt = self.with_ring(room, |room, ring| room.receive(pdu, ring))?;
        let ReceivedPdu::Held { id, outcome: EventOutcome::Undecided { .. }, redacted } = receipt else {
            self.publish(room);
            return Ok(receipt);
        };
        if !self.has(Fault::GapsNotFilled) {
            self.fill_gap(room, pdu, &id, from).await;
        }
        self.publish(room);
        let known = self.known();
        let outcome = known.rooms.get(room).and_then(|held| held.room.outcome(&id)).cloned();
        Ok(ReceivedPdu::Held {
            id,
            outcome: outcome.unwrap_or(EventOutcome::Undecided { missing: vec![] }),
            redacted,
        })
    }

    /// Works on a room with the keys that are known.
    pub(crate) fn with_ring<T>(
        &self,
        room: &str,
        work: impl FnOnce(&mut RoomGraph, &KeyRing) -> Result<T, RoomError>,
    ) -> Result<T, RoomError> {
        let mut known = self.known();
        let Known { rooms, ring, .. } = &mut *known;
        let held = rooms.get_mut(room).ok_or_else(|| RoomError::OtherRoom(Some(room.to_owned())))?;
        work(&mut held.room, ring)
    }

    /// The version of a room that is held.
    pub(crate) fn version_of(&self, room: &str) -> Option<RoomVersion> {
        self.known().rooms.get(room).map(|held| held.room.version().clone())
    }

    /// Fetches the keys of those who have to have signed events, as far as none is known that counts for them.
    pub(crate) async fn learn_signers<'a>(
        &self,
        version: &RoomVersion,
        pdus: impl IntoIterator<Item = &'a Value>,
    ) {
        let mut unknown = BTreeSet::new();
        for pdu in pdus {
            let Ok(event) = Event::read(pdu, version) else { continue };
            let signers = required_signers(&event).unwrap_or_default();
            let known = self.known();
            // A key that is not known, or not valid for long enough, may have been published since the others were fetched.
            let strange = |server: &&String| {
                let signed = pdu["signatures"][server.as_str()].as_object();
                !signed.is_some_and(|keys| {
                    keys.keys().all(|id| known.ring.for_event(server, id, &event).is_some())
                })
            };
            unknown.extend(signers.keys().filter(strange).cloned());
        }
        for server in unknown {
            self.learn_keys(&server).await;
        }
    }

    /// Asks `from` for what an undecided event builds on: first for the events before it, then for the state there.
    async fn fill_gap(&self, room: &str, pdu: &Value, id: &str, from: &str) {
        for _ in 0..ROUNDS {
            let Some(missing) = self.missing(room, id) else { return };
            let fetched = self.ask_for_missing(room, id, from).await;
            if fetched.is_empty() {
                break;
            }
            self.take_all(room, &fetched).await;
            if self.missing(room, id).as_ref() == Some(&missing) {
                break;
            }
        }
        let Some(missing) = self.missing(room, id) else { return };
        self.fetch_auth_chain(room, id, from).await;
        if !missing.is_empty()
            && self.missing(room, id).is_some()
            && let Some(state) = self.fetch_state(room, id, from).await
        {
            // What cannot be taken now is left undecided, and has no effect.
            let _ = self.with_ring(room, |room, ring| room.receive_with_state(pdu, ring, state));
        }
    }

    /// What an event waits for; none when it is decided.
    fn missing(&self, room: &str, id: &str) -> Option<Vec<String>> {
        match self.known().rooms.get(room)?.room.outcome(id)? {
            EventOutcome::Undecided { missing } => Some(missing.clone()),
            _ => None,
        }
    }

    async fn ask_for_missing(&self, room: &str, id: &str, from: &str) -> Vec<Value> {
        let earliest = self.known().rooms.get(room).map(|held| held.room.extremities()).unwrap_or_default();
        let waiting = self.earliest_waiting(room, id);
        let target = format!("/_matrix/federation/v1/get_missing_events/{}", segment(room));
        let body = json!({
            "earliest_events": earliest, "latest_events": waiting, "limit": LIMIT, "min_depth": 0,
        });
        self.list_from("POST", from, &target, Some(&body), "events").await
    }

    /// Of an undecided event and all undecided ones before it, those that follow on nothing that is known.
    fn earliest_waiting(&self, room: &str, id: &str) -> Vec<String> {
        let known = self.known();
        let Some(held) = known.rooms.get(room) else { return Vec::new() };
        let (mut left, mut seen, mut ends) = (vec![id.to_owned()], BTreeSet::new(), Vec::new());
        while let Some(id) = left.pop() {
            let Some(event) = held.room.event(&id).filter(|_| seen.insert(id.clone())) else { continue };
            let before = event.prev_events();
            if before.iter().any(|id| held.room.event(id).is_none()) {
                ends.push(id);
            }
            left.extend(
                before
                    .into_iter()
                    .filter(|id| matches!(held.room.outcome(id), Some(EventOutcome::Undecided { .. }))),
            );
        }
        ends
    }

    /// Takes fetched events, those before others first.
    async fn take_all(&self, room: &str, pdus: &[Value]) {
        let Some(version) = self.version_of(room) else { return };
        self.learn_signers(&version, pdus).await;
        let mut sorted: Vec<_> = pdus.iter().collect();
        sorted.sort_by_key(|pdu| pdu["depth"].as_i64());
        for pdu in sorted {
            // What is not in order is left out; what builds on it stays undecided.
            let _ = self.with_ring(room, |room, ring| room.receive(pdu, ring));
        }
    }

    async fn fetch_auth_chain(&self, room: &str, id: &str, from: &str) {
        let target = format!("/_matrix/federation/v1/event_auth/{}/{}", segment(room), segment(id));
        let chain = self.list_from("GET", from, &target, None, "auth_chain").await;
        self.take_cited(room, &chain).await;
    }

    async fn take_cited(&self, room: &str, pdus: &[Value]) {
        let Some(version) = self.version_of(room) else { return };
        self.learn_signers(&version, pdus).await;
        for pdu in pdus {
            let _ = self.with_ring(room, |room, ring| room.receive_outlier(pdu, ring));
        }
    }

    /// The state before an event, as another server gives it; its events are held from now on.
    async fn fetch_state(&self, room: &str, id: &str, from: &str) -> Option<StateMap> {
        let target = format!("/_matrix/federation/v1/state/{}?event_id={}", segment(room), segment(id));
        let answer = self.ask("GET", from, &target, None).await.ok().filter(|answer| answer.is_success())?;
        let body = answer.json();
        let (chain, state) = (body["auth_chain"].as_array()?, body["pdus"].as_array()?);
        self.take_cited(room, chain).await;
        self.take_cited(room, state).await;
        let version = self.version_of(room)?;
        let place = |pdu: &Value| {
            let event = Event::read(pdu, &version).ok()?;
            Some(((event.kind().to_owned(), event.state_key()?.to_owned()), event.id().to_owned()))
        };
        Some(state.iter().filter_map(place).collect())
    }

    /// The list of this name in another server's answer; empty where there is none.
    pub(crate) async fn list_from(
        &self,
        method: &str,
        from: &str,
        target: &str,
        body: Option<&Value>,
        name: &str,
    ) -> Vec<Value> {
        let answer = self.ask(method, from, target, body).await.ok().filter(|answer| answer.is_success());
        answer.and_then(|answer| answer.json()[name].as_array().cloned()).unwrap_or_default()
    }

    /// Shows users what is new in a room.
    pub(crate) fn publish(&self, room: &str) {
        let mut known = self.known();
        let Some(mut held) = known.rooms.remove(room) else { return };
        if self.has(Fault::EarlyRedactionForgotten) {
            held.forget_early_redactions();
        }
        let new = held.list_new(self.has(Fault::RejectedShown), || known.next_position());
        for event in &new {
            self.note(&mut known, &mut held, event);
        }
        known.rooms.insert(room.to_owned(), held);
        drop(known);
        self.announce();
        if self.is_live() {
            for event in &new {
                self.follow_up(room, event);
            }
        }
    }

    /// What an event in force changes beyond the graph.
    fn note(&self, known: &mut Known, held: &mut HeldRoom, event: &Event) {
        if let Some(target) = redacted_by(event)
            && !self.has(Fault::RedactionWithoutEffect)
        {
            held.redactions.entry(target.to_owned()).or_default().insert(event.id().to_owned());
        }
        let Some((user, membership)) = event.member() else { return };
        if membership == "join" && self.is_own(user) {
            known.visited.entry(user.to_owned()).or_default().insert(held.room.id().to_owned());
        }
        let place = (held.room.id().to_owned(), user.to_owned());
        if !self.has(Fault::InviteNotWithdrawn) || membership == "join" {
            known.invites.remove(&place);
        }
        known.knocks.remove(&place);
        if membership == "invite" && self.is_own(user) {
            let position = known.position();
            let invite = Invite {
                room_version: held.room.version().id().to_owned(),
                event: Value::Object(event.json().clone()),
                room_state: shown_to(held, Some(event.sender())),
                position,
            };
            known.invites.insert(place, invite);
        }
    }
}

/// The event that a redaction is about (rooms/v11, redactions: from then on in the content).
pub(crate) fn redacted_by(event: &Event) -> Option<&str> {
    if event.kind() != "m.room.redaction" {
        return None;
    }
    let in_content = event.version().has_redacts_in_content();
    if in_content { event.content().get("redacts")?.as_str() } else { event.text("redacts") }
}
