//! What a server answers to invites.

use crate::{
    fault::seams::Identity,
    request::ParsedRequest,
    response::{JsonResult, error_response},
};

use super::remove;

pub(in crate::fault) fn vague_error(_: &Identity<'_>, _: &ParsedRequest, response: &mut JsonResult) {
    if response.is_err() {
        *response = Err(error_response(500, "M_UNKNOWN", "something is wrong"));
    }
}

pub(in crate::fault) fn without_signature(own: &Identity<'_>, _: &ParsedRequest, response: &mut JsonResult) {
    if let Ok(body) = response {
        remove(&mut body["event"]["signatures"], own.name);
    }
}
