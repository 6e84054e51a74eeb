//! What a server does to files.

use bytes::Bytes;

use crate::{
    fault::seams::Identity,
    media_file::MediaFile,
    request::ParsedRequest,
    response::{JsonResult, refuse},
};

pub(in crate::fault) fn refuse_download(_: &Identity<'_>, _: &mut ParsedRequest) -> Option<JsonResult> {
    Some(refuse(404, "M_NOT_FOUND", "there is no such file"))
}

pub(in crate::fault) fn refuse_upload(_: &Identity<'_>, _: &mut ParsedRequest) -> Option<JsonResult> {
    Some(refuse(403, "M_FORBIDDEN", "no file can be uploaded"))
}

pub(in crate::fault) fn cut(file: &mut MediaFile) {
    let cut: Bytes = file.bytes.slice(..file.bytes.len().min(1024));
    file.bytes = cut;
}

pub(in crate::fault) fn without_type(file: &mut MediaFile) {
    "application/octet-stream".clone_into(&mut file.content_type);
}

pub(in crate::fault) fn with_plain_name(file: &mut MediaFile) {
    let plain = |name: &String| name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "_");
    file.name = file.name.as_ref().map(plain);
}
