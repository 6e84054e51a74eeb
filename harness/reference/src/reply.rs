//! What a homeserver says to whoever asks: JSON, a refusal in the standard form, or bytes.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

/// A refusal in the standard form (server-server API, API standards; client-server API, standard error response).
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) errcode: String,
    pub(crate) error: String,
    /// What else the error's body holds.
    pub(crate) more: Map<String, Value>,
}

/// What is answered in JSON.
pub(crate) type Reply = Result<Value, Refusal>;

pub(crate) fn refusal(status: u16, errcode: &str, error: impl Into<String>) -> Refusal {
    Refusal { status, errcode: errcode.to_owned(), error: error.into(), more: Map::new() }
}

pub(crate) fn refuse<T>(status: u16, errcode: &str, error: impl Into<String>) -> Result<T, Refusal> {
    Err(refusal(status, errcode, error))
}

impl Refusal {
    /// Adds to the error's body.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.more.insert(key.to_owned(), value.into());
        self
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Said {
    /// Bytes of this type.
    pub(crate) fn bytes(content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { status: 200, headers: vec![("content-type", content_type.into())], body: body.into() }
    }
}

impl Said {
    pub(crate) fn is_json(&self) -> bool {
        self.headers.iter().any(|(name, value)| *name == "content-type" && value == "application/json")
    }
}

impl From<Value> for Said {
    fn from(body: Value) -> Self {
        Self::bytes("application/json", body.to_string())
    }
}

impl From<Refusal> for Said {
    fn from(refusal: Refusal) -> Self {
        let mut body = json!({"errcode": refusal.errcode, "error": refusal.error});
        if let Some(body) = body.as_object_mut() {
            body.extend(refusal.more);
        }
        Self { status: refusal.status, ..Self::from(body) }
    }
}

impl From<Said> for Response<Bytes> {
    fn from(said: Said) -> Self {
        let mut response = Self::new(said.body);
        *response.status_mut() =
            StatusCode::from_u16(said.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in said.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(header::HeaderName::from_static(name), value);
            }
        }
        response
    }
}
