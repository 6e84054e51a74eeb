//! Each pair by area and scenario: every fail with its message, and a link to the pair's own report.

use std::collections::BTreeMap;

use maud::{Markup, html};
use samklang_verdict::{Blame, CheckResult, PlayedPair};

use super::{
    MatrixReport,
    page::MarkupBudget,
    tables::anchor,
    tally::{PairTally, TallyKind, area_of},
};
use crate::{
    fails::{self, FailGroup},
    html::DETAILED,
    text::{SafeText, duration, head, is_safe_path, isolated},
    words::{ReportMark, Words},
};

/// The maximum length of a sentence that may contain server text.
const SENTENCE: usize = 500;
/// The maximum number of checks without a verdict that are listed in one area.
const UNJUDGED: usize = 40;

impl MatrixReport<'_> {
    pub(super) fn pairs(&self, budget: &MarkupBudget) -> Markup {
        html! {
            section #pairs aria-labelledby="h-pairs" {
                h2 #h-pairs { (self.phrases.label("matrix.heading.pairs")) }
                @for (place, met) in self.met.iter().enumerate() { (self.pair(place, met, budget)) }
            }
        }
    }

    fn pair(&self, place: usize, met: &PlayedPair, budget: &MarkupBudget) -> Markup {
        let tally = PairTally::of(self, met, None);
        let folder = PlayedPair::folder(&met.a, &met.b);
        let words = Words { phrases: self.phrases, result: &met.result };
        let mut areas: BTreeMap<&str, Vec<&CheckResult>> = BTreeMap::new();
        for check in &met.result.checks {
            areas.entry(area_of(check)).or_default().push(check);
        }
        // The pair's own report numbers its failures in this order.
        let numbered = fails::groups(met.result.checks.iter().filter(|check| fails::is_failure(check)));
        let number = |group: &FailGroup<'_>| {
            let same = |other: &FailGroup<'_>| std::ptr::eq(other.first, group.first);
            numbered.iter().take(DETAILED).position(same).map(|place| place + 1)
        };
        html! {
            details.area id=(anchor(place)) open[!tally.is_well() && self.is_small()] {
                summary {
                    h3 { (isolated(&self.with(&met.a, &met.b))) } " " (tally.chips(self.phrases, met))
                }
                div.inner {
                    p {
                        a href=(format!("{folder}/report.html")) { (self.phrases.label("matrix.own-report")) }
                        " · " (duration(met.result.run.duration_ms))
                    }
                    @for problem in &met.result.problems {
                        p.deviation { (isolated(head(&words.line(&problem.message), SENTENCE))) }
                    }
                    @if tally.is_well() { p { (self.phrases.label("matrix.all-well")) } }
                    @for (area, checks) in &areas {
                        @let tally = PairTally::of(self, met, Some(area));
                        @if !tally.is_well() {
                            details.sub-area id=(format!("{}-{area}", anchor(place))) open[self.is_small()] {
                                summary { h4 { (area) } " " (tally.chips(self.phrases, met)) }
                                (self.fails(met, &words, checks, &number, budget))
                                (self.unjudged(&words, checks, budget))
                            }
                        }
                    }
                }
            }
        }
    }

    fn fails(
        &self,
        met: &PlayedPair,
        words: &Words<'_>,
        checks: &[&CheckResult],
        number: &dyn Fn(&FailGroup<'_>) -> Option<usize>,
        budget: &MarkupBudget,
    ) -> Markup {
        let groups = fails::groups(checks.iter().copied().filter(|check| fails::is_failure(check)));
        let mut scenarios: BTreeMap<&str, Vec<&FailGroup<'_>>> = BTreeMap::new();
        for group in &groups {
            scenarios.entry(group.first.id.scenario()).or_default().push(group);
        }
        let (shown, left) = budget.fit(scenarios.iter(), |(scenario, groups)| {
            html! {
                h5 { (scenario) }
                @for group in groups { (self.fail(met, words, group, number(group))) }
            }
        });
        html! {
            @for scenario in &shown { (scenario) }
            @if left > 0 { p.note { (self.phrases.count("matrix.more", left as u64, &[])) } }
        }
    }

    fn fail(
        &self,
        met: &PlayedPair,
        words: &Words<'_>,
        group: &FailGroup<'_>,
        number: Option<usize>,
    ) -> Markup {
        let (check, fail) = (group.first, group.fail);
        let kinds: Vec<_> =
            group.plays.iter().filter_map(|(check, _)| TallyKind::of(self, met, check)).collect();
        // The plays of one group may have different origins; then the page names none.
        let kind = kinds.first().filter(|first| kinds.iter().all(|kind| kind == *first));
        let kind = kind.copied().unwrap_or(TallyKind::Undecided);
        let is_open = matches!(fail.blame, Blame::Undecided { .. }) && kind != TallyKind::Undecided;
        let traced = self.traced(met, check).filter(|_| is_open);
        let folder = PlayedPair::folder(&met.a, &met.b);
        let transcript = check.transcript.as_ref().filter(|path| is_safe_path(path));
        html! {
            div.fail.(kind.class()) {
                p.what {
                    span aria-hidden="true" { (kind.sign()) " " }
                    @match number {
                        Some(number) => a href=(format!("{folder}/report.html#f{number}")) { (isolated(head(&check.title, SENTENCE))) },
                        None => (isolated(head(&check.title, SENTENCE))),
                    }
                }
                p.where {
                    code { (check.id.as_str()) } " · " (words.weight(check.weight)) " · "
                    (SafeText(&words.plays(&group.checks()))) " · " code { (fail.reason.as_str()) }
                    @if ReportMark::of(check) != ReportMark::Fail { " · " (words.mark(ReportMark::of(check))) }
                }
                p { (isolated(head(&words.line(&fail.message), SENTENCE))) }
                p { (isolated(head(&words.blame(fail).1, SENTENCE))) }
                @if let Some(vendor) = traced {
                    p.blame { (isolated(&self.phrases.say("matrix.traced", &[("vendor", vendor)]))) }
                }
                @if let Some(path) = transcript {
                    p.where { a href=(format!("{folder}/{path}")) { (self.phrases.label("matrix.transcript")) } }
                }
            }
        }
    }

    fn unjudged(&self, words: &Words<'_>, checks: &[&CheckResult], budget: &MarkupBudget) -> Markup {
        let is = |check: &&&CheckResult| {
            let mark = ReportMark::of(check);
            !fails::is_failure(check)
                && !matches!(
                    mark,
                    ReportMark::Pass
                        | ReportMark::NotApplicable
                        | ReportMark::Unproven
                        | ReportMark::Deviation
                )
        };
        let all: Vec<_> = checks.iter().filter(is).collect();
        let line = |check: &&&CheckResult| {
            html! {
                span.tag.(crate::html::class(ReportMark::of(check))) { (ReportMark::of(check).sign()) " " (words.mark(ReportMark::of(check))) }
                " " code { (check.id.as_str()) } " · " (SafeText(&words.play(&check.play)))
            }
        };
        let (shown, left) = budget.fit(all.iter().take(UNJUDGED), line);
        let left = left + all.len().saturating_sub(UNJUDGED);
        html! {
            @if !all.is_empty() {
                ul.names { @for line in &shown { li { (line) } } }
                @if left > 0 { p.note { (self.phrases.count("matrix.more", left as u64, &[])) } }
            }
        }
    }
}
