//! A homeserver that has nothing but an identity.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use samklang_matrix::{KeyDocumentError, RequestSignature, SigningKey, sign_request};
use serde_json::{Value, json};

/// A homeserver inside the harness, known by its name and its signing key.
#[derive(Debug)]
pub struct Peer {
    name: String,
    key: SigningKey,
}

/// How long a peer's key document is valid: an hour, longer than any run.
const KEY_LIFE_MS: u64 = 60 * 60 * 1000;

impl Peer {
    /// A peer named `name` with a fresh key.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(name: impl Into<String>) -> Result<Self, KeyDocumentError> {
        Ok(Self { name: name.into(), key: SigningKey::generate("peer")? })
    }

    /// The peer's server name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `Authorization` header for a request of this peer's; `None` when the body is no canonical JSON.
    pub fn authorization(
        &self,
        destination: &str,
        method: &str,
        uri: &str,
        content: Option<&Value>,
    ) -> Option<String> {
        let request = RequestSignature { origin: &self.name, destination, method, uri, content };
        sign_request(&request, &self.key)
    }

    /// Answers a request that reached this peer. It serves its keys and its version, and knows no room.
    pub fn answer(&self, request: &http::Request<Bytes>) -> http::Response<Bytes> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis());
        let valid_until = u64::try_from(now).unwrap_or(u64::MAX).saturating_add(KEY_LIFE_MS);
        let (status, body) = match (request.method().as_str(), request.uri().path()) {
            ("GET", path) if path.starts_with("/_matrix/key/v2/server") => {
                match self.key.document(&self.name, valid_until) {
                    Ok(document) => (200, document),
                    Err(error) => (500, json!({"errcode": "M_UNKNOWN", "error": error.to_string()})),
                }
            }
            ("GET", "/_matrix/federation/v1/version") => {
                (200, json!({"server": {"name": "Samklang peer", "version": env!("CARGO_PKG_VERSION")}}))
            }
            _ => (
                404,
                json!({"errcode": "M_UNRECOGNIZED", "error": "This peer serves its keys and nothing else."}),
            ),
        };
        let mut response = http::Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use samklang_matrix::KeyDocument;

    #[test]
    fn a_peer_serves_a_key_document_that_verifies_and_nothing_it_does_not_know() {
        let peer = Peer::new("peer.test").unwrap();
        let ask = |path: &str| peer.answer(&http::Request::get(path).body(Bytes::new()).unwrap());
        let keys = ask("/_matrix/key/v2/server");
        let document: Value = serde_json::from_slice(keys.body()).unwrap();
        assert_eq!(KeyDocument::verify(&document, "peer.test").unwrap().server_name, "peer.test");
        assert_eq!(ask("/_matrix/federation/v1/state/!r").status(), 404);
    }
}
