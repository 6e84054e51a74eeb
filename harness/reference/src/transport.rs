//! How a peer reaches other servers. The stage brings the network; what is asked and answered is the peer's affair.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use samklang_verdict::ExchangeId;
use serde_json::Value;

/// A server's complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Bytes,
    /// Where the transcript has it; none without a switchboard.
    pub exchange: Option<ExchangeId>,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether the status is one of success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// No complete answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer {
    /// Why, in the words of the network.
    pub why: String,
    /// Where the transcript has it; none without a switchboard, and when the connection to the switchboard broke.
    pub exchange: Option<ExchangeId>,
}

impl NoAnswer {
    /// No answer and no exchange.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), exchange: None }
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for NoAnswer {}

/// The way to other servers.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends a request, byte for byte as it is given, to the server `server_name` and takes in its answer. `target` is
    /// path and query, encoded.
    ///
    /// # Errors
    /// When no complete answer came.
    async fn request(
        &self,
        method: &str,
        server_name: &str,
        target: &str,
        headers: &[(String, String)],
        body: Bytes,
    ) -> Result<Answer, NoAnswer>;

    /// Lets go of connections that are kept for later.
    fn hang_up(&self) {}
}
