//! How servers treat the transactions that bring them PDUs and EDUs (server-server API, transactions).

mod delivering;
mod limits;
mod neighbours;
mod origins;
mod repeating;

use samklang_runner::scenario::Scenario;

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] = &[
    delivering::SCENARIOS,
    limits::SCENARIOS,
    neighbours::SCENARIOS,
    origins::SCENARIOS,
    repeating::SCENARIOS,
];
