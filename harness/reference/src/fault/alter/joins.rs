//! What a server leaves out of the response to a join or a knock.

use serde_json::{Value, json};

use crate::{fault::seams::Identity, request::ParsedRequest, response::JsonResult};

fn is_member(event: &Value) -> bool {
    event["type"] == "m.room.member"
}

pub(in crate::fault) fn without_members(_: &Identity<'_>, _: &ParsedRequest, response: &mut JsonResult) {
    if let Ok(body) = response
        && let Some(state) = body["state"].as_array_mut()
    {
        state.retain(|event| !is_member(event));
    }
}

pub(in crate::fault) fn without_other_members(
    _: &Identity<'_>,
    _: &ParsedRequest,
    response: &mut JsonResult,
) {
    let Ok(body) = response else { return };
    let chain = body["auth_chain"].as_array().cloned().unwrap_or_default();
    if let Some(state) = body["state"].as_array_mut() {
        state.retain(|event| !is_member(event) || chain.contains(event));
    }
}

pub(in crate::fault) fn without_auth_chain(_: &Identity<'_>, _: &ParsedRequest, response: &mut JsonResult) {
    if let Ok(body) = response {
        body["auth_chain"] = json!([]);
    }
}

pub(in crate::fault) fn with_another_creator(
    own: &Identity<'_>,
    _: &ParsedRequest,
    response: &mut JsonResult,
) {
    let Ok(body) = response else { return };
    for list in ["state", "auth_chain"] {
        for event in body[list].as_array_mut().into_iter().flatten() {
            if event["type"] == "m.room.create" && event["content"]["creator"].is_string() {
                event["content"]["creator"] = json!(format!("@nobody:{}", own.name));
            }
        }
    }
}

pub(in crate::fault) fn without_knock_state(_: &Identity<'_>, _: &ParsedRequest, response: &mut JsonResult) {
    if let Ok(body) = response {
        body["knock_room_state"] = json!([]);
    }
}
