//! One thing judged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CheckId, Role, Verdict};

/// How much a check weighs, from the requirement it tests.
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

/// One play of a scenario: in which room version, and which role hosts the room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Play {
    /// The room version, for instance `11`.
    pub room_version: String,
    /// The role whose server hosts the room.
    pub host: Role,
}

/// What a verdict means against what was expected of it. The raw verdict always stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// A pass, or something that was not to be judged.
    AsExpected,
    /// Anything else that nobody recorded.
    Unexpected,
    /// A fail that a recorded deviation covers.
    Deviation,
    /// A deviation is recorded, but the check passed: the record has to go.
    DeviationStale,
    /// A deviation covers the fail, but its date has passed.
    DeviationExpired,
    /// A deviation is recorded for the check, with another reason.
    ReasonChanged,
    /// It failed and passed in the same run.
    Flaky,
    /// It passed, but no fault of the kill matrix is known to turn it red, so that its pass shows nothing.
    Unproven,
}

/// One try at a check; a fail is played again alone to classify it, never to rescue it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// The name of the verdict this try ended with.
    pub verdict: String,
    /// The reason code, when it was a fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where its transcript lies, relative to the result file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
}

/// A check with its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckResult {
    /// Permanent id.
    pub id: CheckId,
    /// What it asks for, in one sentence.
    pub title: String,
    /// In which play of its scenario.
    #[serde(flatten)]
    pub play: Play,
    /// How much it weighs.
    pub weight: Weight,
    /// The requirements it tests, by id.
    pub requirements: Vec<String>,
    /// The sections of the specification those stand in.
    pub spec: Vec<String>,
    /// The catalogue rows its scenario covers.
    pub catalogue: Vec<String>,
    /// The faults that are known to turn it red, by name: proof that it can fail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proven_by: Vec<String>,
    /// What was found out.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What that means against what was expected.
    pub disposition: Disposition,
    /// Why a recorded deviation makes it so, when one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<String>,
    /// Every try, the first first. One where nothing had to be classified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// How long its scenario played, in milliseconds.
    pub duration_ms: u64,
    /// Where the scenario's transcript lies, relative to the result file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
}

impl CheckResult {
    /// Whether it says anything about a server. The pass of a check that nothing proves does not.
    pub fn is_judged(&self) -> bool {
        self.verdict.is_judged() && self.disposition != Disposition::Unproven
    }

    /// Orders results the way files and reports list them.
    pub fn sort_key(&self) -> (&CheckId, u32, &str, Role) {
        let number = self.play.room_version.parse().unwrap_or(u32::MAX);
        (&self.id, number, &self.play.room_version, self.play.host)
    }
}
