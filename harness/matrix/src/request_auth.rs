//! Request authentication: the `X-Matrix` scheme (server-server API, request authentication).

mod forge;
mod header;
mod verify;

use serde_json::{Map, Value};

pub use forge::{HeaderForge, Quoting};
pub use header::{Credentials, HeaderError};
pub use verify::{RequestAuthError, VerifiedRequest, verify_request};

use crate::{SigningKey, canonical_json};

/// The parts of a request that are signed.
#[derive(Debug, Clone)]
pub struct RequestSignature<'a> {
    /// The sending server.
    pub origin: &'a str,
    /// The receiving server.
    pub destination: &'a str,
    /// The method.
    pub method: &'a str,
    /// Path and query exactly as they go on the wire.
    pub uri: &'a str,
    /// The body, if there is one.
    pub content: Option<&'a Value>,
}

impl RequestSignature<'_> {
    /// The bytes that are signed: without a body there is no `content` (SS-AUTH-012).
    fn signed_form(&self) -> String {
        let text = |value: &str| Value::String(value.to_owned());
        let mut object = Map::from_iter([
            ("origin".to_owned(), text(self.origin)),
            ("destination".to_owned(), text(self.destination)),
            ("method".to_owned(), text(self.method)),
            ("uri".to_owned(), text(self.uri)),
        ]);
        if let Some(content) = self.content {
            object.insert("content".to_owned(), content.clone());
        }
        canonical_json(&Value::Object(object))
    }
}

/// The value of the `Authorization` header for a request, signed by `key`; `None` if a name cannot be written in a header.
/// The body may hold numbers that canonical JSON forbids: a peer that sends such an event signs its request.
pub fn sign_request(request: &RequestSignature<'_>, key: &SigningKey) -> Option<String> {
    let stands =
        |value: &str| !value.contains(|letter: char| letter.is_control() || matches!(letter, '"' | '\\'));
    let plain = [request.origin, request.destination, key.id()].into_iter().all(stands);
    plain.then(|| HeaderForge::honest(request, key).build())
}

/// The server that an `Authorization` header claims to come from. Nothing is verified here.
pub fn claimed_origin(authorization: &str) -> Option<String> {
    Credentials::parse(authorization).ok().map(|header| header.origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_header_names_origin_and_destination_and_changes_with_the_request() {
        let key = SigningKey::generate("1").unwrap();
        let body = json!({"a": 1});
        let request = RequestSignature {
            origin: "peer.test",
            destination: "a.test",
            method: "PUT",
            uri: "/_matrix/federation/v1/send/1",
            content: Some(&body),
        };
        let header = sign_request(&request, &key).unwrap();
        assert!(
            header.starts_with(r#"X-Matrix origin="peer.test",destination="a.test",key="ed25519:1",sig=""#)
        );
        assert_eq!(claimed_origin(&header).as_deref(), Some("peer.test"));
        assert_eq!(header, sign_request(&request, &key).unwrap());
        for other in [
            RequestSignature { destination: "b.test", ..request.clone() },
            RequestSignature { uri: "/_matrix/federation/v1/send/2", ..request.clone() },
            RequestSignature { content: None, ..request.clone() },
        ] {
            assert_ne!(header, sign_request(&other, &key).unwrap(), "{other:?}");
        }
        assert_eq!(claimed_origin("Bearer abc"), None);
        assert_eq!(sign_request(&RequestSignature { origin: "a\"b", ..request }, &key), None);
    }
}
