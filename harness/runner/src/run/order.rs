//! The order for a run: what is played, where, and with which servers.

use std::{collections::BTreeMap, path::PathBuf};

use samklang_deploy::Cast;
use samklang_verdict::{Deviation, Role};

use crate::schedule::plan::Selection;

/// The order for a run.
pub struct RunOrder {
    /// The run's id.
    pub id: String,
    /// The servers that take part.
    pub casts: Vec<Cast>,
    /// Which roles are judged.
    pub subjects: Vec<Role>,
    /// The selected part of the suite.
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
