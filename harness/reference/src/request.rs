//! Requests that a homeserver receives, as they are read.

use bytes::Bytes;
use http::Request;
use percent_encoding::percent_decode_str;
use samklang_verdict::ExchangeId;
use serde_json::Value;

use crate::response::{ErrorResponse, refuse};

/// A request of another server or of a client.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ParsedRequest {
    /// The method.
    pub(crate) method: String,
    /// The path's segments, decoded.
    pub(crate) path: Vec<String>,
    /// The query, decoded, in order.
    pub(crate) query: Vec<(String, String)>,
    /// The body; null where there is none.
    pub(crate) body: Value,
    /// The server that sent it, once the request is authenticated; empty before, and where it need not be.
    pub(crate) origin: String,
    /// The exchange in the transcript.
    pub(crate) exchange: Option<ExchangeId>,
}

impl ParsedRequest {
    /// The first value of a query parameter.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a query parameter.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A path or a part of it, with its percent-encoding undone.
pub fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Reads method, path, query and body; the request is authenticated later.
pub(crate) fn read(request: &Request<Bytes>) -> Result<ParsedRequest, ErrorResponse> {
    let mut parsed = read_head(request);
    if !request.body().is_empty() {
        let body = serde_json::from_slice(request.body());
        parsed.body = body.or_else(|error| refuse(400, "M_NOT_JSON", error.to_string()))?;
    }
    Ok(parsed)
}

/// As [`read`], for a body that is not JSON.
pub(crate) fn read_head(request: &Request<Bytes>) -> ParsedRequest {
    let segments = request.uri().path().trim_start_matches('/').split('/').map(decoded);
    let query = request.uri().query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
    };
    ParsedRequest {
        method: request.method().as_str().to_owned(),
        path: segments.collect(),
        query: query.map(pair).collect(),
        body: Value::Null,
        origin: String::new(),
        exchange: request.extensions().get::<ExchangeId>().copied(),
    }
}
