//! How servers treat the EDUs that other servers send them (server-server API, EDUs).

mod announcing;
mod delivery;
pub(crate) mod devices;
pub(crate) mod edu;
mod ownership;

use samklang_runner::scenario::Scenario;

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] =
    &[announcing::SCENARIOS, delivery::SCENARIOS, devices::SCENARIOS, ownership::SCENARIOS];
