//! Events as servers exchange them (PDUs), for every room version.

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, RoomVersionId,
    room_version_rules::{EventIdFormatVersion, RoomVersionRules},
};
use serde_json::Value;

/// Why something is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It is no JSON object that Matrix allows.
    #[error("not a canonical JSON object: {0}")]
    NotCanonical(String),
    /// The room version is not known.
    #[error("room version {0:?} is not known")]
    UnknownRoomVersion(String),
    /// Its hash cannot be taken.
    #[error("no reference hash: {0}")]
    NoHash(String),
}

/// An event in the federation format of its room version.
#[derive(Debug, Clone)]
pub struct Event {
    object: CanonicalJsonObject,
    id: String,
}

/// The rules of a room version.
pub(crate) fn rules(room_version: &str) -> Result<RoomVersionRules, EventError> {
    let unknown = || EventError::UnknownRoomVersion(room_version.to_owned());
    RoomVersionId::try_from(room_version).map_err(|_| unknown())?.rules().ok_or_else(unknown)
}

/// A JSON object as canonical JSON (integers only, no exponents).
pub(crate) fn canonical_object(json: &Value) -> Result<CanonicalJsonObject, EventError> {
    let text = json.to_string();
    serde_json::from_str(&text).map_err(|error| EventError::NotCanonical(error.to_string()))
}

/// How many bytes the value takes as canonical JSON (appendices, canonical JSON); `None` if it cannot be written so.
pub fn canonical_size(json: &Value) -> Option<usize> {
    canonical_object(json).ok().map(|object| CanonicalJsonValue::Object(object).to_string().len())
}

/// The content hash of a PDU, as `hashes.sha256` has to hold it: unpadded base64 (server-server API, calculating the
/// content hash for an event). `None` where it is no canonical JSON object, or too large.
pub fn content_hash(pdu: &Value) -> Option<String> {
    let hash = ruma::signatures::content_hash(&canonical_object(pdu).ok()?).ok()?;
    Some(hash.encode())
}

impl Event {
    /// Reads a PDU and derives its id: the reference hash from room version 3 on, before that the `event_id` it carries
    /// (rooms/v3, event IDs; server-server API, calculating the reference hash).
    ///
    /// # Errors
    /// When it is no canonical JSON object, or the room version is unknown.
    pub fn parse(json: &Value, room_version: &str) -> Result<Self, EventError> {
        let rules = rules(room_version)?;
        let object = canonical_object(json)?;
        let id = match (&rules.event_id_format, object.get("event_id")) {
            (EventIdFormatVersion::V1, Some(CanonicalJsonValue::String(id))) => id.clone(),
            _ => {
                let hash = ruma::signatures::reference_hash(&object, &rules)
                    .map_err(|error| EventError::NoHash(error.to_string()))?;
                format!("${hash}")
            }
        };
        Ok(Self { object, id })
    }

    /// The event's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A top-level string.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.object.get(key) {
            Some(CanonicalJsonValue::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The ids in `auth_events`.
    pub fn auth_events(&self) -> Vec<String> {
        self.ids("auth_events")
    }

    /// The ids in `prev_events`.
    pub fn prev_events(&self) -> Vec<String> {
        self.ids("prev_events")
    }

    /// From room version 3 on a list of ids; before that a list of pairs of id and hashes.
    fn ids(&self, key: &str) -> Vec<String> {
        let Some(CanonicalJsonValue::Array(list)) = self.object.get(key) else { return Vec::new() };
        let id = |entry: &CanonicalJsonValue| match entry {
            CanonicalJsonValue::String(id) => Some(id.clone()),
            CanonicalJsonValue::Array(pair) => match pair.first() {
                Some(CanonicalJsonValue::String(id)) => Some(id.clone()),
                _ => None,
            },
            _ => None,
        };
        list.iter().filter_map(id).collect()
    }
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
    fn the_id_is_the_hash_of_what_redaction_leaves() {
        let full = Event::parse(&message(), "11").unwrap();
        let mut redacted = message();
        redacted["content"] = json!({});
        redacted["unsigned"] = json!({});
        assert_eq!(full.id(), Event::parse(&redacted, "11").unwrap().id());
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
        event["prev_events"] = json!([["$old:a.test", {"sha256": "x"}], 7]);
        let event = Event::parse(&event, "11").unwrap();
        assert_eq!(event.prev_events(), ["$old:a.test"]);
        assert_eq!(event.auth_events(), ["$c", "$m"]);
    }

    #[test]
    fn what_is_not_canonical_is_no_event() {
        assert!(matches!(Event::parse(&json!({"depth": 1.5}), "11"), Err(EventError::NotCanonical(_))));
        assert!(matches!(Event::parse(&message(), "no-such"), Err(EventError::UnknownRoomVersion(_))));
        assert_eq!(canonical_size(&json!({"b": 1, "a": "å"})), Some("{\"a\":\"å\",\"b\":1}".len()));
    }
}
