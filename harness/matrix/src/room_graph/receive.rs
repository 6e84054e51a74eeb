//! Events from other servers.

use serde_json::Value;

use super::{EventOutcome, RoomFault, RoomGraph};
use crate::{
    Event, EventError, FormatBreach, KeyRing, ResolveError, Rule, SignatureError, Signer, StateMap, Verified,
    format_breaches, verify_event,
};

/// Why a room cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoomError {
    /// Something is not an event.
    #[error(transparent)]
    Event(#[from] EventError),
    /// States cannot be resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// An event belongs to another room.
    #[error("the event belongs to another room: {0:?}")]
    OtherRoom(Option<String>),
    /// A field of a response is missing or has the wrong type.
    #[error("field `{0}` of the response is missing or has the wrong type")]
    Malformed(&'static str),
}

/// The result of the checks on a received PDU (server-server API, checks performed on receipt of a PDU).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceivedPdu {
    /// The PDU is dropped, since it is malformed.
    Malformed(Vec<FormatBreach>),
    /// The PDU is dropped, since a signature is missing or wrong.
    BadSignature(SignatureError),
    /// The event is kept, with its outcome.
    Held {
        /// Its id.
        id: String,
        /// Its outcome.
        outcome: EventOutcome,
        /// Whether only its redacted form is kept, since the content hash does not match.
        redacted: bool,
    },
}

impl RoomGraph {
    /// Adds an event without a check of its signatures; returns its outcome.
    ///
    /// # Errors
    /// If it is not an event of this room.
    pub fn add(&mut self, pdu: &Value) -> Result<EventOutcome, RoomError> {
        let event = self.read(pdu)?;
        let id = event.id().to_owned();
        self.hold(event, false, None);
        Ok(self.outcome(&id).cloned().unwrap_or(EventOutcome::Undecided { missing: Vec::new() }))
    }

    /// Applies all checks of a receiving server to a PDU, with the known keys.
    ///
    /// # Errors
    /// If it belongs to another room.
    pub fn receive(&mut self, pdu: &Value, keys: &KeyRing) -> Result<ReceivedPdu, RoomError> {
        self.check_and_hold(pdu, keys, false, None)
    }

    /// As [`RoomGraph::receive`], for an event that is known only as an auth event: the state before it is not checked.
    ///
    /// # Errors
    /// If it belongs to another room.
    pub fn receive_outlier(&mut self, pdu: &Value, keys: &KeyRing) -> Result<ReceivedPdu, RoomError> {
        self.check_and_hold(pdu, keys, true, None)
    }

    /// As [`RoomGraph::receive`], for an event whose prev events are not available: `state` is the state before it, from
    /// another server. Its events that are not accepted here are left out.
    ///
    /// # Errors
    /// If it belongs to another room.
    pub fn receive_with_state(
        &mut self,
        pdu: &Value,
        keys: &KeyRing,
        mut state: StateMap,
    ) -> Result<ReceivedPdu, RoomError> {
        self.keep_accepted(&mut state);
        self.check_and_hold(pdu, keys, false, Some(state))
    }

    fn keep_accepted(&self, state: &mut StateMap) {
        let counts = |id: &String| {
            self.has(RoomFault::RejectedChangesState) || self.outcome(id) == Some(&EventOutcome::Accepted)
        };
        state.retain(|_, id| counts(id));
    }

    fn check_and_hold(
        &mut self,
        pdu: &Value,
        keys: &KeyRing,
        outlier: bool,
        given: Option<StateMap>,
    ) -> Result<ReceivedPdu, RoomError> {
        let breaches = self.noticed(format_breaches(pdu, &self.version));
        if !breaches.is_empty() {
            return Ok(ReceivedPdu::Malformed(breaches));
        }
        let event = self.read(pdu)?;
        let (redacted, rule) = match verify_event(&event, keys) {
            Ok(verified) => (verified == Verified::ContentHashMismatch, None),
            Err(_) if self.has(RoomFault::SkipsSignatures) => (false, None),
            // The signature of the authorising server is an authorisation rule, so the event is rejected and not dropped.
            Err(fault) if fault.role() == Signer::Authoriser => (false, Some(Rule::AuthoriserSignature)),
            Err(fault) => return Ok(ReceivedPdu::BadSignature(fault)),
        };
        if redacted && self.has(RoomFault::DropsChangedContent) {
            return Ok(ReceivedPdu::Malformed(Vec::new()));
        }
        let redacted = redacted && !self.has(RoomFault::KeepsChangedContent);
        let event = if redacted { event.redacted() } else { event };
        let id = event.id().to_owned();
        if let Some(rule) = rule.filter(|rule| self.enforced(Err(*rule)).is_err()) {
            return Ok(ReceivedPdu::Held { id, outcome: EventOutcome::Rejected(rule), redacted });
        }
        self.hold(event, outlier, given);
        let outcome = self.outcome(&id).cloned().unwrap_or(EventOutcome::Undecided { missing: Vec::new() });
        Ok(ReceivedPdu::Held { id, outcome, redacted })
    }

    /// The room as a joining server gets it: the state and auth chain of a `send_join` response, and the join with that state
    /// before it. The state before the other events is not known.
    ///
    /// ```text
    ///   auth_chain, state   (outliers)
    ///          │
    ///          └── state before ──▶ join ◀─ …      prev_events of the join stay unknown
    /// ```
    ///
    /// # Errors
    /// If the response lacks a list, or holds something that is not an event of the room.
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
        // An event that is not accepted does not belong to the state.
        self.keep_accepted(&mut state);
        let join = self.read(join)?;
        self.hold(join, false, Some(state));
        Ok(self)
    }

    fn read(&self, pdu: &Value) -> Result<Event, RoomError> {
        let event = Event::read(pdu, &self.version)?;
        if event.room_id() == Some(self.id()) || self.has(RoomFault::AcceptsOtherRooms) {
            return Ok(event);
        }
        Err(RoomError::OtherRoom(event.room_id().map(str::to_owned)))
    }
}
