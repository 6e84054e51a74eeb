//! Server signing keys and the documents that publish them.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use ruma::{
    CanonicalJsonValue,
    signatures::{Ed25519KeyPair, PublicKeyMap},
};
use serde_json::{Value, json};

use crate::event::canonical_object;

/// Why a key document is not to be believed.
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
    /// It lacks something or has it in another shape.
    #[error("it has no usable {0}")]
    Malformed(&'static str),
    /// Its own signature does not verify.
    #[error("its signature does not verify: {0}")]
    BadSignature(String),
}

/// What `GET /_matrix/key/v2/server` answered, with its own signature verified (server-server API, publishing keys).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDocument {
    /// The server that the keys belong to.
    pub server_name: String,
    /// The keys in use by key id, unpadded base64.
    pub verify_keys: BTreeMap<String, String>,
    /// Until when they may be used, in milliseconds since 1970.
    pub valid_until_ts: u64,
}

impl KeyDocument {
    /// Reads the document of `server_name`.
    ///
    /// # Errors
    /// When it is for another server, malformed, or not signed by a key it lists.
    pub fn verify(json: &Value, server_name: &str) -> Result<Self, KeyDocumentError> {
        let found = json["server_name"].as_str().ok_or(KeyDocumentError::Malformed("server_name"))?;
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
        // The library verifies the signatures that are there; that there are any is for us to see to.
        let own = &json["signatures"][server_name];
        if !own.as_object().is_some_and(|signatures| signatures.keys().any(|id| verify_keys.contains_key(id)))
        {
            return Err(KeyDocumentError::BadSignature("no listed key signed it".into()));
        }
        let mut own_only = json.clone();
        own_only["signatures"] = json!({ server_name: own });
        let object =
            canonical_object(&own_only).map_err(|_| KeyDocumentError::Malformed("canonical JSON"))?;
        let set = verify_keys.iter().filter_map(|(id, key)| {
            Some((id.clone(), ruma::serde::Base64::parse(key.trim_end_matches('=')).ok()?))
        });
        let keys = PublicKeyMap::from([(server_name.to_owned(), set.collect())]);
        ruma::signatures::verify_json(&keys, &object)
            .map_err(|error| KeyDocumentError::BadSignature(error.to_string()))?;
        Ok(Self { server_name: found.to_owned(), verify_keys, valid_until_ts })
    }
}

/// A signing key of a server inside the harness.
pub struct SigningKey {
    pub(crate) pair: Ed25519KeyPair,
    id: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Makes a fresh key with the id `ed25519:<version>`.
    ///
    /// # Errors
    /// Never in practice: the key that was just made is read back.
    pub fn generate(version: &str) -> Result<Self, KeyDocumentError> {
        let document = Ed25519KeyPair::generate();
        let pair = Ed25519KeyPair::from_der(&document, version.to_owned())
            .map_err(|_| KeyDocumentError::Malformed("signing key"))?;
        Ok(Self { pair, id: format!("ed25519:{version}") })
    }

    /// `ed25519:<version>`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The document that publishes this key for `server_name`, signed, valid until `valid_until_ts`.
    ///
    /// # Errors
    /// When the name cannot stand in canonical JSON.
    pub fn document(&self, server_name: &str, valid_until_ts: u64) -> Result<Value, KeyDocumentError> {
        let key = STANDARD_NO_PAD.encode(self.pair.public_key());
        let mut verify_keys = serde_json::Map::new();
        verify_keys.insert(self.id.clone(), json!({ "key": key }));
        let unsigned = json!({
            "server_name": server_name, "valid_until_ts": valid_until_ts,
            "verify_keys": verify_keys, "old_verify_keys": {},
        });
        let mut object =
            canonical_object(&unsigned).map_err(|_| KeyDocumentError::Malformed("server_name"))?;
        ruma::signatures::sign_json(server_name, &self.pair, &mut object)
            .map_err(|error| KeyDocumentError::BadSignature(error.to_string()))?;
        Ok(CanonicalJsonValue::Object(object).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_believed_only_with_its_own_signature_and_name() {
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
}
