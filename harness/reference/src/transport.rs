//! The way of a homeserver's requests to other servers. The stage provides the network; the homeserver decides what it
//! sends and how it responds.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use samklang_verdict::ExchangeId;
use serde_json::Value;

/// A server's complete response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerResponse {
    /// The status.
    pub status: u16,
    /// The headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Bytes,
    /// The exchange in the transcript; `None` without a switchboard.
    pub exchange: Option<ExchangeId>,
}

impl ServerResponse {
    /// The body as JSON; null where it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether the status is one of success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// No complete response came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoResponse {
    /// Why, in the words of the network.
    pub why: String,
    /// The exchange in the transcript; `None` without a switchboard, and when the connection to the switchboard broke.
    pub exchange: Option<ExchangeId>,
}

impl NoResponse {
    /// No response and no exchange.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), exchange: None }
    }
}

impl fmt::Display for NoResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for NoResponse {}

/// The way to other servers.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends a request, byte for byte as it is given, to the server `server_name` and returns its response. `target` is
    /// path and query, encoded.
    ///
    /// # Errors
    /// When no complete response came.
    async fn request(
        &self,
        method: &str,
        server_name: &str,
        target: &str,
        headers: &[(String, String)],
        body: Bytes,
    ) -> Result<ServerResponse, NoResponse>;

    /// Closes the connections that are kept for later.
    fn hang_up(&self) {}
}
