//! One exchange in full: its line, headers and bodies.

use samklang_verdict::{Body, Exchange, Wire};

use super::{LONGEST, TerminalPage, one_line, seconds};
use crate::{Colour, exchange::laid_out, words::Words};

/// The maximum number of bytes shown of a body, without `--full`.
const BODY: usize = 16 * 1024;
/// The maximum with `--full`: indentation can make a hostile body much longer.
const MAX_BODY: usize = 8 * Body::KEPT;
/// The maximum number of header lines, without `--full`.
const HEADERS: usize = 100;

/// `exchange` with its headers and bodies, as recorded, except for the white space between the tokens of JSON and the names
/// of characters that would act on a terminal.
pub(crate) fn in_full(words: Words<'_>, exchange: &Exchange, full: bool, colour: Colour) -> String {
    let mut page = TerminalPage::new(colour, MAX_BODY);
    page.line("1", &one_line(words, exchange, &seconds(exchange.at_us), LONGEST));
    let wire = match exchange.wire {
        Wire::Client => "wire.client",
        Wire::Federation => "wire.federation",
    };
    page.line("2", &words.label(wire));
    for (key, name, reason) in
        [("wire.fault", "fault", &exchange.fault), ("wire.broken", "reason", &exchange.broken)]
    {
        if let Some(reason) = reason {
            page.line("33", &words.say(key, &[(name, reason)]));
        }
    }
    half(words, &mut page, "wire.request", (&exchange.request_headers, &exchange.request_body), full);
    half(words, &mut page, "wire.answer", (&exchange.response_headers, &exchange.response_body), full);
    page.text
}

fn half(
    words: Words<'_>,
    page: &mut TerminalPage,
    title: &str,
    (headers, body): (&[(String, String)], &Body),
    full: bool,
) {
    page.line("", "");
    page.line("1", &words.label(title));
    let shown = if full { headers.len() } else { headers.len().min(HEADERS) };
    for (name, value) in &headers[..shown] {
        page.line("", &format!("  {name}: {value}"));
    }
    if shown < headers.len() {
        page.line("2", &format!("  … +{}", headers.len() - shown));
    }
    match body {
        Body::Empty => page.line("2", &format!("  {}", words.label("wire.empty"))),
        Body::Bytes { length, sha256, head } => {
            let text = words.say("wire.bytes", &[("length", &length.to_string()), ("sha256", sha256)]);
            page.line("2", &format!("  {text}"));
            page.line("", &format!("  {head}"));
        }
        Body::Text { text } => {
            let limit = if full { MAX_BODY } else { BODY };
            let (laid, taken) = laid_out(text, limit);
            page.line("", "");
            laid.lines().for_each(|line| page.line("", &format!("  {line}")));
            if taken < text.len() {
                let (shown, length) = (taken.to_string(), text.len().to_string());
                page.line(
                    "2",
                    &format!("  {}", words.say("show.cut", &[("shown", &shown), ("length", &length)])),
                );
            }
        }
    }
}
