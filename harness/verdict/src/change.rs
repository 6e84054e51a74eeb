//! The differences between two results, or two vendor matrices, of the same suite.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use serde::Serialize;

use crate::{
    CheckId, CheckResult, Disposition, Play, PlayedPair, ReasonCode, ResultFile, VendorMatrix, Verdict, exit,
    outcome::exit_code_of,
};

/// The kind of a change. The most urgent kinds come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// The check fails now and did not before, or it is new and fails.
    NewFail,
    /// The check failed before and fails now for another reason.
    ReasonChanged,
    /// The check had a verdict before and could not be judged now.
    Unjudged,
    /// The check was judged before, and is gone or does not apply now.
    Removed,
    /// The check fails now as a recorded deviation says, and did not before.
    Recorded,
    /// The check failed before and passes now.
    Fixed,
    /// The check could not be judged before and passes now.
    Judged,
    /// The check was absent or did not apply before, and does not fail now.
    Added,
}

/// A check with a different result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckChange {
    /// The kind of the change.
    pub kind: ChangeKind,
    /// The pair of a vendor matrix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<[String; 2]>,
    /// The check.
    pub check: CheckId,
    /// What the check requires, in one sentence.
    pub title: String,
    /// The play.
    #[serde(flatten)]
    pub play: Play,
    /// The old state; none if the check was absent.
    pub old: Option<CheckStanding>,
    /// The new state; none if the check is absent.
    pub new: Option<CheckStanding>,
    /// The exit code of this change alone: that of its new state if it got worse, otherwise 0.
    pub exit_code: u8,
}

/// The state of a check in a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckStanding {
    /// The verdict's name.
    pub verdict: &'static str,
    /// The reason code of a fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonCode>,
    /// How the verdict counted against the recorded deviations.
    pub disposition: Disposition,
}

/// A result, and its pair if it belongs to a vendor matrix.
#[derive(Debug, Clone)]
pub struct ComparedResult<'a> {
    pair: Option<[String; 2]>,
    result: &'a ResultFile,
}

impl<'a> ComparedResult<'a> {
    /// A result on its own.
    pub fn alone(result: &'a ResultFile) -> Vec<Self> {
        vec![Self { pair: None, result }]
    }

    /// The pairs of a vendor matrix. A vendor with one version in it goes by its name alone, so that a new version is
    /// compared with the old one.
    pub fn of_matrix(matrix: &VendorMatrix, met: &'a [PlayedPair]) -> Vec<Self> {
        let name = |spec: &str| spec.split('@').next().unwrap_or_default().to_owned();
        let short = |spec: &str| {
            let versions = matrix.vendors.iter().filter(|other| name(other) == name(spec)).count();
            if versions > 1 { spec.to_owned() } else { name(spec) }
        };
        met.iter()
            .map(|met| Self { pair: Some([short(&met.a), short(&met.b)]), result: &met.result })
            .collect()
    }
}

/// The key of a check in both results, sorted as results are.
type ComparisonKey<'a> = (&'a Option<[String; 2]>, (&'a CheckId, u32, &'a str, crate::Role));

/// The changes from `old` to `new`, deteriorations first.
pub fn changes(old: &[ComparedResult<'_>], new: &[ComparedResult<'_>]) -> Vec<CheckChange> {
    let (old, new) = (standing(old), standing(new));
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).copied().collect();
    let mut changes: Vec<_> = keys
        .into_iter()
        .filter_map(|key| change(key.0, old.get(&key).copied(), new.get(&key).copied()))
        .collect();
    changes.sort_by(|one, other| match (one.exit_code != 0, other.exit_code != 0) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        _ => one.kind.cmp(&other.kind),
    });
    changes
}

/// The exit code of a comparison: 0 unless something got worse, otherwise the gravest code that those checks alone would
/// give a run.
pub fn exit_code(changes: &[CheckChange]) -> u8 {
    exit::worst(changes.iter().map(|change| change.exit_code))
}

/// All checks that apply, by their keys.
fn standing<'a>(sides: &'a [ComparedResult<'a>]) -> BTreeMap<ComparisonKey<'a>, &'a CheckResult> {
    let of = |side: &'a ComparedResult<'a>| {
        let applies = |check: &&CheckResult| !matches!(check.verdict, Verdict::NotApplicable { .. });
        side.result.checks.iter().filter(applies).map(|check| ((&side.pair, check.sort_key()), check))
    };
    sides.iter().flat_map(of).collect()
}

/// The verdicts that a comparison distinguishes.
#[derive(PartialEq, Eq)]
enum ComparedState<'a> {
    Passes,
    Recorded(&'a ReasonCode),
    Fails(&'a ReasonCode),
    Unjudged,
}

fn state(check: &CheckResult) -> ComparedState<'_> {
    match (&check.verdict, check.disposition) {
        (_, Disposition::Flaky) => ComparedState::Unjudged,
        (Verdict::Fail(fail), Disposition::Deviation) => ComparedState::Recorded(&fail.reason),
        (Verdict::Fail(fail), _) => ComparedState::Fails(&fail.reason),
        (Verdict::Pass { .. } | Verdict::NotApplicable { .. }, _) => ComparedState::Passes,
        _ => ComparedState::Unjudged,
    }
}

fn change(
    pair: &Option<[String; 2]>,
    old: Option<&CheckResult>,
    new: Option<&CheckResult>,
) -> Option<CheckChange> {
    use ChangeKind as Kind;
    use ComparedState::{Fails, Passes, Recorded, Unjudged};
    let kind = match (old.map(state), new.map(state)) {
        (old, new) if old == new => return None,
        (Some(Fails(_)), Some(Fails(_))) | (Some(Recorded(_)), Some(Recorded(_))) => Kind::ReasonChanged,
        (_, Some(Fails(_))) => Kind::NewFail,
        (_, Some(Recorded(_))) => Kind::Recorded,
        (Some(Fails(_) | Recorded(_)), Some(Passes)) => Kind::Fixed,
        (Some(_), Some(Unjudged)) => Kind::Unjudged,
        (Some(_), Some(Passes)) => Kind::Judged,
        (Some(_), None) => Kind::Removed,
        (None, _) => Kind::Added,
    };
    let stands = new.or(old)?;
    let exit_code = match (kind, new) {
        (Kind::Fixed | Kind::Judged | Kind::Added | Kind::Recorded, _) => exit::AS_EXPECTED,
        (Kind::Removed, _) | (_, None) => exit::NOT_PROVEN,
        (_, Some(new)) => exit_code_of(new),
    };
    Some(CheckChange {
        kind,
        pair: pair.clone(),
        check: stands.id.clone(),
        title: stands.title.clone(),
        play: stands.play.clone(),
        old: old.map(stood),
        new: new.map(stood),
        exit_code,
    })
}

fn stood(check: &CheckResult) -> CheckStanding {
    CheckStanding {
        verdict: check.verdict.name(),
        reason: check.verdict.reason().cloned(),
        disposition: check.disposition,
    }
}

#[cfg(test)]
mod tests;
