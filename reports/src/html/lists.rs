//! Checks that neither passed nor failed, and the legend.

use std::collections::BTreeMap;

use maud::{Markup, html};
use samklang_verdict::{CheckId, CheckResult, Disposition, Verdict};

use super::{DETAILED, RunPage, failures, matrix};
use crate::{
    fails,
    text::{SafeText, duration, isolated},
    words::ReportMark,
};

/// The maximum number of checks listed under one cause.
const NAMED: usize = 60;

/// Problems outside the checks.
pub(super) fn problems(page: &RunPage<'_>) -> Markup {
    let words = &page.words;
    html! {
        @if !words.result.problems.is_empty() {
            section #problems aria-labelledby="h-problems" {
                h2 #h-problems { (page.label("heading.problems")) }
                @for problem in &words.result.problems {
                    @let text = words.catalogue.render(&problem.message);
                    article.problem {
                        p.what { (failures::sentence(&text.what)) }
                        @if let Some(why) = &text.why { p { (failures::sentence(why)) } }
                        @if let Some(next) = &text.next { p { (failures::sentence(next)) } }
                        @if !problem.detail.is_empty() {
                            pre tabindex="0" { (SafeText(crate::text::head(&problem.detail.join("\n"), 8192))) }
                        }
                    }
                }
            }
        }
    }
}

type UnjudgedCause<'a> = (ReportMark, String, Option<&'a CheckId>);

/// Checks without a verdict, grouped by cause: one server that did not start is one entry.
pub(super) fn unjudged(page: &RunPage<'_>) -> Markup {
    let mut causes: BTreeMap<UnjudgedCause<'_>, Vec<&CheckResult>> = BTreeMap::new();
    for check in &page.words.result.checks {
        if let Some(cause) = cause(page, check) {
            causes.entry(cause).or_default().push(check);
        }
    }
    let flaky: Vec<_> =
        page.words.result.checks.iter().filter(|check| check.disposition == Disposition::Flaky).collect();
    html! {
        @if !causes.is_empty() || !flaky.is_empty() {
            section #unjudged aria-labelledby="h-unjudged" {
                h2 #h-unjudged { (page.label("heading.unjudged")) }
                @for ((mark, why, blocked_by), checks) in causes.iter().take(DETAILED) {
                    article.cause {
                        h3 {
                            span.tag.(matrix::class(*mark)) { (mark.sign()) " " (page.words.mark(*mark)) } " "
                            (page.words.count("list.checks", checks.len() as u64, &[]))
                        }
                        p.what {
                            (failures::sentence(why))
                            @if let Some(id) = blocked_by {
                                " (" (page.words.say("list.blocked-by", &[("check", id.as_str())])) ")"
                            }
                        }
                        (names(page, checks))
                    }
                }
                @if causes.len() > DETAILED {
                    p { (page.words.count("list.more", (causes.len() - DETAILED) as u64, &[])) }
                }
                (flakes(page, &flaky))
            }
        }
    }
}

fn cause<'a>(page: &RunPage<'_>, check: &'a CheckResult) -> Option<UnjudgedCause<'a>> {
    let mark = ReportMark::of(check);
    let words = &page.words;
    match &check.verdict {
        _ if mark == ReportMark::Flaky => None,
        Verdict::Inconclusive { message, blocked_by, bound_ms } => {
            let mut why = words.line(message);
            if let Some(bound) = bound_ms {
                why = format!("{why} ({})", words.say("list.bound", &[("bound", &duration(*bound))]));
            }
            Some((mark, why, blocked_by.as_ref()))
        }
        Verdict::Error { class, message } => {
            let class = serde_json::to_value(class).ok();
            let class = class.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
            let whose = words.catalogue.label(&format!("class.{class}"));
            Some((mark, format!("{} [{whose}]", words.line(message)), None))
        }
        Verdict::NotRun { message } => Some((mark, words.line(message), None)),
        _ => None,
    }
}

fn names(page: &RunPage<'_>, checks: &[&CheckResult]) -> Markup {
    let mut by_id: BTreeMap<&CheckId, Vec<&CheckResult>> = BTreeMap::new();
    for check in checks {
        by_id.entry(&check.id).or_default().push(check);
    }
    let list = html! {
        ul.names {
            @for (id, checks) in by_id.iter().take(NAMED) {
                li { code { (id.as_str()) } " · " (SafeText(&page.words.plays(checks))) }
            }
            @if by_id.len() > NAMED { li { (page.words.count("list.more", (by_id.len() - NAMED) as u64, &[])) } }
        }
    };
    html! {
        @if by_id.len() > 6 { details { summary { (page.label("field.plays")) } (list) } }
        @else { (list) }
    }
}

fn flakes(page: &RunPage<'_>, flaky: &[&CheckResult]) -> Markup {
    html! {
        @for check in flaky.iter().take(DETAILED) {
            article.cause {
                h3 {
                    span.tag.(matrix::class(ReportMark::Flaky)) { (ReportMark::Flaky.sign()) " " (page.words.mark(ReportMark::Flaky)) } " "
                    (isolated(&check.title))
                }
                p.where { code { (check.id.as_str()) } " · " (SafeText(&page.words.play(&check.play))) }
                @if let Verdict::Fail(fail) = &check.verdict {
                    p.what { (failures::sentence(&page.words.line(&fail.message))) }
                }
                @if !check.attempts.is_empty() { p {
                    (page.label("field.attempts")) ": "
                    @for (i, attempt) in check.attempts.iter().take(9).enumerate() {
                        @if i > 0 { " → " }
                        (SafeText(&attempt.verdict))
                        @if let Some(reason) = &attempt.reason { " " code { (SafeText(reason)) } }
                        @if let Some(path) = &attempt.transcript { " " (super::facts::file(path)) }
                    }
                } }
            }
        }
        @if flaky.len() > DETAILED {
            p { (page.words.count("list.more", (flaky.len() - DETAILED) as u64, &[])) }
        }
    }
}

/// Recorded deviations: the valid ones with their evidence, and the stale ones. A fail whose deviation is no longer valid is
/// listed with the failures.
pub(super) fn deviations(page: &RunPage<'_>) -> Markup {
    let all = &page.words.result.checks;
    let held = fails::groups(all.iter().filter(|check| check.disposition == Disposition::Deviation));
    let broken: Vec<_> =
        all.iter().filter(|check| ReportMark::of(check) == ReportMark::DeviationBroken).collect();
    html! {
        @if !held.is_empty() || !broken.is_empty() {
            section #deviations aria-labelledby="h-deviations" {
                h2 #h-deviations { (page.label("heading.deviations")) }
                @for check in broken.iter().take(DETAILED) {
                    article.cause {
                        h3 {
                            span.tag.(matrix::class(ReportMark::DeviationBroken)) {
                                (ReportMark::DeviationBroken.sign()) " " (page.words.mark(ReportMark::DeviationBroken))
                            } " "
                            (isolated(&check.title))
                        }
                        p.where { code { (check.id.as_str()) } " · " (SafeText(&page.words.play(&check.play))) }
                        (failures::deviation(page, check))
                    }
                }
                @for (i, group) in held.iter().take(DETAILED).enumerate() {
                    (failures::article(page, group, &format!("d{}", i + 1), None))
                }
                @let left_out = broken.len().saturating_sub(DETAILED) + held.len().saturating_sub(DETAILED);
                @if left_out > 0 { p { (page.words.count("list.more", left_out as u64, &[])) } }
            }
        }
    }
}

/// The legend: the meaning of the page's words.
pub(super) fn legend(page: &RunPage<'_>) -> Markup {
    html! {
        section #legend aria-labelledby="h-legend" {
            h2 #h-legend { (page.label("heading.legend")) }
            dl.legend {
                @for mark in ReportMark::tally() {
                    div {
                        dt { span.tag.(matrix::class(mark)) { (mark.sign()) " " (page.words.mark(mark)) } }
                        dd { (page.label(&format!("legend.{}", mark.key()))) }
                    }
                }
            }
            @for key in ["blame", "host", "must", "exchange"] { p { (page.label(&format!("legend.{key}"))) } }
        }
    }
}
