//! A vendor's recorded deviations: the difference, its owner, and the date until which it is accepted.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CheckId, Disposition, Play, ReasonCode, Verdict};

/// `docker/<vendor>/deviations.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviationFile {
    /// The deviations.
    #[serde(default, rename = "deviation")]
    pub deviations: Vec<Deviation>,
}

/// One deviation. It covers the fails of one check for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The check.
    pub check: CheckId,
    /// The reason code of its fail.
    pub reason: ReasonCode,
    /// The room versions for which it holds; all if it names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub room_versions: Vec<String>,
    /// The versions of the product for which it holds, as prefixes such as `1.140.`; all if it names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// The vendors on the other side with which it holds; all if it names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vs: Vec<String>,
    /// The vendors on the other side with which it does not hold: two servers with the same defect may agree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_vs: Vec<String>,
    /// The SHA-256 of the normalised answer that differs from an expectation, so that another difference of the same check is
    /// not covered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual_sha256: Option<String>,
    /// The owner of the deviation.
    pub owner: String,
    /// One sentence: the difference, and the reason to accept it.
    pub because: String,
    /// The issue that follows it up.
    pub issue: String,
    /// The last day on which it is accepted, `YYYY-MM-DD`.
    pub expires: String,
}

/// How a judged check counts against the deviations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The disposition.
    pub disposition: Disposition,
    /// The deviation's sentence with owner, issue and last day, if a deviation decided it.
    pub deviation: Option<String>,
}

impl Deviation {
    /// Whether the deviation holds for this version of the product with that vendor on the other side.
    pub fn holds(&self, product_version: &str, vs: Option<&str>) -> bool {
        let named = |vendors: &[String]| vendors.iter().any(|vendor| Some(vendor.as_str()) == vs);
        (self.versions.is_empty() || self.versions.iter().any(|prefix| product_version.starts_with(prefix)))
            && (self.vs.is_empty() || named(&self.vs))
            && !named(&self.not_vs)
    }

    fn concerns(&self, check: &CheckId, play: &Play) -> bool {
        self.check == *check
            && (self.room_versions.is_empty() || self.room_versions.contains(&play.room_version))
    }

    fn covers(&self, verdict: &Verdict, actual_sha256: Option<&str>) -> bool {
        let pinned = self.actual_sha256.as_deref();
        verdict.reason() == Some(&self.reason) && (pinned.is_none() || pinned == actual_sha256)
    }
}

/// Compares a verdict with the deviations of its vendor that [hold](Deviation::holds). `today` is `YYYY-MM-DD`.
pub fn dispose(
    records: &[Deviation],
    check: &CheckId,
    play: &Play,
    verdict: &Verdict,
    actual_sha256: Option<&str>,
    today: &str,
) -> Judged {
    let concerned: Vec<_> = records.iter().filter(|record| record.concerns(check, play)).collect();
    let judged = |record: &Deviation| {
        Some(format!("{} ({}; {}; {})", record.because, record.owner, record.issue, record.expires))
    };
    match verdict {
        Verdict::Fail(_) => match concerned.iter().find(|record| record.covers(verdict, actual_sha256)) {
            Some(record) if record.expires.as_str() < today => {
                Judged { disposition: Disposition::DeviationExpired, deviation: judged(record) }
            }
            Some(record) => Judged { disposition: Disposition::Deviation, deviation: judged(record) },
            None => match concerned.first() {
                Some(record) => Judged { disposition: Disposition::ReasonChanged, deviation: judged(record) },
                None => Judged { disposition: Disposition::Unexpected, deviation: None },
            },
        },
        Verdict::Pass { .. } => match concerned.first() {
            Some(record) => Judged { disposition: Disposition::DeviationStale, deviation: judged(record) },
            None => Judged { disposition: Disposition::AsExpected, deviation: None },
        },
        Verdict::NotApplicable { .. } => Judged { disposition: Disposition::AsExpected, deviation: None },
        Verdict::Inconclusive { .. } | Verdict::Error { .. } | Verdict::NotRun { .. } => {
            Judged { disposition: Disposition::Unexpected, deviation: None }
        }
    }
}

impl DeviationFile {
    /// The deviations that name a check that does not exist. Such a deviation can never become stale, so it is an error.
    pub fn orphans<'a>(&'a self, known: &BTreeSet<CheckId>) -> Vec<&'a Deviation> {
        self.deviations.iter().filter(|record| !known.contains(&record.check)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Role,
        specimen::{fail, pass},
    };

    fn record(reason: &str) -> Deviation {
        Deviation {
            check: CheckId::new("rooms.x/flow").unwrap(),
            reason: ReasonCode::new(reason).unwrap(),
            room_versions: vec!["11".into()],
            versions: vec![],
            vs: vec![],
            not_vs: vec![],
            actual_sha256: None,
            owner: "vendor".into(),
            because: "It differs.".into(),
            issue: "tracker#1".into(),
            expires: "2027-01-31".into(),
        }
    }

    fn judged(records: &[Deviation], verdict: &Verdict, room_version: &str, today: &str) -> Disposition {
        let play = Play { room_version: room_version.into(), host: Role::A };
        let check = CheckId::new("rooms.x/flow").unwrap();
        dispose(records, &check, &play, verdict, Some("aa"), today).disposition
    }

    #[test]
    fn a_record_covers_its_check_reason_and_room_version_until_it_expires() {
        let records = [record("client.refused")];
        let fail = fail("client.refused");
        assert_eq!(judged(&records, &fail, "11", "2027-01-31"), Disposition::Deviation);
        assert_eq!(judged(&records, &fail, "11", "2027-02-01"), Disposition::DeviationExpired);
        assert_eq!(judged(&records, &fail, "10", "2027-01-01"), Disposition::Unexpected);
        assert_eq!(judged(&[record("client.other")], &fail, "11", "2027-01-01"), Disposition::ReasonChanged);
    }

    #[test]
    fn a_deviation_whose_check_passes_is_stale() {
        let pass = pass();
        assert_eq!(
            judged(&[record("client.refused")], &pass, "11", "2026-12-01"),
            Disposition::DeviationStale
        );
        assert_eq!(judged(&[], &pass, "11", "2026-12-01"), Disposition::AsExpected);
    }

    #[test]
    fn a_record_holds_for_the_versions_and_the_other_side_that_it_names() {
        let with = |versions: &[&str], vs: &[&str], not_vs: &[&str]| {
            let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
            Deviation {
                versions: owned(versions),
                vs: owned(vs),
                not_vs: owned(not_vs),
                ..record("client.refused")
            }
        };
        for (record, holds) in [
            (with(&[], &[], &[]), true),
            (with(&["1.2."], &[], &[]), true),
            (with(&["1.3."], &[], &[]), false),
            (with(&[], &["acme", "other"], &[]), true),
            (with(&[], &["other"], &[]), false),
            (with(&[], &[], &["other"]), true),
            (with(&[], &[], &["acme"]), false),
        ] {
            assert_eq!(record.holds("1.2.3", Some("acme")), holds, "{record:?}");
        }
        assert!(!with(&[], &["acme"], &[]).holds("1.2.3", None), "None is not a vendor");
    }

    #[test]
    fn a_pinned_answer_covers_no_other_answer() {
        let mut pinned = record("expectation.differs");
        pinned.actual_sha256 = Some("bb".into());
        assert_eq!(
            judged(&[pinned], &fail("expectation.differs"), "11", "2026-12-01"),
            Disposition::ReasonChanged
        );
    }
}
