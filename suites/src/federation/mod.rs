//! What servers say to each other.

mod gaps;
mod inviting;
mod joining;

use std::sync::Arc;

use samklang_runner::wire::{WireView, role_of};

use crate::prelude::*;

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] = &[gaps::SCENARIOS, inviting::SCENARIOS, joining::SCENARIOS];

/// The last request of `by` whose path holds `step`, and that was answered with success.
fn answered(wire: &WireView, step: &str, by: Role) -> Result<Arc<Exchange>, Failure> {
    let steps = wire.federation().filter(|exchange| exchange.path_only().contains(step));
    let mut answered =
        steps.filter(|exchange| role_of(&exchange.from) == Some(by) && exchange.status == Some(200));
    let none = || Failure::Inconclusive(message!("judging.not-recorded", what = step));
    answered.next_back().cloned().ok_or_else(none)
}
