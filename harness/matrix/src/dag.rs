//! A room as one server holds it: a graph of events, and the state after each of them.

mod draft;
mod found;
mod power;
mod quirk;
mod receive;
mod tamper;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use serde_json::Value;

pub use draft::{Built, Draft};
pub use found::Founding;
pub use quirk::Quirk;
pub use receive::{Receipt, RoomError};
pub use tamper::Tamper;

use crate::{
    Cited, Event, EventPool, Refusal, RoomVersion, Rule, Snapshot, StateMap, StateResolution,
    check_auth_events, check_state, state::resolve_by,
};

/// What became of an event (server-server API, checks performed on receipt of a PDU).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It passes.
    Accepted,
    /// Its auth events or the state before it do not authorise it.
    Rejected(Rule),
    /// It passes at its place, but the current state did not authorise it when it arrived.
    SoftFailed(Rule),
    /// Events that it builds on are not known, or (when none is named) room version 1 would have to resolve a conflict.
    Undecided {
        /// The ids that are missing.
        missing: Vec<String>,
    },
}

#[derive(Debug, Clone)]
struct Held {
    event: Event,
    outcome: Outcome,
    /// Only cited, for its place in the graph is not known.
    outlier: bool,
    /// The state before it, where another server gave it.
    given: Option<StateMap>,
    before: Option<StateMap>,
    /// Fixed on arrival, unlike all else: what the current state was then.
    soft: Option<Rule>,
}

impl Held {
    fn is_in_force(&self) -> bool {
        self.outcome == Outcome::Accepted && !self.outlier
    }
}

/// A copy of a room.
///
/// ```text
///   create ◀─ join ◀─ levels ◀─ rules ◀─ visibility ◀─ a ◀─┐
///                                             ▲            ├─ merge      arrows are prev_events
///                                             └────── b ◀──┘             forward extremity: merge
/// ```
///
/// Events may arrive in any order. What has gaps before it stays undecided until they are filled, and is judged then; only
/// soft failure depends on when an event arrived.
#[derive(Debug, Clone)]
pub struct Room {
    version: RoomVersion,
    id: String,
    events: BTreeMap<String, Held>,
    quirk: Option<Quirk>,
    /// The current state, once somebody has asked for it.
    current: OnceLock<StateMap>,
}

impl Room {
    /// A room that nothing is known of yet.
    pub fn empty(version: &RoomVersion, id: &str) -> Self {
        let events = BTreeMap::new();
        Self { version: version.clone(), id: id.to_owned(), events, quirk: None, current: OnceLock::new() }
    }

    /// The room's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The room's version.
    pub fn version(&self) -> &RoomVersion {
        &self.version
    }

    /// An event that is held.
    pub fn event(&self, id: &str) -> Option<&Event> {
        self.events.get(id).map(|held| &held.event)
    }

    /// What became of an event that is held.
    pub fn outcome(&self, id: &str) -> Option<&Outcome> {
        self.events.get(id).map(|held| &held.outcome)
    }

    /// All ids that are held, in the order of the ids.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.events.keys().map(String::as_str)
    }

    /// The forward extremities: accepted events that no accepted event follows. Rejected and soft-failed events neither
    /// are ones nor hide any.
    pub fn extremities(&self) -> Vec<String> {
        self.extremities_without(&BTreeSet::new())
    }

    fn extremities_without(&self, pending: &BTreeSet<String>) -> Vec<String> {
        let follows =
            |held: &Held| held.is_in_force() || (self.has(Quirk::FollowsAll) && held.before.is_some());
        let counts = |(id, held): &(&String, &Held)| follows(held) && !pending.contains(*id);
        let all = || self.events.iter().filter(counts);
        let followed: BTreeSet<String> = all().flat_map(|(_, held)| held.event.prev_events()).collect();
        all().map(|(id, _)| id.clone()).filter(|id| !followed.contains(id)).collect()
    }

    /// The current state.
    ///
    /// # Errors
    /// When it cannot be resolved.
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

    /// The state that an event with these predecessors has before it. Predecessors that are not decided are left out.
    ///
    /// # Errors
    /// When it cannot be resolved.
    pub fn state_at(&self, prev_events: &[String]) -> Result<StateMap, RoomError> {
        let states: Vec<_> = prev_events.iter().filter_map(|id| self.state_after(id)).collect();
        let differ = states.len() > 1;
        if differ && self.has(Quirk::KeepsSmallestState) {
            return Ok(states.into_iter().min_by_key(StateMap::len).unwrap_or_default());
        }
        let by_v2 = differ && self.has(Quirk::ResolvesByV2);
        let algorithm = if by_v2 { StateResolution::V2 } else { self.version.state_resolution() };
        Ok(resolve_by(algorithm, &states, &self.pool())?)
    }

    /// The state before an event, where it is known.
    pub fn state_before(&self, id: &str) -> Option<&StateMap> {
        self.events.get(id)?.before.as_ref()
    }

    /// The state after an event, where it is known: a rejected event changes nothing, a soft-failed one does.
    pub fn state_after(&self, id: &str) -> Option<StateMap> {
        let held = self.events.get(id)?;
        let mut state = held.before.clone()?;
        let counts = matches!(held.outcome, Outcome::Accepted | Outcome::SoftFailed(_));
        if (counts || self.has(Quirk::RejectedChangeState))
            && let Some(state_key) = held.event.state_key()
        {
            state.insert((held.event.kind().to_owned(), state_key.to_owned()), id.to_owned());
        }
        Some(state)
    }

    /// The PDUs of the state before an event, and those of its auth chain and the state's: what `send_join` answers with
    /// and `state` as well.
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
            let rejected = matches!(held.outcome, Outcome::Rejected(_));
            Some(Cited { event: &held.event, rejected })
        })
    }

    /// Holds an event and judges it, and all that waited for it. Signatures are not looked at. An event that is held and
    /// decided stays as it is.
    fn hold(&mut self, event: Event, outlier: bool, given: Option<StateMap>) {
        let id = event.id().to_owned();
        let undecided = |held: &Held| matches!(held.outcome, Outcome::Undecided { .. });
        let upgrades = |held: &Held| held.outlier && !outlier;
        if self.events.get(&id).is_some_and(|held| !undecided(held) && !upgrades(held)) {
            return;
        }
        // What is rejected for what it cites may still wait for its place, and what follows it waits with it.
        let waits = |held: &Held| undecided(held) || (!held.outlier && held.before.is_none());
        let waiting = self.events.iter().filter(|(_, held)| waits(held)).map(|(id, _)| id.clone());
        let mut pending: BTreeSet<_> = waiting.chain([id.clone()]).collect();
        // An event that was only cited may turn out otherwise at its place, and with it what cites it.
        let was_cited = self.events.get(&id).is_some_and(upgrades);
        let outcome = Outcome::Undecided { missing: Vec::new() };
        self.events.insert(id, Held { event, outcome, outlier, given, before: None, soft: None });
        let left = if was_cited { self.events.keys().cloned().collect() } else { pending.clone() };
        let order = self.judge_anew(left);
        pending.retain(|id| self.events.get(id).is_some_and(Held::is_in_force));
        let joined = pending.clone();
        // Each meets the current state that those before it leave.
        for id in order.iter().filter(|id| joined.contains(*id)) {
            self.judge_softly(id, &pending);
            pending.remove(id);
        }
        self.current = OnceLock::new();
    }

    /// Fixes whether the state on arrival authorises an event that is accepted at its place. `pending` are it and others
    /// that have not arrived yet, as it were.
    fn judge_softly(&mut self, id: &str, pending: &BTreeSet<String>) {
        let current = self.state_at(&self.extremities_without(pending)).unwrap_or_default();
        let Some(event) = self.event(id).filter(|_| !current.is_empty()) else { return };
        if self.has(Quirk::NoSoftFailure) {
            return;
        }
        let soft = self.enforced(check_state(event, &self.pool().snapshot(&current))).err();
        if let (Some(rule), Some(held)) = (soft, self.events.get_mut(id)) {
            held.soft = Some(rule);
            held.outcome = Outcome::SoftFailed(rule);
        }
    }

    /// Judges these events anew, each after those that it cites and follows, and tells in which order.
    fn judge_anew(&mut self, mut left: BTreeSet<String>) -> Vec<String> {
        let mut order = Vec::new();
        for id in &left {
            if let Some(held) = self.events.get_mut(id) {
                held.before = None;
                held.outcome = Outcome::Undecided { missing: Vec::new() };
            }
        }
        loop {
            let free = |id: &&String| {
                let event = &self.events[*id].event;
                event.auth_events().iter().chain(&event.prev_events()).all(|id| !left.contains(id))
                    && (event.kind() == "m.room.create"
                        || !self.create_id(event).is_some_and(|id| left.contains(&id)))
            };
            // Ids of versions 1 and 2 could cite in circles; these stay undecided.
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

    fn judge(&self, held: &Held) -> (Outcome, Option<StateMap>) {
        let event = &held.event;
        if self.has(Quirk::MixesRooms) && event.room_id() != Some(self.id()) {
            return (Outcome::Accepted, None);
        }
        let pool = self.pool();
        let decided = |id: &str| !matches!(self.outcome(id), None | Some(Outcome::Undecided { .. }));
        let before = self.before(held, decided);
        let state = || before.clone().ok();
        let by_auth = check_auth_events(event, |id| pool.cited(id).filter(|_| decided(id)));
        match by_auth {
            _ if self.has(Quirk::IgnoresCited) => {}
            Err(Refusal::Unknown(missing)) => return (Outcome::Undecided { missing }, None),
            Err(Refusal::Rule(rule)) if self.enforced(Err(rule)).is_err() => {
                return (Outcome::Rejected(rule), state());
            }
            Err(Refusal::Rule(_)) | Ok(()) => {}
        }
        let mut cited = Snapshot::of(event.auth_events().iter().filter_map(|id| self.event(id)));
        if let Some(create) = self.create_id(event).and_then(|id| self.event(&id)) {
            cited.set(create);
        }
        if let Err(rule) = self.enforced(check_state(event, &cited))
            && !self.has(Quirk::IgnoresCited)
        {
            return (Outcome::Rejected(rule), state());
        }
        if held.outlier {
            return (Outcome::Accepted, None);
        }
        match before {
            Err(missing) => (Outcome::Undecided { missing }, None),
            Ok(before) => {
                let outcome = match self.enforced(check_state(event, &pool.snapshot(&before))) {
                    Err(rule) => Outcome::Rejected(rule),
                    Ok(()) => held.soft.map_or(Outcome::Accepted, Outcome::SoftFailed),
                };
                (outcome, Some(before))
            }
        }
    }

    /// The state before an event, or which predecessors are missing to tell it.
    fn before(&self, held: &Held, decided: impl Fn(&str) -> bool) -> Result<StateMap, Vec<String>> {
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
