//! The conflicts between states.

use std::collections::{BTreeMap, BTreeSet};

use super::{EventPool, StateMap};
use crate::{Event, StateResolution};

/// Splits states into the unconflicted state and the conflicted events. A key that one state lacks is in conflict even if
/// all others agree on it.
pub(super) fn split(states: &[StateMap]) -> (StateMap, BTreeSet<String>) {
    let mut unconflicted = StateMap::new();
    let mut conflicted = BTreeSet::new();
    let entries: BTreeSet<_> = states.iter().flatten().collect();
    for (place, id) in entries {
        if states.iter().all(|state| state.get(place) == Some(id)) {
            unconflicted.insert(place.clone(), id.clone());
        } else {
            conflicted.insert(id.clone());
        }
    }
    (unconflicted, conflicted)
}

/// The full conflicted set, as far as it is known: the conflicted events, the auth difference, and in version 2.1 the
/// conflicted state subgraph.
pub(super) fn full_set(
    states: &[StateMap],
    conflicted: BTreeSet<String>,
    pool: &EventPool<'_>,
    algorithm: StateResolution,
) -> BTreeSet<String> {
    let mut full = auth_difference(states, pool);
    if algorithm == StateResolution::V2_1 {
        full.extend(subgraph(&conflicted, pool));
    }
    full.extend(conflicted);
    full.retain(|id| pool.get(id).is_some());
    full
}

/// The auth difference: the events in some, but not in all of the full auth chains of the states.
fn auth_difference(states: &[StateMap], pool: &EventPool<'_>) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for id in states.iter().flat_map(|state| pool.auth_chain(state.values())) {
        *counts.entry(id).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count < states.len()).map(|(id, _)| id).collect()
}

/// The events on the auth paths between two conflicted events, these included:
///
/// ```text
///   conflicted ──▶ a ──▶ b ──▶ conflicted        a and b are in
///                        └───▶ c                 c is not
/// ```
///
/// These are the events that a conflicted event reaches and that reach a conflicted event.
pub(super) fn subgraph(conflicted: &BTreeSet<String>, pool: &EventPool<'_>) -> BTreeSet<String> {
    let mut reached = pool.auth_chain(conflicted);
    reached.extend(conflicted.iter().cloned());
    let mut referring: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for id in &reached {
        for auth_event in pool.get(id).map(Event::auth_events).unwrap_or_default() {
            referring.entry(auth_event).or_default().push(id);
        }
    }
    let mut left: Vec<&str> = conflicted.iter().map(String::as_str).collect();
    let mut found = BTreeSet::new();
    while let Some(id) = left.pop() {
        if found.insert(id.to_owned()) {
            left.extend(referring.get(id).into_iter().flatten());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// SS-STATE-025: `x ─▶ a ─▶ y` with x and y in conflict. The subgraph holds a, but not the auth events of y.
    #[test]
    fn the_subgraph_is_between_conflicted_events() {
        let event = |depth: i64, listed: &[&Event]| {
            let ids: Vec<_> = listed.iter().map(|event| event.id()).collect();
            Event::parse(&json!({"type": "x", "depth": depth, "auth_events": ids}), "12").unwrap()
        };
        let below = event(1, &[]);
        let y = event(2, &[&below]);
        let a = event(3, &[&y]);
        let aside = event(4, &[&below]);
        let x = event(5, &[&a, &aside]);
        let above = event(6, &[&x]);
        let pool = EventPool::of([&below, &y, &a, &aside, &x, &above].map(|event| (event, false)));
        let ids =
            |events: &[&Event]| events.iter().map(|event| event.id().to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(subgraph(&ids(&[&x, &y]), &pool), ids(&[&x, &a, &y]));
        assert_eq!(subgraph(&ids(&[&y, &aside]), &pool), ids(&[&y, &aside]));
    }

    /// SS-STATE-005.
    #[test]
    fn a_key_that_one_state_lacks_is_in_conflict() {
        let state = |entries: &[(&str, &str)]| {
            let entry = |(kind, id): &(&str, &str)| (((*kind).to_owned(), String::new()), (*id).to_owned());
            entries.iter().map(entry).collect::<StateMap>()
        };
        let (same, differs) = split(&[state(&[("a", "1"), ("b", "2")]), state(&[("a", "1")])]);
        assert_eq!((same, differs), (state(&[("a", "1")]), BTreeSet::from(["2".to_owned()])));
    }
}
