//! Joins, leaves, knocks and invites that one server sends another (server-server API, joining, knocking, inviting).

use samklang_matrix::{Event, format_breaches, server_of};
use samklang_runner::{
    judging::rule::RuleFinding,
    traffic::{Traffic, exchange::ExchangeHalf},
};

use super::{endpoint, first_wrong, own_events, transaction};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "wire.memberships",
        title: "The server sends a join, leave, knock or invite to its current endpoint, with the event's ID in the path.",
        catalogue: &["FC-10"],
        requirements: &["SS-JOIN-021"],
        checks: &[
            CheckPlan::new("path", "The server sends a join, leave, knock or invite with the event's own ID in the path.")
                .of(&["SS-JOIN-021", "SS-PDU-011"])
                .for_requests("membership.other_id", path),
            CheckPlan::new(
                "version-2",
                "The server sends joins, leaves and invites to version 2 of send_join, send_leave and invite.",
            )
            .of(&["SS-JOIN-048"])
            .for_requests("membership.old_endpoint", version_2),
        ],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.invites",
        title: "The inviting server sends an invite with state of the room, and the invited user's server signs it.",
        catalogue: &["FC-12"],
        requirements: &["SS-INVITE-005"],
        checks: &[
            CheckPlan::new("create", "The invite_room_state in the inviting server's PUT /invite contains the create event.")
                .of(&["SS-INVITE-005"])
                .for_requests("invite.no_create", has_create),
            CheckPlan::new("complete", "The invite_room_state in the inviting server's PUT /invite contains complete events.")
                .of(&["SS-INVITE-006"])
                .for_requests("invite.stripped", holds_complete_events),
            CheckPlan::new(
                "both-sign",
                "An invite that the server sends in a transaction contains a signature of the invited user's server.",
            )
            .of(&["SS-INVITE-007"])
            .for_requests("invite.one_signature", both_sign),
        ],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.profile-changes",
        title: "The server's profile changes do not repeat who authorised the join.",
        weight: Weight::Should,
        catalogue: &["RM-10"],
        requirements: &["SS-RESTR-019"],
        checks: &[CheckPlan::new("no-authoriser", "A join event that changes a joined user's profile contains no join_authorised_via_users_server.")
            .of(&["SS-RESTR-019"])
            .for_both("member.copied_authoriser", no_authoriser)],
        ..Scenario::PASSIVE
    },
];

/// The event ID in the path of a request that sends a membership event.
fn id_in_path(half: &ExchangeHalf<'_>) -> Option<String> {
    let (_, path) = endpoint(half)?;
    match path.as_slice() {
        ["send_join" | "send_leave" | "send_knock" | "invite", _, id] => {
            Some(samklang_reference::decoded(id))
        }
        _ => None,
    }
}

fn path(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let id = id_in_path(half)?;
    let event = if half.request["event"].is_object() { &half.request["event"] } else { half.request };
    let event = traffic.read(event).filter(|event| !traffic.is_admitted(event.id()))?;
    let wrong = || message!("wire.other-event-id", event = event.id(), path_id = id);
    Some(RuleFinding::of((event.id() != id).then(wrong)))
}

fn version_2(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let (version, path) = endpoint(half)?;
    let concerns = matches!(path.first(), Some(&("send_join" | "send_leave" | "invite")));
    let wrong = || message!("wire.old-endpoint", endpoint = path[0], version = version);
    concerns.then(|| RuleFinding::of((version != "v2").then(wrong)))
}

/// The entries of the `invite_room_state` of an invite.
fn invite_room_state<'a>(half: &'a ExchangeHalf<'_>) -> Option<&'a Vec<Value>> {
    let (_, path) = endpoint(half)?;
    let is_invite = path.first() == Some(&"invite");
    is_invite.then(|| half.request["invite_room_state"].as_array())?
}

fn has_create(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let found = invite_room_state(half)?.iter().any(|entry| entry["type"] == "m.room.create");
    Some(RuleFinding::of((!found).then(|| message!("wire.invite-without-create"))))
}

fn holds_complete_events(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(invite_room_state(half)?, |entry| {
        let complete = |event: Event| format_breaches(entry, event.version()).is_empty();
        let right = entry["hashes"].is_object() && traffic.read(entry).is_some_and(complete);
        (!right).then(|| message!("wire.invite-with-stripped-event", event = entry["type"]))
    })
}

fn both_sign(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    transaction(half)?;
    let invites = own_events(traffic, half).filter(|event| event.membership() == Some("invite"));
    let foreign = invites.filter_map(|event| {
        let invited = server_of(event.state_key()?)?;
        // An invite from a third-party invite need not be signed by the invited user's server.
        let concerns =
            Some(invited) != server_of(event.sender()) && !event.content().contains_key("third_party_invite");
        concerns.then_some((event, invited))
    });
    first_wrong(foreign, |(event, invited)| {
        let signed = event.json().get("signatures").is_some_and(|by| by[invited].is_object());
        (!signed).then(|| message!("wire.invite-not-signed", server = invited))
    })
}

fn no_authoriser(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let is_join = |event: &Event| event.kind() == "m.room.member" && event.membership() == Some("join");
    let changes = own_events(traffic, half).filter(|event| {
        let user = event.state_key().unwrap_or_default();
        let auth_events = event.auth_events();
        let mut auth_events = auth_events.iter().filter_map(|id| traffic.event(id));
        is_join(event) && auth_events.any(|event| event.is_state("m.room.member", user) && is_join(event))
    });
    first_wrong(changes, |event| {
        let copied = event.content().contains_key("join_authorised_via_users_server");
        copied.then(|| message!("wire.authoriser-repeated"))
    })
}
