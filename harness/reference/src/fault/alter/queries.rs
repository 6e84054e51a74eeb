//! What a server answers wrongly to queries about rooms and users.

use serde_json::{Value, json};

use super::remove;
use crate::{clock::now_ms, fault::seams::Identity, request::ParsedRequest, response::JsonResult};

pub(in crate::fault) fn no_history(own: &Identity<'_>, request: &mut ParsedRequest) -> Option<JsonResult> {
    let asks_for_missing = request.path.iter().any(|segment| segment == "get_missing_events");
    Some(Ok(match asks_for_missing {
        true => json!({ "events": [] }),
        false => json!({"origin": own.name, "origin_server_ts": now_ms(), "pdus": []}),
    }))
}

pub(in crate::fault) fn without_origin(_: &Identity<'_>, _: &ParsedRequest, response: &mut JsonResult) {
    if let Ok(body) = response {
        remove(body, "origin");
        remove(body, "origin_server_ts");
    }
}

pub(in crate::fault) fn without_signatures(pdu: &mut Value) {
    pdu["signatures"] = json!({});
}

pub(in crate::fault) fn believed_token(own: &Identity<'_>, _: &ParsedRequest, response: &mut JsonResult) {
    if response.is_err() {
        *response = Ok(json!({ "sub": format!("@anybody:{}", own.name) }));
    }
}

pub(in crate::fault) fn empty_profile(
    own: &Identity<'_>,
    request: &ParsedRequest,
    response: &mut JsonResult,
) {
    let user = request.value("user_id").unwrap_or_default();
    if samklang_matrix::server_of(user) == Some(own.name) {
        *response = Ok(json!({}));
    }
}
