//! Files. The content repository of the client-server API and of the server-server API.

mod authenticated;
mod file_names;
mod files;

use samklang_runner::scenario::Scenario;

/// The scenarios of this area, by topic.
pub const SCENARIOS: &[&[Scenario]] = &[authenticated::SCENARIOS, file_names::SCENARIOS, files::SCENARIOS];
