//! The fields of a JSON body, and their types.

use serde_json::Value;

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// A string.
    String,
    /// An integer.
    Integer,
    /// True or false.
    Boolean,
    /// An object.
    Object,
    /// A list of strings.
    Strings,
    /// A list of objects.
    Objects,
}

/// A field of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Where it is: names with slashes between them. `*` stands for each entry of a list or an object.
    pub place: &'static str,
    /// Its type.
    pub kind: FieldType,
    /// Whether it must be there.
    pub required: bool,
}

/// A required string.
pub const fn string(place: &'static str) -> Field {
    required(place, FieldType::String)
}

/// A required integer.
pub const fn integer(place: &'static str) -> Field {
    required(place, FieldType::Integer)
}

/// A required boolean.
pub const fn boolean(place: &'static str) -> Field {
    required(place, FieldType::Boolean)
}

/// A required object.
pub const fn object(place: &'static str) -> Field {
    required(place, FieldType::Object)
}

/// A required list of strings.
pub const fn strings(place: &'static str) -> Field {
    required(place, FieldType::Strings)
}

/// A required list of objects.
pub const fn objects(place: &'static str) -> Field {
    required(place, FieldType::Objects)
}

/// The field, but it may be left out.
pub const fn optional(field: Field) -> Field {
    Field { required: false, ..field }
}

const fn required(place: &'static str, kind: FieldType) -> Field {
    Field { place, kind, required: true }
}

impl FieldType {
    /// Whether a value is of this type.
    pub fn fits(self, value: &Value) -> bool {
        let all = |fits: fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(fits));
        match self {
            Self::String => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Boolean => value.is_boolean(),
            Self::Object => value.is_object(),
            Self::Strings => all(Value::is_string),
            Self::Objects => all(Value::is_object),
        }
    }
}

impl Field {
    fn fits(self, body: &Value) -> bool {
        let segments: Vec<_> = self.place.split('/').collect();
        values(body, &segments)
            .into_iter()
            .all(|value| value.map_or(!self.required, |value| self.kind.fits(value)))
    }
}

/// The first of `fields` that is missing in a body, or that has the wrong type there.
pub fn unfit(body: &Value, fields: &[Field]) -> Option<&'static str> {
    fields.iter().find(|field| !field.fits(body)).map(|field| field.place)
}

/// The values at a place; `None` for each one that is missing.
fn values<'a>(value: &'a Value, segments: &[&str]) -> Vec<Option<&'a Value>> {
    match segments {
        [] => vec![Some(value)],
        ["*", rest @ ..] => match value {
            Value::Array(list) => list.iter().flat_map(|entry| values(entry, rest)).collect(),
            Value::Object(map) => map.values().flat_map(|entry| values(entry, rest)).collect(),
            _ => Vec::new(),
        },
        [name, rest @ ..] => value.get(name).map_or_else(|| vec![None], |value| values(value, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places_reach_into_lists_and_objects() {
        let devices = [objects("devices"), string("devices/*/device_id"), optional(string("devices/*/name"))];
        let table = [
            (json!({"devices": []}), None),
            (json!({"devices": [{"device_id": "A"}, {"device_id": "B", "name": "b"}]}), None),
            (json!({}), Some("devices")),
            (json!({"devices": [7]}), Some("devices")),
            (json!({"devices": [{"device_id": "A"}, {}]}), Some("devices/*/device_id")),
            (json!({"devices": [{"device_id": "A", "name": null}]}), Some("devices/*/name")),
        ];
        for (body, wrong) in table {
            assert_eq!(unfit(&body, &devices), wrong, "{body}");
        }
    }
}
