//! What a server makes of EDUs that it receives, and of those that it sends.

use serde_json::{Value, json};

use super::remove;
use crate::edu_types::EDU_TYPES;

pub(in crate::fault) fn is_unknown(edu: &Value) -> bool {
    !EDU_TYPES.iter().any(|kind| edu["edu_type"] == **kind)
}

pub(in crate::fault) fn without_threads(edu: &mut Value) {
    for (_, kinds) in edu["content"].as_object_mut().into_iter().flatten() {
        for (_, receipts) in kinds.as_object_mut().into_iter().flatten() {
            for (_, receipt) in receipts.as_object_mut().into_iter().flatten() {
                if let Some(data) = receipt.get_mut("data") {
                    remove(data, "thread_id");
                }
            }
        }
    }
}

pub(in crate::fault) fn without_type(edu: &mut Value) {
    edu["edu_type"] = Value::Null;
}

pub(in crate::fault) fn nothing(content: &mut Option<Value>) {
    *content = None;
}

pub(in crate::fault) fn no_typing_end(content: &mut Option<Value>) {
    if content.as_ref().is_some_and(|content| content["typing"] == false) {
        *content = None;
    }
}

pub(in crate::fault) fn without_room(content: &mut Option<Value>) {
    if let Some(content) = content {
        content["room_id"] = Value::Null;
    }
}

/// The entry of each user in receipts.
fn each_receipt(content: &mut Option<Value>, alter: impl Fn(&mut Value)) {
    for (_, kinds) in content.as_mut().and_then(Value::as_object_mut).into_iter().flatten() {
        for (_, users) in kinds.as_object_mut().into_iter().flatten() {
            users.as_object_mut().into_iter().flatten().for_each(|(_, receipt)| alter(receipt));
        }
    }
}

pub(in crate::fault) fn with_two_events(content: &mut Option<Value>) {
    each_receipt(content, |receipt| {
        let event = receipt["event_ids"][0].clone();
        receipt["event_ids"] = json!([event, event]);
    });
}

pub(in crate::fault) fn in_main_timeline(content: &mut Option<Value>) {
    each_receipt(content, |receipt| receipt["data"]["thread_id"] = json!("main"));
}

/// The presence of each user.
fn each_presence(content: &mut Option<Value>, alter: impl Fn(&mut Value)) {
    let push = content.as_mut().and_then(|content| content["push"].as_array_mut());
    push.into_iter().flatten().for_each(alter);
}

pub(in crate::fault) fn always_online(content: &mut Option<Value>) {
    each_presence(content, |presence| {
        if presence["presence"] == "unavailable" {
            presence["presence"] = json!("online");
        }
    });
}

pub(in crate::fault) fn with_cut_status(content: &mut Option<Value>) {
    each_presence(content, |presence| {
        if let Some(status) = presence["status_msg"].as_str() {
            presence["status_msg"] = json!(status.chars().take(6).collect::<String>());
        }
    });
}

pub(in crate::fault) fn without_status(content: &mut Option<Value>) {
    each_presence(content, |presence| remove(presence, "status_msg"));
}

pub(in crate::fault) fn without_previous_updates(content: &mut Option<Value>) {
    if let Some(content) = content {
        content["prev_id"] = json!([]);
    }
}

pub(in crate::fault) fn with_null_name(content: &mut Option<Value>) {
    if let Some(content) = content.as_mut().and_then(Value::as_object_mut) {
        content.entry("device_display_name").or_insert(Value::Null);
    }
}

pub(in crate::fault) fn with_long_id(content: &mut Option<Value>) {
    if let Some(content) = content {
        let id = content["message_id"].as_str().unwrap_or_default();
        content["message_id"] = json!(format!("{id:0>40}"));
    }
}
