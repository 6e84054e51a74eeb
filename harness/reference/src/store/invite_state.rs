//! The state of a room that users see who are invited or knock (client-server API, stripped state).

use serde_json::{Map, Value};

use super::held_room::HeldRoom;

/// The types of the state events that a room shows.
const SHOWN: [&str; 8] = [
    "m.room.create",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.encryption",
    "m.room.history_visibility",
];

impl HeldRoom {
    /// The state that the room shows to users outside: complete events, as version 12 demands and those before allow.
    /// With `member`, that user's membership too.
    pub(crate) fn invite_state(&self, member: Option<&str>) -> Vec<Value> {
        let general = SHOWN.iter().filter_map(|kind| self.room.state_event(kind, ""));
        let member = member.and_then(|user| self.room.state_event("m.room.member", user));
        general.chain(member).map(|event| Value::Object(event.json().clone())).collect()
    }
}

/// A stripped state event.
pub(crate) fn stripped(event: &Value) -> Value {
    let mut shown = Map::new();
    for key in ["type", "state_key", "sender", "content"] {
        shown.insert(key.to_owned(), event[key].clone());
    }
    Value::Object(shown)
}
