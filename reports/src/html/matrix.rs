//! Everything: a table for each area, a row for each check, a cell for each room version and host. The mark-up is short,
//! because a page may have ten thousand cells.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, PreEscaped, Render, html};
use samklang_verdict::{CheckResult, Role, Verdict};

use super::{DETAILED, RunPage, failures};
use crate::{
    fails::{self, FailGroup},
    text::{SafeText, isolated, safe_line},
    words::ReportMark,
};

/// On a page with more checks than this, areas without a problem start folded.
const OPEN: usize = 2000;

/// The mark's class in the style sheet; one letter, because every cell has it.
pub(crate) fn class(mark: ReportMark) -> &'static str {
    match mark {
        ReportMark::Pass => "p",
        ReportMark::Fail => "f",
        ReportMark::Deviation => "d",
        ReportMark::DeviationBroken => "k",
        ReportMark::Inconclusive => "q",
        ReportMark::NotApplicable | ReportMark::Unproven => "n",
        ReportMark::Error => "e",
        ReportMark::NotRun => "o",
        ReportMark::Flaky => "y",
    }
}

/// A column: a room version, in the order of versions, and a host.
type PlayColumn<'a> = (u32, &'a str, Role);
type CheckRow<'a> = BTreeMap<PlayColumn<'a>, &'a CheckResult>;

fn column(check: &CheckResult) -> PlayColumn<'_> {
    let (_, number, version, host) = check.sort_key();
    (number, version, host)
}

/// Data that all tables of the page share.
struct AreaTables<'a> {
    page: &'a RunPage<'a>,
    /// The number of the article of each detailed failure.
    anchors: BTreeMap<(&'a str, PlayColumn<'a>), usize>,
    words: BTreeMap<ReportMark, String>,
}

pub(super) fn section(page: &RunPage<'_>, groups: &[FailGroup<'_>]) -> Markup {
    let checks = &page.words.result.checks;
    let mut areas: BTreeMap<&str, BTreeMap<&str, BTreeMap<&str, CheckRow<'_>>>> = BTreeMap::new();
    for check in checks {
        let scenario = check.id.scenario();
        let area = scenario.split_once('.').map_or(scenario, |(area, _)| area);
        let rows = areas.entry(area).or_default().entry(scenario).or_default();
        rows.entry(check.id.name()).or_default().insert(column(check), check);
    }
    let mut anchors = BTreeMap::new();
    for (i, group) in groups.iter().take(DETAILED).enumerate() {
        anchors.extend(group.plays.iter().map(|(check, _)| ((check.id.as_str(), column(check)), i + 1)));
    }
    let cell_words =
        ReportMark::ALL.into_iter().map(|mark| (mark, page.label(&format!("cell.{}", mark.key()))));
    let tables = AreaTables { page, anchors, words: cell_words.collect() };
    html! {
        @if !areas.is_empty() {
            section #everything aria-labelledby="h-everything" {
                h2 #h-everything { (page.label("heading.everything")) }
                @for (name, scenarios) in &areas { (tables.area(name, scenarios, checks.len() <= OPEN)) }
            }
        }
    }
}

impl AreaTables<'_> {
    fn area(
        &self,
        name: &str,
        scenarios: &BTreeMap<&str, BTreeMap<&str, CheckRow<'_>>>,
        open: bool,
    ) -> Markup {
        let rows = || scenarios.values().flat_map(BTreeMap::values);
        let mut counts: BTreeMap<ReportMark, u64> = BTreeMap::new();
        rows()
            .flat_map(BTreeMap::values)
            .for_each(|check| *counts.entry(ReportMark::of(check)).or_default() += 1);
        let columns: BTreeSet<_> = rows().flat_map(BTreeMap::keys).copied().collect();
        let well = counts.keys().all(|mark| {
            matches!(
                mark,
                ReportMark::Pass | ReportMark::NotApplicable | ReportMark::Unproven | ReportMark::Deviation
            )
        });
        let words = &self.page.words;
        html! {
            details.area open[open || !well] {
                summary {
                    h3 { (name) } " "
                    @for (mark, n) in ReportMark::tally().filter_map(|mark| counts.get(&mark).map(|n| (mark, n))) {
                        span.tag.(class(mark)) { (mark.sign()) " " (n) " " (words.mark(mark)) } " "
                    }
                }
                div.wide role="region" tabindex="0" aria-label=(words.say("list.area", &[("area", name)])) {
                    table.cells {
                        (self.head(&columns))
                        @for (scenario, rows) in scenarios { (self.scenario(scenario, rows, &columns)) }
                    }
                }
            }
        }
    }

    fn head(&self, columns: &BTreeSet<PlayColumn<'_>>) -> Markup {
        let words = &self.page.words;
        let mut versions: Vec<((u32, &str), usize)> = Vec::new();
        for (number, version, _) in columns {
            match versions.last_mut() {
                Some((last, width)) if *last == (*number, *version) => *width += 1,
                _ => versions.push(((*number, version), 1)),
            }
        }
        html! {
            caption.quiet { (words.label("list.cells")) }
            thead {
                tr {
                    th rowspan="2" scope="col" { (words.label("field.check")) }
                    @for ((_, version), width) in &versions {
                        th colspan=(width) scope="colgroup" {
                            (SafeText(&words.say("list.version", &[("version", &safe_line(version))])))
                        }
                    }
                }
                tr {
                    @for (_, _, host) in columns {
                        th scope="col" { (words.say("list.host", &[("host", &host.to_string())])) }
                    }
                }
            }
        }
    }

    fn scenario(
        &self,
        id: &str,
        rows: &BTreeMap<&str, CheckRow<'_>>,
        columns: &BTreeSet<PlayColumn<'_>>,
    ) -> Markup {
        let catalogue: BTreeSet<_> = rows
            .values()
            .flat_map(BTreeMap::values)
            .flat_map(|check| &check.catalogue)
            .map(String::as_str)
            .collect();
        let catalogue = catalogue.into_iter().take(20).collect::<Vec<_>>().join(" ");
        html! {
            tbody {
                tr.s { th colspan=(columns.len() + 1) scope="rowgroup" { (id) " " small { (SafeText(&catalogue)) } } }
                @for (name, row) in rows { (self.row(name, row, columns)) }
            }
        }
    }

    fn row(&self, name: &str, row: &CheckRow<'_>, columns: &BTreeSet<PlayColumn<'_>>) -> Markup {
        let title = row.values().next().map_or("", |check| check.title.as_str());
        html! {
            tr {
                th scope="row" {
                    (isolated(crate::text::head(title, 300))) " " small { (name) }
                    (self.proofs(row))
                }
                @for column in columns {
                    @match row.get(column) {
                        Some(check) => (self.cell(check)),
                        None => td { },
                    }
                }
            }
        }
    }

    /// The faults that prove the check, folded.
    fn proofs(&self, row: &CheckRow<'_>) -> Markup {
        // If the check failed, the failure lists them.
        let failed = row.values().any(|check| matches!(check.verdict, Verdict::Fail(_)));
        let proven = row.values().find(|check| !check.proven_by.is_empty()).filter(|_| !failed);
        html! {
            @if let Some(check) = proven {
                details {
                    summary.quiet { (self.page.words.count("list.proven-by", check.proven_by.len() as u64, &[])) }
                    (failures::proofs(check))
                }
            }
        }
    }

    /// Written by hand: the closing tags that HTML allows to omit would be a tenth of a large page.
    fn cell(&self, check: &CheckResult) -> Markup {
        let mark = ReportMark::of(check);
        let word = self.words.get(&mark).map_or("", String::as_str);
        let mut out = format!("<td class={}>", class(mark));
        let anchor = self.anchors.get(&(check.id.as_str(), column(check)));
        if let Some(anchor) = anchor {
            out.push_str(&format!("<a href=#f{anchor}>"));
        }
        out.push(mark.sign());
        out.push(' ');
        SafeText(word).render_to(&mut out);
        if let Verdict::Fail(fail) = &check.verdict {
            if let Some(role) = fails::blamed(fail) {
                out.push_str(&format!(" {role}"));
            }
            if anchor.is_none() {
                out.push_str("<br><small>");
                SafeText(fail.reason.as_str()).render_to(&mut out);
                out.push_str("</small>");
            }
        }
        if anchor.is_some() {
            out.push_str("</a>");
        }
        PreEscaped(out)
    }
}
