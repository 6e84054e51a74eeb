//! The format of a PDU in its room version (server-server API, PDUs; checks performed on receipt of a PDU, 1).
//!
//! The authorisation rules are not applied here: a server keeps a rejected event and drops a malformed one. So a create
//! event of version 12 with a `room_id` is well-formed, and so is an event that has the create event as an auth event.

use serde_json::{Map, Value};

use super::text;
use crate::{
    RoomVersion,
    canonical::{MAX_INTEGER, non_canonical_number},
    canonical_json,
    names::is_user_id,
    version::EventIds,
};

/// The greatest size of an event in canonical JSON, signatures included (client-server API, size limits).
const MAX_EVENT_BYTES: usize = 65_536;
const MAX_FIELD_BYTES: usize = 255;
const MAX_PREV_EVENTS: usize = 20;
const MAX_AUTH_EVENTS: usize = 10;

/// The ways in which an event breaks the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreachReason {
    /// It is not a JSON object.
    NotObject,
    /// It has more than 65536 bytes.
    EventTooLarge,
    /// A number is not canonical (version 6 on).
    NumberNotCanonical,
    /// A required key is missing.
    FieldMissing,
    /// A value has the wrong type.
    FieldType,
    /// A value has more than 255 bytes of UTF-8.
    FieldTooLong,
    /// An integer lies outside its range.
    IntegerRange,
    /// The sender is not a user id.
    SenderNotUserId,
    /// More than 20 `prev_events`.
    TooManyPrevEvents,
    /// More than 10 `auth_events`.
    TooManyAuthEvents,
    /// An entry of `prev_events` or `auth_events` does not have the form of the room version.
    ReferenceForm,
}

impl BreachReason {
    /// All reasons.
    pub const ALL: &[Self] = &[
        Self::NotObject,
        Self::EventTooLarge,
        Self::NumberNotCanonical,
        Self::FieldMissing,
        Self::FieldType,
        Self::FieldTooLong,
        Self::IntegerRange,
        Self::SenderNotUserId,
        Self::TooManyPrevEvents,
        Self::TooManyAuthEvents,
        Self::ReferenceForm,
    ];

    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotObject => "format.not-object",
            Self::EventTooLarge => "format.event-too-large",
            Self::NumberNotCanonical => "format.number-not-canonical",
            Self::FieldMissing => "format.field-missing",
            Self::FieldType => "format.field-type",
            Self::FieldTooLong => "format.field-too-long",
            Self::IntegerRange => "format.integer-range",
            Self::SenderNotUserId => "format.sender-not-user-id",
            Self::TooManyPrevEvents => "format.too-many-prev-events",
            Self::TooManyAuthEvents => "format.too-many-auth-events",
            Self::ReferenceForm => "format.reference-form",
        }
    }

    /// The section of the specification that says so.
    pub fn section(self) -> &'static str {
        match self {
            Self::EventTooLarge | Self::FieldTooLong => "client-server-api#size-limits",
            Self::NumberNotCanonical => "rooms/v6#canonical-json",
            Self::SenderNotUserId => "appendices#user-identifiers",
            Self::ReferenceForm => "rooms/v3#event-format",
            _ => "server-server-api#pdus",
        }
    }
}

/// A breach of the format.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FormatBreach {
    /// The place as a dotted path; empty for the event as a whole.
    pub field: String,
    /// What is wrong.
    pub reason: BreachReason,
}

impl std::fmt::Display for FormatBreach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {:?} ({})", self.reason.code(), self.field, self.reason.section())
    }
}

/// All breaches of a PDU, in the order of the checks. A server goes on with a PDU that has none.
pub fn format_breaches(pdu: &Value, version: &RoomVersion) -> Vec<FormatBreach> {
    let mut check = Check { version, breaches: Vec::new() };
    match pdu.as_object() {
        Some(object) => check.event(pdu, object),
        None => check.note("", BreachReason::NotObject),
    }
    check.breaches
}

struct Check<'a> {
    version: &'a RoomVersion,
    breaches: Vec<FormatBreach>,
}

impl Check<'_> {
    fn note(&mut self, field: &str, reason: BreachReason) {
        self.breaches.push(FormatBreach { field: field.to_owned(), reason });
    }

    fn event(&mut self, pdu: &Value, object: &Map<String, Value>) {
        if canonical_json(pdu).len() > MAX_EVENT_BYTES {
            self.note("", BreachReason::EventTooLarge);
        }
        if self.version.strict_numbers()
            && let Some(place) = non_canonical_number(pdu)
        {
            self.note(&place, BreachReason::NumberNotCanonical);
        }
        let is_create = text(object, "type") == Some("m.room.create");
        let carries_id = self.version.event_ids() == EventIds::Carried;
        self.string(object, "type", true);
        self.string(object, "sender", true);
        self.string(object, "room_id", !(is_create && self.version.is_named_by_create()));
        self.string(object, "state_key", false);
        if carries_id {
            self.string(object, "event_id", true);
        }
        if text(object, "sender").is_some_and(|sender| !is_user_id(sender)) {
            self.note("sender", BreachReason::SenderNotUserId);
        }
        self.integer(object, "depth", 0);
        self.integer(object, "origin_server_ts", -MAX_INTEGER);
        self.typed(object, "content", Value::is_object);
        self.typed(object, "hashes", |hashes| hashes.get("sha256").is_some_and(Value::is_string));
        self.typed(object, "signatures", Value::is_object);
        self.references(object, "prev_events", MAX_PREV_EVENTS, BreachReason::TooManyPrevEvents);
        self.references(object, "auth_events", MAX_AUTH_EVENTS, BreachReason::TooManyAuthEvents);
    }

    fn string(&mut self, object: &Map<String, Value>, key: &str, required: bool) {
        match object.get(key) {
            None if required => self.note(key, BreachReason::FieldMissing),
            None => {}
            Some(Value::String(value)) if value.len() > MAX_FIELD_BYTES => {
                self.note(key, BreachReason::FieldTooLong);
            }
            Some(Value::String(_)) => {}
            Some(_) => self.note(key, BreachReason::FieldType),
        }
    }

    /// [`BreachReason::NumberNotCanonical`] covers numbers beyond 2^53; up to version 5 they go to 2^63 − 1
    /// (SS-PDU-018).
    fn integer(&mut self, object: &Map<String, Value>, key: &str, least: i64) {
        match object.get(key) {
            None => self.note(key, BreachReason::FieldMissing),
            Some(value) => match value.as_i64() {
                Some(integer) if integer < least => self.note(key, BreachReason::IntegerRange),
                Some(_) => {}
                None if value.is_u64() => self.note(key, BreachReason::IntegerRange),
                None => self.note(key, BreachReason::FieldType),
            },
        }
    }

    fn typed(&mut self, object: &Map<String, Value>, key: &str, fits: fn(&Value) -> bool) {
        match object.get(key) {
            None => self.note(key, BreachReason::FieldMissing),
            Some(value) if !fits(value) => self.note(key, BreachReason::FieldType),
            Some(_) => {}
        }
    }

    fn references(&mut self, object: &Map<String, Value>, key: &str, most: usize, too_many: BreachReason) {
        let list = match object.get(key) {
            None => return self.note(key, BreachReason::FieldMissing),
            Some(Value::Array(list)) => list,
            Some(_) => return self.note(key, BreachReason::FieldType),
        };
        if list.len() > most {
            self.note(key, too_many);
        }
        let pairs = self.version.event_ids() == EventIds::Carried;
        let fits = |entry: &Value| match entry {
            Value::String(_) => !pairs,
            Value::Array(pair) => {
                pairs && matches!(pair.as_slice(), [Value::String(_), hashes] if hashes.is_object())
            }
            _ => false,
        };
        if let Some(index) = list.iter().position(|entry| !fits(entry)) {
            self.note(&format!("{key}.{index}"), BreachReason::ReferenceForm);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message() -> Value {
        json!({"type": "m.room.message", "room_id": "!r:a.test", "sender": "@a:a.test", "depth": 3,
               "origin_server_ts": 1, "content": {}, "hashes": {"sha256": "x"}, "signatures": {},
               "prev_events": ["$p"], "auth_events": ["$c"]})
    }

    fn breaches(pdu: &Value, version: &str) -> Vec<(String, &'static str)> {
        let version = RoomVersion::new(version).unwrap();
        format_breaches(pdu, &version).into_iter().map(|it| (it.field, it.reason.code())).collect()
    }

    /// SS-PDU-001, 004 and ROOMV-018.
    #[test]
    fn each_missing_key_is_a_breach() {
        assert_eq!(breaches(&message(), "3"), []);
        assert_eq!(breaches(&message(), "12"), []);
        for key in message().as_object().unwrap().keys() {
            let mut pdu = message();
            pdu.as_object_mut().unwrap().remove(key);
            for version in ["3", "11", "12"] {
                assert_eq!(breaches(&pdu, version), [(key.clone(), "format.field-missing")]);
            }
        }
    }

    /// SS-PDU-002, 012, 014, 017, SS-CJSON-009, 010, SS-LIMITS-002 to 005.
    #[test]
    fn wrong_types_numbers_and_lengths_are_breaches() {
        let long = "å".repeat(128);
        let table = [
            ("type", json!(7), vec![("type", "format.field-type")]),
            ("type", json!("a".repeat(255)), vec![]),
            ("type", json!("a".repeat(256)), vec![("type", "format.field-too-long")]),
            ("state_key", json!(long), vec![("state_key", "format.field-too-long")]),
            ("state_key", json!(null), vec![("state_key", "format.field-type")]),
            ("room_id", json!(long), vec![("room_id", "format.field-too-long")]),
            ("sender", json!("a:a.test"), vec![("sender", "format.sender-not-user-id")]),
            ("sender", json!("@:a.test"), vec![]),
            ("content", json!([]), vec![("content", "format.field-type")]),
            ("content", json!({"a": [1.5]}), vec![("content.a.0", "format.number-not-canonical")]),
            ("depth", json!(-1), vec![("depth", "format.integer-range")]),
            ("depth", json!("5"), vec![("depth", "format.field-type")]),
            ("depth", json!(1_i64 << 53), vec![("depth", "format.number-not-canonical")]),
            ("hashes", json!({}), vec![("hashes", "format.field-type")]),
            ("prev_events", json!("$p"), vec![("prev_events", "format.field-type")]),
            ("prev_events", json!(vec!["$p"; 21]), vec![("prev_events", "format.too-many-prev-events")]),
            ("prev_events", json!(vec!["$p"; 20]), vec![]),
            ("auth_events", json!(vec!["$p"; 11]), vec![("auth_events", "format.too-many-auth-events")]),
            ("auth_events", json!([["$c", {}]]), vec![("auth_events.0", "format.reference-form")]),
        ];
        for (key, value, expected) in table {
            let mut pdu = message();
            pdu[key] = value.clone();
            let expected: Vec<_> =
                expected.into_iter().map(|(field, code)| (field.to_owned(), code)).collect();
            assert_eq!(breaches(&pdu, "11"), expected, "{key} = {value}");
        }
        assert_eq!(breaches(&json!([]), "11"), [(String::new(), "format.not-object")]);
    }

    /// SS-LIMITS-001: the bound is exact.
    #[test]
    fn an_event_may_have_65536_bytes() {
        let mut pdu = message();
        pdu["content"]["body"] = json!("");
        let room = MAX_EVENT_BYTES - canonical_json(&pdu).len();
        pdu["content"]["body"] = json!("a".repeat(room));
        assert_eq!(breaches(&pdu, "11"), []);
        pdu["content"]["body"] = json!("a".repeat(room + 1));
        assert_eq!(breaches(&pdu, "11"), [(String::new(), "format.event-too-large")]);
    }

    #[test]
    fn versions_differ_in_ids_numbers_and_the_create_event() {
        let mut pdu = message();
        pdu["depth"] = json!(1_i64 << 53);
        assert_eq!(breaches(&pdu, "5"), []);
        let mut old = message();
        assert_eq!(breaches(&old, "2").len(), 3);
        old["event_id"] = json!("$1:a.test");
        old["prev_events"] = json!([["$p:a.test", {"sha256": "x"}]]);
        old["auth_events"] = json!([]);
        assert_eq!(breaches(&old, "2"), []);
        let mut create = message();
        create["type"] = json!("m.room.create");
        create.as_object_mut().unwrap().remove("room_id");
        assert_eq!(breaches(&create, "12"), []);
        assert_eq!(breaches(&create, "11"), [("room_id".to_owned(), "format.field-missing")]);
    }
}
