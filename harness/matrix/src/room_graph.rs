//! A room as one server knows it: a graph of events, and the state before each of them.

mod creation;
mod draft;
mod fault;
mod power;
mod receive;
mod tamper;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use serde_json::Value;

pub use creation::RoomCreation;
pub use draft::{Draft, WireEvent};
pub use fault::RoomFault;
pub use receive::{ReceivedPdu, RoomError};
pub use tamper::Tamper;

use crate::{
    AuthEventsError, Event, EventPool, JudgedEvent, RoomVersion, Rule, Snapshot, StateMap, StateResolution,
    check_auth_events, check_state, state::resolve_by,
};

/// The outcome of an event (server-server API, checks performed on receipt of a PDU).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventOutcome {
    /// It is accepted.
    Accepted,
    /// Its auth events or the state before it do not authorise it.
    Rejected(Rule),
    /// The state before it authorises it, but the current state did not when it arrived.
    SoftFailed(Rule),
    /// Prev events or auth events are not known; or, if `missing` is empty, there is a conflict in room version 1.
    Undecided {
        /// The ids that are missing.
        missing: Vec<String>,
    },
}

#[derive(Debug, Clone)]
struct HeldEvent {
    event: Event,
    outcome: EventOutcome,
    /// Known only as an auth event or a state event: the state before it is not known.
    outlier: bool,
    /// The state before it, if another server gave it.
    given: Option<StateMap>,
    before: Option<StateMap>,
    /// The rule by which the current state forbade it when it arrived. Unlike all else it is never judged anew.
    soft: Option<Rule>,
}

impl HeldEvent {
    fn is_in_force(&self) -> bool {
        self.outcome == EventOutcome::Accepted && !self.outlier
    }
}

/// A room, as one server knows it.
///
/// ```text
///   create ◀─ join ◀─ levels ◀─ rules ◀─ visibility ◀─ a ◀─┐
///                                             ▲            ├─ merge      arrows are prev_events
///                                             └────── b ◀──┘             forward extremity: merge
/// ```
///
/// Events may arrive in any order. An event with a gap before it stays undecided until the gap is filled, and is judged
/// then. Only soft failure depends on the time of arrival.
#[derive(Debug, Clone)]
pub struct RoomGraph {
    version: RoomVersion,
    id: String,
    events: BTreeMap<String, HeldEvent>,
    fault: Option<RoomFault>,
    /// The current state, once it has been resolved.
    current: OnceLock<StateMap>,
}

impl RoomGraph {
    /// A room without events.
    pub fn empty(version: &RoomVersion, id: &str) -> Self {
        let events = BTreeMap::new();
        Self { version: version.clone(), id: id.to_owned(), events, fault: None, current: OnceLock::new() }
    }

    /// The room's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The room's version.
    pub fn version(&self) -> &RoomVersion {
        &self.version
    }

    /// A known event.
    pub fn event(&self, id: &str) -> Option<&Event> {
        self.events.get(id).map(|held| &held.event)
    }

    /// The outcome of a known event.
    pub fn outcome(&self, id: &str) -> Option<&EventOutcome> {
        self.events.get(id).map(|held| &held.outcome)
    }

    /// The ids of all known events, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.events.keys().map(String::as_str)
    }

    /// The forward extremities: accepted events that are not a prev event of an accepted event. Rejected and soft-failed
    /// events do not count.
    pub fn extremities(&self) -> Vec<String> {
        self.extremities_without(&BTreeSet::new())
    }

    fn extremities_without(&self, pending: &BTreeSet<String>) -> Vec<String> {
        let follows = |held: &HeldEvent| {
            held.is_in_force() || (self.has(RoomFault::BuildsOnRejected) && held.before.is_some())
        };
        let counts = |(id, held): &(&String, &HeldEvent)| follows(held) && !pending.contains(*id);
        let all = || self.events.iter().filter(counts);
        let prev_events: BTreeSet<String> = all().flat_map(|(_, held)| held.event.prev_events()).collect();
        all().map(|(id, _)| id.clone()).filter(|id| !prev_events.contains(id)).collect()
    }

    /// The current state.
    ///
    /// # Errors
    /// If it cannot be resolved.
    pub fn state(&self) -> Result<StateMap, RoomError> {
        self.current().cloned()
    }

    fn current(&self) -> Result<&StateMap, RoomError> {
        if let Some(state) = self.current.get() {
            return Ok(state);
        }
        let state = self.state_at(&self.extremities())?;
        Ok(self.current.get_or_init(|| state))
    }

    /// The event of the current state with this type and state key.
    pub fn state_event(&self, kind: &str, state_key: &str) -> Option<&Event> {
        let state = self.current().ok()?;
        self.event(state.get(&(kind.to_owned(), state_key.to_owned()))?)
    }

    /// The state before an event with these prev events. Undecided ones are left out.
    ///
    /// # Errors
    /// If it cannot be resolved.
    pub fn state_at(&self, prev_events: &[String]) -> Result<StateMap, RoomError> {
        let states: Vec<_> = prev_events.iter().filter_map(|id| self.state_after(id)).collect();
        let differ = states.len() > 1;
        if differ && self.has(RoomFault::KeepsSmallestState) {
            return Ok(states.into_iter().min_by_key(StateMap::len).unwrap_or_default());
        }
        let by_v2 = differ && self.has(RoomFault::ResolvesByV2);
        let algorithm = if by_v2 { StateResolution::V2 } else { self.version.state_resolution() };
        Ok(resolve_by(algorithm, &states, &self.pool())?)
    }

    /// The state before an event, if it is known.
    pub fn state_before(&self, id: &str) -> Option<&StateMap> {
        self.events.get(id)?.before.as_ref()
    }

    /// The state after an event, if it is known. A rejected event does not change the state; a soft-failed event does.
    pub fn state_after(&self, id: &str) -> Option<StateMap> {
        let held = self.events.get(id)?;
        let mut state = held.before.clone()?;
        let counts = matches!(held.outcome, EventOutcome::Accepted | EventOutcome::SoftFailed(_));
        if (counts || self.has(RoomFault::RejectedChangesState))
            && let Some(state_key) = held.event.state_key()
        {
            state.insert((held.event.kind().to_owned(), state_key.to_owned()), id.to_owned());
        }
        Some(state)
    }

    /// The PDUs of the state before an event, and of the auth chains of the event and that state, as the responses to
    /// `send_join` and `state` hold them.
    pub fn state_and_auth_chain(&self, id: &str) -> Option<(Vec<Value>, Vec<Value>)> {
        let state = self.state_before(id)?;
        let own = id.to_owned();
        let chain = self.pool().auth_chain(state.values().chain([&own]));
        let pdus = |ids: &mut dyn Iterator<Item = &String>| {
            ids.filter_map(|id| self.event(id)).map(|event| Value::Object(event.json().clone())).collect()
        };
        Some((pdus(&mut state.values()), pdus(&mut chain.iter())))
    }

    pub(crate) fn pool(&self) -> EventPool<'_> {
        EventPool::by(|id| {
            let held = self.events.get(id)?;
            let rejected = matches!(held.outcome, EventOutcome::Rejected(_));
            Some(JudgedEvent { event: &held.event, rejected })
        })
    }

    /// Adds an event and judges it, and all events that waited for it. Signatures are not checked. An event that is known
    /// and decided stays as it is.
    fn hold(&mut self, event: Event, outlier: bool, given: Option<StateMap>) {
        let id = event.id().to_owned();
        let undecided = |held: &HeldEvent| matches!(held.outcome, EventOutcome::Undecided { .. });
        let upgrades = |held: &HeldEvent| held.outlier && !outlier;
        if self.events.get(&id).is_some_and(|held| !undecided(held) && !upgrades(held)) {
            return;
        }
        // An event that is rejected by its auth events may still wait for its prev events, and later events wait with it.
        let waits = |held: &HeldEvent| undecided(held) || (!held.outlier && held.before.is_none());
        let waiting = self.events.iter().filter(|(_, held)| waits(held)).map(|(id, _)| id.clone());
        let mut pending: BTreeSet<_> = waiting.chain([id.clone()]).collect();
        // An event that was known only as an auth event may get another outcome now, and so may the events that list it.
        let was_outlier = self.events.get(&id).is_some_and(upgrades);
        let outcome = EventOutcome::Undecided { missing: Vec::new() };
        self.events.insert(id, HeldEvent { event, outcome, outlier, given, before: None, soft: None });
        let left = if was_outlier { self.events.keys().cloned().collect() } else { pending.clone() };
        let order = self.judge_anew(left);
        pending.retain(|id| self.events.get(id).is_some_and(HeldEvent::is_in_force));
        let joined = pending.clone();
        // Each is judged by the current state after those before it.
        for id in order.iter().filter(|id| joined.contains(*id)) {
            self.judge_softly(id, &pending);
            pending.remove(id);
        }
        self.current = OnceLock::new();
    }

    /// Soft-fails an accepted event if the current state does not authorise it. `pending` are this event and others that
    /// count as not yet arrived.
    fn judge_softly(&mut self, id: &str, pending: &BTreeSet<String>) {
        let current = self.state_at(&self.extremities_without(pending)).unwrap_or_default();
        let Some(event) = self.event(id).filter(|_| !current.is_empty()) else { return };
        if self.has(RoomFault::NoSoftFailure) {
            return;
        }
        let soft = self.enforced(check_state(event, &self.pool().snapshot(&current))).err();
        if let (Some(rule), Some(held)) = (soft, self.events.get_mut(id)) {
            held.soft = Some(rule);
            held.outcome = EventOutcome::SoftFailed(rule);
        }
    }

    /// Judges these events anew, each after its auth events and prev events; returns the order.
    fn judge_anew(&mut self, mut left: BTreeSet<String>) -> Vec<String> {
        let mut order = Vec::new();
        for id in &left {
            if let Some(held) = self.events.get_mut(id) {
                held.before = None;
                held.outcome = EventOutcome::Undecided { missing: Vec::new() };
            }
        }
        loop {
            let free = |id: &&String| {
                let event = &self.events[*id].event;
                event.auth_events().iter().chain(&event.prev_events()).all(|id| !left.contains(id))
                    && (event.kind() == "m.room.create"
                        || !self.create_id(event).is_some_and(|id| left.contains(&id)))
            };
            // In versions 1 and 2 events could refer to each other in a circle; these stay undecided.
            let Some(id) = left.iter().find(free).cloned() else { return order };
            left.remove(&id);
            order.push(id.clone());
            let (outcome, before) = self.judge(&self.events[&id]);
            if let Some(held) = self.events.get_mut(&id) {
                (held.outcome, held.before) = (outcome, before);
            }
        }
    }

    fn create_id(&self, event: &Event) -> Option<String> {
        let named = event.room_id().filter(|_| self.version.is_named_by_create())?;
        Some(format!("${}", named.strip_prefix('!')?))
    }

    fn judge(&self, held: &HeldEvent) -> (EventOutcome, Option<StateMap>) {
        let event = &held.event;
        if self.has(RoomFault::AcceptsOtherRooms) && event.room_id() != Some(self.id()) {
            return (EventOutcome::Accepted, None);
        }
        let pool = self.pool();
        let decided = |id: &str| !matches!(self.outcome(id), None | Some(EventOutcome::Undecided { .. }));
        let before = self.before(held, decided);
        let state = || before.clone().ok();
        let by_auth = check_auth_events(event, |id| pool.find(id).filter(|_| decided(id)));
        match by_auth {
            _ if self.has(RoomFault::SkipsAuthEvents) => {}
            Err(AuthEventsError::Unknown(missing)) => return (EventOutcome::Undecided { missing }, None),
            Err(AuthEventsError::Rule(rule)) if self.enforced(Err(rule)).is_err() => {
                return (EventOutcome::Rejected(rule), state());
            }
            Err(AuthEventsError::Rule(_)) | Ok(()) => {}
        }
        let mut auth_state = Snapshot::of(event.auth_events().iter().filter_map(|id| self.event(id)));
        if let Some(create) = self.create_id(event).and_then(|id| self.event(&id)) {
            auth_state.set(create);
        }
        if let Err(rule) = self.enforced(check_state(event, &auth_state))
            && !self.has(RoomFault::SkipsAuthEvents)
        {
            return (EventOutcome::Rejected(rule), state());
        }
        if held.outlier {
            return (EventOutcome::Accepted, None);
        }
        match before {
            Err(missing) => (EventOutcome::Undecided { missing }, None),
            Ok(before) => {
                let outcome = match self.enforced(check_state(event, &pool.snapshot(&before))) {
                    Err(rule) => EventOutcome::Rejected(rule),
                    Ok(()) => held.soft.map_or(EventOutcome::Accepted, EventOutcome::SoftFailed),
                };
                (outcome, Some(before))
            }
        }
    }

    /// The state before an event, or the missing prev events.
    fn before(&self, held: &HeldEvent, decided: impl Fn(&str) -> bool) -> Result<StateMap, Vec<String>> {
        if let Some(given) = &held.given {
            return Ok(given.clone());
        }
        let prev_events = held.event.prev_events();
        let known = |id: &String| decided(id) && self.state_before(id).is_some();
        let missing: Vec<_> = prev_events.iter().filter(|id| !known(id)).cloned().collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        self.state_at(&prev_events).map_err(|_| Vec::new())
    }
}
