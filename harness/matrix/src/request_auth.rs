//! Request authentication: the `X-Matrix` scheme (server-server API, request authentication).

use ruma::{CanonicalJsonObject, CanonicalJsonValue, api::federation::authentication::XMatrix};
use serde_json::Value;

use crate::{SigningKey, event::canonical_object};

/// What a request's signature is taken over.
#[derive(Debug, Clone)]
pub struct RequestSignature<'a> {
    /// The asking server.
    pub origin: &'a str,
    /// The server that is asked.
    pub destination: &'a str,
    /// The method.
    pub method: &'a str,
    /// Path and query exactly as they go on the wire.
    pub uri: &'a str,
    /// The body, where there is one.
    pub content: Option<&'a Value>,
}

/// The value of the `Authorization` header for a request, signed by `key`; `None` when the body is no canonical JSON.
pub fn sign_request(request: &RequestSignature<'_>, key: &SigningKey) -> Option<String> {
    let text = |value: &str| CanonicalJsonValue::String(value.to_owned());
    let mut object = CanonicalJsonObject::from([
        ("origin".to_owned(), text(request.origin)),
        ("destination".to_owned(), text(request.destination)),
        ("method".to_owned(), text(request.method)),
        ("uri".to_owned(), text(request.uri)),
    ]);
    if let Some(content) = request.content {
        object.insert("content".to_owned(), CanonicalJsonValue::Object(canonical_object(content).ok()?));
    }
    ruma::signatures::sign_json(request.origin, &key.pair, &mut object).ok()?;
    let CanonicalJsonValue::Object(signatures) = object.get("signatures")? else { return None };
    let CanonicalJsonValue::Object(own) = signatures.get(request.origin)? else { return None };
    let CanonicalJsonValue::String(sig) = own.get(key.id())? else { return None };
    let (origin, destination, id) = (request.origin, request.destination, key.id());
    Some(format!(r#"X-Matrix origin="{origin}",destination="{destination}",key="{id}",sig="{sig}""#))
}

/// The server that an `Authorization` header claims to come from. Nothing is verified here.
pub fn claimed_origin(authorization: &str) -> Option<String> {
    XMatrix::parse(authorization).ok().map(|header| header.origin.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_header_names_who_signed_for_whom_and_changes_with_what_is_signed() {
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
    }
}
