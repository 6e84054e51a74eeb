//! State resolution, version 2 (rooms/v2) and 2.1 (rooms/v12).
//!
//! ```text
//!   states ─▶ conflicted, unconflicted ─▶ full conflicted set ─▶ power events, sorted ─▶ iterative checks
//!                                                    └─▶ the rest, by mainline ─▶ iterative checks ─▶ + unconflicted
//! ```

mod conflict;
mod order;
#[cfg(test)]
mod second_opinion;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Event, RoomVersion, StateResolution,
    auth::{JudgedEvent, Snapshot, StateKey, auth_types, check_state},
};

/// A state of the room: the id of the event for each type and state key.
pub type StateMap = BTreeMap<StateKey, String>;

/// Why states cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Version 1 of the algorithm is not implemented.
    #[error("state resolution of room version 1 is not implemented")]
    Version1,
    /// An event of a state is not known.
    #[error("an event of a state is not known: {0}")]
    Unknown(String),
}

/// The events that resolution may look at, by id.
pub struct EventPool<'a>(Box<Lookup<'a>>);

/// Finds a known event.
type Lookup<'a> = dyn Fn(&str) -> Option<JudgedEvent<'a>> + 'a;

impl<'a> EventPool<'a> {
    /// A pool of events, each with whether it was rejected.
    pub fn of(events: impl IntoIterator<Item = (&'a Event, bool)>) -> Self {
        let entry = |(event, rejected): (&'a Event, bool)| (event.id(), JudgedEvent { event, rejected });
        let events: BTreeMap<_, _> = events.into_iter().map(entry).collect();
        Self::by(move |id| events.get(id).copied())
    }

    /// A pool of the events that `find` finds.
    pub fn by(find: impl Fn(&str) -> Option<JudgedEvent<'a>> + 'a) -> Self {
        Self(Box::new(find))
    }

    /// The event with this id, if it is known.
    pub fn find(&self, id: &str) -> Option<JudgedEvent<'a>> {
        (self.0)(id)
    }

    fn get(&self, id: &str) -> Option<&'a Event> {
        self.find(id).map(|it| it.event)
    }

    /// The known auth events of an event.
    fn auth_events_of(&self, event: &Event) -> impl Iterator<Item = JudgedEvent<'a>> {
        event.auth_events().into_iter().filter_map(|id| self.find(&id))
    }

    /// The create event of the event's room: from version 12 on the one in the room id, before that the one among its auth
    /// events.
    fn create_of(&self, event: &Event) -> Option<&'a Event> {
        if event.version().is_named_by_create() {
            return self.get(&format!("${}", event.room_id()?.strip_prefix('!')?));
        }
        self.auth_events_of(event).map(|it| it.event).find(|it| it.is_state("m.room.create", ""))
    }

    /// The power levels event among the auth events of an event.
    fn levels_of(&self, event: &Event) -> Option<&'a Event> {
        self.auth_events_of(event).map(|it| it.event).find(|it| it.is_state("m.room.power_levels", ""))
    }

    /// The auth chains of events: their auth events, the auth events of those, and so on.
    pub fn auth_chain<'b>(&self, ids: impl IntoIterator<Item = &'b String>) -> BTreeSet<String> {
        let auth_events = |id: &String| self.get(id).map(Event::auth_events).unwrap_or_default();
        let mut left: Vec<_> = ids.into_iter().flat_map(auth_events).collect();
        let mut chain = BTreeSet::new();
        while let Some(id) = left.pop() {
            left.extend(if chain.contains(&id) { Vec::new() } else { auth_events(&id) });
            chain.insert(id);
        }
        chain
    }

    /// The state events of a map, without those that were rejected.
    pub fn snapshot(&self, state: &StateMap) -> Snapshot<'a> {
        Snapshot::of(
            state.values().filter_map(|id| self.find(id)).filter(|it| !it.rejected).map(|it| it.event),
        )
    }
}

/// Resolves states into one. The order of the states does not change the result.
///
/// # Errors
/// For a conflict in room version 1, and if an event of a state is not in the pool.
pub fn resolve(
    version: &RoomVersion,
    states: &[StateMap],
    pool: &EventPool<'_>,
) -> Result<StateMap, ResolveError> {
    resolve_by(version.state_resolution(), states, pool)
}

/// As [`resolve`], with this algorithm.
pub(crate) fn resolve_by(
    algorithm: StateResolution,
    states: &[StateMap],
    pool: &EventPool<'_>,
) -> Result<StateMap, ResolveError> {
    if let [only] = states {
        return Ok(only.clone());
    }
    let (unconflicted, conflicted) = conflict::split(states);
    if conflicted.is_empty() {
        return Ok(unconflicted);
    }
    if algorithm == StateResolution::V1 {
        return Err(ResolveError::Version1);
    }
    if let Some(id) = states.iter().flat_map(BTreeMap::values).find(|id| pool.get(id).is_none()) {
        return Err(ResolveError::Unknown(id.clone()));
    }
    let full = conflict::full_set(states, conflicted, pool, algorithm);
    let power = order::power_events(&full, pool);
    let start = match algorithm {
        StateResolution::V2_1 => StateMap::new(),
        _ => unconflicted.clone(),
    };
    let partial = iterative_checks(start, &power, pool);
    let rest: Vec<_> = full.into_iter().filter(|id| !power.contains(id)).collect();
    let levels = partial.get(&("m.room.power_levels".to_owned(), String::new()));
    let rest = order::by_mainline(rest, levels, pool);
    let mut resolved = iterative_checks(partial, &rest, pool);
    resolved.extend(unconflicted);
    Ok(resolved)
}

/// Applies events one after the other and leaves out those that the state so far does not authorise. Where the state has no
/// event of a type and state key, the auth event counts, unless it was rejected (iterative auth checks).
fn iterative_checks(mut state: StateMap, ids: &[String], pool: &EventPool<'_>) -> StateMap {
    for event in ids.iter().filter_map(|id| pool.get(id)) {
        let Some(state_key) = event.state_key() else { continue };
        let mut seen = Snapshot::of(pool.auth_events_of(event).filter(|it| !it.rejected).map(|it| it.event));
        if let Some(create) = pool.create_of(event) {
            seen.set(create);
        }
        let current = auth_types(event).into_iter().filter_map(|place| pool.find(state.get(&place)?));
        for it in current.filter(|it| !it.rejected) {
            seen.set(it.event);
        }
        if check_state(event, &seen).is_ok() {
            state.insert((event.kind().to_owned(), state_key.to_owned()), event.id().to_owned());
        }
    }
    state
}
