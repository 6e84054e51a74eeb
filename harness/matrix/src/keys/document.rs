//! Reading key documents (server-server API, retrieving server keys).

use std::collections::BTreeMap;

use base64::Engine;
use serde_json::{Map, Value};

use super::{signing::signed_json, verify_bytes};
use crate::event::{LENIENT, text};

/// Why a key document is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyDocumentError {
    /// It names another server.
    #[error("it is for {found:?}, not for {expected:?}")]
    OtherServer {
        /// The server that was asked.
        expected: String,
        /// The server it names.
        found: String,
    },
    /// It is not a JSON object.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// A field is missing or has the wrong type.
    #[error("field `{0}` is missing or has the wrong type")]
    Malformed(&'static str),
    /// Its own signature does not verify.
    #[error("its signature does not verify: {0}")]
    BadSignature(String),
    /// It has expired.
    #[error("it was valid until {valid_until_ts}")]
    Expired {
        /// In milliseconds since 1970.
        valid_until_ts: u64,
    },
}

/// A key that a server does not use any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldKey {
    /// The public key, unpadded base64.
    pub key: String,
    /// When it stopped being used, in milliseconds since 1970.
    pub expired_ts: u64,
}

/// A response to `GET /_matrix/key/v2/server` with a valid signature of its own (server-server API, publishing keys).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDocument {
    /// The server that the keys belong to.
    pub server_name: String,
    /// The keys in use by key id, unpadded base64.
    pub verify_keys: BTreeMap<String, String>,
    /// The keys that are not in use any more, by key id. Entries without a key or a time are left out.
    pub old_verify_keys: BTreeMap<String, OldKey>,
    /// Until when they may be used, in milliseconds since 1970.
    pub valid_until_ts: u64,
}

impl KeyDocument {
    /// Reads the document of `server_name`; the time is not looked at.
    ///
    /// # Errors
    /// If it is for another server, malformed, or not signed by a key that it lists.
    pub fn verify(json: &Value, server_name: &str) -> Result<Self, KeyDocumentError> {
        let object = json.as_object().ok_or(KeyDocumentError::NotAnObject)?;
        let found = text(object, "server_name").ok_or(KeyDocumentError::Malformed("server_name"))?;
        if found != server_name {
            return Err(KeyDocumentError::OtherServer { expected: server_name.into(), found: found.into() });
        }
        let valid_until_ts =
            json["valid_until_ts"].as_u64().ok_or(KeyDocumentError::Malformed("valid_until_ts"))?;
        let listed = json["verify_keys"].as_object().ok_or(KeyDocumentError::Malformed("verify_keys"))?;
        let verify_keys: BTreeMap<_, _> = listed
            .iter()
            .filter_map(|(id, key)| Some((id.clone(), key["key"].as_str()?.to_owned())))
            .collect();
        if verify_keys.is_empty() {
            return Err(KeyDocumentError::Malformed("verify_keys"));
        }
        verify_own_signature(object, server_name, &verify_keys)?;
        let old = json["old_verify_keys"].as_object().into_iter().flatten().filter_map(|(id, key)| {
            let (key, expired_ts) = (key["key"].as_str()?.to_owned(), key["expired_ts"].as_u64()?);
            Some((id.clone(), OldKey { key, expired_ts }))
        });
        Ok(Self {
            server_name: found.to_owned(),
            verify_keys,
            old_verify_keys: old.collect(),
            valid_until_ts,
        })
    }

    /// [`KeyDocument::verify`] at a time, in milliseconds since 1970.
    ///
    /// # Errors
    /// As there, and when its `valid_until_ts` has passed.
    pub fn verify_at(json: &Value, server_name: &str, now: u64) -> Result<Self, KeyDocumentError> {
        let document = Self::verify(json, server_name)?;
        match document.valid_until_ts {
            valid_until_ts if valid_until_ts < now => Err(KeyDocumentError::Expired { valid_until_ts }),
            _ => Ok(document),
        }
    }
}

/// At least one listed key has to sign, and no signature by a listed key may be wrong (SS-KEYS-005). That every listed key
/// signs is only recommended (SS-KEYS-006).
fn verify_own_signature(
    object: &Map<String, Value>,
    server_name: &str,
    listed: &BTreeMap<String, String>,
) -> Result<(), KeyDocumentError> {
    let own = object.get("signatures").and_then(|all| all.get(server_name)).and_then(Value::as_object);
    let form = signed_json(object);
    let mut signed = false;
    for (id, signature) in own.into_iter().flatten() {
        let Some(key) = listed.get(id).filter(|_| id.starts_with("ed25519:")) else { continue };
        let key = LENIENT.decode(key).unwrap_or_default();
        if !signature.as_str().is_some_and(|signature| verify_bytes(&key, signature, &form)) {
            return Err(KeyDocumentError::BadSignature(id.clone()));
        }
        signed = true;
    }
    if signed { Ok(()) } else { Err(KeyDocumentError::BadSignature("no listed key signed it".into())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyPublication, SigningKey};
    use serde_json::json;

    #[test]
    fn a_document_needs_its_own_signature_and_name() {
        let key = SigningKey::generate("1").unwrap();
        let document = key.document("a.test", 1_900_000_000_000).unwrap();
        let read = KeyDocument::verify(&document, "a.test").unwrap();
        assert_eq!(read.verify_keys.keys().collect::<Vec<_>>(), ["ed25519:1"]);
        assert!(matches!(
            KeyDocument::verify(&document, "b.test"),
            Err(KeyDocumentError::OtherServer { .. })
        ));

        let mut changed = document.clone();
        changed["valid_until_ts"] = json!(1_900_000_000_001_u64);
        assert!(matches!(KeyDocument::verify(&changed, "a.test"), Err(KeyDocumentError::BadSignature(_))));

        let mut unsigned = document;
        unsigned["signatures"] = json!({});
        assert!(KeyDocument::verify(&unsigned, "a.test").is_err());
    }

    #[test]
    fn a_signature_by_an_old_key_is_not_enough() {
        let [new, old] = [1, 2].map(|seed| SigningKey::from_seed(&[seed; 32], &seed.to_string()).unwrap());
        let publication = KeyPublication::new("a.test", 100).current(&new).old(&old, 50);
        let read = KeyDocument::verify(&publication.build(), "a.test").unwrap();
        assert_eq!(read.old_verify_keys["ed25519:2"].expired_ts, 50);
        for (signers, good) in
            [(vec![&new], true), (vec![&new, &old], true), (vec![&old], false), (vec![], false)]
        {
            let document =
                KeyPublication::new("a.test", 100).current(&new).old(&old, 50).signed_by(&signers).build();
            assert_eq!(KeyDocument::verify(&document, "a.test").is_ok(), good);
        }
    }

    #[test]
    fn a_document_is_valid_until_its_time() {
        let key = SigningKey::from_seed(&[1; 32], "1").unwrap();
        let document = key.document("a.test", 100).unwrap();
        assert!(KeyDocument::verify_at(&document, "a.test", 100).is_ok());
        assert_eq!(
            KeyDocument::verify_at(&document, "a.test", 101),
            Err(KeyDocumentError::Expired { valid_until_ts: 100 })
        );
    }

    #[test]
    fn malformed_documents_are_errors() {
        for odd in [
            json!(null),
            json!([]),
            json!({}),
            json!({"server_name": 7}),
            json!({"server_name": "a.test", "valid_until_ts": "1"}),
            json!({"server_name": "a.test", "valid_until_ts": 1, "verify_keys": []}),
            json!({"server_name": "a.test", "valid_until_ts": 1, "verify_keys": {"x": 1, "y": {"key": []}}}),
            json!({"server_name": "a.test", "valid_until_ts": 1, "verify_keys": {"ed25519:1": {"key": "!"}},
                   "signatures": {"a.test": {"ed25519:1": "!"}}}),
        ] {
            assert!(KeyDocument::verify(&odd, "a.test").is_err(), "{odd}");
        }
    }
}
