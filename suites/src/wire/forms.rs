//! The form of bodies: which fields they have, and of what type.

use serde_json::Value;

/// What a value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Integer,
    Flag,
    Object,
    /// A list of strings.
    Texts,
    /// A list of objects.
    Objects,
}

/// A field of a body. Where it is: names with slashes between, `*` for each entry of a list or an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) place: &'static str,
    pub(super) form: Form,
    /// Whether it has to be there.
    pub(super) needed: bool,
}

pub(super) const fn text(place: &'static str) -> Field {
    Field { place, form: Form::Text, needed: true }
}

pub(super) const fn integer(place: &'static str) -> Field {
    Field { place, form: Form::Integer, needed: true }
}

pub(super) const fn flag(place: &'static str) -> Field {
    Field { place, form: Form::Flag, needed: true }
}

pub(super) const fn object(place: &'static str) -> Field {
    Field { place, form: Form::Object, needed: true }
}

pub(super) const fn texts(place: &'static str) -> Field {
    Field { place, form: Form::Texts, needed: true }
}

pub(super) const fn objects(place: &'static str) -> Field {
    Field { place, form: Form::Objects, needed: true }
}

/// A field that may be left out.
pub(super) const fn optional(field: Field) -> Field {
    Field { needed: false, ..field }
}

impl Form {
    pub(super) fn fits(self, value: &Value) -> bool {
        let all = |fits: fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(fits));
        match self {
            Self::Text => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Flag => value.is_boolean(),
            Self::Object => value.is_object(),
            Self::Texts => all(Value::is_string),
            Self::Objects => all(Value::is_object),
        }
    }
}

impl Field {
    fn fits(self, body: &Value) -> bool {
        let segments: Vec<_> = self.place.split('/').collect();
        reached(body, &segments)
            .into_iter()
            .all(|value| value.map_or(!self.needed, |value| self.form.fits(value)))
    }
}

/// The first of `fields` that a body has not, or not as it has to be.
pub(super) fn unfit(body: &Value, fields: &[Field]) -> Option<&'static str> {
    fields.iter().find(|field| !field.fits(body)).map(|field| field.place)
}

/// `what` in words, where a body has not the form that `fields` give.
pub(super) fn lacking(what: &str, body: &Value, fields: &[Field]) -> Option<String> {
    unfit(body, fields).map(|place| format!("{what} has no right {place}"))
}

/// The values at a place; none for each that is not there.
fn reached<'a>(value: &'a Value, segments: &[&str]) -> Vec<Option<&'a Value>> {
    match segments {
        [] => vec![Some(value)],
        ["*", rest @ ..] => match value {
            Value::Array(list) => list.iter().flat_map(|entry| reached(entry, rest)).collect(),
            Value::Object(map) => map.values().flat_map(|entry| reached(entry, rest)).collect(),
            _ => Vec::new(),
        },
        [name, rest @ ..] => value.get(name).map_or_else(|| vec![None], |value| reached(value, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places_reach_into_lists_and_objects() {
        let devices = [objects("devices"), text("devices/*/device_id"), optional(text("devices/*/name"))];
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
