//! Rooms, their members and their state.

mod creation;
mod declared_features;
mod declared_versions;
mod first_contact;
mod invites;
mod joining;
mod knocking;
mod leaving;
mod moderation;
mod power_levels;
mod state;
mod upgrades;

use samklang_runner::scenario::Scenario;

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] = &[
    creation::SCENARIOS,
    declared_versions::SCENARIOS,
    declared_features::SCENARIOS,
    first_contact::SCENARIOS,
    invites::SCENARIOS,
    joining::SCENARIOS,
    knocking::SCENARIOS,
    leaving::SCENARIOS,
    moderation::SCENARIOS,
    power_levels::SCENARIOS,
    state::SCENARIOS,
    upgrades::SCENARIOS,
];
