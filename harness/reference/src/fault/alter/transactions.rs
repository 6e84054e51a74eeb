//! What a server makes of transactions that it receives, and what is wrong with those that it sends.

use samklang_matrix::{Event, server_of};
use serde_json::{Value, json};

use crate::{
    fault::seams::Identity, request::ParsedRequest, response::JsonResult, transaction_limits::MOST_EDUS,
};

/// How many EDUs a server accepts that cuts them.
const FIRST_EDUS: usize = 50;
/// The most prev events of an event (rooms/v1, event format).
const MOST_PREV_EVENTS: usize = 20;

pub(in crate::fault) fn cut_edus(_: &Identity<'_>, request: &mut ParsedRequest) -> Option<JsonResult> {
    if let Some(edus) = request.body.get_mut("edus").and_then(Value::as_array_mut)
        && edus.len() <= MOST_EDUS
    {
        edus.truncate(FIRST_EDUS);
    }
    None
}

pub(in crate::fault) fn believe_origin(_: &Identity<'_>, request: &mut ParsedRequest) -> Option<JsonResult> {
    request.body["origin"].as_str().unwrap_or_default().clone_into(&mut request.origin);
    None
}

pub(in crate::fault) fn has_most_prev_events(_: &str, event: &Event) -> bool {
    event.prev_events().len() >= MOST_PREV_EVENTS
}

pub(in crate::fault) fn is_relayed(origin: &str, event: &Event) -> bool {
    server_of(event.sender()) != Some(origin)
}

pub(in crate::fault) fn without_error(result: &mut Value) {
    *result = json!({});
}

pub(in crate::fault) fn with_error(result: &mut Value) {
    *result = json!({ "error": "no" });
}

pub(in crate::fault) fn under_another_id(id: &mut String) {
    id.push('x');
}

pub(in crate::fault) fn without_results(_: &Identity<'_>, _: &ParsedRequest, response: &mut JsonResult) {
    if response.is_ok() {
        *response = Ok(json!({}));
    }
}

pub(in crate::fault) fn without_time(transaction: &mut Value) {
    transaction["origin_server_ts"] = Value::Null;
}

pub(in crate::fault) fn with_another_origin(transaction: &mut Value) {
    transaction["origin"] = json!("elsewhere.test");
}
