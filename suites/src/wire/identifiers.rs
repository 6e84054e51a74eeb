//! Identifiers that a server issues (appendices, identifier grammar).

use samklang_matrix::server_of;
use samklang_runner::{
    judging::rule::RuleFinding,
    traffic::{Traffic, exchange::ExchangeHalf},
};

use super::{endpoint, first_wrong, own_events, version_of};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "wire.identifiers",
    title: "The IDs that the server issues follow the grammar.",
    catalogue: &["FC-09"],
    requirements: &["SS-IDENT-004"],
    checks: &[
        CheckPlan::new("users", "The localpart of a user ID that the server issues contains only characters that the grammar allows.")
            .of(&["SS-IDENT-004"])
            .for_both("id.odd_user", users),
        CheckPlan::new(
            "rooms",
            "A room ID that the server issues before room version 12 ends with its server name and has at most 255 bytes.",
        )
        .of(&["SS-IDENT-008"])
        .for_both("id.odd_room", rooms),
        CheckPlan::new("media", "A media ID that the server issues contains only letters, digits, underscores and hyphens.")
            .of(&["SS-MEDIA-023"])
            .for_responses("id.odd_media", media),
    ],
    ..Scenario::PASSIVE
}];

fn users(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let is_allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._=-/+".contains(&byte);
    first_wrong(own_events(traffic, half), |event| {
        let localpart = event.sender().strip_prefix('@').and_then(|rest| rest.split(':').next());
        let right = localpart.is_some_and(|part| !part.is_empty() && part.bytes().all(is_allowed));
        (!right).then(|| message!("wire.user-id", user = event.sender()))
    })
}

/// From version 12 on a room ID is made from the create event's ID, without a server name.
fn rooms(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let creates =
        own_events(traffic, half).filter(|event| event.kind() == "m.room.create" && version_of(event) < 12);
    first_wrong(creates, |event| {
        let id = event.room_id().unwrap_or_default();
        let right = server_of(id) == traffic.name(half.by) && id.len() <= 255;
        (!right).then(|| message!("wire.room-id", room = id))
    })
}

fn media(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let (_, path) = endpoint(half)?;
    let ["media", _, id] = path.as_slice() else { return None };
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let right = !id.is_empty() && id.bytes().all(is_allowed);
    (half.exchange.status == Some(200))
        .then(|| RuleFinding::of((!right).then(|| message!("wire.media-id", media = id))))
}
