//! The types of EDUs (server-server API, EDUs).

use serde_json::Value;

/// The types of EDUs that are known.
pub(crate) const EDU_TYPES: [&str; 6] = [
    "m.typing",
    "m.receipt",
    "m.presence",
    "m.direct_to_device",
    "m.device_list_update",
    "m.signing_key_update",
];

/// What an EDU that a server sends is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutgoingEdu {
    Typing,
    Receipt,
    Presence,
    /// A device is new, changed or gone.
    DeviceChange,
    /// The devices of a user whom the receiving server has not known so far.
    NewMembersDevice,
    SigningKeys,
    ToDevice,
}

impl OutgoingEdu {
    /// Its type.
    pub(crate) fn edu_type(self) -> &'static str {
        match self {
            Self::Typing => "m.typing",
            Self::Receipt => "m.receipt",
            Self::Presence => "m.presence",
            Self::DeviceChange | Self::NewMembersDevice => "m.device_list_update",
            Self::SigningKeys => "m.signing_key_update",
            Self::ToDevice => "m.direct_to_device",
        }
    }
}

/// Whether an EDU has what its type needs, as servers see it that are strict about a whole transaction.
pub(crate) fn is_well_formed(edu: &Value) -> bool {
    let content = &edu["content"];
    let texts = |keys: &[&str]| keys.iter().all(|key| content[*key].is_string());
    let objects = |value: &Value| value.as_object().is_some_and(|all| all.values().all(Value::is_object));
    match edu["edu_type"].as_str() {
        Some("m.typing") => texts(&["room_id", "user_id"]) && content["typing"].is_boolean(),
        Some("m.receipt") => objects(content),
        Some("m.presence") => {
            content["push"].as_array().is_some_and(|push| push.iter().all(Value::is_object))
        }
        Some("m.direct_to_device") => {
            texts(&["sender", "type", "message_id"]) && objects(&content["messages"])
        }
        Some("m.device_list_update") => texts(&["user_id", "device_id"]) && content["stream_id"].is_i64(),
        Some("m.signing_key_update") => texts(&["user_id"]),
        _ => true,
    }
}
