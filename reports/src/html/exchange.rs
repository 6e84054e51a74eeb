//! The exchanges that are evidence of a fail.

use maud::{Markup, html};
use samklang_verdict::{Body, CheckResult, Exchange, Fail, Wire};

use super::RunPage;
use crate::{
    exchange::{is_good, laid_out, party},
    text::{SafeText, head, isolated},
};

/// The maximum number of bytes shown of a body.
const BODY: usize = 4 * 1024;
/// The maximum number of header lines shown, and the maximum length of each.
const HEADERS: usize = 40;
const HEADER: usize = 400;
/// The maximum number of exchanges shown for one fail; the decisive ones come first.
const EXCHANGES: usize = 6;

pub(super) fn evidence(page: &RunPage<'_>, check: &CheckResult, fail: &Fail) -> Markup {
    let Some(path) = &check.transcript else { return html! {} };
    if fail.evidence.is_empty() || page.budget.get() < BODY {
        let key = if fail.evidence.is_empty() { "wire.no-evidence" } else { "wire.over-budget" };
        return html! { p.note { (page.label(key)) } };
    }
    let Some(exchanges) = (page.reports.transcripts)(path) else {
        return html! { p.note { (page.label("wire.no-transcript")) } };
    };
    let (shown, rest) = fail.evidence.split_at(fail.evidence.len().min(EXCHANGES));
    let rest: Vec<_> = rest.iter().take(100).map(ToString::to_string).collect();
    let markup = html! {
        div.wire {
            h4 { (page.label("heading.wire")) }
            @for id in shown {
                @match exchanges.iter().find(|exchange| exchange.id == *id) {
                    Some(exchange) => (one(page, exchange)),
                    None => p.note { (page.words.say("wire.missing", &[("id", &id.to_string())])) },
                }
            }
            @if !rest.is_empty() {
                p.note { (page.words.count("wire.more", (fail.evidence.len() - EXCHANGES) as u64, &[("ids", &rest.join(", "))])) }
            }
            @if page.words.result.run.direct { p.note { (page.label("wire.unrecorded")) } }
        }
    };
    page.within_budget(markup).unwrap_or_else(|| html! { p.note { (page.label("wire.over-budget")) } })
}

/// An exchange in one line, which unfolds to headers and bodies.
fn one(page: &RunPage<'_>, exchange: &Exchange) -> Markup {
    let (from, to) = (party(page.words, &exchange.from), party(page.words, &exchange.to));
    let good = is_good(exchange);
    html! {
        details.x {
            summary {
                b { (exchange.id) } " "
                span.t { "+" (format!("{:.3}", exchange.at_us as f64 / 1e6)) " s" } " "
                span { (isolated(&page.words.say("wire.line", &[("from", &from), ("to", &to)]))) } " "
                code { (SafeText(head(&exchange.method, 20))) " " (SafeText(head(&exchange.path, 600))) } " "
                @match exchange.status {
                    Some(status) => span.ok[good].no-good[!good] { (status) },
                    None => span.no-good { (page.label("wire.no-answer")) },
                }
            }
            p.note {
                (page.label(match exchange.wire { Wire::Client => "wire.client", Wire::Federation => "wire.federation" }))
                " · " (format!("{:.1}", exchange.took_us as f64 / 1e3)) " ms"
            }
            @if let Some(reason) = &exchange.broken {
                p.note { (isolated(&page.words.say("wire.broken", &[("reason", head(reason, 400))]))) }
            }
            @if let Some(fault) = &exchange.fault {
                p.note { (isolated(&page.words.say("wire.fault", &[("fault", head(fault, 400))]))) }
            }
            (half(page, "wire.request", &exchange.request_headers, &exchange.request_body))
            (half(page, "wire.answer", &exchange.response_headers, &exchange.response_body))
        }
    }
}

fn half(page: &RunPage<'_>, title: &str, headers: &[(String, String)], body: &Body) -> Markup {
    html! {
        h5 { (page.label(title)) }
        @if !headers.is_empty() {
            pre.h tabindex="0" {
                @for (name, value) in headers.iter().take(HEADERS) {
                    b { (SafeText(head(name, 80))) } ": " (SafeText(head(value, HEADER))) "\n"
                }
                @if headers.len() > HEADERS { "…\n" }
            }
        }
        @match body {
            Body::Empty => p.note { (page.label("wire.empty")) },
            Body::Text { text } => {
                @let (shown, taken) = laid_out(text, BODY);
                pre tabindex="0" { (SafeText(&shown)) }
                @if taken < text.len() {
                    p.note { (page.words.say("wire.cut", &[("shown", &taken.to_string()), ("length", &text.len().to_string())])) }
                }
            }
            Body::Bytes { length, sha256, head: beginning } => {
                p.note { (page.words.say("wire.bytes", &[("length", &length.to_string()), ("sha256", sha256)])) }
                pre tabindex="0" { (SafeText(head(beginning, BODY))) }
            }
        }
    }
}
