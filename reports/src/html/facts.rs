//! The participants of the run, its place, time and duration.

use maud::{Markup, html};
use samklang_verdict::{Outcome, Participant};

use super::RunPage;
use crate::{
    text::{SafeText, duration, is_safe_path, isolated},
    words::ReportMark,
};

pub(super) fn section(page: &RunPage<'_>) -> Markup {
    html! {
        section #facts aria-labelledby="h-facts" {
            h2 #h-facts { (page.label("heading.facts")) }
            (counts(page))
            (participants(page))
            (run(page))
        }
    }
}

fn counts(page: &RunPage<'_>) -> Markup {
    let marks = ReportMark::tally().map(|mark| (mark, mark.count(page.words.result)));
    html! {
        ul.counts aria-label=(page.label("field.counts")) {
            @for (mark, n) in marks.filter(|(_, n)| *n > 0) {
                li.(super::matrix::class(mark)) { span aria-hidden="true" { (mark.sign()) } " " b { (n) } " " (page.words.mark(mark)) }
            }
        }
    }
}

fn participants(page: &RunPage<'_>) -> Markup {
    let list = &page.words.result.participants;
    let images = list.iter().any(|participant| participant.image.is_some());
    html! {
        @if !list.is_empty() {
            div.wide role="region" tabindex="0" aria-label=(page.label("heading.servers")) {
                table.servers {
                    thead { tr {
                        @for key in ["role", "product", "asked", "server-name"] {
                            th scope="col" { (page.label(&format!("field.{key}"))) }
                        }
                        @if images { th scope="col" { (page.label("field.image")) } }
                        th scope="col" { (page.label("field.log")) }
                    } }
                    tbody { @for participant in list { (row(page, participant, images)) } }
                }
            }
        }
    }
}

fn row(page: &RunPage<'_>, participant: &Participant, images: bool) -> Markup {
    let answered = participant.answered_name.is_some() || participant.answered_version.is_some();
    html! {
        tr {
            th scope="row" {
                (participant.role)
                @if participant.subject { " " small { (page.label("fact.subject")) } }
            }
            td {
                @if answered { (isolated(&page.words.product(participant))) }
                @else { em { (page.label("fact.no-answer")) } }
            }
            td {
                (isolated(&format!("{}@{}", participant.vendor, participant.version)))
                @if participant.holds_ca_key { br; small { (page.label("fact.holds-ca-key")) } }
            }
            td { code { (SafeText(&participant.server_name)) } }
            @if images { td { @if let Some(image) = &participant.image { code.digest { (SafeText(image)) } } } }
            td { @if let Some(log) = &participant.log { (file(log)) } }
        }
    }
}

/// A file beside the report, as a link if its path is safe.
pub(super) fn file(path: &str) -> Markup {
    html! {
        @if is_safe_path(path) { a href=(path) { code { (path) } } }
        @else { code { (SafeText(path)) } }
    }
}

fn run(page: &RunPage<'_>) -> Markup {
    let words = &page.words;
    let (result, run) = (words.result, &words.result.run);
    let outcome = match result.outcome {
        Outcome::Certifiable => "outcome.certifiable",
        Outcome::NotCertifiable => "outcome.not_certifiable",
        Outcome::NotProven => "outcome.not_proven",
    };
    let mut versions: Vec<_> = result.checks.iter().map(|check| check.play.room_version.clone()).collect();
    versions.sort_by_key(|version| (version.parse().unwrap_or(u32::MAX), version.clone()));
    versions.dedup();
    let deployer = match run.direct {
        true => words.say("fact.direct", &[("deployer", &run.deployer)]),
        false => run.deployer.clone(),
    };
    let selection =
        if run.selection.is_empty() { page.label("fact.all-selected") } else { run.selection.join(", ") };
    let suite =
        words.say("fact.suite", &[("version", &result.suite.version), ("profile", &result.suite.profile)]);
    let facts = [
        ("outcome", words.catalogue.label(outcome)),
        ("room-versions", words.list(&versions)),
        ("deployer", deployer),
        ("when", when(&run.started)),
        ("took", duration(run.duration_ms)),
        ("selection", selection),
        ("suite", suite),
        ("samklang", run.samklang.clone()),
        ("seed", run.seed.to_string()),
        ("digest", result.digest.clone()),
    ];
    html! {
        dl.facts {
            @for (key, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
                div.digest[*key == "digest"] {
                    dt { (page.label(&format!("field.{key}"))) }
                    dd { (isolated(value)) }
                }
            }
        }
    }
}

/// `2026-11-24 03:38 UTC` from RFC 3339; any other text unchanged.
fn when(started: &str) -> String {
    match (started.get(..10), started.get(11..16), started.ends_with('Z')) {
        (Some(day), Some(time), true) => format!("{day} {time} UTC"),
        _ => started.to_owned(),
    }
}
