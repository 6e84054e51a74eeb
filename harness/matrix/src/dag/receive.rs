//! Events that come from others.

use serde_json::Value;

use super::{Outcome, Quirk, Room};
use crate::{
    Breach, Event, EventError, KeyRing, ResolveError, Rule, SignatureFault, Signer, StateMap, Verified,
    format_breaches, verify_event,
};

/// Why a room cannot be worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoomError {
    /// Something is not an event.
    #[error(transparent)]
    Event(#[from] EventError),
    /// States cannot be resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// An event is of another room.
    #[error("the event is of another room: {0:?}")]
    OtherRoom(Option<String>),
    /// An answer lacks something.
    #[error("the answer has no usable {0}")]
    Malformed(&'static str),
}

/// What a server has to make of a PDU it receives (server-server API, checks performed on receipt of a PDU).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// Dropped for its form.
    Malformed(Vec<Breach>),
    /// Dropped for a signature.
    BadSignature(SignatureFault),
    /// Held, whatever became of it.
    Held {
        /// Its id.
        id: String,
        /// What became of it.
        outcome: Outcome,
        /// Whether only its redacted form is held, since the content hash did not match.
        redacted: bool,
    },
}

impl Room {
    /// Adds an event whose signatures are trusted, and tells what became of it.
    ///
    /// # Errors
    /// When it is no event of this room.
    pub fn add(&mut self, pdu: &Value) -> Result<Outcome, RoomError> {
        let event = self.read(pdu)?;
        let id = event.id().to_owned();
        self.hold(event, false, None);
        Ok(self.outcome(&id).cloned().unwrap_or(Outcome::Undecided { missing: Vec::new() }))
    }

    /// Puts a PDU through all checks of a server that receives it, with the keys that are known.
    ///
    /// # Errors
    /// When it is of another room.
    pub fn receive(&mut self, pdu: &Value, keys: &KeyRing) -> Result<Receipt, RoomError> {
        self.take(pdu, keys, false, None)
    }

    /// As [`Room::receive`], for an event that is only cited: its place in the graph is not judged.
    ///
    /// # Errors
    /// When it is of another room.
    pub fn receive_cited(&mut self, pdu: &Value, keys: &KeyRing) -> Result<Receipt, RoomError> {
        self.take(pdu, keys, true, None)
    }

    /// As [`Room::receive`], for an event whose predecessors are not to be had: `state` is the state before it, as
    /// another server gives it. What of it is not accepted here does not count.
    ///
    /// # Errors
    /// When it is of another room.
    pub fn receive_after(
        &mut self,
        pdu: &Value,
        keys: &KeyRing,
        mut state: StateMap,
    ) -> Result<Receipt, RoomError> {
        self.keep_accepted(&mut state);
        self.take(pdu, keys, false, Some(state))
    }

    fn keep_accepted(&self, state: &mut StateMap) {
        let counts = |id: &String| {
            self.has(Quirk::RejectedChangeState) || self.outcome(id) == Some(&Outcome::Accepted)
        };
        state.retain(|_, id| counts(id));
    }

    fn take(
        &mut self,
        pdu: &Value,
        keys: &KeyRing,
        cited: bool,
        given: Option<StateMap>,
    ) -> Result<Receipt, RoomError> {
        let breaches = self.noticed(format_breaches(pdu, &self.version));
        if !breaches.is_empty() {
            return Ok(Receipt::Malformed(breaches));
        }
        let event = self.read(pdu)?;
        let (redacted, rule) = match verify_event(&event, keys) {
            Ok(verified) => (verified == Verified::ContentHashMismatch, None),
            Err(_) if self.has(Quirk::SkipsSignatures) => (false, None),
            // That the authorising server has to sign is an authorisation rule, so the event is not dropped but rejected.
            Err(fault) if fault.role() == Signer::Authoriser => (false, Some(Rule::AuthoriserSignature)),
            Err(fault) => return Ok(Receipt::BadSignature(fault)),
        };
        if redacted && self.has(Quirk::DropsChangedContent) {
            return Ok(Receipt::Malformed(Vec::new()));
        }
        let redacted = redacted && !self.has(Quirk::KeepsChangedContent);
        let event = if redacted { event.redacted() } else { event };
        let id = event.id().to_owned();
        if let Some(rule) = rule.filter(|rule| self.enforced(Err(*rule)).is_err()) {
            return Ok(Receipt::Held { id, outcome: Outcome::Rejected(rule), redacted });
        }
        self.hold(event, cited, given);
        let outcome = self.outcome(&id).cloned().unwrap_or(Outcome::Undecided { missing: Vec::new() });
        Ok(Receipt::Held { id, outcome, redacted })
    }

    /// The room as a joining server gets it: state and auth chain of a `send_join` answer, whose events have no known
    /// place in the graph, and the join on top of that state.
    ///
    /// ```text
    ///   auth_chain, state   (outliers)
    ///          │
    ///          └── state before ──▶ join ◀─ …      prev_events of the join stay unknown
    /// ```
    ///
    /// # Errors
    /// When the answer has no lists, or something in it is no event of the room.
    pub fn from_send_join(mut self, answer: &Value, join: &Value) -> Result<Self, RoomError> {
        let list = |name: &'static str| answer[name].as_array().ok_or(RoomError::Malformed(name));
        for pdu in list("auth_chain")? {
            let event = self.read(pdu)?;
            self.hold(event, true, None);
        }
        let mut state = StateMap::new();
        for pdu in list("state")? {
            let event = self.read(pdu)?;
            let state_key = event.state_key().ok_or(RoomError::Malformed("state"))?;
            state.insert((event.kind().to_owned(), state_key.to_owned()), event.id().to_owned());
            self.hold(event, true, None);
        }
        // What does not hold has no place in the state, whoever says so.
        self.keep_accepted(&mut state);
        let join = self.read(join)?;
        self.hold(join, false, Some(state));
        Ok(self)
    }

    fn read(&self, pdu: &Value) -> Result<Event, RoomError> {
        let event = Event::read(pdu, &self.version)?;
        if event.room_id() == Some(self.id()) || self.has(Quirk::MixesRooms) {
            return Ok(event);
        }
        Err(RoomError::OtherRoom(event.room_id().map(str::to_owned)))
    }
}
