//! The tally of a pair: its checks by result, with the blame of its fails. Each number has a sign, a colour and a
//! word.

use maud::{Markup, html};
use samklang_verdict::{CheckResult, PlayedPair, Verdict};

use super::MatrixReport;
use crate::{
    text::isolated,
    words::{Phrases, ReportMark},
};

/// The meaning of a number in a tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TallyKind {
    Passed,
    /// Fails that are the fault of the pair's first vendor.
    First,
    /// Fails that are the fault of the second.
    Second,
    Undecided,
    Broken,
    Unjudged,
    Recorded,
}

impl TallyKind {
    pub(super) const ALL: [Self; 7] = [
        Self::Passed,
        Self::First,
        Self::Second,
        Self::Undecided,
        Self::Broken,
        Self::Unjudged,
        Self::Recorded,
    ];

    /// A sign, shown beside the words.
    pub(super) fn sign(self) -> char {
        match self {
            Self::Passed => '✓',
            Self::First => '◀',
            Self::Second => '▶',
            Self::Undecided => '◆',
            Self::Broken => '≠',
            Self::Unjudged => '?',
            Self::Recorded => '≈',
        }
    }

    /// Its class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Passed => "p",
            Self::First => "b1",
            Self::Second => "b2",
            Self::Undecided => "b0",
            Self::Broken => "k",
            Self::Unjudged => "q",
            Self::Recorded => "d",
        }
    }

    /// Its name in message keys.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::First => "first",
            Self::Second => "second",
            Self::Undecided => "undecided",
            Self::Broken => "broken",
            Self::Unjudged => "unjudged",
            Self::Recorded => "recorded",
        }
    }

    /// `None` for a check that is not applicable or unproven: it is not counted. If the pair's own traffic leaves the blame open,
    /// it is the vendor that all pairs together show.
    pub(super) fn of(report: &MatrixReport<'_>, met: &PlayedPair, check: &CheckResult) -> Option<Self> {
        Some(match (ReportMark::of(check), &check.verdict) {
            (ReportMark::NotApplicable | ReportMark::Unproven, _) => return None,
            (ReportMark::Fail, Verdict::Fail(fail)) => {
                let suspects = met.suspects(fail);
                let mut suspects = suspects.into_iter();
                // A vendor paired with itself is at fault either way.
                let culprit = match (suspects.next(), suspects.next()) {
                    (Some(one), None) => Some(one),
                    _ => report.traced(met, check),
                };
                match culprit {
                    None => Self::Undecided,
                    Some(vendor) if vendor == met.a => Self::First,
                    Some(_) => Self::Second,
                }
            }
            (ReportMark::Pass, _) => Self::Passed,
            (ReportMark::Deviation, _) => Self::Recorded,
            (ReportMark::DeviationBroken, _) => Self::Broken,
            _ => Self::Unjudged,
        })
    }
}

/// Counts by [`TallyKind`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PairTally([u64; 7]);

impl PairTally {
    pub(super) fn get(&self, kind: TallyKind) -> u64 {
        self.0[kind as usize]
    }

    /// All checks of a pair, or of one area of it.
    pub(super) fn of(report: &MatrixReport<'_>, met: &PlayedPair, area: Option<&str>) -> Self {
        let mut tally = Self::default();
        let checks = met.result.checks.iter().filter(|check| area.is_none_or(|area| area_of(check) == area));
        for kind in checks.filter_map(|check| TallyKind::of(report, met, check)) {
            tally.0[kind as usize] += 1;
        }
        tally
    }

    /// Whether no number needs attention.
    pub(super) fn is_well(&self) -> bool {
        let troubles = [
            TallyKind::First,
            TallyKind::Second,
            TallyKind::Undecided,
            TallyKind::Broken,
            TallyKind::Unjudged,
        ];
        troubles.into_iter().all(|kind| self.get(kind) == 0)
    }

    /// Each number that is not zero, with its sign for sighted readers and its words for screen readers.
    pub(super) fn chips(&self, phrases: Phrases<'_>, met: &PlayedPair) -> Markup {
        let there = || TallyKind::ALL.into_iter().filter(|&kind| self.get(kind) > 0);
        html! {
            @for kind in there() { (chip(kind.class(), kind.sign(), self.get(kind), &words(phrases, kind, self.get(kind), met))) " " }
            @if there().next().is_none() { span.note { "–" } }
        }
    }
}

/// `3 fails, the fault of oak@1.0`.
fn words(phrases: Phrases<'_>, kind: TallyKind, n: u64, met: &PlayedPair) -> String {
    match kind {
        TallyKind::First => phrases.count("matrix.fault-of", n, &[("who", &met.a)]),
        TallyKind::Second => phrases.count("matrix.fault-of", n, &[("who", &met.b)]),
        other => phrases.count(&format!("matrix.{}", other.key()), n, &[]),
    }
}

pub(super) fn chip(class: &str, sign: char, n: u64, words: &str) -> Markup {
    html! {
        span.tag.(class) { span aria-hidden="true" { (sign) " " (n) } span.quiet { (isolated(words)) ", " } }
    }
}

/// The area of a check.
pub(super) fn area_of(check: &CheckResult) -> &str {
    let scenario = check.id.scenario();
    scenario.split_once('.').map_or(scenario, |(area, _)| area)
}
