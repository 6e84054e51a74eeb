//! What a run is asked to do.

use std::{collections::BTreeMap, path::PathBuf};

use samklang_deploy::Cast;
use samklang_verdict::{Deviation, Role};

use crate::schedule::plan::Selection;

/// What a run is asked to do.
pub struct RunOrder {
    /// The run's id.
    pub id: String,
    /// Who plays.
    pub casts: Vec<Cast>,
    /// Which roles are judged.
    pub subjects: Vec<Role>,
    /// What of the suite.
    pub selection: Selection,
    /// Whether servers meet without the switchboard.
    pub direct: bool,
    /// How many trials are played side by side.
    pub side_by_side: usize,
    /// The seed of everything random.
    pub seed: u64,
    /// Where files go.
    pub output: PathBuf,
    /// How servers are brought up, and why so, in a line.
    pub deployer_line: String,
    /// Each vendor's recorded deviations, by vendor name.
    pub deviations: BTreeMap<String, Vec<Deviation>>,
    /// The day on which deviations are held against their expiry, `YYYY-MM-DD`.
    pub today: String,
}
