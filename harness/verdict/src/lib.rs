//! The words of a verdict as types. Nothing here does I/O.
//!
//! A run judges *checks*. Each check ends in a [`Verdict`]; the expected results turn a verdict
//! into a [`Disposition`]; all of them together give a [`ResultFile`], an [`Outcome`] and an exit code.
//!
//! Texts for users are never in code: a [`Message`] has a key and arguments, and a [`Catalogue`] renders it.

mod change;
mod check;
mod deviation;
pub mod exit;
mod ids;
mod matrix;
mod message;
mod observation;
mod outcome;
mod problem;
mod result;
#[cfg(test)]
mod specimen;
mod transcript;
mod triangulation;
mod verdict;

pub use change::{
    ChangeKind, CheckChange, CheckStanding, ComparedResult, changes, exit_code as exit_code_of_changes,
};
pub use check::{Attempt, CheckResult, Disposition, Play, Weight};
pub use deviation::{Deviation, DeviationFile, Judged, dispose};
pub use ids::{CheckId, ExchangeId, IdError, ReasonCode, Role, ScenarioId};
pub use matrix::{
    CommonTerms, MATRIX_SCHEMA, MatrixFinding, MatrixPair, PlayedPair, VendorMatrix, matrix_schema, pairs,
};
pub use message::{Catalogue, Message, Text};
pub use observation::{Observation, Observations};
pub use outcome::{Counts, Outcome, aggregate};
pub use problem::{Class, Problem};
pub use result::{
    EvidenceFile, Participant, RESULT_SCHEMA, ResultFile, ResultFileError, RunInfo, SuiteInfo, TARGET,
    Termination, Upgrade, canonical_json, result_schema,
};
pub use transcript::{Body, Exchange, Party, Wire};
pub use triangulation::{Meeting, Origin, Suspicion, triangulate};
pub use verdict::{Blame, Fail, Verdict};
