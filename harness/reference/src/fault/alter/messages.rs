//! What a server makes of a client's request to send something.

use serde_json::{Value, json};

use super::remove;
use crate::{
    fault::seams::Identity,
    request::ParsedRequest,
    response::{JsonResult, refuse},
};

/// The type of the event that a request sends: the segment after `send` or `state`.
fn event_type(request: &ParsedRequest) -> &str {
    request.path.get(6).map_or("", String::as_str)
}

pub(in crate::fault) fn without_joiners(_: &Identity<'_>, request: &mut ParsedRequest) -> Option<JsonResult> {
    request.body = text_without_joiners(&request.body);
    None
}

fn text_without_joiners(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            json!(text.replace(['\u{200d}', '\u{fe0f}', '\u{301}', '\u{308}', '\u{30a}'], ""))
        }
        Value::Array(list) => list.iter().map(text_without_joiners).collect(),
        Value::Object(object) => {
            object.iter().map(|(key, value)| (key.clone(), text_without_joiners(value))).collect()
        }
        other => other.clone(),
    }
}

pub(in crate::fault) fn without_relations(
    _: &Identity<'_>,
    request: &mut ParsedRequest,
) -> Option<JsonResult> {
    remove(&mut request.body, "m.relates_to");
    None
}

pub(in crate::fault) fn only_text(_: &Identity<'_>, request: &mut ParsedRequest) -> Option<JsonResult> {
    (request.body["msgtype"] != "m.text").then(|| refuse(400, "M_BAD_JSON", "only text can be sent"))
}

pub(in crate::fault) fn as_text(_: &Identity<'_>, request: &mut ParsedRequest) -> Option<JsonResult> {
    if request.body["msgtype"].is_string() {
        request.body["msgtype"] = json!("m.text");
    }
    None
}

pub(in crate::fault) fn only_known_types(
    _: &Identity<'_>,
    request: &mut ParsedRequest,
) -> Option<JsonResult> {
    let is_known = event_type(request).starts_with("m.");
    (!is_known).then(|| refuse(400, "M_BAD_JSON", "the type of the event is not known"))
}

pub(in crate::fault) fn cut(_: &Identity<'_>, request: &mut ParsedRequest) -> Option<JsonResult> {
    if request.body.is_object() {
        let cut = request.body["body"].as_str().map(|body| body.chars().take(4096).collect::<String>());
        request.body["body"] = json!(cut);
    }
    None
}

/// Whether a request sends state that is not a membership.
fn sends_plain_state(request: &ParsedRequest) -> bool {
    event_type(request) != "m.room.member"
}

pub(in crate::fault) fn cut_state_texts(_: &Identity<'_>, request: &mut ParsedRequest) -> Option<JsonResult> {
    if sends_plain_state(request) {
        for (_, text) in request.body.as_object_mut().into_iter().flatten() {
            let cut = text.as_str().map(|text| text.chars().take(20).collect::<String>());
            *text = cut.map_or_else(|| text.take(), Value::String);
        }
    }
    None
}

pub(in crate::fault) fn ignore_empty_state(
    _: &Identity<'_>,
    request: &mut ParsedRequest,
) -> Option<JsonResult> {
    let is_empty = request.body.as_object().is_some_and(|content| content.values().all(|value| value == ""));
    (is_empty && sends_plain_state(request)).then(|| Ok(json!({"event_id": "$nothing"})))
}

pub(in crate::fault) fn round_power_levels(
    _: &Identity<'_>,
    request: &mut ParsedRequest,
) -> Option<JsonResult> {
    if event_type(request) == "m.room.power_levels"
        && let Some(users) = request.body.get_mut("users").and_then(Value::as_object_mut)
    {
        for (_, level) in users {
            *level = json!(level.as_i64().map(|level| level / 50 * 50));
        }
    }
    None
}

pub(in crate::fault) fn with_reason(_: &Identity<'_>, request: &mut ParsedRequest) -> Option<JsonResult> {
    request.body = json!({ "reason": "left" });
    None
}

pub(in crate::fault) fn without_reason(_: &Identity<'_>, request: &mut ParsedRequest) -> Option<JsonResult> {
    remove(&mut request.body, "reason");
    None
}

pub(in crate::fault) fn room_version_9(_: &Identity<'_>, request: &mut ParsedRequest) -> Option<JsonResult> {
    if request.body.is_object() {
        request.body["room_version"] = json!("9");
    }
    None
}
