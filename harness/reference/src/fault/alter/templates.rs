//! What is wrong with a server's templates for member events, and with its refusals of them.

use super::remove;
use crate::{
    fault::seams::Identity,
    request::ParsedRequest,
    response::{JsonResult, refuse},
};

pub(in crate::fault) fn without_type(_: &Identity<'_>, _: &ParsedRequest, response: &mut JsonResult) {
    if let Ok(body) = response {
        remove(&mut body["event"], "type");
    }
}

pub(in crate::fault) fn without_version(_: &Identity<'_>, _: &ParsedRequest, response: &mut JsonResult) {
    if let Err(error) = response {
        error.more.remove("room_version");
    }
}

pub(in crate::fault) fn forbidden_instead_of_unknown(
    _: &Identity<'_>,
    _: &ParsedRequest,
    response: &mut JsonResult,
) {
    if response.as_ref().is_err_and(|error| error.errcode == "M_NOT_FOUND") {
        *response = refuse(403, "M_FORBIDDEN", "the room is not for the requesting server");
    }
}
