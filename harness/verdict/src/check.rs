//! One thing judged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CheckId, Role, Verdict};

/// The weight of a check, from the requirement that it tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// The specification leaves no choice.
    Must,
    /// Recommended.
    Should,
    /// Optional.
    May,
}

/// One play of a scenario: its room version, and the role that hosts the room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Play {
    /// The room version, for instance `11`.
    pub room_version: String,
    /// The role whose server hosts the room.
    pub host: Role,
}

/// How a verdict counts against what was expected. The raw verdict is always kept beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// A pass, or a check that did not have to be judged.
    AsExpected,
    /// Anything else without a recorded deviation.
    Unexpected,
    /// A fail that a recorded deviation covers.
    Deviation,
    /// A deviation is recorded, but the check passed: the deviation has to be removed.
    DeviationStale,
    /// A deviation covers the fail, but has expired.
    DeviationExpired,
    /// A deviation is recorded for the check, with another reason.
    ReasonChanged,
    /// The check failed and passed in the same run.
    Flaky,
    /// The check passed, but no fault of the kill matrix turns it red, so the pass proves nothing.
    Unproven,
}

/// One attempt at a check. A fail is played again alone to classify it, never to rescue it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// The name of the attempt's verdict.
    pub verdict: String,
    /// The reason code, if the attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The path of its transcript, relative to the result file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
}

/// A check with its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckResult {
    /// Permanent id.
    pub id: CheckId,
    /// What the check requires, in one sentence.
    pub title: String,
    /// The play of its scenario.
    #[serde(flatten)]
    pub play: Play,
    /// The weight of the check.
    pub weight: Weight,
    /// The ids of the requirements that it tests.
    pub requirements: Vec<String>,
    /// The sections of the specification with these requirements.
    pub spec: Vec<String>,
    /// The catalogue rows that its scenario covers.
    pub catalogue: Vec<String>,
    /// The names of the faults that turn it red: proof that it can fail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proven_by: Vec<String>,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How the verdict counts against what was expected.
    pub disposition: Disposition,
    /// The reason that the deviation gives, if one covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<String>,
    /// Every attempt, in order. There is one if nothing had to be classified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// How long its scenario played, in milliseconds.
    pub duration_ms: u64,
    /// The path of the scenario's transcript, relative to the result file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
}

impl CheckResult {
    /// Whether it says anything about a server. An unproven pass does not.
    pub fn is_judged(&self) -> bool {
        self.verdict.is_judged() && self.disposition != Disposition::Unproven
    }

    /// The order of results in files and reports.
    pub fn sort_key(&self) -> (&CheckId, u32, &str, Role) {
        let number = self.play.room_version.parse().unwrap_or(u32::MAX);
        (&self.id, number, &self.play.room_version, self.play.host)
    }
}
