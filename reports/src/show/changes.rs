//! The differences between two JSON values, member by member.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::text::{head, safe_line};

/// The maximum number of members listed; a hostile event may have thousands.
const MAX_MEMBERS: usize = 24;
/// The maximum length of a value.
const VALUE: usize = 72;

/// The lines in which `new` differs from `old`: `+` for an added member, `-` for a removed one, `~` for one with another
/// value.
pub(super) fn changes(old: &Value, new: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", old, new, &mut lines);
    let rest = lines.len().saturating_sub(MAX_MEMBERS);
    lines.truncate(MAX_MEMBERS);
    if rest > 0 {
        lines.push(format!("… +{rest}"));
    }
    lines
}

fn compare(path: &str, old: &Value, new: &Value, lines: &mut Vec<String>) {
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        if old != new {
            lines.push(format!("~ {}: {} → {}", name(path), brief(old), brief(new)));
        }
        return;
    };
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for key in keys {
        // The path is cut here too: a hostile server may nest one long name in another.
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{}{dot}{}", head(path, 200), head(key, 100));
        match (before.get(key), after.get(key)) {
            (Some(old), Some(new)) => compare(&path, old, new, lines),
            (Some(old), None) => lines.push(format!("- {}: {}", name(&path), brief(old))),
            (None, Some(new)) => lines.push(format!("+ {}: {}", name(&path), brief(new))),
            (None, None) => {}
        }
    }
}

fn name(path: &str) -> String {
    safe_line(head(path, 200))
}

/// The beginning of a value, in one line.
pub(super) fn brief(value: &Value) -> String {
    let text = value.to_string();
    let short = head(&text, VALUE);
    format!("{}{}", safe_line(short), if short.len() < text.len() { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn added_removed_and_changed_members_are_listed_by_path() {
        let old = json!({"a": 1, "content": {"x": "old", "same": [1]}, "gone": true});
        let new = json!({"a": 1, "content": {"x": "new", "same": [1]}, "signatures": {"b.test": {"k": "s"}}});
        assert_eq!(
            changes(&old, &new),
            ["~ content.x: \"old\" → \"new\"", "- gone: true", "+ signatures: {\"b.test\":{\"k\":\"s\"}}"]
        );
        assert_eq!(changes(&old, &old), [""; 0]);
    }

    #[test]
    fn listed_changes_are_cut_and_made_safe() {
        let many: Value = (0..5000).map(|i| (format!("k{i}\u{1b}"), json!("\u{202e}".repeat(900)))).collect();
        let lines = changes(&json!({}), &many);
        assert_eq!((lines.len(), lines[MAX_MEMBERS].as_str()), (MAX_MEMBERS + 1, "… +4976"));
        assert!(lines.iter().all(|line| line.len() < 400 && !line.contains(['\u{1b}', '\u{202e}'])));
    }
}
