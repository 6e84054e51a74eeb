//! The exchanges that show a fail.

use maud::{Markup, html};
use samklang_verdict::{Body, CheckResult, Exchange, Fail, Party, Wire};

use super::Page;
use crate::text::{Shown, head, isolated};

/// Of a body this much is shown.
const BODY: usize = 4 * 1024;
/// Header lines that are shown at most, and how much of each.
const HEADERS: usize = 40;
const HEADER: usize = 400;
/// Exchanges that are shown for one fail; the telling ones come first.
const EXCHANGES: usize = 6;

pub(super) fn evidence(page: &Page<'_>, check: &CheckResult, fail: &Fail) -> Markup {
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

/// One line, with headers and bodies folded behind it.
fn one(page: &Page<'_>, exchange: &Exchange) -> Markup {
    let (from, to) = (party(page, &exchange.from), party(page, &exchange.to));
    let good = exchange.status.is_some_and(|status| status < 400) && exchange.broken.is_none();
    html! {
        details.x {
            summary {
                b { (exchange.id) } " "
                span.t { "+" (format!("{:.3}", exchange.at_us as f64 / 1e6)) " s" } " "
                span { (isolated(&page.words.say("wire.line", &[("from", &from), ("to", &to)]))) } " "
                code { (Shown(head(&exchange.method, 20))) " " (Shown(head(&exchange.path, 600))) } " "
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

fn party(page: &Page<'_>, party: &Party) -> String {
    match party {
        Party::Server { role } => role.to_string(),
        Party::User { name } => head(name, 100).to_owned(),
        Party::Peer { name } => page.words.say("wire.peer", &[("name", head(name, 100))]),
        Party::Harness => page.label("wire.harness"),
        Party::Stranger { name } => page.words.say("wire.stranger", &[("name", head(name, 100))]),
    }
}

fn half(page: &Page<'_>, title: &str, headers: &[(String, String)], body: &Body) -> Markup {
    html! {
        h5 { (page.label(title)) }
        @if !headers.is_empty() {
            pre.h tabindex="0" {
                @for (name, value) in headers.iter().take(HEADERS) {
                    b { (Shown(head(name, 80))) } ": " (Shown(head(value, HEADER))) "\n"
                }
                @if headers.len() > HEADERS { "…\n" }
            }
        }
        @match body {
            Body::Empty => p.note { (page.label("wire.empty")) },
            Body::Text { text } => {
                @let (shown, taken) = laid_out(text);
                pre tabindex="0" { (Shown(&shown)) }
                @if taken < text.len() {
                    p.note { (page.words.say("wire.cut", &[("shown", &taken.to_string()), ("length", &text.len().to_string())])) }
                }
            }
            Body::Bytes { length, sha256, head: beginning } => {
                p.note { (page.words.say("wire.bytes", &[("length", &length.to_string()), ("sha256", sha256)])) }
                pre tabindex="0" { (Shown(head(beginning, BODY))) }
            }
        }
    }
}

/// JSON over several lines, up to [`BODY`] bytes, and how many bytes of `text` that took. Evidence must not change:
/// white space between tokens is all that does, so doubled keys, their order and the form of numbers stay.
fn laid_out(text: &str) -> (String, usize) {
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        let shown = head(text, BODY);
        return (shown.to_owned(), shown.len());
    }
    let mut out = String::new();
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if out.len() >= BODY {
            return (out, at);
        }
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            out.push(c);
            continue;
        }
        match c {
            ' ' | '\t' | '\r' | '\n' => {}
            '{' | '[' => {
                out.push(c);
                depth += 1;
                while chars.next_if(|(_, next)| next.is_ascii_whitespace()).is_some() {}
                if chars.peek().is_some_and(|(_, next)| matches!(next, '}' | ']')) {
                    depth -= 1;
                    out.extend(chars.next().map(|(_, close)| close));
                } else {
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            '"' => {
                in_string = true;
                out.push(c);
            }
            c => out.push(c),
        }
    }
    (out, text.len())
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    // Deeper than this the indentation would say nothing any more.
    out.extend(std::iter::repeat_n("  ", depth.min(20)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_laid_out_without_changing_it() {
        let text = r#"{"b":1.0,"b":[ ],"a":{"x":"}\"{,"},"n":[1,{}]}"#;
        let wanted = "{\n  \"b\": 1.0,\n  \"b\": [],\n  \"a\": {\n    \"x\": \"}\\\"{,\"\n  },\n  \"n\": [\n    1,\n    {}\n  ]\n}";
        assert_eq!(laid_out(text), (wanted.to_owned(), text.len()));
    }

    #[test]
    fn bodies_are_bounded_whatever_they_are() {
        let deep = "[".repeat(100_000);
        let closed = format!("{deep}{}", "]".repeat(100_000));
        let long = format!("\"{}\"", "å".repeat(100_000));
        for text in [&deep, &closed, &long] {
            let (shown, taken) = laid_out(text);
            assert!(shown.len() < BODY + 64 && taken < text.len(), "{} of {}", shown.len(), taken);
        }
        assert_eq!(laid_out("<html>"), ("<html>".to_owned(), 6));
    }
}
