//! The first events of the rooms that a server creates (rooms; client-server API, creation and upgrades).

use samklang_matrix::Event;
use samklang_runner::{
    judging::rule::RuleFinding,
    traffic::{Traffic, exchange::ExchangeHalf},
};

use super::{endpoint, first_wrong, own_events, version_of};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "wire.create-events",
        title: "The create events that the server makes follow their room version.",
        catalogue: &["RM-01"],
        requirements: &["SS-ROOMV-005"],
        checks: &[
            CheckPlan::new("creator", "Up to room version 10 the server's create event contains its sender as the creator.")
                .of(&["SS-ROOMV-005"])
                .for_both("create.odd_creator", creator),
            CheckPlan::new("no-creator", "From room version 11 on the server's create event contains no creator field.")
                .of(&["SS-ROOMV-006"])
                .for_both("create.creator", no_creator),
            CheckPlan::new("no-room-id", "From room version 12 on the server's create event contains no room_id.")
                .of(&["SS-ROOMV-014"])
                .for_both("create.room_id", no_room_id),
            CheckPlan::new(
                "names-the-room",
                "From room version 12 on the room ID is the create event's ID with ! in place of $.",
            )
            .of(&["SS-ROOMV-015"])
            .for_both("create.other_room", names_the_room),
            CheckPlan::new(
                "predecessor",
                "The create event of an upgraded room contains the old room's ID in its predecessor.",
            )
            .of(&["SS-UPGRADE-002"])
            .for_both("create.no_predecessor", predecessor),
        ],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.power-levels",
        title: "The power levels that the server sets follow their room version.",
        catalogue: &["RM-01"],
        requirements: &["SS-ROOMV-011"],
        checks: &[
            CheckPlan::new("integers", "Every power level that the server sets is an integer.")
                .of(&["SS-ROOMV-011"])
                .for_both("levels.no_integer", integers),
            CheckPlan::new("no-creators", "From room version 12 on the server's power levels do not list creators.")
                .of(&["SS-ROOMV-019"])
                .for_both("levels.creator", no_creators),
            CheckPlan::new(
                "tombstone",
                "From room version 12 on the server's power levels require more for a tombstone than for other state events.",
            )
            .of(&["SS-ROOMV-020"])
            .for_both("levels.tombstone", tombstone),
        ],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.first-events",
        title: "A room of the server begins with the create event, the creator's join and the power levels.",
        catalogue: &["RM-01"],
        requirements: &["SS-ROOMV-021"],
        checks: &[CheckPlan::new(
            "order",
            "The creator's join follows the server's create event, and the power levels follow the join.",
        )
        .of(&["SS-ROOMV-021"])
        .for_both("room.odd_beginning", order)],
        ..Scenario::PASSIVE
    },
];

/// The create events that a server made.
fn creates<'a>(traffic: &'a Traffic, half: &'a ExchangeHalf<'_>) -> impl Iterator<Item = &'a Event> {
    own_events(traffic, half).filter(|event| event.kind() == "m.room.create")
}

fn creator(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(creates(traffic, half).filter(|event| version_of(event) < 11), |event| {
        let named = event.content().get("creator").and_then(Value::as_str);
        let other = |named| message!("wire.create-other-creator", sender = event.sender(), creator = named);
        let wrong = || named.map_or_else(|| message!("wire.create-without-creator"), other);
        (named != Some(event.sender())).then(wrong)
    })
}

fn no_creator(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(creates(traffic, half).filter(|event| version_of(event) >= 11), |event| {
        event.content().contains_key("creator").then(|| message!("wire.create-with-creator"))
    })
}

fn no_room_id(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(creates(traffic, half).filter(|event| version_of(event) >= 12), |event| {
        event.json().contains_key("room_id").then(|| message!("wire.create-with-room-id"))
    })
}

/// Compares a create event with the room ID in the path of the exchange that holds it.
fn names_the_room(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let (_, path) = endpoint(half)?;
    let ["send_join" | "invite" | "state" | "event_auth", room, ..] = path.as_slice() else { return None };
    let room = samklang_reference::decoded(room);
    first_wrong(creates(traffic, half).filter(|event| version_of(event) >= 12), |event| {
        let wrong = || message!("wire.create-of-other-room", event = event.id(), room = room);
        (event.room_id() != Some(&room)).then(wrong)
    })
}

fn predecessor(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let upgraded = own_events(traffic, half).filter_map(|event| {
        let tombstone = Some(event).filter(|event| event.is_state("m.room.tombstone", ""))?;
        let new = tombstone.content().get("replacement_room")?;
        let is_its_create_event = |event: &&Event| {
            event.kind() == "m.room.create"
                && event.room_id() == new.as_str()
                && event.sender() == tombstone.sender()
        };
        Some((tombstone, traffic.events().find(is_its_create_event)?))
    });
    first_wrong(upgraded, |(tombstone, create)| {
        let named = create.content().get("predecessor").and_then(|old| old["room_id"].as_str());
        let other = |named| message!("wire.other-predecessor", named = named);
        let wrong = || named.map_or_else(|| message!("wire.no-predecessor"), other);
        (named != tombstone.room_id()).then(wrong)
    })
}

/// The power levels events that a server made.
fn levels<'a>(traffic: &'a Traffic, half: &'a ExchangeHalf<'_>) -> impl Iterator<Item = &'a Event> {
    own_events(traffic, half).filter(|event| event.is_state("m.room.power_levels", ""))
}

fn integers(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(levels(traffic, half), |event| {
        let values = event.content().values();
        let all =
            values.flat_map(|value| value.as_object().map_or(vec![value], |map| map.values().collect()));
        let odd = all.into_iter().find(|level| !level.is_i64());
        odd.map(|level| message!("wire.level-not-integer", level = level))
    })
}

/// The create event of an event's room.
fn create_of<'a>(traffic: &'a Traffic, event: &Event) -> Option<&'a Event> {
    traffic.event(&format!("${}", event.room_id()?.strip_prefix('!')?))
}

fn no_creators(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let known = levels(traffic, half)
        .filter(|event| version_of(event) >= 12)
        .filter_map(|event| Some((event, create_of(traffic, event)?)));
    first_wrong(known, |(event, create)| {
        let additional = create.content().get("additional_creators").and_then(Value::as_array);
        let additional = additional.into_iter().flatten().filter_map(Value::as_str);
        let users = event.content().get("users")?;
        let listed = additional.chain([create.sender()]).find(|user| users.get(user).is_some());
        listed.map(|user| message!("wire.creator-listed", user = user))
    })
}

/// Whether this is the first power levels event of its room: no other one is among its auth events.
fn is_first(traffic: &Traffic, event: &Event) -> bool {
    let known: Option<Vec<_>> = event.auth_events().iter().map(|id| traffic.event(id)).collect();
    known.is_some_and(|events| !events.iter().any(|event| event.kind() == "m.room.power_levels"))
}

fn tombstone(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let first = levels(traffic, half).filter(|event| version_of(event) >= 12 && is_first(traffic, event));
    first_wrong(first, |event| {
        let content = event.content();
        let state = content.get("state_default").map_or(Some(50), Value::as_i64);
        let tombstone = content.get("events").and_then(|events| events["m.room.tombstone"].as_i64());
        let (tombstone_level, other) = (json!(tombstone), json!(state));
        let wrong = || message!("wire.tombstone-level", tombstone = tombstone_level, other = other);
        (tombstone <= state).then(wrong)
    })
}

fn order(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let only_prev_event = |event: &Event| match event.prev_events().as_slice() {
        [id] => traffic.event(id),
        _ => None,
    };
    let first = levels(traffic, half).filter(|event| is_first(traffic, event)).filter_map(|event| {
        Some((event, event.prev_events().iter().map(|id| traffic.event(id)).collect::<Option<Vec<_>>>()?))
    });
    first_wrong(first, |(event, _)| {
        let join = only_prev_event(event).filter(|join| join.is_state("m.room.member", event.sender()));
        let create = join.and_then(only_prev_event).filter(|create| create.kind() == "m.room.create");
        create.is_none().then(|| message!("wire.first-events"))
    })
}
