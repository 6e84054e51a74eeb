//! How many checks of a pair ended how, and whose fault the fails are: numbers with a sign, a colour and a word.

use maud::{Markup, html};
use samklang_verdict::{CheckResult, Met, Verdict};

use super::MatrixReport;
use crate::{
    text::isolated,
    words::{Mark, Phrases},
};

/// What a number stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
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

impl Kind {
    pub(super) const ALL: [Self; 7] = [
        Self::Passed,
        Self::First,
        Self::Second,
        Self::Undecided,
        Self::Broken,
        Self::Unjudged,
        Self::Recorded,
    ];

    /// A sign for the eye; words stand beside it.
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

    /// `None` for what does not apply or shows nothing, which is not counted. Where the wire of the pair leaves the fault open, it is the
    /// vendor's to which all pairs together trace it.
    pub(super) fn of(report: &MatrixReport<'_>, met: &Met, check: &CheckResult) -> Option<Self> {
        Some(match (Mark::of(check), &check.verdict) {
            (Mark::NotApplicable | Mark::Unproven, _) => return None,
            (Mark::Fail, Verdict::Fail(fail)) => {
                let suspects = met.suspects(fail);
                let mut suspects = suspects.into_iter();
                // A vendor that met itself is at fault either way.
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
            (Mark::Pass, _) => Self::Passed,
            (Mark::Deviation, _) => Self::Recorded,
            (Mark::DeviationBroken, _) => Self::Broken,
            _ => Self::Unjudged,
        })
    }
}

/// Counts by [`Kind`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally([u64; 7]);

impl Tally {
    pub(super) fn get(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }

    /// All checks of a pair, or of one area of it.
    pub(super) fn of(report: &MatrixReport<'_>, met: &Met, area: Option<&str>) -> Self {
        let mut tally = Self::default();
        let checks = met.result.checks.iter().filter(|check| area.is_none_or(|area| area_of(check) == area));
        for kind in checks.filter_map(|check| Kind::of(report, met, check)) {
            tally.0[kind as usize] += 1;
        }
        tally
    }

    /// Whether nothing in it asks for attention.
    pub(super) fn is_well(&self) -> bool {
        let troubles = [Kind::First, Kind::Second, Kind::Undecided, Kind::Broken, Kind::Unjudged];
        troubles.into_iter().all(|kind| self.get(kind) == 0)
    }

    /// Each number that is not zero, with its sign for the eye and its words for the ear.
    pub(super) fn chips(&self, phrases: Phrases<'_>, met: &Met) -> Markup {
        let there = || Kind::ALL.into_iter().filter(|&kind| self.get(kind) > 0);
        html! {
            @for kind in there() { (chip(kind.class(), kind.sign(), self.get(kind), &words(phrases, kind, self.get(kind), met))) " " }
            @if there().next().is_none() { span.note { "–" } }
        }
    }
}

/// `3 fails, the fault of oak@1.0`.
fn words(phrases: Phrases<'_>, kind: Kind, n: u64, met: &Met) -> String {
    match kind {
        Kind::First => phrases.count("matrix.fault-of", n, &[("who", &met.a)]),
        Kind::Second => phrases.count("matrix.fault-of", n, &[("who", &met.b)]),
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
