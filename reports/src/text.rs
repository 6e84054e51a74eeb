//! Text that servers may have written, made safe to look at.

use maud::{Markup, PreEscaped, Render};

/// Whether `c` would be invisible, or would change how its neighbours are shown. A line feed is left to the caller.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            // Zero width, direction marks and overrides, line and paragraph separators.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // Tags can carry whole hidden sentences.
            | '\u{e0000}'..='\u{e007f}')
        // Non-characters; XML forbids some of them.
        || (c as u32 & 0xfffe) == 0xfffe
}

fn name_of(c: char) -> String {
    format!("⟨U+{:04X}⟩", c as u32)
}

/// `text` with hidden characters named; line feeds stay.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push('\n'),
            '\t' => out.push_str("    "),
            c if is_hidden(c) => out.push_str(&name_of(c)),
            c => out.push(c),
        }
    }
    out
}

/// [`shown`] in one line: white space of any kind becomes one space.
pub(crate) fn shown_line(text: &str) -> String {
    shown(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// At most `limit` bytes of `text`, cut between characters.
pub(crate) fn head(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Text for HTML: escaped, hidden characters boxed.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl Render for Shown<'_> {
    fn render_to(&self, out: &mut String) {
        for c in self.0.chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                '\n' | '\t' => out.push(c),
                c if is_hidden(c) => {
                    out.push_str("<b class=u>");
                    out.push_str(&name_of(c));
                    out.push_str("</b>");
                }
                c => out.push(c),
            }
        }
    }
}

/// Server text within a sentence: isolated, so that right-to-left letters in it cannot move their neighbours.
pub(crate) fn isolated(text: &str) -> Markup {
    let mut out = String::from("<bdi>");
    Shown(text).render_to(&mut out);
    out.push_str("</bdi>");
    PreEscaped(out)
}

/// A duration for people: `0.8 s`, `41 s`, `2 min 41 s`, `1 h 2 min`. Units are the SI's and need no translation.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..10 => format!("{}.{} s", seconds, ms % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A relative path that may stand in a link: no scheme, no way out of the folder, nothing to escape.
pub(crate) fn is_safe_path(path: &str) -> bool {
    !path.is_empty()
        && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/@+".contains(&b))
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_named() {
        assert_eq!(shown("a\u{202e}b\0c\nd\te\u{fffe}"), "a⟨U+202E⟩b⟨U+0000⟩c\nd    e⟨U+FFFE⟩");
        assert_eq!(shown_line(" a\n\n b\u{200b}"), "a b⟨U+200B⟩");
        assert_eq!(isolated("<i>\u{2067}").into_string(), "<bdi>&lt;i&gt;<b class=u>⟨U+2067⟩</b></bdi>");
        assert_eq!(shown("å🦀שלום"), "å🦀שלום");
    }

    #[test]
    fn heads_end_between_characters() {
        assert_eq!(head("aåb", 2), "a");
        assert_eq!(head("aåb", 3), "aå");
        assert_eq!(head("a", 9), "a");
    }

    #[test]
    fn only_paths_that_stay_in_the_folder_are_linked() {
        for good in ["transcripts/rooms.x.v11.a.jsonl", "a"] {
            assert!(is_safe_path(good), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "a/../b", "javascript:alert(1)", "a b", "a//b", "a\"b"] {
            assert!(!is_safe_path(bad), "{bad}");
        }
    }

    #[test]
    fn durations_read_well() {
        let shown: Vec<_> = [840, 41_000, 161_000, 3_720_000].map(duration).into();
        assert_eq!(shown, ["0.8 s", "41 s", "2 min 41 s", "1 h 2 min"]);
    }
}
