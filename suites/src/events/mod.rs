//! What a server makes of the events that others send it (server-server API, checks performed on receipt of a PDU).

mod authorization;
mod references;
mod signatures;
mod soft_failure;

use samklang_runner::scenario::Scenario;

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] =
    &[authorization::SCENARIOS, references::SCENARIOS, signatures::SCENARIOS, soft_failure::SCENARIOS];
