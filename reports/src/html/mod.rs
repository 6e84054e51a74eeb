//! `report.html`: one page, no script, nothing loaded from anywhere.

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
    fails::{self, Group},
    outcome::{Headline, Tone, headline},
    text::{Shown, isolated},
    words::{Mark, Words},
};

const STYLE: &str = include_str!("style.css");

/// Groups of failures that get their details on the page. A server that fails everything fails it for a few causes.
pub(crate) const DETAILED: usize = 100;
/// Failures named on the first screen.
const FIRST_SCREEN: usize = 6;
/// Bytes of mark-up that differences and evidence may take together.
const BUDGET: usize = 1_500_000;

/// What the parts of the page share.
struct Page<'a> {
    reports: &'a Reports<'a>,
    words: Words<'a>,
    /// What is left of [`BUDGET`].
    budget: Cell<usize>,
}

impl Page<'_> {
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
    let page = Page { reports, words, budget: Cell::new(BUDGET) };
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
                footer { p { (page.label("title")) " · " code { (Shown(&words.result.run.id)) } } }
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
            title { (Shown(&headline.first)) " · " (title) }
            style { (PreEscaped(style)) }
        }
    }
}

/// Nothing may load, run or be sent; the one style is let in by its hash.
fn policy(style: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest(style));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}

/// The first screen: the outcome, then what failed, whose fault, and where to look.
fn top(page: &Page<'_>, headline: &Headline, groups: &[Group<'_>]) -> Markup {
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
                            a href=(format!("#f{}", i + 1)) { (Shown(&group.first.title)) }
                            " " span.blame { (isolated(&blame_short(page, group))) }
                            span.sub { code { (group.first.id.as_str()) } " · "
                                (Shown(&page.words.plays(&group.checks())))
                                @if Mark::of(group.first) != Mark::Fail {
                                    " · " (page.words.mark(Mark::of(group.first)))
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

fn blame_short(page: &Page<'_>, group: &Group<'_>) -> String {
    match fails::blamed(group.fail) {
        Some(role) => page.words.say("blame.short", &[("who", &page.words.who(role))]),
        None => page.label("blame.short-undecided"),
    }
}

fn contents(page: &Page<'_>) -> Markup {
    let result = page.words.result;
    let any = |marks: &[Mark]| marks.iter().any(|mark| mark.count(result) > 0);
    let unjudged = [Mark::Inconclusive, Mark::Error, Mark::NotRun, Mark::Flaky];
    let failing = result.checks.iter().any(fails::is_failure);
    let entries = [
        ("facts", true),
        ("problems", !result.problems.is_empty()),
        ("failures", failing),
        ("unjudged", any(&unjudged)),
        ("deviations", any(&[Mark::Deviation, Mark::DeviationBroken])),
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
