//! What clients are shown wrongly.

use serde_json::{Value, json};

use super::remove;
use crate::{clock::now_ms, response::JsonResult};

pub(in crate::fault) fn without_redacts(event: &mut Value) {
    remove(event, "redacts");
}

pub(in crate::fault) fn with_time_of_arrival(event: &mut Value) {
    event["origin_server_ts"] = json!(now_ms());
}

pub(in crate::fault) fn without_redaction(event: &mut Value) {
    if let Some(unsigned) = event.get_mut("unsigned") {
        remove(unsigned, "redacted_because");
    }
}

pub(in crate::fault) fn with_edited_content(event: &mut Value) {
    let edit = &event["unsigned"]["m.relations"]["m.replace"];
    if edit.is_object() {
        event["content"] = edit["content"]["m.new_content"].clone();
    }
}

pub(in crate::fault) fn without_relations(event: &mut Value) {
    if let Some(unsigned) = event.get_mut("unsigned") {
        remove(unsigned, "m.relations");
    }
}

pub(in crate::fault) fn without_lists(event: &mut Value, _: &str) {
    if let Some(content) = event["content"].as_object_mut() {
        content.retain(|_, value| !value.is_array());
    }
}

pub(in crate::fault) fn with_creator(event: &mut Value, creator: &str) {
    if event["type"] == "m.room.power_levels" {
        event["content"]["users"][creator] = json!(100);
    }
}

pub(in crate::fault) fn twice(events: &mut Vec<Value>) {
    events.extend(events.clone());
}

pub(in crate::fault) fn no_room_versions(response: &mut JsonResult) {
    let versions = json!({"default": "12", "available": {}});
    *response = Ok(json!({ "capabilities": { "m.room_versions": versions } }));
}
