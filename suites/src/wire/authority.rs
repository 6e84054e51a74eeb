//! The auth events of the events that a server makes (server-server API, auth events selection).

use std::collections::BTreeSet;

use samklang_matrix::{
    AuthEventsError, Event, JudgedEvent, Snapshot, auth_types, check_auth_events, check_state,
};
use samklang_runner::{
    judging::rule::RuleFinding,
    traffic::{Traffic, exchange::ExchangeHalf},
};
use samklang_verdict::Message;

use super::{first_wrong, own_events, version_of};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "wire.authority",
    title: "The server's events list the auth events that the specification selects for them.",
    catalogue: &["SH-10"],
    requirements: &["SS-PDU-025"],
    checks: &[
        CheckPlan::new("nothing-else", "The server's events list no auth events outside the selection for their type.")
            .of(&["SS-PDU-025", "SS-PDU-026"])
            .for_both("pdu.cites_too_much", nothing_else),
        CheckPlan::new("create", "The server's create events list no auth events.")
            .of(&["SS-PDU-031"])
            .for_both("pdu.create_cites", create),
        CheckPlan::new("no-create", "From room version 12 on the server's events do not list the create event as an auth event.")
            .of(&["SS-PDU-026"])
            .for_both("pdu.cites_create", no_create),
        CheckPlan::new(
            "complete",
            "The server's events list the create event, the power levels and their sender's membership as auth events.",
        )
        .of(&["SS-PDU-025"])
        .for_requests("pdu.cites_too_little", complete),
        CheckPlan::new("target", "The server's member events list the earlier member event of the same user as an auth event.")
            .of(&["SS-PDU-027"])
            .for_requests("pdu.cites_too_little", of_target),
        CheckPlan::new("join-rules", "The server's joins, invites and knocks list the join rules as an auth event.")
            .of(&["SS-PDU-028"])
            .for_requests("pdu.cites_too_little", join_rules),
        CheckPlan::new(
            "authoriser",
            "A join that names an authorising user lists that user's member event as an auth event.",
        )
        .of(&["SS-PDU-030"])
        .for_both("pdu.cites_too_little", authoriser),
        CheckPlan::new("allowed", "The server's events are allowed by the auth events that they list.")
            .of(&["SS-PDU-025"])
            .for_both("pdu.not_allowed", allowed),
    ],
    ..Scenario::PASSIVE
}];

/// The selection has at most one event for each type and state key.
fn nothing_else(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let events = own_events(traffic, half).filter(|event| event.kind() != "m.room.create");
    first_wrong(events, |event| {
        let ids = event.auth_events();
        let selected = auth_types(event);
        let is_selected = |found: &&Event| selected.iter().any(|(kind, key)| found.is_state(kind, key));
        let stray = ids.iter().filter_map(|id| traffic.event(id)).find(|found| !is_selected(found));
        let stray = stray.map(|stray| {
            message!("wire.auth-event-not-selected", event = event.kind(), auth_event = stray.kind())
        });
        let too_many = || message!("wire.too-many-auth-events", event = event.kind(), count = ids.len());
        stray.or_else(|| (ids.len() > selected.len()).then(too_many))
    })
}

fn create(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let creates = own_events(traffic, half).filter(|event| event.kind() == "m.room.create");
    first_wrong(creates, |event| {
        (!event.auth_events().is_empty()).then(|| message!("wire.create-auth-events"))
    })
}

fn no_create(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let events = own_events(traffic, half).filter(|event| version_of(event) >= 12);
    first_wrong(events, |event| {
        let create = format!("${}", event.room_id()?.strip_prefix('!')?);
        let has_create = event.auth_events().contains(&create);
        has_create.then(|| message!("wire.create-as-auth-event", event = event.kind()))
    })
}

/// An auth event that is missing, among the types and state keys that `wanted` picks from the event's selection.
///
/// The state has an event for a type and state key once any known ancestor set one, whatever state resolution makes of
/// it. Events that did not go over the wire are not known, and a lie may have been accepted or not: neither counts.
fn missing_auth_event(
    traffic: &Traffic,
    event: &Event,
    wanted: impl Fn(&str, &str) -> bool,
) -> Option<Message> {
    let selected: Vec<_> = auth_types(event).into_iter().filter(|(kind, key)| wanted(kind, key)).collect();
    let auth_events = known_auth_events(traffic, event)?;
    let ancestors = ancestors(traffic, event);
    let has = |events: &[&Event], (kind, key): &(String, String)| {
        events.iter().any(|event| event.is_state(kind, key))
    };
    let missing = selected.iter().find(|entry| has(&ancestors, entry) && !has(&auth_events, entry));
    missing.map(|(kind, key)| {
        message!("wire.auth-event-missing", event = event.kind(), auth_event = kind, state_key = key)
    })
}

/// The auth events of an event; none where one of them did not go over the wire.
fn known_auth_events<'a>(traffic: &'a Traffic, event: &Event) -> Option<Vec<&'a Event>> {
    event.auth_events().iter().map(|id| traffic.event(id)).collect()
}

/// The events before this one in the graph that are known and honest.
fn ancestors<'a>(traffic: &'a Traffic, event: &Event) -> Vec<&'a Event> {
    let mut seen = BTreeSet::new();
    let mut left = event.prev_events();
    let mut found = Vec::new();
    while let Some(id) = left.pop() {
        if let Some(event) = traffic.event(&id).filter(|_| seen.insert(id.clone())) {
            left.extend(event.prev_events());
            if !traffic.is_admitted(&id) {
                found.push(event);
            }
        }
    }
    found
}

fn complete(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let events = own_events(traffic, half).filter(|event| event.kind() != "m.room.create");
    first_wrong(events, |event| {
        let always_selected = |kind: &str, key: &str| {
            matches!(kind, "m.room.create" | "m.room.power_levels") || key == event.sender()
        };
        missing_auth_event(traffic, event, always_selected)
    })
}

/// The member events that a server made.
fn members<'a>(traffic: &'a Traffic, half: &'a ExchangeHalf<'_>) -> impl Iterator<Item = &'a Event> {
    own_events(traffic, half).filter(|event| event.kind() == "m.room.member")
}

fn of_target(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(members(traffic, half), |event| {
        missing_auth_event(traffic, event, |kind, key| {
            kind == "m.room.member" && event.state_key() == Some(key)
        })
    })
}

fn join_rules(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let entering = |event: &&Event| matches!(event.membership(), Some("join" | "invite" | "knock"));
    first_wrong(members(traffic, half).filter(entering), |event| {
        missing_auth_event(traffic, event, |kind, _| kind == "m.room.join_rules")
    })
}

fn authoriser(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let named = members(traffic, half).filter_map(|event| {
        let user = event.content().get("join_authorised_via_users_server")?.as_str()?;
        Some((user, known_auth_events(traffic, event)?))
    });
    first_wrong(named, |(user, auth_events)| {
        let has_member = auth_events.iter().any(|event| event.is_state("m.room.member", user));
        (!has_member).then(|| message!("wire.authoriser-missing", user = user))
    })
}

/// Events with unknown auth events are left out, and so are those with a lie among them, which has deceived their server.
fn allowed(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let judged = own_events(traffic, half).filter_map(|event| Some((event, authorised(traffic, event)?)));
    first_wrong(judged, |(event, verdict)| {
        verdict.err().map(|rule| message!("wire.not-allowed", event = event.kind(), rule = rule))
    })
}

/// Whether the auth events of an event allow it; none where one of them is not known or is a lie.
fn authorised(traffic: &Traffic, event: &Event) -> Option<Result<(), AuthEventsError>> {
    let auth_event = |id: &str| traffic.event(id).map(|event| JudgedEvent { event, rejected: false });
    match check_auth_events(event, auth_event) {
        Err(AuthEventsError::Unknown(_)) => return None,
        Err(refusal) => return Some(Err(refusal)),
        Ok(()) => {}
    }
    let room = event.room_id().and_then(|id| id.strip_prefix('!'));
    let create = room.filter(|_| event.version().is_named_by_create()).map(|id| format!("${id}"));
    let ids: Vec<_> = event.auth_events().into_iter().chain(create).collect();
    if ids.iter().any(|id| traffic.is_admitted(id)) {
        return None;
    }
    let state = Snapshot::of(ids.iter().filter_map(|id| traffic.event(id)));
    Some(check_state(event, &state).map_err(AuthEventsError::from))
}
