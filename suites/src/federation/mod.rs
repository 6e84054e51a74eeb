//! Requests between servers, and the lies that peers tell in them.

mod acl_letter_case;
mod acls;
mod false_templates;
pub(crate) mod gaps;
mod invalid_rooms;
mod invite_room_state;
mod invites_by_peers;
mod inviting;
mod joining;
mod mismatched_paths;
mod poisoned_joins;
mod queries;
mod server_upgrades;
mod templates;

use std::sync::Arc;

use samklang_reference::decoded;
use samklang_runner::traffic::wire_view::{WireView, role_of};

use crate::prelude::*;

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] = &[
    acl_letter_case::SCENARIOS,
    acls::SCENARIOS,
    gaps::SCENARIOS,
    invalid_rooms::SCENARIOS,
    invite_room_state::SCENARIOS,
    invites_by_peers::SCENARIOS,
    inviting::SCENARIOS,
    joining::SCENARIOS,
    mismatched_paths::SCENARIOS,
    poisoned_joins::SCENARIOS,
    queries::SCENARIOS,
    server_upgrades::SCENARIOS,
    templates::SCENARIOS,
    false_templates::SCENARIOS,
];

/// The last request of `by` whose path holds `step` and that was answered with 200.
fn successful_request(wire: &WireView, step: &str, by: Role) -> Result<Arc<Exchange>, Failure> {
    find_request(wire, step, by, |exchange| exchange.status == Some(200))
}

/// The last request of `by` whose path holds `step` and for which `wanted` holds.
fn find_request(
    wire: &WireView,
    step: &str,
    by: Role,
    wanted: impl Fn(&Exchange) -> bool,
) -> Result<Arc<Exchange>, Failure> {
    let steps = wire.federation().filter(|exchange| exchange.path_only().contains(step));
    let mut found = steps.filter(|exchange| role_of(&exchange.from) == Some(by) && wanted(exchange));
    let none = || Failure::Inconclusive(message!("judging.not-recorded", what = step));
    found.next_back().cloned().ok_or_else(none)
}

/// The last request of `by` whose path holds `step` and names `room`, and that was answered with 200. Without it the peer
/// has not told its lie.
fn successful_request_about(
    wire: &WireView,
    step: &str,
    room: &Room,
    by: Role,
) -> Result<Observation, Failure> {
    let is_it = |exchange: &Arc<Exchange>| {
        let path = decoded(exchange.path_only());
        let names_room = path.split('/').any(|part| part == room.id);
        names_room && path.contains(step) && exchange.status == Some(200)
    };
    let mut steps =
        wire.federation().filter(|exchange| role_of(&exchange.from) == Some(by) && is_it(exchange));
    match steps.next_back() {
        Some(exchange) => Ok(Observation { by, exchange: exchange.id }),
        None => Err(Failure::Inconclusive(message!("judging.not-recorded", what = step))),
    }
}
