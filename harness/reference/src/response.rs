//! Responses of a homeserver: JSON, an error in the standard form, or bytes.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

/// An error in the standard form (server-server API, API standards; client-server API, standard error response).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ErrorResponse {
    pub(crate) status: u16,
    pub(crate) errcode: String,
    pub(crate) error: String,
    /// What else the body holds.
    pub(crate) more: Map<String, Value>,
}

/// A body in JSON, or an error.
pub(crate) type JsonResult = Result<Value, ErrorResponse>;

pub(crate) fn error_response(status: u16, errcode: &str, error: impl Into<String>) -> ErrorResponse {
    ErrorResponse { status, errcode: errcode.to_owned(), error: error.into(), more: Map::new() }
}

pub(crate) fn refuse<T>(status: u16, errcode: &str, error: impl Into<String>) -> Result<T, ErrorResponse> {
    Err(error_response(status, errcode, error))
}

impl ErrorResponse {
    /// Adds to the body.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.more.insert(key.to_owned(), value.into());
        self
    }
}

/// A whole response.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FullResponse {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl FullResponse {
    /// Bytes of this content type.
    pub(crate) fn bytes(content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { status: 200, headers: vec![("content-type", content_type.into())], body: body.into() }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.headers.iter().any(|(name, value)| *name == "content-type" && value == "application/json")
    }
}

impl From<Value> for FullResponse {
    fn from(body: Value) -> Self {
        Self::bytes("application/json", body.to_string())
    }
}

impl From<ErrorResponse> for FullResponse {
    fn from(error: ErrorResponse) -> Self {
        let mut body = json!({"errcode": error.errcode, "error": error.error});
        if let Some(body) = body.as_object_mut() {
            body.extend(error.more);
        }
        Self { status: error.status, ..Self::from(body) }
    }
}

impl From<FullResponse> for Response<Bytes> {
    fn from(full: FullResponse) -> Self {
        let mut response = Self::new(full.body);
        *response.status_mut() =
            StatusCode::from_u16(full.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in full.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(header::HeaderName::from_static(name), value);
            }
        }
        response
    }
}
