//! The outcome of a whole run: three words, no percentage.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CheckResult, Disposition, Verdict, Weight, exit};

/// The outcome of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every scored MUST passed, and nothing is inconclusive, in error, not run or flaky.
    Certifiable,
    /// A MUST failed.
    NotCertifiable,
    /// Not proven: something could not be judged.
    NotProven,
}

/// The number of checks with each result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Passed.
    pub pass: u64,
    /// Failed without a recorded deviation.
    pub fail: u64,
    /// Failed as a valid deviation says.
    pub deviation: u64,
    /// A recorded deviation is stale, expired or has another reason.
    pub deviation_broken: u64,
    /// Could not be judged.
    pub inconclusive: u64,
    /// Does not apply.
    pub not_applicable: u64,
    /// Samklang's or the engine's fault.
    pub error: u64,
    /// The run ended before this check.
    pub not_run: u64,
    /// Failed and passed in the same run.
    pub flaky: u64,
    /// Passed, but no fault proves that the check can fail. It does not count as a pass.
    #[serde(default)]
    pub unproven: u64,
}

impl Counts {
    /// Counts `checks`; each is counted once.
    pub fn of<'a>(checks: impl IntoIterator<Item = &'a CheckResult>) -> Self {
        let mut counts = Self::default();
        for check in checks {
            let place = match (&check.disposition, &check.verdict) {
                (Disposition::Flaky, _) => &mut counts.flaky,
                (Disposition::Unproven, _) => &mut counts.unproven,
                (Disposition::Deviation, _) => &mut counts.deviation,
                (
                    Disposition::DeviationStale | Disposition::DeviationExpired | Disposition::ReasonChanged,
                    _,
                ) => &mut counts.deviation_broken,
                (_, Verdict::Pass { .. }) => &mut counts.pass,
                (_, Verdict::Fail(_)) => &mut counts.fail,
                (_, Verdict::Inconclusive { .. }) => &mut counts.inconclusive,
                (_, Verdict::NotApplicable { .. }) => &mut counts.not_applicable,
                (_, Verdict::Error { .. }) => &mut counts.error,
                (_, Verdict::NotRun { .. }) => &mut counts.not_run,
            };
            *place += 1;
        }
        counts
    }

    /// The sum of two counts.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            pass: self.pass + other.pass,
            fail: self.fail + other.fail,
            deviation: self.deviation + other.deviation,
            deviation_broken: self.deviation_broken + other.deviation_broken,
            inconclusive: self.inconclusive + other.inconclusive,
            not_applicable: self.not_applicable + other.not_applicable,
            error: self.error + other.error,
            not_run: self.not_run + other.not_run,
            flaky: self.flaky + other.flaky,
            unproven: self.unproven + other.unproven,
        }
    }

    /// The total.
    pub fn total(&self) -> u64 {
        self.pass
            + self.fail
            + self.deviation
            + self.deviation_broken
            + self.inconclusive
            + self.not_applicable
            + self.error
            + self.not_run
            + self.flaky
            + self.unproven
    }
}

/// The outcome and the exit code of `checks`. Nothing judged is an error, never a pass.
pub fn aggregate(checks: &[CheckResult]) -> (Outcome, u8) {
    let judged = checks.iter().any(CheckResult::is_judged);
    let must_failed =
        checks.iter().any(|check| check.weight == Weight::Must && matches!(check.verdict, Verdict::Fail(_)));
    let unproven = checks.iter().any(|check| {
        check.disposition == Disposition::Flaky
            || matches!(
                check.verdict,
                Verdict::Inconclusive { .. } | Verdict::Error { .. } | Verdict::NotRun { .. }
            )
    });
    let outcome = match (must_failed, unproven || !judged) {
        (true, _) => Outcome::NotCertifiable,
        (false, true) => Outcome::NotProven,
        (false, false) => Outcome::Certifiable,
    };
    let recorded: BTreeSet<_> = checks
        .iter()
        .filter(|check| check.disposition == Disposition::Deviation)
        .map(|check| (&check.id, &check.play))
        .collect();
    // A check that a recorded fail blocks is as expected as that fail, but the outcome is still not proven.
    let foreseen = |check: &&CheckResult| match &check.verdict {
        Verdict::Inconclusive { blocked_by: Some(by), .. } => recorded.contains(&(by, &check.play)),
        _ => false,
    };
    let codes = checks.iter().filter(|check| !foreseen(check)).map(exit_code_of);
    let code = exit::worst(codes.chain((!judged).then_some(nothing_judged(checks))));
    (outcome, code)
}

/// If every check met an error or a server that did not start, the run has their codes. A run without checks, or only with
/// checks that do not apply or prove nothing, is an error of its own.
fn nothing_judged(checks: &[CheckResult]) -> u8 {
    let shows_nothing = |check: &CheckResult| {
        check.disposition == Disposition::Unproven || matches!(check.verdict, Verdict::NotApplicable { .. })
    };
    if checks.iter().all(shows_nothing) { exit::HARNESS_ERROR } else { exit::NOT_PROVEN }
}

/// The exit code of a run that has this check alone.
pub(crate) fn exit_code_of(check: &CheckResult) -> u8 {
    match (&check.disposition, &check.verdict) {
        (_, Verdict::Error { .. }) => exit::HARNESS_ERROR,
        (Disposition::DeviationStale | Disposition::DeviationExpired | Disposition::ReasonChanged, _) => {
            exit::DEVIATION
        }
        (Disposition::Flaky, _) => exit::NOT_PROVEN,
        (Disposition::Deviation, _) | (_, Verdict::Pass { .. } | Verdict::NotApplicable { .. }) => {
            exit::AS_EXPECTED
        }
        (_, Verdict::Fail(_)) => exit::UNEXPECTED_FAIL,
        (_, Verdict::Inconclusive { .. } | Verdict::NotRun { .. }) => exit::NOT_PROVEN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Class, Message,
        specimen::{self, check, pass},
    };

    fn fail() -> Verdict {
        specimen::fail("client.refused")
    }

    #[test]
    fn nothing_judged_is_never_a_pass() {
        assert_eq!(aggregate(&[]), (Outcome::NotProven, exit::HARNESS_ERROR));
        let message = Message::new("x");
        let skipped = check(Verdict::NotApplicable { message: message.clone() }, Disposition::AsExpected);
        assert_eq!(aggregate(std::slice::from_ref(&skipped)), (Outcome::NotProven, exit::HARNESS_ERROR));
        let unproven = check(pass(), Disposition::Unproven);
        assert_eq!(aggregate(&[skipped, unproven]), (Outcome::NotProven, exit::HARNESS_ERROR));
        let late = check(
            Verdict::Inconclusive { message, blocked_by: None, bound_ms: None },
            Disposition::Unexpected,
        );
        assert_eq!(aggregate(&[late]), (Outcome::NotProven, exit::NOT_PROVEN));
    }

    #[test]
    fn one_word_and_one_code_for_each_mixture() {
        let good = || check(pass(), Disposition::AsExpected);
        let error = check(
            Verdict::Error { class: Class::Harness, message: Message::new("x") },
            Disposition::Unexpected,
        );
        assert_eq!(aggregate(&[good()]), (Outcome::Certifiable, 0));
        assert_eq!(
            aggregate(&[good(), check(fail(), Disposition::Unexpected)]),
            (Outcome::NotCertifiable, 1)
        );
        assert_eq!(aggregate(&[good(), check(fail(), Disposition::Deviation)]), (Outcome::NotCertifiable, 0));
        assert_eq!(
            aggregate(&[good(), check(pass(), Disposition::DeviationStale)]),
            (Outcome::Certifiable, 3)
        );
        assert_eq!(aggregate(&[good(), error]), (Outcome::NotProven, 70));
        assert_eq!(aggregate(&[good(), check(pass(), Disposition::Flaky)]), (Outcome::NotProven, 2));
    }

    #[test]
    fn a_check_blocked_by_a_recorded_fail_is_expected_and_not_proven() {
        let blocked_by = |by: &str| {
            let verdict = Verdict::Inconclusive {
                message: Message::new("x"),
                blocked_by: Some(crate::CheckId::new(by).unwrap()),
                bound_ms: None,
            };
            check(verdict, Disposition::Unexpected)
        };
        let recorded = || check(specimen::fail("client.refused"), Disposition::Deviation);
        let may = |check: CheckResult| CheckResult { weight: Weight::May, ..check };
        let flow = "rooms.x/flow";
        assert_eq!(aggregate(&[may(recorded()), blocked_by(flow)]), (Outcome::NotProven, 0));
        assert_eq!(aggregate(&[may(recorded()), blocked_by("rooms.y/flow")]), (Outcome::NotProven, 2));
        let elsewhere = crate::Play { room_version: "10".into(), ..recorded().play };
        let other = CheckResult { play: elsewhere, ..blocked_by(flow) };
        assert_eq!(aggregate(&[may(recorded()), other]), (Outcome::NotProven, 2));
        let stale = check(pass(), Disposition::DeviationStale);
        assert_eq!(aggregate(&[stale, blocked_by(flow)]), (Outcome::NotProven, 3));
    }

    #[test]
    fn every_check_is_counted_once() {
        let checks = [
            check(pass(), Disposition::AsExpected),
            check(fail(), Disposition::Unexpected),
            check(fail(), Disposition::Deviation),
            check(pass(), Disposition::DeviationStale),
            check(pass(), Disposition::Flaky),
            check(pass(), Disposition::Unproven),
        ];
        let counts = Counts::of(&checks);
        assert_eq!(counts.total(), 6);
        assert_eq!(
            (
                counts.pass,
                counts.fail,
                counts.deviation,
                counts.deviation_broken,
                counts.flaky,
                counts.unproven
            ),
            (1, 1, 1, 1, 1, 1)
        );
    }
}
