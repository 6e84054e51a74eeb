//! `report.html` of a vendor matrix.

use std::cell::Cell;

use maud::{DOCTYPE, Markup, html};

use super::{MatrixReport, tally::TallyKind};
use crate::{
    changes::{self, KINDS},
    html::head,
    outcome::{Headline, Tone},
    text::isolated,
};

const STYLE: &str = concat!(include_str!("../html/style.css"), include_str!("style.css"));

/// The maximum number of bytes of mark-up for all details.
const BUDGET: usize = 3_000_000;
/// The maximum number of listed changes of one kind.
const CHANGES: usize = 500;

/// What is left of [`BUDGET`].
pub(super) struct MarkupBudget(Cell<usize>);

impl MarkupBudget {
    /// As many of `items` as fit, and the number of items left out.
    pub(super) fn fit<T>(
        &self,
        items: impl ExactSizeIterator<Item = T>,
        markup: impl Fn(T) -> Markup,
    ) -> (Vec<Markup>, usize) {
        let all = items.len();
        let mut shown = Vec::new();
        for item in items {
            let markup = markup(item);
            let Some(rest) = self.0.get().checked_sub(markup.0.len()) else { break };
            self.0.set(rest);
            shown.push(markup);
        }
        let left = all - shown.len();
        (shown, left)
    }
}

pub(super) fn page(report: &MatrixReport<'_>) -> String {
    let label = |key: &str| report.phrases.label(key);
    let headline = report.headline();
    let budget = MarkupBudget(Cell::new(BUDGET));
    let markup = html! {
        (DOCTYPE)
        html lang=(label("language")) {
            (head(&headline, &label("matrix.title"), STYLE))
            body {
                (report.top(&headline))
                main #main {
                    (report.overview())
                    (report.areas())
                    (report.changes())
                    (report.findings(&budget))
                    (report.pairs(&budget))
                    (report.vendors())
                    (report.legend())
                }
                footer { p { (label("matrix.title")) } }
            }
        }
    };
    markup.into_string()
}

impl MatrixReport<'_> {
    fn top(&self, headline: &Headline) -> Markup {
        let tone = match headline.tone {
            Tone::Good => "good",
            Tone::Unsure => "unsure",
            Tone::Bad => "bad",
        };
        let there = [
            ("overview", true),
            ("areas", true),
            ("changes", self.changes.is_some()),
            ("findings", !self.matrix.findings.is_empty()),
            ("pairs", true),
            ("vendors", true),
            ("legend", true),
        ];
        html! {
            header.top.(tone) {
                a.skip href="#main" { (self.phrases.label("matrix.skip")) }
                h1 { (isolated(&headline.first)) }
                @if !headline.more.is_empty() { p.more { (isolated(&headline.more.join(" "))) } }
                nav aria-label=(self.phrases.label("heading.contents")) {
                    @for (name, _) in there.iter().filter(|(_, there)| *there) {
                        a href=(format!("#{name}")) { (self.phrases.label(&format!("matrix.heading.{name}"))) } " "
                    }
                }
            }
        }
    }

    /// The changes since the earlier vendor matrix.
    fn changes(&self) -> Markup {
        let Some(all) = self.changes else { return html! {} };
        let of = |kind| all.iter().filter(move |change| change.kind == kind);
        html! {
            section #changes aria-labelledby="h-changes" {
                h2 #h-changes { (self.phrases.label("matrix.heading.changes")) }
                @if all.is_empty() { p { (self.phrases.label("changes.nothing")) } }
                @for kind in KINDS.into_iter().filter(|&kind| of(kind).next().is_some()) {
                    @let n = of(kind).count();
                    details.area open[changes::is_worse(kind)] {
                        summary { h3 { (changes::heading(self.phrases, kind, n)) } }
                        ul.names {
                            @for change in of(kind).take(CHANGES) { li { (isolated(&changes::line(self.phrases, change))) } }
                        }
                        @if n > CHANGES { p.note { (self.phrases.count("changes.more", (n - CHANGES) as u64, &[])) } }
                    }
                }
            }
        }
    }

    fn legend(&self) -> Markup {
        html! {
            section #legend aria-labelledby="h-legend" {
                h2 #h-legend { (self.phrases.label("matrix.heading.legend")) }
                dl.legend {
                    @for kind in TallyKind::ALL {
                        div {
                            dt { span.tag.(kind.class()) { (kind.sign()) } }
                            dd { (self.phrases.label(&format!("matrix.legend.{}", kind.key()))) }
                        }
                    }
                }
            }
        }
    }
}
