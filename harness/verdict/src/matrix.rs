//! The vendor matrix: every vendor with every vendor, itself included.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Blame, CheckId, CheckResult, Counts, Disposition, Fail, Meeting, Origin, Outcome, ReasonCode, ResultFile,
    ResultFileError, Role, SuiteInfo, Suspicion, Termination, Verdict, Weight, canonical_json, exit,
    result::shaped, triangulate,
};

/// The schema this program writes and reads.
pub const MATRIX_SCHEMA: &str = "samklang-matrix/1";

/// `matrix.json`. It holds no times, so that the same verdicts give the same bytes; the pairs' own results have them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MatrixFile")]
pub struct VendorMatrix {
    /// Always [`MATRIX_SCHEMA`].
    pub schema: String,
    /// Every vendor, `name@version`, as requested. The first one is the baseline.
    pub vendors: Vec<String>,
    /// The settings of all pairs; none if no pair has a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<CommonTerms>,
    /// The shard of the pairs, `i/n`, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// The pairs that have a result, in the order in which vendors are named.
    pub pairs: Vec<MatrixPair>,
    /// The pairs that lack a result.
    pub missing: Vec<[String; 2]>,
    /// The number of checks with each result, in all pairs together.
    pub counts: Counts,
    /// The origins of fails, as all pairs together show them.
    pub findings: Vec<MatrixFinding>,
    /// The outcome.
    pub outcome: Outcome,
    /// The exit code that goes with it.
    pub exit_code: u8,
}

/// The settings that have to be equal for results to be comparable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Terms")]
pub struct CommonTerms {
    /// The suite that judged it.
    pub suite: SuiteInfo,
    /// The selection as given.
    pub selection: Vec<String>,
    /// Whether the servers were connected without the switchboard.
    pub direct: bool,
    /// Samklang's own version.
    pub samklang: String,
}

/// Two vendors on one stage, both judged. The pair counts for each of them, with the other as its partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MatrixPair {
    /// The vendor in role A, `name@version`.
    pub a: String,
    /// The vendor in role B.
    pub b: String,
    /// The path of its `result.json`, relative to this file.
    pub result: String,
    /// The digest of that result.
    pub digest: String,
    /// How it ended.
    pub termination: Termination,
    /// The number of checks with each result.
    pub counts: Counts,
    /// The outcome.
    pub outcome: Outcome,
    /// The exit code that goes with it.
    pub exit_code: u8,
}

/// Fails of one check in one room version with the same origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Finding")]
pub struct MatrixFinding {
    /// The check.
    pub check: CheckId,
    /// What the check requires, in one sentence.
    pub title: String,
    /// The room version.
    pub room_version: String,
    /// The weight of the check.
    pub weight: Weight,
    /// The origin of the fails.
    #[serde(flatten)]
    pub origin: Origin,
    /// The pairs that show it.
    pub pairs: Vec<[String; 2]>,
    /// The reason codes of these fails.
    pub reasons: Vec<ReasonCode>,
}

/// A pair with its result.
#[derive(Debug, Clone)]
pub struct PlayedPair {
    /// The vendor in role A, `name@version`.
    pub a: String,
    /// The vendor in role B.
    pub b: String,
    /// The result.
    pub result: ResultFile,
}

/// Every pair of `vendors` once, including each vendor with itself. The vendor whose name sorts first is A, so a pair does not
/// depend on the order of the vendors. Another vendor at the end adds its pairs at the end.
pub fn pairs(vendors: &[String]) -> Vec<[String; 2]> {
    let mut pairs = Vec::new();
    for (place, one) in vendors.iter().enumerate() {
        for other in &vendors[..=place] {
            pairs.push([one.min(other).clone(), one.max(other).clone()]);
        }
    }
    pairs
}

impl CommonTerms {
    /// The settings of a result.
    pub fn of(result: &ResultFile) -> Self {
        Self {
            suite: result.suite.clone(),
            selection: result.run.selection.clone(),
            direct: result.run.direct,
            samklang: result.run.samklang.clone(),
        }
    }
}

impl VendorMatrix {
    /// The vendor matrix of `vendors` with the results of the pairs that have met, in any order. A shard (`i/n`) expects only
    /// the results that it has.
    pub fn of(vendors: Vec<String>, shard: Option<String>, met: &[PlayedPair]) -> Self {
        let (mut there, mut missing) = (Vec::new(), Vec::new());
        for pair in pairs(&vendors) {
            match met.iter().find(|met| met.is(&pair)) {
                Some(met) => there.push(met),
                None if shard.is_none() => missing.push(pair),
                None => {}
            }
        }
        let entries: Vec<_> = there.iter().map(|met| met.entry()).collect();
        let codes = entries.iter().map(|pair| pair.exit_code);
        let lacking = (!missing.is_empty() || entries.is_empty()).then_some(exit::NOT_PROVEN);
        let outcomes = || entries.iter().map(|pair| pair.outcome);
        Self {
            schema: MATRIX_SCHEMA.to_owned(),
            terms: there.first().map(|met| CommonTerms::of(&met.result)),
            shard,
            counts: entries.iter().fold(Counts::default(), |sum, pair| sum.plus(&pair.counts)),
            findings: findings(&vendors, &there),
            exit_code: exit::worst(codes.chain(lacking)),
            outcome: if outcomes().any(|outcome| outcome == Outcome::NotCertifiable) {
                Outcome::NotCertifiable
            } else if lacking.is_some() || outcomes().any(|outcome| outcome == Outcome::NotProven) {
                Outcome::NotProven
            } else {
                Outcome::Certifiable
            },
            vendors,
            pairs: entries,
            missing,
        }
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

    /// Reads a matrix file.
    ///
    /// # Errors
    /// When it is not JSON, has another schema version, or does not match the schema.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ResultFileError> {
        shaped(bytes, MATRIX_SCHEMA)
    }
}

impl PlayedPair {
    fn is(&self, pair: &[String; 2]) -> bool {
        [&self.a, &self.b] == pair.each_ref()
    }

    /// The folder of a pair below that of the vendor matrix.
    pub fn folder(a: &str, b: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "@.+-_".contains(c) { c } else { '_' };
        let name: String = format!("{a}--{b}").chars().map(plain).collect();
        format!("pairs/{name}")
    }

    fn entry(&self) -> MatrixPair {
        MatrixPair {
            a: self.a.clone(),
            b: self.b.clone(),
            result: format!("{}/result.json", Self::folder(&self.a, &self.b)),
            digest: self.result.digest.clone(),
            termination: self.result.run.termination,
            counts: self.result.counts,
            outcome: self.result.outcome,
            exit_code: self.result.exit_code,
        }
    }

    /// The vendors that may have caused a fail.
    pub fn suspects(&self, fail: &Fail) -> BTreeSet<&str> {
        match &fail.blame {
            Blame::Server { role: Role::A, .. } => BTreeSet::from([self.a.as_str()]),
            Blame::Server { role: Role::B, .. } => BTreeSet::from([self.b.as_str()]),
            _ => BTreeSet::from([self.a.as_str(), self.b.as_str()]),
        }
    }
}

/// The results of one check in one room version, of each pair.
#[derive(Default)]
struct Question<'a> {
    meetings: BTreeMap<usize, (Meeting<'a>, BTreeSet<&'a ReasonCode>)>,
    absent: BTreeSet<[&'a str; 2]>,
    check: Option<&'a CheckResult>,
}

/// The origins of the fails of all pairs: fails blamed on one vendor first, then by check and room version.
fn findings(vendors: &[String], met: &[&PlayedPair]) -> Vec<MatrixFinding> {
    let vendors: Vec<_> = vendors.iter().map(String::as_str).collect();
    let mut questions: BTreeMap<(&CheckId, u32, &str), Question<'_>> = BTreeMap::new();
    for (place, pair) in met.iter().enumerate() {
        for check in &pair.result.checks {
            let (id, number, version, _) = check.sort_key();
            questions.entry((id, number, version)).or_default().hear(place, pair, check);
        }
    }
    let mut found: Vec<_> = questions
        .into_iter()
        .filter_map(|((_, _, version), question)| Some((version, question.check?, question)))
        .flat_map(|(version, check, question)| question.findings(&vendors, version, check))
        .collect();
    found.sort_by(|one, other| one.origin.cmp(&other.origin));
    found
}

impl<'a> Question<'a> {
    fn hear(&mut self, place: usize, pair: &'a PlayedPair, check: &'a CheckResult) {
        let names = [pair.a.as_str(), pair.b.as_str()];
        if let Verdict::NotApplicable { .. } = check.verdict {
            self.absent.insert(names);
            return;
        }
        let start = || (Meeting { pair: names, ..Meeting::default() }, BTreeSet::new());
        let (meeting, reasons) = self.meetings.entry(place).or_insert_with(start);
        match &check.verdict {
            // A fail that passed in another attempt is not firm.
            _ if check.disposition == Disposition::Flaky => meeting.unjudged = true,
            Verdict::Pass { .. } | Verdict::NotApplicable { .. } => {}
            Verdict::Fail(fail) => {
                let recorded = check.disposition == Disposition::Deviation;
                meeting.fails.push(Suspicion { suspects: pair.suspects(fail), recorded });
                reasons.insert(&fail.reason);
                self.check.get_or_insert(check);
            }
            Verdict::Inconclusive { .. } | Verdict::Error { .. } | Verdict::NotRun { .. } => {
                meeting.unjudged = true;
            }
        }
    }

    fn findings(&self, vendors: &[&'a str], version: &str, check: &CheckResult) -> Vec<MatrixFinding> {
        let (meetings, reasons): (Vec<_>, Vec<_>) = self.meetings.values().cloned().unzip();
        let origins = triangulate(vendors, &meetings, &self.absent);
        // Two pairs with a finding each have two.
        let single = origins.into_iter().flat_map(|(origin, places)| match origin {
            Origin::Pair => places.into_iter().map(|place| (Origin::Pair, vec![place])).collect::<Vec<_>>(),
            other => vec![(other, places.into_iter().collect())],
        });
        let finding = |(origin, places): (Origin, Vec<usize>)| MatrixFinding {
            check: check.id.clone(),
            title: check.title.clone(),
            room_version: version.to_owned(),
            weight: check.weight,
            origin,
            pairs: places.iter().map(|&place| meetings[place].pair.map(str::to_owned)).collect(),
            reasons: places
                .iter()
                .flat_map(|&place| reasons[place].iter().copied())
                .collect::<BTreeSet<_>>()
                .into_iter()
                .cloned()
                .collect(),
        };
        single.map(finding).collect()
    }
}

/// The JSON Schema of `matrix.json`.
pub fn matrix_schema() -> serde_json::Value {
    schemars::schema_for!(VendorMatrix).to_value()
}

#[cfg(test)]
mod tests;
