//! The executable specification: scenarios by area, and the data that their checks are judged with.

pub mod authentication;
pub mod events;
pub mod federation;
pub mod media;
pub mod messages;
mod peer_answers;
mod peer_setup;
mod prelude;
pub mod privacy;
pub mod rooms;
pub mod signals;
pub mod transactions;
pub mod wire;

use std::path::Path;

use samklang_runner::{
    judging::expectation::Expectations,
    scenario::Scenario,
    suite::kill_matrix::KillMatrix,
    suite::{Profile, Requirements, Suite, read_catalogue},
};
use samklang_verdict::Problem;

/// All scenarios, sorted by id.
pub fn scenarios() -> Vec<&'static Scenario> {
    let areas = [
        authentication::SCENARIOS,
        events::SCENARIOS,
        federation::SCENARIOS,
        media::SCENARIOS,
        messages::SCENARIOS,
        privacy::SCENARIOS,
        rooms::SCENARIOS,
        signals::SCENARIOS,
        transactions::SCENARIOS,
        wire::SCENARIOS,
    ];
    let mut all: Vec<_> = areas.into_iter().flatten().flat_map(|topic| topic.iter()).collect();
    all.sort_by_key(|scenario| scenario.id);
    all
}

/// The folder that the program was built from.
pub const BUILT_FROM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The file of the kill matrix in the suite's data.
pub const KILL_MATRIX: &str = "kill-matrix.tsv";

/// The suite with its data from the project folder `root`.
///
/// # Errors
/// When a data file cannot be read.
pub fn suite(root: &Path) -> Result<Suite, Problem> {
    let data = root.join("suites");
    Ok(Suite {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenarios: scenarios(),
        requirements: Requirements::read(&data.join("requirements/requirements.tsv"))?,
        catalogue: read_catalogue(&data.join("profiles/catalogue.tsv"))?,
        profile: Profile::read(&data.join("profiles/esam.toml"))?,
        expectations: Expectations::in_folder(data.join("expectations")),
        kill_matrix: KillMatrix::read(&data.join(KILL_MATRIX))?,
    })
}
