//! What is wrong with every response of a server.

use bytes::Bytes;

use crate::response::{ErrorResponse, FullResponse};

pub(in crate::fault) fn not_an_object(response: &mut FullResponse) {
    if response.is_json() {
        response.body = [b"[".as_slice(), &response.body, b"]"].concat().into();
    }
}

pub(in crate::fault) fn without_errcode(error: ErrorResponse) -> FullResponse {
    FullResponse { body: Bytes::from_static(b"{}"), ..error.into() }
}

pub(in crate::fault) fn errcode_outside_namespace(error: ErrorResponse) -> FullResponse {
    ErrorResponse { errcode: "REFUSED".to_owned(), ..error }.into()
}

pub(in crate::fault) fn without_content_type(response: &mut FullResponse) {
    if response.is_json() {
        response.headers.clear();
    }
}
