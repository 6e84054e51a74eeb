//! What the events that a server makes cite as their authority (server-server API, auth events selection).

use std::collections::BTreeSet;

use samklang_matrix::{Cited, Event, Refusal, Snapshot, auth_types, check_auth_events, check_state};
use samklang_runner::{
    passive::{Finding, Said},
    traffic::Traffic,
};

use super::{first_wrong, own_events, version_of};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "wire.authority",
    title: "The auth events of an event are those that the specification selects for it.",
    catalogue: &["SH-10"],
    requirements: &["SS-PDU-025"],
    checks: &[
        CheckPlan::new("nothing-else", "An event has no auth events outside the selection for its type.")
            .of(&["SS-PDU-025", "SS-PDU-026"])
            .saying("pdu.cites_too_much", nothing_else),
        CheckPlan::new("create", "A create event has no auth events.")
            .of(&["SS-PDU-031"])
            .saying("pdu.create_cites", create),
        CheckPlan::new("no-create", "From version 12 on no event has the create event as an auth event.")
            .of(&["SS-PDU-026"])
            .saying("pdu.cites_create", no_create),
        CheckPlan::new(
            "complete",
            "An event has the create event, the power levels and its sender's membership as auth events.",
        )
        .of(&["SS-PDU-025"])
        .asking("pdu.cites_too_little", complete),
        CheckPlan::new("target", "A member event has the earlier member event of its user as an auth event.")
            .of(&["SS-PDU-027"])
            .asking("pdu.cites_too_little", of_target),
        CheckPlan::new("join-rules", "A join, an invite and a knock have the join rules as an auth event.")
            .of(&["SS-PDU-028"])
            .asking("pdu.cites_too_little", join_rules),
        CheckPlan::new(
            "authoriser",
            "A join that names an authorising user has that user's membership as an auth event.",
        )
        .of(&["SS-PDU-030"])
        .saying("pdu.cites_too_little", authoriser),
        CheckPlan::new("allowed", "The auth events of an event allow it.")
            .of(&["SS-PDU-025"])
            .saying("pdu.not_allowed", allowed),
    ],
    ..Scenario::PASSIVE
}];

/// How many events the selection for this one comes to at most: one for each type and state key.
fn nothing_else(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let events = own_events(traffic, said).filter(|event| event.kind() != "m.room.create");
    first_wrong(events, |event| {
        let cited = event.auth_events();
        let known: Vec<_> = cited.iter().filter_map(|id| traffic.event(id)).collect();
        let selected = auth_types(event);
        let stray = known.iter().find(|cited| !selected.iter().any(|(kind, key)| cited.is_state(kind, key)));
        let stray = stray.map(|cited| format!("{} cites {}", event.kind(), cited.kind()));
        let many = || cited.len() > selected.len();
        stray.or_else(|| many().then(|| format!("{} cites {} events", event.kind(), cited.len())))
    })
}

fn create(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let creates = own_events(traffic, said).filter(|event| event.kind() == "m.room.create");
    first_wrong(creates, |event| {
        (!event.auth_events().is_empty()).then(|| "a create event cites something".to_owned())
    })
}

fn no_create(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let events = own_events(traffic, said).filter(|event| version_of(event) >= 12);
    first_wrong(events, |event| {
        let create = format!("${}", event.room_id()?.strip_prefix('!')?);
        event.auth_events().contains(&create).then(|| format!("{} cites the create event", event.kind()))
    })
}

/// What an event would have to cite, of the types and state keys that `wanted` picks out of its selection, and does not.
///
/// A place in the state that any known ancestor has filled is filled for good, whatever state resolution makes of it. What
/// did not go over the wire is not known, and of lies nobody knows what became of them.
fn uncited(traffic: &Traffic, event: &Event, wanted: impl Fn(&str, &str) -> bool) -> Option<String> {
    let selected: Vec<_> = auth_types(event).into_iter().filter(|(kind, key)| wanted(kind, key)).collect();
    let cited = event.auth_events();
    let known: Option<Vec<_>> = cited.iter().map(|id| traffic.event(id)).collect();
    let known = known?;
    let ancestors = ancestors(traffic, event);
    let has = |events: &[&Event], (kind, key): &(String, String)| {
        events.iter().any(|event| event.is_state(kind, key))
    };
    let missing = selected.iter().find(|place| has(&ancestors, place) && !has(&known, place));
    missing.map(|(kind, key)| format!("{} does not cite {kind} of {key:?}", event.kind()))
}

/// The events before this one in the graph, as far as they are known and honest.
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

fn complete(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let events = own_events(traffic, said).filter(|event| event.kind() != "m.room.create");
    first_wrong(events, |event| {
        let basis = |kind: &str, key: &str| {
            matches!(kind, "m.room.create" | "m.room.power_levels") || key == event.sender()
        };
        uncited(traffic, event, basis)
    })
}

/// Member events of a side.
fn members<'a>(traffic: &'a Traffic, said: &'a Said<'_>) -> impl Iterator<Item = &'a Event> {
    own_events(traffic, said).filter(|event| event.kind() == "m.room.member")
}

fn of_target(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    first_wrong(members(traffic, said), |event| {
        uncited(traffic, event, |kind, key| kind == "m.room.member" && event.state_key() == Some(key))
    })
}

fn join_rules(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let entering = |event: &&Event| matches!(event.membership(), Some("join" | "invite" | "knock"));
    first_wrong(members(traffic, said).filter(entering), |event| {
        uncited(traffic, event, |kind, _| kind == "m.room.join_rules")
    })
}

fn authoriser(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let named = members(traffic, said).filter_map(|event| {
        let user = event.content().get("join_authorised_via_users_server")?.as_str()?;
        let known: Option<Vec<_>> = event.auth_events().iter().map(|id| traffic.event(id)).collect();
        Some((user, known?))
    });
    first_wrong(named, |(user, cited)| {
        let is_cited = cited.iter().any(|event| event.is_state("m.room.member", user));
        (!is_cited).then(|| format!("a join authorised by {user} does not cite their membership"))
    })
}

/// Events that rest on something unknown say nothing, and neither do those that rest on lies: their maker was taken in.
fn allowed(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let mut judged = own_events(traffic, said).filter_map(|event| Some((event, authorised(traffic, event)?)));
    let first = judged.next()?;
    let refused = std::iter::once(first).chain(judged).find(|(_, verdict)| verdict.is_err());
    Some(Finding::of(refused.and_then(|(event, verdict)| {
        verdict.err().map(|rule| format!("{} is not allowed by what it cites: {rule}", event.kind()))
    })))
}

/// Whether an event passes the rules against what it cites; none where that is not known, or a lie.
fn authorised(traffic: &Traffic, event: &Event) -> Option<Result<(), Refusal>> {
    let cited = |id: &str| traffic.event(id).map(|event| Cited { event, rejected: false });
    match check_auth_events(event, cited) {
        Err(Refusal::Unknown(_)) => return None,
        Err(refusal) => return Some(Err(refusal)),
        Ok(()) => {}
    }
    let named = event.room_id().and_then(|id| id.strip_prefix('!'));
    let create = named.filter(|_| event.version().is_named_by_create()).map(|id| format!("${id}"));
    let basis: Vec<_> = event.auth_events().into_iter().chain(create).collect();
    if basis.iter().any(|id| traffic.is_admitted(id)) {
        return None;
    }
    let state = Snapshot::of(basis.iter().filter_map(|id| traffic.event(id)));
    Some(check_state(event, &state).map_err(Refusal::from))
}
