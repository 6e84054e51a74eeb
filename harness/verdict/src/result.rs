//! The result file: one JSON document from which every report is derived.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{CheckResult, Counts, Outcome, Problem, Role, aggregate};

/// The schema this program writes and reads.
pub const RESULT_SCHEMA: &str = "samklang-result/1";

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResultFile {
    /// Always [`RESULT_SCHEMA`].
    pub schema: String,
    /// SHA-256 over what must be equal when the same servers are judged the same way again: see [`ResultFile::digest_of`].
    pub digest: String,
    /// The run.
    pub run: RunInfo,
    /// The suite that judged it.
    pub suite: SuiteInfo,
    /// The servers that took part.
    pub participants: Vec<Participant>,
    /// The checks, sorted by id, room version and host.
    pub checks: Vec<CheckResult>,
    /// The number of checks with each result.
    pub counts: Counts,
    /// The outcome.
    pub outcome: Outcome,
    /// The exit code that goes with it.
    pub exit_code: u8,
    /// Problems outside the checks.
    pub problems: Vec<Problem>,
    /// The files beside this one.
    pub evidence: Vec<EvidenceFile>,
}

/// The run itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunInfo {
    /// Its id, which is also the label of everything that it made.
    pub id: String,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// When it ended, RFC 3339, UTC.
    pub ended: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The seed of all randomness in it.
    pub seed: u64,
    /// `container`, `process`, `embedded` or `target`.
    pub deployer: String,
    /// Whether the servers were connected without the switchboard, so that their traffic was not recorded.
    pub direct: bool,
    /// How it ended.
    pub termination: Termination,
    /// The selection as given.
    pub selection: Vec<String>,
    /// Samklang's own version.
    pub samklang: String,
    /// The duration of each phase, in milliseconds.
    pub phases_ms: BTreeMap<String, u64>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Termination {
    /// Everything that was planned was played.
    Complete,
    /// The run was stopped on request; the result has the verdicts until then.
    Interrupted,
    /// A problem ended the run; the result has the verdicts until then.
    Broken,
}

/// The suite that judges a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SuiteInfo {
    /// The suite's version.
    pub version: String,
    /// SHA-256 over all stored expectations.
    pub expectations_sha256: String,
    /// SHA-256 over the requirement registry.
    pub requirements_sha256: String,
    /// SHA-256 over the kill matrix: which faults prove which checks.
    #[serde(default)]
    pub kill_matrix_sha256: String,
    /// The profile whose time limits applied.
    pub profile: String,
}

/// A server that took part, as it announced itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Participant {
    /// Its role.
    pub role: Role,
    /// Whether it is judged.
    pub subject: bool,
    /// The vendor's name.
    pub vendor: String,
    /// The requested version.
    pub version: String,
    /// The newer version that replaced it during the run, if one was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Upgrade>,
    /// Its server name in this run.
    pub server_name: String,
    /// The name that `/_matrix/federation/v1/version` returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_name: Option<String>,
    /// The version that `/_matrix/federation/v1/version` returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_version: Option<String>,
    /// Its signing keys by key id, unpadded base64, from `/_matrix/key/v2/server`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub verify_keys: BTreeMap<String, String>,
    /// The digest of its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Whether it had the key of the stage's certificate authority.
    pub holds_ca_key: bool,
    /// The room versions it declares.
    pub room_versions: Vec<String>,
    /// The features it declares.
    pub features: Vec<String>,
    /// The processor time of its processes in milliseconds, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// The path of its log, relative to the result file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// The newer version that replaces a server during the run, as it announced itself; empty if the upgrade did not happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Upgrade {
    /// The requested version.
    pub version: String,
    /// The name that `/_matrix/federation/v1/version` returned after the upgrade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_name: Option<String>,
    /// The version that `/_matrix/federation/v1/version` returned after the upgrade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_version: Option<String>,
    /// The digest of its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

impl Upgrade {
    /// An upgrade that has not happened yet.
    pub fn to(version: String) -> Self {
        Self { version, answered_name: None, answered_version: None, image: None }
    }
}

/// The value of [`RunInfo::deployer`] for a run with a server that was already running.
pub const TARGET: &str = "target";

/// A file beside the result file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceFile {
    /// Relative to the result file.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// A result file that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResultFileError {
    /// It is of another schema version.
    #[error("the file is of schema {found:?}, which this program does not read here")]
    OtherSchema {
        /// The schema version that it declares.
        found: String,
    },
    /// It is not a result file.
    #[error("not a result file: {0}")]
    Malformed(String),
}

impl ResultFile {
    /// Sorts the lists, and computes counts, outcome, exit code and digest from the file's content.
    /// `problem_codes` are the exit codes of problems outside any check.
    pub fn settle(&mut self) {
        self.checks.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        self.participants.sort_by_key(|participant| participant.role);
        self.evidence.sort_by(|a, b| a.path.cmp(&b.path));
        self.counts = Counts::of(&self.checks);
        let (outcome, code) = aggregate(&self.checks);
        let problems = self.problems.iter().map(Problem::exit_code);
        self.exit_code = crate::exit::worst(problems.chain([code]));
        let broken = self.run.termination != Termination::Complete || !self.problems.is_empty();
        // A run on a vendor's own server does not show others what software runs there.
        let certifies = !broken && self.run.deployer != TARGET;
        self.outcome =
            if !certifies && outcome == Outcome::Certifiable { Outcome::NotProven } else { outcome };
        self.digest = self.digest_of();
    }

    /// SHA-256 over the suite, the participants' vendors and announced versions, and each check's id, play, verdict,
    /// reason and disposition: equal for two runs with the same verdicts, whatever their times and ids.
    pub fn digest_of(&self) -> String {
        fn json(part: &impl Serialize) -> serde_json::Value {
            serde_json::json!(part)
        }
        let who: Vec<_> = self
            .participants
            .iter()
            .map(|p| {
                let mut who = vec![
                    json(&p.role),
                    json(&p.vendor),
                    json(&p.version),
                    json(&p.answered_name),
                    json(&p.answered_version),
                ];
                // Without an upgrade the digest is the same as before upgrades existed.
                who.extend(
                    p.upgrade.as_ref().map(|upgrade| json(&(&upgrade.version, &upgrade.answered_version))),
                );
                who
            })
            .collect();
        let checks: Vec<_> = self
            .checks
            .iter()
            .map(|c| serde_json::json!([c.id, c.play, c.verdict.name(), c.verdict.reason(), c.disposition]))
            .collect();
        let stable = serde_json::json!({
            "schema": self.schema, "suite": self.suite, "participants": who, "checks": checks,
            "outcome": self.outcome, "exit_code": self.exit_code,
        });
        hex::encode(Sha256::digest(canonical_json(&stable)))
    }

    /// The file's bytes: canonical JSON and a line feed.
    ///
    /// # Errors
    /// Never for a file this program made; the type is serde's.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = canonical_json(&serde_json::to_value(self)?);
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a result file.
    ///
    /// # Errors
    /// When it is not JSON, has another schema version, or does not match the schema.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ResultFileError> {
        shaped(bytes, RESULT_SCHEMA)
    }
}

/// Reads a file that declares this schema.
pub(crate) fn shaped<T: DeserializeOwned>(bytes: &[u8], schema: &str) -> Result<T, ResultFileError> {
    let malformed = |error: serde_json::Error| ResultFileError::Malformed(error.to_string());
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(malformed)?;
    let found = value.get("schema").and_then(serde_json::Value::as_str).unwrap_or("none");
    if found != schema {
        return Err(ResultFileError::OtherSchema { found: found.chars().take(80).collect() });
    }
    serde_json::from_value(value).map_err(malformed)
}

/// Canonical JSON: keys in order, no white space. Equal values give equal bytes.
pub fn canonical_json(value: &serde_json::Value) -> Vec<u8> {
    let mut out = Vec::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &serde_json::Value, out: &mut Vec<u8>) {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            // The keys are sorted here, because a dependency may switch serde_json's maps to insertion order.
            let sorted: BTreeMap<_, _> = map.iter().collect();
            out.push(b'{');
            for (i, (key, value)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                out.extend(Value::from(key.as_str()).to_string().into_bytes());
                out.push(b':');
                write_canonical(value, out);
            }
            out.push(b'}');
        }
        Value::Array(list) => {
            out.push(b'[');
            for (i, value) in list.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_canonical(value, out);
            }
            out.push(b']');
        }
        scalar => out.extend(scalar.to_string().into_bytes()),
    }
}

/// The JSON Schema of the result file.
pub fn result_schema() -> serde_json::Value {
    schemars::schema_for!(ResultFile).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equal_values_give_equal_bytes() {
        let one: serde_json::Value =
            serde_json::from_str(r#"{"b":[1,{"z":null,"a":"å\n"}],"a":true}"#).unwrap();
        assert_eq!(canonical_json(&one), r#"{"a":true,"b":[1,{"a":"å\n","z":null}]}"#.as_bytes());
    }

    #[test]
    fn another_schema_version_is_named() {
        let bytes = json!({"schema": "samklang-result/9"}).to_string().into_bytes();
        assert_eq!(
            ResultFile::from_bytes(&bytes),
            Err(ResultFileError::OtherSchema { found: "samklang-result/9".into() })
        );
        assert!(matches!(ResultFile::from_bytes(b"<html>"), Err(ResultFileError::Malformed(_))));
        let shapeless = json!({"schema": RESULT_SCHEMA}).to_string().into_bytes();
        assert!(matches!(ResultFile::from_bytes(&shapeless), Err(ResultFileError::Malformed(_))));
    }
}
