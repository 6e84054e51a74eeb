//! The two orders of state resolution (rooms/v2, definitions).

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::EventPool;
use crate::{
    Event,
    auth::{Levels, Power},
};

/// The power events of the full conflicted set and their auth chains within that set, in reverse topological power order:
/// auth events come first. Of the events that can come next, the one whose sender has more power comes first, then the
/// earlier one, then the one with the smaller id.
///
/// Auth chains are followed within the set, as servers do; version 2.1 fills its gaps beforehand.
pub(super) fn power_events(full: &BTreeSet<String>, pool: &EventPool<'_>) -> Vec<String> {
    let mut open = BTreeMap::new();
    let is_power = |id: &&String| pool.get(id).is_some_and(is_power_event);
    let mut left: Vec<String> = full.iter().filter(is_power).cloned().collect();
    while let Some(id) = left.pop() {
        let auth_events = pool.get(&id).map(Event::auth_events).unwrap_or_default();
        let auth_events: BTreeSet<_> = auth_events.into_iter().filter(|id| full.contains(id)).collect();
        left.extend(auth_events.iter().filter(|id| !open.contains_key(*id)).cloned());
        open.insert(id, auth_events);
    }
    let rank = |id: &String| {
        let event = pool.get(id);
        let stamp = event.map(Event::origin_server_ts);
        (Reverse(event.map(|event| sender_power(event, pool))), stamp, id.clone())
    };
    let mut sorted = Vec::new();
    // Ids of versions 1 and 2 are not hashes, so auth events could form a circle, and then none of them comes next.
    while let Some(next) = open
        .iter()
        .filter(|(_, auth_events)| auth_events.is_empty())
        .map(|(id, _)| id)
        .min_by_key(|id| rank(id))
    {
        let next = next.clone();
        open.remove(&next);
        for auth_events in open.values_mut() {
            auth_events.remove(&next);
        }
        sorted.push(next);
    }
    sorted
}

/// Whether it is a power event: power levels, join rules, or a member event that kicks or bans another user.
fn is_power_event(event: &Event) -> bool {
    match event.kind() {
        "m.room.power_levels" | "m.room.join_rules" => event.state_key() == Some(""),
        "m.room.member" => {
            matches!(event.membership(), Some("leave" | "ban")) && event.state_key() != Some(event.sender())
        }
        _ => false,
    }
}

/// The power of the sender by the event's own auth events.
fn sender_power(event: &Event, pool: &EventPool<'_>) -> Power {
    let create = if event.kind() == "m.room.create" { Some(event) } else { pool.create_of(event) };
    match create {
        Some(create) => Levels::new(pool.levels_of(event), create).user(event.sender()),
        None => Power::Level(0),
    }
}

/// Events in mainline order: by the age of the power levels among their auth events, those without any first; then by time
/// and id. The mainline goes from the resolved power levels to the power levels among their auth events, and so on.
pub(super) fn by_mainline(
    mut ids: Vec<String>,
    levels: Option<&String>,
    pool: &EventPool<'_>,
) -> Vec<String> {
    let chain = chain_of_levels(levels.and_then(|id| pool.get(id)), pool);
    let place: BTreeMap<_, _> = chain.iter().enumerate().map(|(index, event)| (event.id(), index)).collect();
    let key = |id: &String| {
        let event = pool.get(id);
        let nearest = chain_of_levels(event, pool).iter().find_map(|it| place.get(it.id()).copied());
        (Reverse(nearest.unwrap_or(usize::MAX)), event.map(Event::origin_server_ts), id.clone())
    };
    ids.sort_by_cached_key(key);
    ids
}

/// An event, the power levels among its auth events, the power levels among theirs, and so on.
fn chain_of_levels<'a>(first: Option<&'a Event>, pool: &EventPool<'a>) -> Vec<&'a Event> {
    let mut chain: Vec<&Event> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = first;
    while let Some(event) = next.filter(|event| seen.insert(event.id())) {
        chain.push(event);
        next = pool.levels_of(event);
    }
    chain
}
