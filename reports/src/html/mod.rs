//! `report.html`: one page, without scripts and external resources.

mod exchange;
mod facts;
mod failures;
mod lists;
mod matrix;

use std::cell::Cell;

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

pub(crate) use self::matrix::class;
use crate::{
    Reports,
    fails::{self, FailGroup},
    outcome::{Headline, Tone, headline},
    text::{SafeText, isolated},
    words::{ReportMark, Words},
};

const STYLE: &str = include_str!("style.css");

/// The maximum number of failure groups with details. A server that fails every check does so for a few causes.
pub(crate) const DETAILED: usize = 100;
/// The maximum number of failures on the first screen.
const FIRST_SCREEN: usize = 6;
/// The maximum number of bytes of mark-up for all differences and evidence.
const BUDGET: usize = 1_500_000;

/// Data that the parts of the page share.
struct RunPage<'a> {
    reports: &'a Reports<'a>,
    words: Words<'a>,
    /// What is left of [`BUDGET`].
    budget: Cell<usize>,
}

impl RunPage<'_> {
    fn label(&self, key: &str) -> String {
        self.words.label(key)
    }

    /// Takes the bytes of `markup` from the budget; `None` once it is spent.
    fn within_budget(&self, markup: Markup) -> Option<Markup> {
        let left = self.budget.get().checked_sub(markup.0.len())?;
        self.budget.set(left);
        Some(markup)
    }
}

pub(crate) fn page(reports: &Reports<'_>) -> String {
    let words = reports.words();
    let page = RunPage { reports, words, budget: Cell::new(BUDGET) };
    let groups = fails::groups(words.result.checks.iter().filter(|check| fails::is_failure(check)));
    let headline = headline(words);
    let markup = html! {
        (DOCTYPE)
        html lang=(page.label("language")) {
            (head(&headline, &page.label("title"), STYLE))
            body {
                (top(&page, &headline, &groups))
                main {
                    (facts::section(&page))
                    (lists::problems(&page))
                    (failures::section(&page, &groups))
                    (lists::unjudged(&page))
                    (lists::deviations(&page))
                    (matrix::section(&page, &groups))
                    (lists::legend(&page))
                }
                footer { p { (page.label("title")) " · " code { (SafeText(&words.result.run.id)) } } }
            }
        }
    };
    markup.into_string()
}

/// The head of a page that is titled by its outcome.
pub(crate) fn head(headline: &Headline, title: &str, style: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy(style));
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="referrer" content="no-referrer";
            title { (SafeText(&headline.first)) " · " (title) }
            style { (PreEscaped(style)) }
        }
    }
}

/// The policy forbids loading, running and sending anything; it admits the one style by its hash.
fn policy(style: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest(style));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}

/// The first screen: the outcome, then each failure with the blame and a link.
fn top(page: &RunPage<'_>, headline: &Headline, groups: &[FailGroup<'_>]) -> Markup {
    let tone = match headline.tone {
        Tone::Good => "good",
        Tone::Unsure => "unsure",
        Tone::Bad => "bad",
    };
    html! {
        header.top.(tone) {
            h1 { (isolated(&headline.first)) }
            @if !headline.more.is_empty() {
                p.more { (isolated(&headline.more.join(" "))) }
            }
            @if !groups.is_empty() {
                ol.first aria-label=(page.label("heading.failures-short")) {
                    @for (i, group) in groups.iter().take(FIRST_SCREEN).enumerate() {
                        li {
                            a href=(format!("#f{}", i + 1)) { (SafeText(&group.first.title)) }
                            " " span.blame { (isolated(&blame_short(page, group))) }
                            span.sub { code { (group.first.id.as_str()) } " · "
                                (SafeText(&page.words.plays(&group.checks())))
                                @if ReportMark::of(group.first) != ReportMark::Fail {
                                    " · " (page.words.mark(ReportMark::of(group.first)))
                                }
                            }
                        }
                    }
                }
                @if groups.len() > FIRST_SCREEN {
                    p.more { a href="#failures" { (page.words.count("more-failures", (groups.len() - FIRST_SCREEN) as u64, &[])) } }
                }
            }
            (contents(page))
        }
    }
}

fn blame_short(page: &RunPage<'_>, group: &FailGroup<'_>) -> String {
    match fails::blamed(group.fail) {
        Some(role) => page.words.say("blame.short", &[("who", &page.words.server_label(role))]),
        None => page.label("blame.short-undecided"),
    }
}

fn contents(page: &RunPage<'_>) -> Markup {
    let result = page.words.result;
    let any = |marks: &[ReportMark]| marks.iter().any(|mark| mark.count(result) > 0);
    let unjudged = [ReportMark::Inconclusive, ReportMark::Error, ReportMark::NotRun, ReportMark::Flaky];
    let failing = result.checks.iter().any(fails::is_failure);
    let entries = [
        ("facts", true),
        ("problems", !result.problems.is_empty()),
        ("failures", failing),
        ("unjudged", any(&unjudged)),
        ("deviations", any(&[ReportMark::Deviation, ReportMark::DeviationBroken])),
        ("everything", !result.checks.is_empty()),
        ("legend", true),
    ];
    html! {
        nav aria-label=(page.label("heading.contents")) {
            @for (name, _) in entries.iter().filter(|(_, there)| *there) {
                a href=(format!("#{name}")) { (page.label(&format!("heading.{name}"))) } " "
            }
        }
    }
}
