//! Each failure: the check, the play, expected and actual, the blame, and the exchanges that show it.

use maud::{Markup, html};
use samklang_verdict::{CheckResult, Disposition, Fail};

use super::{DETAILED, RunPage, exchange, facts::file};
use crate::{
    diff::{self, DiffLine},
    fails::{self, FailGroup},
    text::{SafeText, head, isolated},
};

/// The maximum length of a sentence that contains server text.
const SENTENCE: usize = 2000;

pub(super) fn section(page: &RunPage<'_>, groups: &[FailGroup<'_>]) -> Markup {
    html! {
        @if !groups.is_empty() {
            section #failures aria-labelledby="h-failures" {
                h2 #h-failures { (page.label("heading.failures")) }
                @for (i, group) in groups.iter().take(DETAILED).enumerate() {
                    (article(page, group, &format!("f{}", i + 1), Some(i + 1)))
                }
                @if groups.len() > DETAILED {
                    p { (page.words.count("list.more", (groups.len() - DETAILED) as u64, &[])) }
                }
            }
        }
    }
}

/// One group, with the evidence of its first play visible and that of the other plays folded.
pub(super) fn article(page: &RunPage<'_>, group: &FailGroup<'_>, id: &str, number: Option<usize>) -> Markup {
    let (check, fail) = (group.first, group.fail);
    let blamed = match fails::blamed(fail) {
        Some(role) => page.words.result.participants.iter().find(|participant| participant.role == role),
        None => None,
    };
    html! {
        article id=(id) aria-labelledby=(format!("{id}h")) {
            h3 id=(format!("{id}h")) {
                @if let Some(number) = number { span.no { (number) ". " } }
                (isolated(&check.title))
            }
            p.where {
                code { (check.id.as_str()) } " · " (page.words.weight(check.weight)) " · "
                (SafeText(&page.words.plays(&group.checks())))
            }
            p.what { (sentence(&page.words.line(&fail.message))) }
            p.blame { (sentence(&page.words.blame(fail).1)) }
            (deviation(page, check))
            (difference(page, fail))
            dl.look {
                dt { (page.label("field.requirements")) }
                dd { (requirements(page, check)) }
                @if !check.proven_by.is_empty() {
                    dt { (page.label("field.proven-by")) }
                    dd { (proofs(check)) }
                }
                dt { (page.label("field.reason")) }
                dd { code { (fail.reason.as_str()) } }
                dt { (page.label("field.look-at")) }
                dd {
                    @if let Some(path) = &check.transcript { (file(path)) }
                    @if let Some(log) = blamed.and_then(|participant| participant.log.as_ref()) {
                        @if check.transcript.is_some() { br; }
                        (file(log))
                    }
                }
                dt { (page.label("field.again")) }
                dd { code { (SafeText(&page.words.replay_command(check))) } }
            }
            (exchange::evidence(page, check, fail))
            (other_plays(page, group))
        }
    }
}

fn other_plays(page: &RunPage<'_>, group: &FailGroup<'_>) -> Markup {
    html! {
        @if group.plays.len() > 1 {
            details.others {
                summary { (page.label("list.other-plays")) " (" (group.plays.len() - 1) ")" }
                @for (check, fail) in group.plays.iter().skip(1) {
                    h4 { (SafeText(&page.words.play(&check.play))) }
                    @if fail.message != group.fail.message {
                        p { (sentence(&page.words.line(&fail.message))) }
                    }
                    @if (&fail.expected, &fail.actual) != (&group.fail.expected, &group.fail.actual) {
                        (difference(page, fail))
                    }
                    @if let Some(path) = &check.transcript { p { (file(path)) } }
                    (exchange::evidence(page, check, fail))
                }
            }
        }
    }
}

pub(super) fn sentence(text: &str) -> Markup {
    html! {
        (isolated(head(text, SENTENCE)))
        @if text.len() > SENTENCE { "…" }
    }
}

/// The text of the deviation, if the check has one.
pub(super) fn deviation(page: &RunPage<'_>, check: &CheckResult) -> Markup {
    let state = match check.disposition {
        Disposition::DeviationStale => "list.stale",
        Disposition::DeviationExpired => "list.expired",
        Disposition::ReasonChanged => "list.reason-changed",
        _ => "",
    };
    html! {
        @if !state.is_empty() || check.deviation.is_some() {
            p.deviation {
                b { (page.label("field.deviation")) ": " }
                @if let Some(text) = &check.deviation { (sentence(text)) " " }
                @if !state.is_empty() { (page.label(state)) }
            }
        }
    }
}

fn difference(page: &RunPage<'_>, fail: &Fail) -> Markup {
    if fail.expected.is_none() && fail.actual.is_none() {
        return html! {};
    }
    let lines = diff::lines(fail.expected.as_deref(), fail.actual.as_deref());
    let markup = html! {
        figure.diff {
            figcaption { del { (page.label("diff.expected")) } " " ins { (page.label("diff.actual")) } }
            pre tabindex="0" aria-label=(page.label("heading.difference")) {
                @for line in &lines {
                    @match line {
                        DiffLine::Both(text) => span { "  " (SafeText(text)) "\n" },
                        DiffLine::Expected(text) => del { "− " (SafeText(text)) "\n" },
                        DiffLine::Actual(text) => ins { "+ " (SafeText(text)) "\n" },
                        DiffLine::Equal(n) => i { "⋯ " (page.words.count("diff.equal", *n as u64, &[])) "\n" },
                        DiffLine::Cut => i { "⋯ " (page.label("diff.cut")) "\n" },
                    }
                }
            }
        }
    };
    page.within_budget(markup).unwrap_or_default()
}

/// The faults that turn the check red.
pub(super) fn proofs(check: &CheckResult) -> Markup {
    html! {
        @for (i, fault) in check.proven_by.iter().enumerate() {
            @if i > 0 { ", " }
            code { (SafeText(fault)) }
        }
    }
}

/// Requirement ids with their sections, which are links if they belong to the specification.
fn requirements(page: &RunPage<'_>, check: &CheckResult) -> Markup {
    html! {
        @if check.requirements.is_empty() && check.spec.is_empty() { (page.label("fact.empty")) }
        @for (i, id) in check.requirements.iter().enumerate() {
            @if i > 0 { ", " }
            code { (SafeText(id)) }
        }
        @for section in &check.spec {
            " " span.spec {
                @match link(section) {
                    Some(url) => a href=(url) rel="noreferrer" { (SafeText(section)) },
                    None => (SafeText(section)),
                }
            }
        }
        @if !check.catalogue.is_empty() { " · " (page.label("field.catalogue")) " " (SafeText(&check.catalogue.join(", "))) }
    }
}

/// The public address of a section that is written as in the specification's repository: `content/server-server-
/// api.md#tls`.
fn link(section: &str) -> Option<String> {
    let tame = |text: &str| {
        text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_/.#".contains(&b)) && !text.contains("..")
    };
    if let Some(rest) = section.strip_prefix("https://spec.matrix.org/") {
        return tame(rest).then(|| section.to_owned());
    }
    let (page, anchor) = section.strip_prefix("content/")?.split_once(".md")?;
    (tame(page) && tame(anchor)).then(|| format!("https://spec.matrix.org/latest/{page}/{anchor}"))
}

#[cfg(test)]
mod tests {
    use super::link;

    #[test]
    fn only_sections_of_the_specification_are_linked() {
        let tls = "https://spec.matrix.org/latest/server-server-api/#tls";
        assert_eq!(link("content/server-server-api.md#tls").as_deref(), Some(tls));
        assert_eq!(link(tls).as_deref(), Some(tls));
        for other in ["javascript:alert(1)", "content/../x.md", "content/a\"b.md", "https://evil.example/"] {
            assert_eq!(link(other), None, "{other}");
        }
    }
}
