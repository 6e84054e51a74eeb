//! The parts of an exchange that all reports show in the same way.

use samklang_verdict::{Exchange, Party};

use crate::{text::head, words::Words};

/// Whether a complete answer arrived that is not a refusal.
pub(crate) fn is_good(exchange: &Exchange) -> bool {
    exchange.status.is_some_and(|status| status < 400) && exchange.broken.is_none()
}

/// One party of an exchange, as text.
pub(crate) fn party(words: Words<'_>, party: &Party) -> String {
    match party {
        Party::Server { role } => role.to_string(),
        Party::User { name } => head(name, 100).to_owned(),
        Party::Peer { name } => words.say("wire.peer", &[("name", head(name, 100))]),
        Party::Harness => words.label("wire.harness"),
        Party::Stranger { name } => words.say("wire.stranger", &[("name", head(name, 100))]),
    }
}

/// JSON over several lines, up to `limit` bytes, and the number of bytes of `text` that it covers. Evidence must not change, so
/// only the white space between tokens does; duplicate keys, their order and the form of numbers stay.
pub(crate) fn laid_out(text: &str, limit: usize) -> (String, usize) {
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        let shown = head(text, limit);
        return (shown.to_owned(), shown.len());
    }
    let mut out = String::new();
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if out.len() >= limit {
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
    // Deeper indentation would not help a reader.
    out.extend(std::iter::repeat_n("  ", depth.min(20)));
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: usize = 4 * 1024;

    #[test]
    fn json_is_formatted_without_changing_it() {
        let text = r#"{"b":1.0,"b":[ ],"a":{"x":"}\"{,"},"n":[1,{}]}"#;
        let wanted = "{\n  \"b\": 1.0,\n  \"b\": [],\n  \"a\": {\n    \"x\": \"}\\\"{,\"\n  },\n  \"n\": [\n    1,\n    {}\n  ]\n}";
        assert_eq!(laid_out(text, BODY), (wanted.to_owned(), text.len()));
    }

    #[test]
    fn every_body_is_cut_to_the_limit() {
        let deep = "[".repeat(100_000);
        let closed = format!("{deep}{}", "]".repeat(100_000));
        let long = format!("\"{}\"", "å".repeat(100_000));
        for text in [&deep, &closed, &long] {
            let (shown, taken) = laid_out(text, BODY);
            assert!(shown.len() < BODY + 64 && taken < text.len(), "{} of {}", shown.len(), taken);
        }
        assert_eq!(laid_out("<html>", BODY), ("<html>".to_owned(), 6));
    }
}
