//! Recorded exchanges.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{ExchangeId, Role};

/// The API of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wire {
    /// The client API: from a user to a server.
    Client,
    /// The federation API: from a server to a server.
    Federation,
}

/// One end of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Party {
    /// A server of the constellation.
    Server {
        /// Its role.
        role: Role,
    },
    /// A user, by name as the scenario calls it.
    User {
        /// The name.
        name: String,
    },
    /// A peer: a homeserver inside the harness.
    Peer {
        /// Its server name.
        name: String,
    },
    /// The harness itself, probing.
    Harness,
    /// A sender on the run's network without a known name, or a name that does not belong to this run.
    Stranger {
        /// The name or address it gave.
        name: String,
    },
}

/// One request with its response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exchange {
    /// Counted from 1 within the stage, in the order in which the requests began.
    pub id: ExchangeId,
    /// Which API.
    pub wire: Wire,
    /// When the request began, in microseconds since the stage came up.
    pub at_us: u64,
    /// How long it took until the answer was complete, in microseconds.
    pub took_us: u64,
    /// The sender.
    pub from: Party,
    /// The receiver.
    pub to: Party,
    /// The method.
    pub method: String,
    /// Path and query exactly as sent.
    pub path: String,
    /// The request's headers in order, names in lower case, secrets removed.
    pub request_headers: Vec<(String, String)>,
    /// The request's body.
    pub request_body: Body,
    /// The answer's status; none if no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The answer's headers in order, names in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_headers: Vec<(String, String)>,
    /// The answer's body.
    pub response_body: Body,
    /// Why no complete answer came, in the words of the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// The network fault that the switchboard applied for a scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// A body as recorded: complete if it is text of limited size, otherwise its length, digest and beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "body", rename_all = "lowercase")]
pub enum Body {
    /// An empty body.
    Empty,
    /// The exact text.
    Text {
        /// All of it.
        text: String,
    },
    /// Bytes that are not text, or too many.
    Bytes {
        /// The number of bytes.
        length: u64,
        /// SHA-256 of them, in hexadecimal.
        sha256: String,
        /// The first of them, unpadded base64.
        head: String,
    },
}

impl Body {
    /// Text up to this many bytes is recorded completely.
    pub const KEPT: usize = 1024 * 1024;
    /// The number of bytes recorded of other bodies.
    const HEAD: usize = 256;

    /// Records `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok("") => Self::Empty,
            Ok(text) if bytes.len() <= Self::KEPT => Self::Text { text: text.to_owned() },
            _ => Self::Bytes {
                length: bytes.len() as u64,
                sha256: hex::encode(Sha256::digest(bytes)),
                head: STANDARD_NO_PAD.encode(&bytes[..bytes.len().min(Self::HEAD)]),
            },
        }
    }

    /// The body as JSON; `None` if it is not JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        match self {
            Self::Text { text } => serde_json::from_str(text).ok(),
            _ => None,
        }
    }

    /// The exact text, if it was recorded.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text { text } => Some(text),
            _ => None,
        }
    }
}

impl Exchange {
    /// The path without its query.
    pub fn path_only(&self) -> &str {
        self.path.split_once('?').map_or(self.path.as_str(), |(path, _)| path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_of_limited_size_is_recorded_completely() {
        assert_eq!(Body::of(b""), Body::Empty);
        assert_eq!(Body::of("{\"å\":1}".as_bytes()).json(), Some(serde_json::json!({"å": 1})));
        let Body::Bytes { length, head, .. } = Body::of(&vec![b'x'; Body::KEPT + 1]) else { panic!("kept") };
        assert_eq!((length, head.len()), (Body::KEPT as u64 + 1, 342));
        assert!(matches!(Body::of(&[0xff, 0xfe]), Body::Bytes { length: 2, .. }));
    }
}
