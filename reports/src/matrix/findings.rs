//! The origins of fails, as all pairs together show them.

use std::collections::BTreeMap;

use maud::{Markup, html};
use samklang_verdict::{CheckId, MatrixFinding, Origin, ReasonCode};

use super::{MatrixReport, page::MarkupBudget};
use crate::{
    text::{SafeText, head, isolated, safe_line},
    words::Phrases,
};

/// The maximum length of a title.
const TITLE: usize = 400;
/// The maximum number of pairs listed for one finding.
const PAIRS: usize = 12;

/// Findings that differ only in the room version.
pub(super) struct TracedFinding<'a> {
    pub(super) check: &'a CheckId,
    title: &'a str,
    versions: Vec<&'a str>,
    pub(super) pairs: &'a [[String; 2]],
    reasons: &'a [ReasonCode],
}

impl<'a> TracedFinding<'a> {
    /// All findings, by origin, then by check.
    pub(super) fn of(findings: &'a [MatrixFinding]) -> Vec<(&'a Origin, Vec<Self>)> {
        let mut groups: BTreeMap<&Origin, BTreeMap<_, Self>> = BTreeMap::new();
        for finding in findings {
            let group = groups.entry(&finding.origin).or_default();
            let key = (&finding.check, &finding.pairs, &finding.reasons);
            let traced = group.entry(key).or_insert_with(|| Self {
                check: &finding.check,
                title: &finding.title,
                versions: vec![],
                pairs: &finding.pairs,
                reasons: &finding.reasons,
            });
            traced.versions.push(&finding.room_version);
        }
        let traced = |(origin, group): (_, BTreeMap<_, Self>)| (origin, group.into_values().collect());
        groups.into_iter().map(traced).collect()
    }

    /// `v10, v11`.
    pub(super) fn versions(&self, phrases: Phrases<'_>) -> String {
        let version = |version: &&str| phrases.say("list.version", &[("version", &safe_line(version))]);
        self.versions.iter().map(version).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn reasons(&self) -> String {
        self.reasons.iter().map(ReasonCode::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// The sentence about the findings of one origin.
pub(super) fn heading(phrases: Phrases<'_>, origin: &Origin, n: usize) -> String {
    let (key, vendor) = match origin {
        Origin::Vendor { vendor } => ("vendor", safe_line(vendor)),
        Origin::Pair => ("pair", String::new()),
        Origin::Mixed => ("mixed", String::new()),
        Origin::Unproven => ("unproven", String::new()),
        Origin::Recorded => ("recorded", String::new()),
    };
    phrases.count(&format!("matrix.origin.{key}"), n as u64, &[("vendor", &vendor)])
}

impl MatrixReport<'_> {
    pub(super) fn findings(&self, budget: &MarkupBudget) -> Markup {
        let traced = TracedFinding::of(&self.matrix.findings);
        html! {
            @if !traced.is_empty() {
                section #findings aria-labelledby="h-findings" {
                    h2 #h-findings { (self.phrases.label("matrix.heading.findings")) }
                    @for (origin, group) in &traced { (self.origin(origin, group, budget)) }
                }
            }
        }
    }

    fn origin(&self, origin: &Origin, group: &[TracedFinding<'_>], budget: &MarkupBudget) -> Markup {
        let (shown, left) = budget.fit(group.iter(), |traced| self.finding(traced));
        html! {
            details.area open[*origin != Origin::Recorded && self.is_small()] {
                summary { h3 { (isolated(&heading(self.phrases, origin, group.len()))) } }
                ul.found { @for traced in &shown { li { (traced) } } }
                @if left > 0 { p.note { (self.phrases.count("matrix.more", left as u64, &[])) } }
            }
        }
    }

    fn finding(&self, traced: &TracedFinding<'_>) -> Markup {
        let place = |pair: &[String; 2]| self.met.iter().position(|met| [&met.a, &met.b] == pair.each_ref());
        html! {
            p.what { (isolated(head(traced.title, TITLE))) }
            p.where {
                code { (traced.check.as_str()) } " · " (SafeText(&traced.versions(self.phrases))) " · "
                code { (SafeText(&traced.reasons())) }
            }
            p.note {
                (self.phrases.label("matrix.seen-in")) ": "
                @for (i, pair) in traced.pairs.iter().take(PAIRS).enumerate() {
                    @if i > 0 { "; " }
                    @let name = self.with(&pair[0], &pair[1]);
                    @match place(pair) {
                        Some(place) => a href=(format!("#{}", super::tables::anchor(place))) { (isolated(&name)) },
                        None => (isolated(&name)),
                    }
                }
                @if traced.pairs.len() > PAIRS { " …" }
            }
        }
    }
}
