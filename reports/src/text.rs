//! Text that servers may have written, made safe to show.

use maud::{Markup, PreEscaped, Render};

/// Whether `c` is invisible, or changes how its neighbours are shown. The caller handles line feeds.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            // Zero width, direction marks and overrides, line and paragraph separators.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // Tag characters can contain whole hidden sentences.
            | '\u{e0000}'..='\u{e007f}')
        // Non-characters; XML forbids some of them.
        || (c as u32 & 0xfffe) == 0xfffe
}

fn name_of(c: char) -> String {
    format!("⟨U+{:04X}⟩", c as u32)
}

/// `text` with hidden characters replaced by their names; line feeds stay.
pub(crate) fn safe_text(text: &str) -> String {
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

/// `text` in one line, with characters that are invisible or act on a terminal replaced by their names. White space of any
/// kind becomes one space.
pub fn safe_line(text: &str) -> String {
    safe_text(&text.split_whitespace().collect::<Vec<_>>().join(" "))
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
pub(crate) struct SafeText<'a>(pub(crate) &'a str);

impl Render for SafeText<'_> {
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
    SafeText(text).render_to(&mut out);
    out.push_str("</bdi>");
    PreEscaped(out)
}

/// A duration: `0.8 s`, `41 s`, `2 min 41 s`, `1 h 2 min`. SI units need no translation.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..10 => format!("{}.{} s", seconds, ms % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Whether a relative path may be a link: it has no scheme, stays in the folder and needs no escaping.
pub(crate) fn is_safe_path(path: &str) -> bool {
    !path.is_empty()
        && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/@+".contains(&b))
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_replaced_by_names() {
        assert_eq!(safe_text("a\u{202e}b\0c\nd\te\u{fffe}"), "a⟨U+202E⟩b⟨U+0000⟩c\nd    e⟨U+FFFE⟩");
        assert_eq!(safe_line(" a\n\n b\u{200b}"), "a b⟨U+200B⟩");
        assert_eq!(isolated("<i>\u{2067}").into_string(), "<bdi>&lt;i&gt;<b class=u>⟨U+2067⟩</b></bdi>");
        assert_eq!(safe_text("å🦀שלום"), "å🦀שלום");
    }

    #[test]
    fn text_is_cut_between_characters() {
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
    fn durations_have_readable_units() {
        let shown: Vec<_> = [840, 41_000, 161_000, 3_720_000].map(duration).into();
        assert_eq!(shown, ["0.8 s", "41 s", "2 min 41 s", "1 h 2 min"]);
    }
}
