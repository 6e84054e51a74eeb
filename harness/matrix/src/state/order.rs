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

/// The power events of the full conflicted set, with what they cite within that set, in reverse topological power order:
/// what is cited comes first, and of events that are free to come next the one whose sender has more power, then the
/// earlier, then the one with the smaller id.
///
/// Chains are followed within the set, as servers do; version 2.1 closes the gaps in it beforehand.
pub(super) fn power_events(full: &BTreeSet<String>, pool: &EventPool<'_>) -> Vec<String> {
    let mut open = BTreeMap::new();
    let is_power = |id: &&String| pool.get(id).is_some_and(is_power_event);
    let mut left: Vec<String> = full.iter().filter(is_power).cloned().collect();
    while let Some(id) = left.pop() {
        let cited = pool.get(&id).map(Event::auth_events).unwrap_or_default();
        let cited: BTreeSet<_> = cited.into_iter().filter(|id| full.contains(id)).collect();
        left.extend(cited.iter().filter(|id| !open.contains_key(*id)).cloned());
        open.insert(id, cited);
    }
    let rank = |id: &String| {
        let event = pool.get(id);
        let stamp = event.map(Event::origin_server_ts);
        (Reverse(event.map(|event| sender_power(event, pool))), stamp, id.clone())
    };
    let mut sorted = Vec::new();
    // Ids of versions 1 and 2 are not hashes and could cite in circles, which leaves nothing free.
    while let Some(next) =
        open.iter().filter(|(_, cited)| cited.is_empty()).map(|(id, _)| id).min_by_key(|id| rank(id))
    {
        let next = next.clone();
        open.remove(&next);
        for cited in open.values_mut() {
            cited.remove(&next);
        }
        sorted.push(next);
    }
    sorted
}

/// Power levels, join rules, and member events that kick or ban somebody else.
fn is_power_event(event: &Event) -> bool {
    match event.kind() {
        "m.room.power_levels" | "m.room.join_rules" => event.state_key() == Some(""),
        "m.room.member" => {
            matches!(event.membership(), Some("leave" | "ban")) && event.state_key() != Some(event.sender())
        }
        _ => false,
    }
}

/// The power of the sender by what the event itself cites.
fn sender_power(event: &Event, pool: &EventPool<'_>) -> Power {
    let create = if event.kind() == "m.room.create" { Some(event) } else { pool.create_of(event) };
    match create {
        Some(create) => Levels::new(pool.levels_of(event), create).user(event.sender()),
        None => Power::Level(0),
    }
}

/// Events by mainline: those that rest on older power levels first, before them those that rest on none; then by time
/// and id. The mainline runs from the resolved power levels to those that they cite, and so on.
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

/// An event, the power levels it cites, those that these cite, and so on.
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
