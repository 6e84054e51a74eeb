//! The difference between expected and actual text, line by line.

use similar::{ChangeTag, TextDiff};

use crate::text::head;

/// Only this many bytes of each text are compared: a server may have sent a megabyte.
const BYTES: usize = 16 * 1024;
/// The maximum number of lines compared: the work grows with the square of the difference.
const COMPARED: usize = 400;
/// The maximum number of lines shown.
const LINES: usize = 160;
/// The number of equal lines shown around a difference.
const CONTEXT: usize = 3;

/// One line of a difference.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DiffLine {
    /// A line of both texts.
    Both(String),
    /// A line of the expected text only.
    Expected(String),
    /// A line of the actual text only.
    Actual(String),
    /// The number of equal lines left out here.
    Equal(usize),
    /// The rest is left out.
    Cut,
}

/// The lines in which `expected` and `actual` differ, with a little context.
pub(crate) fn lines(expected: Option<&str>, actual: Option<&str>) -> Vec<DiffLine> {
    let (expected, actual) = (expected.unwrap_or_default(), actual.unwrap_or_default());
    let (old, new) = (beginning(expected), beginning(actual));
    let cut = old.len() < expected.len() || new.len() < actual.len();
    let diff = TextDiff::from_lines(old, new);
    let all: Vec<_> = diff
        .iter_all_changes()
        .map(|change| (change.tag(), change.value().trim_end_matches(['\n', '\r']).to_owned()))
        .collect();
    let mut near = vec![false; all.len()];
    for (i, (tag, _)) in all.iter().enumerate() {
        if *tag != ChangeTag::Equal {
            let end = (i + CONTEXT + 1).min(all.len());
            near[i.saturating_sub(CONTEXT)..end].fill(true);
        }
    }
    let mut lines = Vec::new();
    for ((tag, text), near) in all.into_iter().zip(near) {
        if !near {
            match lines.last_mut() {
                Some(DiffLine::Equal(count)) => *count += 1,
                _ => lines.push(DiffLine::Equal(1)),
            }
            continue;
        }
        lines.push(match tag {
            ChangeTag::Equal => DiffLine::Both(text),
            ChangeTag::Delete => DiffLine::Expected(text),
            ChangeTag::Insert => DiffLine::Actual(text),
        });
    }
    if cut || lines.len() > LINES {
        lines.truncate(LINES);
        lines.push(DiffLine::Cut);
    }
    lines
}

/// The part of `text` that is compared.
fn beginning(text: &str) -> &str {
    let text = head(text, BYTES);
    let end = text.match_indices('\n').nth(COMPARED - 1).map_or(text.len(), |(at, _)| at + 1);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differing_lines_are_shown_with_context() {
        let expected = "1\n2\n3\n4\n5\n6\nold\n";
        let actual = "1\n2\n3\n4\n5\n6\nnew\n";
        let both = |text: &str| DiffLine::Both(text.into());
        assert_eq!(
            lines(Some(expected), Some(actual)),
            [
                DiffLine::Equal(3),
                both("4"),
                both("5"),
                both("6"),
                DiffLine::Expected("old".into()),
                DiffLine::Actual("new".into())
            ]
        );
    }

    #[test]
    fn a_missing_text_is_all_difference_and_a_long_one_is_cut() {
        assert_eq!(lines(Some("x"), None), [DiffLine::Expected("x".into())]);
        let long = "line\n".repeat(5000);
        let shown = lines(None, Some(&long));
        assert_eq!((shown.len(), shown.last()), (LINES + 1, Some(&DiffLine::Cut)));
        let many = "a\n".repeat(1000);
        assert_eq!(
            lines(Some(&many), Some(&format!("{many}b\n"))),
            [DiffLine::Equal(COMPARED), DiffLine::Cut]
        );
        let wide = "x".repeat(1 << 20);
        let bytes: usize = lines(None, Some(&wide))
            .iter()
            .map(|line| if let DiffLine::Actual(text) = line { text.len() } else { 0 })
            .sum();
        assert_eq!(bytes, BYTES);
    }
}
