//! Canonical JSON (appendices, canonical JSON), also for values that it does not allow.
//!
//! A hostile peer hashes and signs numbers that canonical JSON forbids, so that only the number is wrong with its event.
//! Up to room version 5 such numbers are allowed (rooms/v6, canonical JSON). So the encoder accepts every JSON value, and
//! [`non_canonical_number`] says whether a strict room version allows it.

use serde_json::{Map, Value};

/// The greatest integer of canonical JSON, 2^53 − 1; the least is its negative.
pub const MAX_INTEGER: i64 = (1 << 53) - 1;

/// Writes a value in the form that is hashed and signed: keys by code point, no white space, and only the escapes that JSON
/// requires. Numbers outside canonical JSON are written as serde_json writes them.
///
/// The parser limits the depth of values to 128, and so the recursion here.
pub fn canonical_json(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// The canonical form of an object without some of its top-level keys.
pub(crate) fn canonical_without(object: &Map<String, Value>, left_out: &[&str]) -> String {
    let mut out = String::new();
    write_object(object, left_out, &mut out);
    out
}

/// The place of the first number that canonical JSON does not allow, as a dotted path.
pub fn non_canonical_number(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(integer) if (-MAX_INTEGER..=MAX_INTEGER).contains(&integer) => None,
            _ => Some(String::new()),
        },
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| non_canonical_number(item).map(|path| join(&index.to_string(), &path))),
        Value::Object(object) => {
            object.iter().find_map(|(key, item)| non_canonical_number(item).map(|path| join(key, &path)))
        }
        _ => None,
    }
}

fn join(head: &str, tail: &str) -> String {
    if tail.is_empty() { head.to_owned() } else { format!("{head}.{tail}") }
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(object) => write_object(object, &[], out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::String(text) => write_text(text, out),
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn write_text(text: &str, out: &mut String) {
    if text.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
        // serde_json escapes exactly as canonical JSON requires.
        out.push_str(&Value::from(text).to_string());
    } else {
        out.push('"');
        out.push_str(text);
        out.push('"');
    }
}

fn write_object(object: &Map<String, Value>, left_out: &[&str], out: &mut String) {
    // UTF-8 sorts by code point. The map has another order if a dependency turns on a feature of serde_json.
    let mut entries: Vec<_> = object.iter().filter(|(key, _)| !left_out.contains(&key.as_str())).collect();
    entries.sort_by_key(|(key, _)| key.as_str());
    out.push('{');
    for (index, (key, item)) in entries.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(key, out);
        out.push(':');
        write(item, out);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// SS-CJSON-008: the examples of the appendix that keep to its grammar.
    #[test]
    fn the_published_examples_are_reproduced_byte_for_byte() {
        let table = [
            ("{}", "{}"),
            (r#"{ "one": 1, "two": "Two" }"#, r#"{"one":1,"two":"Two"}"#),
            (r#"{"b": "2", "a": "1"}"#, r#"{"a":"1","b":"2"}"#),
            (
                r#"{"auth":{"success":true,"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe",
                   "three_pids":[{"medium":"email","address":"john.doe@example.org"},
                                 {"medium":"msisdn","address":"123456789"}]}}}"#,
                r#"{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}"#,
            ),
            (r#"{"a": "日本語"}"#, r#"{"a":"日本語"}"#),
            (r#"{"本": 2, "日": 1}"#, r#"{"日":1,"本":2}"#),
            (r#"{"a": "\u65E5"}"#, r#"{"a":"日"}"#),
            (r#"{"a": null}"#, r#"{"a":null}"#),
        ];
        for (input, canonical) in table {
            let value: Value = serde_json::from_str(input).unwrap();
            assert_eq!(canonical_json(&value), canonical);
            assert_eq!(non_canonical_number(&value), None);
        }
    }

    /// SS-CJSON-001, 006 and 007.
    #[test]
    fn keys_are_sorted_by_code_point_and_escapes_are_the_short_ones() {
        assert_eq!(
            canonical_json(&json!({"\u{1F600}": 1, "\u{FFEE}": 2})),
            "{\"\u{FFEE}\":2,\"\u{1F600}\":1}"
        );
        assert_eq!(
            canonical_json(&json!("\u{8}\t\n\u{c}\r\u{1}\u{1f}/\u{7f}\u{2028}\"\\")),
            "\"\\b\\t\\n\\f\\r\\u0001\\u001f/\u{7f}\u{2028}\\\"\\\\\""
        );
    }

    #[test]
    fn the_place_of_a_forbidden_number_is_reported() {
        for (value, place) in [
            (json!({"a": [1, {"b": 1.5}]}), Some("a.1.b")),
            (json!({"a": 9_007_199_254_740_992_i64}), Some("a")),
            (json!({"a": -9_007_199_254_740_992_i64}), Some("a")),
            (json!({"a": u64::MAX}), Some("a")),
            (serde_json::from_str(r#"{"a": -0}"#).unwrap(), Some("a")),
            (json!({"a": [MAX_INTEGER, -MAX_INTEGER, 0]}), None),
        ] {
            assert_eq!(non_canonical_number(&value).as_deref(), place, "{value}");
        }
    }

    #[test]
    fn canonical_objects_agree_with_ruma() {
        let value = json!({"z": [1, null, true, {"å": "\u{1F600}\u{0}"}], "a": {"c": {}, "b": []}});
        let theirs: ruma::CanonicalJsonValue = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(canonical_json(&value), theirs.to_string());
    }
}
