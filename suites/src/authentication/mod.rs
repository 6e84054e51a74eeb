//! Who asks, and how a server knows (server-server API, request authentication, retrieving server keys).

mod server_keys;
mod x_matrix;

use samklang_runner::scenario::Scenario;

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] = &[server_keys::SCENARIOS, x_matrix::SCENARIOS];
