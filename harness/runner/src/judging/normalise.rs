//! Makes an observation of one run comparable with the stored expectation for all runs.
//!
//! Identifiers get the names by which the scenario calls them, so that "this redacts that" stays visible; times,
//! hashes and other things that differ from run to run become placeholders; of events only what the specification
//! gives a meaning is kept, since servers may add keys of their own.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::{Map, Value};

/// The keys of an event that are held against expectations.
const EVENT_KEYS: [&str; 7] = ["type", "sender", "state_key", "content", "redacts", "event_id", "membership"];
/// Keys whose values are times or ages.
const TIMES: [&str; 5] = ["origin_server_ts", "ts", "age", "age_ts", "last_active_ago"];

/// Replaces ids by names.
pub struct Names {
    finder: Option<AhoCorasick>,
    names: Vec<String>,
    unnamed: BTreeMap<String, String>,
}

impl Names {
    /// `names` maps ids to the names that the scenario uses.
    pub fn new(names: &BTreeMap<String, String>) -> Self {
        let ids: Vec<_> = names.keys().filter(|id| !id.is_empty()).collect();
        let called = ids.iter().map(|id| names[*id].clone()).collect();
        // One pass, the longest id first: a server's name is part of its users' ids.
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&ids).ok();
        Self { finder, names: called, unnamed: BTreeMap::new() }
    }

    /// The text with every known id replaced.
    pub fn replace(&mut self, text: &str) -> String {
        let replaced = match &self.finder {
            Some(finder) => finder.replace_all(text, &self.names),
            None => text.to_owned(),
        };
        if replaced == text && is_opaque_id(text) { self.unnamed(text) } else { replaced }
    }

    /// Ids that the scenario has no name for are numbered as they appear.
    fn unnamed(&mut self, id: &str) -> String {
        let number = self.unnamed.len() + 1;
        let sigil = &id[..1];
        self.unnamed.entry(id.to_owned()).or_insert_with(|| format!("{sigil}unnamed-{number}")).clone()
    }
}

fn is_opaque_id(text: &str) -> bool {
    text.len() > 16 && text.starts_with(['$', '!']) && !text.contains(' ')
}

/// `value` as it is held against an expectation.
pub fn normalise(value: &Value, names: &mut Names) -> Value {
    match value {
        Value::Object(map) if is_event(map) => event(map, names),
        Value::Object(map) => object(map, names),
        Value::Array(list) => Value::Array(list.iter().map(|item| normalise(item, names)).collect()),
        Value::String(text) => Value::String(names.replace(text)),
        other => other.clone(),
    }
}

fn is_event(map: &Map<String, Value>) -> bool {
    map.get("type").is_some_and(Value::is_string) && map.contains_key("content")
}

fn event(map: &Map<String, Value>, names: &mut Names) -> Value {
    let mut kept: Map<String, Value> =
        EVENT_KEYS.iter().filter_map(|&key| Some((key.to_owned(), map.get(key)?.clone()))).collect();
    // A redacted event shows by which redaction; the rest of `unsigned` is each server's own business.
    if let Some(because) = map.get("unsigned").and_then(|unsigned| unsigned.get("redacted_because")) {
        kept.insert("redacted_because".into(), because.clone());
    }
    object(&kept, names)
}

fn object(map: &Map<String, Value>, names: &mut Names) -> Value {
    let entry = |(key, value): (&String, &Value)| {
        let shown = match value {
            Value::Number(_) if TIMES.contains(&key.as_str()) => Value::from("<time>"),
            other => normalise(other, names),
        };
        (names.replace(key), shown)
    };
    // Sorted, so that numbers for unnamed ids do not depend on the order a server happens to use.
    let sorted: BTreeMap<_, _> = map.iter().collect();
    Value::Object(sorted.into_iter().map(entry).collect())
}

/// The text that is stored and compared: keys sorted, two spaces of indentation.
pub fn as_text(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text
}

fn write(value: &Value, depth: usize, text: &mut String) {
    let indent = |text: &mut String, depth: usize| text.push_str(&"  ".repeat(depth));
    match value {
        Value::Object(map) if !map.is_empty() => {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            let last = sorted.len() - 1;
            text.push_str("{\n");
            for (i, (key, value)) in sorted.into_iter().enumerate() {
                indent(text, depth + 1);
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push_str(": ");
                write(value, depth + 1, text);
                text.push_str(if i == last { "\n" } else { ",\n" });
            }
            indent(text, depth);
            text.push('}');
        }
        Value::Array(list) if !list.is_empty() => {
            text.push_str("[\n");
            for (i, value) in list.iter().enumerate() {
                indent(text, depth + 1);
                write(value, depth + 1, text);
                text.push_str(if i + 1 == list.len() { "\n" } else { ",\n" });
            }
            indent(text, depth);
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names() -> Names {
        let map = [
            ("@alice-k3:127.0.0.1:40001", "@alice:host.test"),
            ("127.0.0.1:40001", "host.test"),
            ("alice-k3", "alice"),
            ("$Zhv9PFQmZb2Pl0VJzZ0Gz0d8f0k2m7u6mVwJ3sJr1aE", "$hello"),
        ];
        Names::new(&map.map(|(id, name)| (id.to_owned(), name.to_owned())).into())
    }

    #[test]
    fn ids_are_replaced_by_names_everywhere() {
        let seen = json!({
            "users": {"@alice-k3:127.0.0.1:40001": 100},
            "text": "alice-k3 on 127.0.0.1:40001",
            "redacts": "$Zhv9PFQmZb2Pl0VJzZ0Gz0d8f0k2m7u6mVwJ3sJr1aE",
            "other": ["$0000000000000000000000000000", "$1111111111111111111111111111", "$0000000000000000000000000000"],
        });
        let expected = json!({
            "users": {"@alice:host.test": 100},
            "text": "alice on host.test",
            "redacts": "$hello",
            "other": ["$unnamed-1", "$unnamed-2", "$unnamed-1"],
        });
        assert_eq!(normalise(&seen, &mut names()), expected);
    }

    #[test]
    fn of_an_event_only_the_specified_keys_are_kept() {
        let event = json!({
            "type": "m.room.message", "content": {"body": "hej", "ts": 1}, "origin_server_ts": 5, "user_id": "x",
            "unsigned": {"age": 3, "redacted_because": {"type": "m.room.redaction", "content": {}, "age": 1}},
        });
        let expected = json!({
            "type": "m.room.message", "content": {"body": "hej", "ts": "<time>"},
            "redacted_because": {"type": "m.room.redaction", "content": {}},
        });
        assert_eq!(normalise(&event, &mut names()), expected);
    }

    #[test]
    fn the_stored_text_does_not_depend_on_the_order_of_keys() {
        let text = as_text(&json!({"b": [1, {}], "a": {"c": null}}));
        assert_eq!(text, "{\n  \"a\": {\n    \"c\": null\n  },\n  \"b\": [\n    1,\n    {}\n  ]\n}");
    }
}
