//! What is neither passed nor failed, and what the words mean.

use std::collections::BTreeMap;

use maud::{Markup, html};
use samklang_verdict::{CheckId, CheckResult, Disposition, Verdict};

use super::{DETAILED, Page, failures, matrix};
use crate::{
    fails,
    text::{Shown, duration, isolated},
    words::Mark,
};

/// Checks that are named under one cause.
const NAMED: usize = 60;

/// What went wrong outside any check.
pub(super) fn problems(page: &Page<'_>) -> Markup {
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
                            pre tabindex="0" { (Shown(crate::text::head(&problem.detail.join("\n"), 8192))) }
                        }
                    }
                }
            }
        }
    }
}

type Cause<'a> = (Mark, String, Option<&'a CheckId>);

/// Checks without a verdict, put together by cause: one server that never came up is one thing to read about.
pub(super) fn unjudged(page: &Page<'_>) -> Markup {
    let mut causes: BTreeMap<Cause<'_>, Vec<&CheckResult>> = BTreeMap::new();
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

fn cause<'a>(page: &Page<'_>, check: &'a CheckResult) -> Option<Cause<'a>> {
    let mark = Mark::of(check);
    let words = &page.words;
    match &check.verdict {
        _ if mark == Mark::Flaky => None,
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

fn names(page: &Page<'_>, checks: &[&CheckResult]) -> Markup {
    let mut by_id: BTreeMap<&CheckId, Vec<&CheckResult>> = BTreeMap::new();
    for check in checks {
        by_id.entry(&check.id).or_default().push(check);
    }
    let list = html! {
        ul.names {
            @for (id, checks) in by_id.iter().take(NAMED) {
                li { code { (id.as_str()) } " · " (Shown(&page.words.plays(checks))) }
            }
            @if by_id.len() > NAMED { li { (page.words.count("list.more", (by_id.len() - NAMED) as u64, &[])) } }
        }
    };
    html! {
        @if by_id.len() > 6 { details { summary { (page.label("field.plays")) } (list) } }
        @else { (list) }
    }
}

fn flakes(page: &Page<'_>, flaky: &[&CheckResult]) -> Markup {
    html! {
        @for check in flaky.iter().take(DETAILED) {
            article.cause {
                h3 {
                    span.tag.(matrix::class(Mark::Flaky)) { (Mark::Flaky.sign()) " " (page.words.mark(Mark::Flaky)) } " "
                    (isolated(&check.title))
                }
                p.where { code { (check.id.as_str()) } " · " (Shown(&page.words.play(&check.play))) }
                @if let Verdict::Fail(fail) = &check.verdict {
                    p.what { (failures::sentence(&page.words.line(&fail.message))) }
                }
                @if !check.attempts.is_empty() { p {
                    (page.label("field.attempts")) ": "
                    @for (i, attempt) in check.attempts.iter().take(9).enumerate() {
                        @if i > 0 { " → " }
                        (Shown(&attempt.verdict))
                        @if let Some(reason) = &attempt.reason { " " code { (Shown(reason)) } }
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

/// Recorded deviations: those that hold with their evidence, those that went stale. Fails whose record no longer holds
/// stand among the failures.
pub(super) fn deviations(page: &Page<'_>) -> Markup {
    let all = &page.words.result.checks;
    let held = fails::groups(all.iter().filter(|check| check.disposition == Disposition::Deviation));
    let broken: Vec<_> = all.iter().filter(|check| Mark::of(check) == Mark::DeviationBroken).collect();
    html! {
        @if !held.is_empty() || !broken.is_empty() {
            section #deviations aria-labelledby="h-deviations" {
                h2 #h-deviations { (page.label("heading.deviations")) }
                @for check in broken.iter().take(DETAILED) {
                    article.cause {
                        h3 {
                            span.tag.(matrix::class(Mark::DeviationBroken)) {
                                (Mark::DeviationBroken.sign()) " " (page.words.mark(Mark::DeviationBroken))
                            } " "
                            (isolated(&check.title))
                        }
                        p.where { code { (check.id.as_str()) } " · " (Shown(&page.words.play(&check.play))) }
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

/// What the words of the page mean.
pub(super) fn legend(page: &Page<'_>) -> Markup {
    html! {
        section #legend aria-labelledby="h-legend" {
            h2 #h-legend { (page.label("heading.legend")) }
            dl.legend {
                @for mark in Mark::tally() {
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
