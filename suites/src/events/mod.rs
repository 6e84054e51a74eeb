//! What a server makes of the events that others send it (server-server API, checks performed on receipt of a PDU).

mod authorization;
mod signatures;

use samklang_runner::scenario::Scenario;

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] = &[authorization::SCENARIOS, signatures::SCENARIOS];
