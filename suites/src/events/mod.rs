//! How a server treats the events that other servers send it (server-server API, checks performed on receipt of a PDU).

mod annotations;
mod authorization;
mod closed_rooms;
mod commands;
mod forbidden;
mod malformed;
mod odd_text;
mod pagination;
mod references;
mod signatures;
mod size_limits;
mod soft_failure;
mod state_resets;

use samklang_runner::scenario::Scenario;

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] = &[
    annotations::SCENARIOS,
    authorization::SCENARIOS,
    closed_rooms::SCENARIOS,
    commands::SCENARIOS,
    malformed::SCENARIOS,
    odd_text::SCENARIOS,
    pagination::SCENARIOS,
    references::SCENARIOS,
    signatures::SCENARIOS,
    size_limits::SCENARIOS,
    soft_failure::SCENARIOS,
    state_resets::SCENARIOS,
];
