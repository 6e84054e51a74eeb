//! What should have been there against what was there, line by line.

use similar::{ChangeTag, TextDiff};

use crate::text::head;

/// Beyond this the two texts are compared only by their beginnings: a server may have sent a megabyte.
const BYTES: usize = 16 * 1024;
/// Lines that are compared at most: a diff's work grows with the square of what differs.
const COMPARED: usize = 400;
/// Lines that are shown at most.
const LINES: usize = 160;
/// Equal lines kept around a difference.
const CONTEXT: usize = 3;

/// One line of a difference.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// In both.
    Both(String),
    /// Expected and missing.
    Expected(String),
    /// There, and not expected.
    Actual(String),
    /// So many equal lines are left out here.
    Equal(usize),
    /// The rest is left out.
    Cut,
}

/// The lines in which `expected` and `actual` differ, with a little context.
pub(crate) fn lines(expected: Option<&str>, actual: Option<&str>) -> Vec<Line> {
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
                Some(Line::Equal(count)) => *count += 1,
                _ => lines.push(Line::Equal(1)),
            }
            continue;
        }
        lines.push(match tag {
            ChangeTag::Equal => Line::Both(text),
            ChangeTag::Delete => Line::Expected(text),
            ChangeTag::Insert => Line::Actual(text),
        });
    }
    if cut || lines.len() > LINES {
        lines.truncate(LINES);
        lines.push(Line::Cut);
    }
    lines
}

/// As much of `text` as is compared.
fn beginning(text: &str) -> &str {
    let text = head(text, BYTES);
    let end = text.match_indices('\n').nth(COMPARED - 1).map_or(text.len(), |(at, _)| at + 1);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differing_lines_keep_a_little_context() {
        let expected = "1\n2\n3\n4\n5\n6\nold\n";
        let actual = "1\n2\n3\n4\n5\n6\nnew\n";
        let both = |text: &str| Line::Both(text.into());
        assert_eq!(
            lines(Some(expected), Some(actual)),
            [
                Line::Equal(3),
                both("4"),
                both("5"),
                both("6"),
                Line::Expected("old".into()),
                Line::Actual("new".into())
            ]
        );
    }

    #[test]
    fn a_missing_side_is_all_difference_and_a_long_one_is_cut() {
        assert_eq!(lines(Some("x"), None), [Line::Expected("x".into())]);
        let long = "line\n".repeat(5000);
        let shown = lines(None, Some(&long));
        assert_eq!((shown.len(), shown.last()), (LINES + 1, Some(&Line::Cut)));
        let many = "a\n".repeat(1000);
        assert_eq!(lines(Some(&many), Some(&format!("{many}b\n"))), [Line::Equal(COMPARED), Line::Cut]);
        let wide = "x".repeat(1 << 20);
        let bytes: usize = lines(None, Some(&wide))
            .iter()
            .map(|line| if let Line::Actual(text) = line { text.len() } else { 0 })
            .sum();
        assert_eq!(bytes, BYTES);
    }
}
