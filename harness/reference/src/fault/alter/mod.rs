//! What each fault makes of the data that passes a seam, by concept. The table of faults names these functions.

pub(super) mod authentication;
pub(super) mod contents;
pub(super) mod drafts;
pub(super) mod edus;
pub(super) mod invites;
pub(super) mod joins;
pub(super) mod keys;
pub(super) mod media;
pub(super) mod messages;
pub(super) mod pdus;
pub(super) mod queries;
pub(super) mod requests;
pub(super) mod responses;
pub(super) mod shown;
pub(super) mod templates;
pub(super) mod transactions;

use serde_json::{Value, json};

/// An object all of whose fields have another type than theirs. Their values are kept inside, so that it is known what the
/// object is about.
pub(super) fn misshapen(value: &Value) -> Value {
    let odd = |value: &Value| match value {
        Value::Number(number) => json!(number.to_string()),
        Value::Array(_) => json!({ "list": value }),
        _ => json!([value]),
    };
    let fields = value.as_object().into_iter().flatten();
    Value::Object(fields.map(|(key, value)| (key.clone(), odd(value))).collect())
}

/// Removes a field of an object.
fn remove(object: &mut Value, key: &str) {
    if let Some(object) = object.as_object_mut() {
        object.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misshapen_object_has_fields_of_other_types() {
        let expected = json!({"a": "1", "b": {"list": [2]}, "c": ["d"]});
        assert_eq!(misshapen(&json!({"a": 1, "b": [2], "c": "d"})), expected);
    }
}
