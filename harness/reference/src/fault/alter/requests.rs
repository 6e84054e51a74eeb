//! What is wrong with the requests that a server sends.

use samklang_matrix::{HeaderForge, Quoting, RequestSignature, SigningKey};
use serde_json::{Value, json};

use crate::fault::seams::OutgoingRequest;

pub(in crate::fault) fn not_an_object(request: &mut OutgoingRequest) {
    request.body = request.body.as_ref().map(|body| json!([body]));
}

pub(in crate::fault) fn without_versions(request: &mut OutgoingRequest) {
    let path = request.target.find('?').unwrap_or(request.target.len());
    request.target.truncate(path);
}

pub(in crate::fault) fn thumbnail(request: &mut OutgoingRequest) {
    request.target = request.target.replacen("/download/", "/thumbnail/", 1);
}

pub(in crate::fault) fn without_invite_state(request: &mut OutgoingRequest) {
    if let Some(body) = &mut request.body {
        body["invite_room_state"] = json!([]);
    }
}

pub(in crate::fault) fn with_stripped_invite_state(request: &mut OutgoingRequest) {
    let state = request.body.as_mut().and_then(|body| body["invite_room_state"].as_array_mut());
    state.into_iter().flatten().for_each(|event| {
        let fields = ["type", "state_key", "sender", "content"];
        *event = Value::Object(fields.map(|key| (key.to_owned(), event[key].clone())).into_iter().collect());
    });
}

pub(in crate::fault) fn without_room_version(request: &mut OutgoingRequest) {
    if let Some(body) = &mut request.body {
        body["room_version"] = Value::Null;
    }
}

pub(in crate::fault) fn unsigned(_: &RequestSignature<'_>, _: HeaderForge) -> Option<HeaderForge> {
    None
}

pub(in crate::fault) fn signed_with_unpublished_key(
    request: &RequestSignature<'_>,
    header: HeaderForge,
) -> Option<HeaderForge> {
    let key = SigningKey::from_seed(&[9; 32], "reference");
    Some(key.map_or(header, |key| HeaderForge::honest(request, &key)))
}

pub(in crate::fault) fn without_destination(
    _: &RequestSignature<'_>,
    header: HeaderForge,
) -> Option<HeaderForge> {
    Some(header.without("destination"))
}

pub(in crate::fault) fn unquoted(_: &RequestSignature<'_>, header: HeaderForge) -> Option<HeaderForge> {
    Some(header.quoting(Quoting::Bare))
}

pub(in crate::fault) fn in_upper_case(_: &RequestSignature<'_>, header: HeaderForge) -> Option<HeaderForge> {
    Some(header.names(str::to_uppercase))
}

pub(in crate::fault) fn spaced(_: &RequestSignature<'_>, header: HeaderForge) -> Option<HeaderForge> {
    Some(header.separator(", "))
}
