//! Events as servers exchange them (PDUs), for every room version.

mod format;
mod hash;
mod redact;
mod sign;
mod verify;

use std::sync::LazyLock;

use serde_json::{Map, Value};

pub use format::{BreachReason, FormatBreach, format_breaches};
pub(crate) use hash::LENIENT;
pub use hash::{content_hash, has_content_hash, reference_hash};
pub use redact::redact;
pub use sign::{add_content_hash, event_signature, sign_event};
pub use verify::{SignatureError, Signer, Verified, required_signers, verify_event};

use crate::{RoomVersion, canonical::non_canonical_number, canonical_json, version::EventIds};

/// Why something is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It is not a JSON object that Matrix allows.
    #[error("not a canonical JSON object: {0}")]
    NotCanonical(String),
    /// The room version is not known.
    #[error("room version {0:?} is not known")]
    UnknownRoomVersion(String),
}

/// An event in the federation format of its room version. It is a JSON object with numbers that the room version allows;
/// nothing else about it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    object: Map<String, Value>,
    id: String,
    room_id: Option<String>,
    version: RoomVersion,
}

/// The size of the object as canonical JSON, in bytes (appendices, canonical JSON); `None` if it has no such form.
pub fn canonical_size(json: &Value) -> Option<usize> {
    (json.is_object() && non_canonical_number(json).is_none()).then(|| canonical_json(json).len())
}

impl Event {
    /// Reads a PDU and derives its id: the reference hash from room version 3 on, before that the `event_id` it carries
    /// (rooms/v3, event IDs; server-server API, calculating the reference hash).
    ///
    /// # Errors
    /// If it is not a JSON object, from version 6 on also if it is not canonical, or if the version is not known.
    pub fn parse(json: &Value, room_version: &str) -> Result<Self, EventError> {
        Self::read(json, &RoomVersion::new(room_version)?)
    }

    /// [`Event::parse`] for a version that is already known.
    ///
    /// # Errors
    /// If it is not a JSON object, or from version 6 on not canonical.
    pub fn read(json: &Value, version: &RoomVersion) -> Result<Self, EventError> {
        let object = json.as_object().ok_or_else(|| EventError::NotCanonical("not an object".into()))?;
        if version.strict_numbers()
            && let Some(place) = non_canonical_number(json)
        {
            return Err(EventError::NotCanonical(format!("the number at {place}")));
        }
        Ok(Self::of(object.clone(), version))
    }

    /// The event of an object; its numbers are not checked.
    pub(crate) fn of(object: Map<String, Value>, version: &RoomVersion) -> Self {
        let carried = object.get("event_id").and_then(Value::as_str);
        let id = match (version.event_ids(), carried) {
            (EventIds::Carried, Some(id)) => id.to_owned(),
            _ => format!("${}", reference_hash(&object, version)),
        };
        // From version 12 on the room id is made from the id of the create event (rooms/v12, room IDs).
        let room_id = match object.get("room_id").and_then(Value::as_str) {
            Some(room_id) => Some(room_id.to_owned()),
            None if version.is_named_by_create() && text(&object, "type") == Some("m.room.create") => {
                Some(id.replacen('$', "!", 1))
            }
            None => None,
        };
        Self { object, id, room_id, version: version.clone() }
    }

    /// The event's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its room version.
    pub fn version(&self) -> &RoomVersion {
        &self.version
    }

    /// The whole event.
    pub fn json(&self) -> &Map<String, Value> {
        &self.object
    }

    /// A top-level string.
    pub fn text(&self, key: &str) -> Option<&str> {
        text(&self.object, key)
    }

    /// Its `type`; empty when it has none.
    pub fn kind(&self) -> &str {
        self.text("type").unwrap_or_default()
    }

    /// Its `sender`; empty when it has none.
    pub fn sender(&self) -> &str {
        self.text("sender").unwrap_or_default()
    }

    /// Its `state_key`. An event that has one is a state event, even if it is empty.
    pub fn state_key(&self) -> Option<&str> {
        self.text("state_key")
    }

    /// Whether it is a state event of this type and state key.
    pub fn is_state(&self, kind: &str, state_key: &str) -> bool {
        self.kind() == kind && self.state_key() == Some(state_key)
    }

    /// The id of its room: its `room_id`, or from version 12 on for a create event the id made from its own.
    pub fn room_id(&self) -> Option<&str> {
        self.room_id.as_deref()
    }

    /// Its `content`; an empty object when it has none.
    pub fn content(&self) -> &Map<String, Value> {
        static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        self.object.get("content").and_then(Value::as_object).unwrap_or(&NONE)
    }

    /// The user and the membership of a member event.
    pub fn member(&self) -> Option<(&str, &str)> {
        if self.kind() != "m.room.member" {
            return None;
        }
        Some((self.state_key()?, self.membership()?))
    }

    /// `content.membership`.
    pub fn membership(&self) -> Option<&str> {
        text(self.content(), "membership")
    }

    /// Its `origin_server_ts`, in milliseconds since 1970; 0 when it has none.
    pub fn origin_server_ts(&self) -> i64 {
        self.object.get("origin_server_ts").and_then(Value::as_i64).unwrap_or_default()
    }

    /// Its `depth`; 0 when it has none.
    pub fn depth(&self) -> i64 {
        self.object.get("depth").and_then(Value::as_i64).unwrap_or_default()
    }

    /// The ids in `auth_events`.
    pub fn auth_events(&self) -> Vec<String> {
        self.ids("auth_events")
    }

    /// The ids in `prev_events`.
    pub fn prev_events(&self) -> Vec<String> {
        self.ids("prev_events")
    }

    /// The redacted event, under the same id.
    #[must_use]
    pub fn redacted(&self) -> Self {
        Self { object: redact(&self.object, &self.version), ..self.clone() }
    }

    /// From room version 3 on a list of ids; before that a list of pairs of id and hashes.
    fn ids(&self, key: &str) -> Vec<String> {
        let id = |entry: &Value| {
            let id = entry.as_str().or_else(|| entry.as_array()?.first()?.as_str());
            id.map(str::to_owned)
        };
        self.object.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(id).collect()
    }
}

/// The string under a key.
pub(crate) fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message() -> Value {
        json!({
            "type": "m.room.message", "room_id": "!r:a.test", "sender": "@alice:a.test", "depth": 3,
            "origin_server_ts": 1, "content": {"body": "hej", "msgtype": "m.text"}, "hashes": {"sha256": "x"},
            "prev_events": ["$p"], "auth_events": ["$c", "$m"], "signatures": {}, "unsigned": {"age": 1},
        })
    }

    #[test]
    fn the_id_is_the_hash_of_the_redacted_event() {
        let full = Event::parse(&message(), "11").unwrap();
        let mut redacted = message();
        redacted["content"] = json!({});
        redacted["unsigned"] = json!({});
        assert_eq!(full.id(), Event::parse(&redacted, "11").unwrap().id());
        assert_eq!(full.redacted().content().len(), 0);
        redacted["depth"] = json!(4);
        assert_ne!(full.id(), Event::parse(&redacted, "11").unwrap().id());
        assert_eq!(full.id().len(), 44);
    }

    #[test]
    fn an_event_id_in_the_event_counts_only_in_version_1_and_2() {
        let mut event = message();
        event["event_id"] = json!("$claimed:a.test");
        assert_eq!(Event::parse(&event, "1").unwrap().id(), "$claimed:a.test");
        assert_ne!(Event::parse(&event, "11").unwrap().id(), "$claimed:a.test");
    }

    #[test]
    fn auth_and_prev_events_are_read_in_both_formats() {
        let mut event = message();
        event["prev_events"] = json!([["$old:a.test", {"sha256": "x"}], 7, [], [8]]);
        let event = Event::parse(&event, "11").unwrap();
        assert_eq!(event.prev_events(), ["$old:a.test"]);
        assert_eq!(event.auth_events(), ["$c", "$m"]);
    }

    #[test]
    fn json_that_is_not_canonical_is_not_an_event() {
        assert!(matches!(Event::parse(&json!({"depth": 1.5}), "11"), Err(EventError::NotCanonical(_))));
        assert!(matches!(Event::parse(&json!([]), "5"), Err(EventError::NotCanonical(_))));
        assert!(matches!(Event::parse(&message(), "no-such"), Err(EventError::UnknownRoomVersion(_))));
        assert_eq!(canonical_size(&json!({"b": 1, "a": "å"})), Some("{\"a\":\"å\",\"b\":1}".len()));
        assert_eq!(canonical_size(&json!({"b": 1.5})), None);
    }

    /// SS-CJSON-013.
    #[test]
    fn up_to_version_5_great_and_fractional_numbers_are_allowed() {
        let mut event = message();
        event["content"]["n"] = json!([9_007_199_254_740_993_i64, 1.5]);
        assert!(Event::parse(&event, "5").is_ok());
        assert!(Event::parse(&event, "6").is_err());
    }

    /// SS-ROOMV-015.
    #[test]
    fn from_version_12_on_the_create_event_makes_the_room_id() {
        let mut create = message();
        create["type"] = json!("m.room.create");
        create.as_object_mut().unwrap().remove("room_id");
        let event = Event::parse(&create, "12").unwrap();
        assert_eq!(event.room_id().unwrap()[1..], event.id()[1..]);
        assert!(event.room_id().unwrap().starts_with('!'));
        assert_eq!(Event::parse(&create, "11").unwrap().room_id(), None);
    }
}
