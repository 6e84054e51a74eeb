//! Groups fails that have the same cause in several plays.

use samklang_verdict::{Blame, CheckId, CheckResult, Disposition, Fail, ReasonCode, Role, Verdict, Weight};

/// The fails of one check with the same reason and blame: one thing for an engineer to fix.
pub(crate) struct FailGroup<'a> {
    /// Each check with its fail; never empty.
    pub(crate) plays: Vec<(&'a CheckResult, &'a Fail)>,
    pub(crate) first: &'a CheckResult,
    pub(crate) fail: &'a Fail,
}

impl FailGroup<'_> {
    pub(crate) fn checks(&self) -> Vec<&CheckResult> {
        self.plays.iter().map(|(check, _)| *check).collect()
    }
}

/// Whether a check belongs to the failures: it failed, and no deviation covers that.
pub(crate) fn is_failure(check: &CheckResult) -> bool {
    matches!(check.verdict, Verdict::Fail(_))
        && !matches!(check.disposition, Disposition::Deviation | Disposition::Flaky)
}

/// The fails among `checks` in groups: unrecorded ones first, then by weight, then by id.
pub(crate) fn groups<'a>(checks: impl IntoIterator<Item = &'a CheckResult>) -> Vec<FailGroup<'a>> {
    let mut groups: Vec<FailGroup<'a>> = Vec::new();
    let mut fails: Vec<_> = checks
        .into_iter()
        .filter_map(|check| match &check.verdict {
            Verdict::Fail(fail) => Some((check, &**fail)),
            _ => None,
        })
        .collect();
    fails.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    for (check, fail) in fails {
        match groups.last_mut() {
            Some(group) if sort_key(&(group.first, group.fail)) == sort_key(&(check, fail)) => {
                group.plays.push((check, fail));
            }
            _ => groups.push(FailGroup { plays: vec![(check, fail)], first: check, fail }),
        }
    }
    groups
}

type FailOrder<'a> = (Disposition, Weight, &'a CheckId, &'a ReasonCode, Option<Role>);

fn sort_key<'a>((check, fail): &(&'a CheckResult, &'a Fail)) -> FailOrder<'a> {
    (check.disposition, check.weight, &check.id, &fail.reason, blamed(fail))
}

/// The role to blame, if the recorded traffic shows it.
pub(crate) fn blamed(fail: &Fail) -> Option<Role> {
    match &fail.blame {
        Blame::Server { role, .. } => Some(*role),
        Blame::Undecided { .. } => None,
    }
}
