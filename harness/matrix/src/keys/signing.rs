//! Signing keys and signatures on JSON objects (appendices, signing JSON).

use std::{
    collections::BTreeSet,
    sync::{LazyLock, Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use ruma::{
    SigningKeyAlgorithm,
    signatures::{Ed25519KeyPair, KeyPair, verify_canonical_json_bytes},
};
use serde_json::{Map, Value, json};

use sha2::{Digest, Sha256};

use super::KeyDocumentError;
use crate::{canonical::canonical_without, event::LENIENT};

/// The seed of the published test vectors (appendices, cryptographic test vectors).
#[cfg(test)]
pub(crate) const PUBLISHED_SEED: [u8; 32] = *b"\x60\x90\xc1\x03\xd5\xe7\xaf\x6b\x15\xa9\x70\xfd\x56\x3e\xd7\x55\x49\xe6\x15\x97\x19\xae\x5c\x3c\x31\xde\xe4\x31\x6f\xb7\x5c\x0d";

/// The bytes before the seed in the PKCS #8 form of an Ed25519 key (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A signing key of a server inside the harness.
pub struct SigningKey {
    pair: Ed25519KeyPair,
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
    /// Never in practice: it reads the key that it has just made.
    pub fn generate(version: &str) -> Result<Self, KeyDocumentError> {
        Self::from_pkcs8(&Ed25519KeyPair::generate(), version)
    }

    /// The key of a seed, with the id `ed25519:<version>`: the same seed makes the same key.
    ///
    /// # Errors
    /// Never in practice: any 32 bytes are a seed.
    pub fn from_seed(seed: &[u8; 32], version: &str) -> Result<Self, KeyDocumentError> {
        Self::from_pkcs8(&[PKCS8_PREFIX.as_slice(), seed].concat(), version)
    }

    fn from_pkcs8(document: &[u8], version: &str) -> Result<Self, KeyDocumentError> {
        let pair = Ed25519KeyPair::from_der(document, version.to_owned())
            .map_err(|_| KeyDocumentError::Malformed("signing key"))?;
        Ok(Self { pair, id: format!("ed25519:{version}") })
    }

    /// `ed25519:<version>`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key, 32 bytes.
    pub fn public_key(&self) -> [u8; 32] {
        self.pair.public_key()
    }

    /// The public key as key documents have it: unpadded base64.
    pub fn public_base64(&self) -> String {
        STANDARD_NO_PAD.encode(self.pair.public_key())
    }

    /// The signature over some bytes, unpadded base64.
    pub fn sign(&self, message: &[u8]) -> String {
        STANDARD_NO_PAD.encode(self.pair.sign(message).as_bytes())
    }

    /// Adds the signature of `signer` to a JSON object, beside those that are there (appendices, signing JSON).
    pub fn sign_json(&self, object: &mut Map<String, Value>, signer: &str) {
        let signature = self.sign(signed_json(object).as_bytes());
        insert_signature(object, signer, &self.id, signature);
    }

    /// The document that publishes this key for `server_name`, signed, valid until `valid_until_ts`.
    ///
    /// # Errors
    /// Never: any name can stand in canonical JSON.
    pub fn document(&self, server_name: &str, valid_until_ts: u64) -> Result<Value, KeyDocumentError> {
        Ok(super::KeyPublication::new(server_name, valid_until_ts).current(self).build())
    }

    #[cfg(test)]
    pub(crate) fn pair(&self) -> &Ed25519KeyPair {
        &self.pair
    }
}

/// The bytes of a JSON object that are signed.
pub(crate) fn signed_json(object: &Map<String, Value>) -> String {
    canonical_without(object, &["signatures", "unsigned"])
}

/// Puts a signature under the signer's name and the key id.
pub(crate) fn insert_signature(
    object: &mut Map<String, Value>,
    signer: &str,
    key_id: &str,
    signature: String,
) {
    let slot = object.entry("signatures").or_insert_with(|| json!({}));
    if !slot.is_object() {
        *slot = json!({});
    }
    if !slot[signer].is_object() {
        slot[signer] = json!({});
    }
    slot[signer][key_id] = signature.into();
}

/// Whether a signature in base64 is valid. It is not if the key or the signature is malformed.
///
/// Many parts of a run verify the same event: a signature that was found valid once is not computed again.
pub(crate) fn verify_bytes(public_key: &[u8], signature: &str, message: &str) -> bool {
    let Ok(signature) = LENIENT.decode(signature) else { return false };
    let lengths = [public_key.len(), signature.len()].map(|length| length.to_be_bytes()).concat();
    let parts = [lengths.as_slice(), public_key, &signature, message.as_bytes()];
    let digest: [u8; 32] =
        parts.into_iter().fold(Sha256::new(), |sha, part| sha.chain_update(part)).finalize().into();
    let right = || RIGHT.lock().unwrap_or_else(PoisonError::into_inner);
    if right().contains(&digest) {
        return true;
    }
    let key = SigningKeyAlgorithm::Ed25519;
    let is_right = verify_canonical_json_bytes(&key, public_key, &signature, message.as_bytes()).is_ok();
    if is_right {
        let mut right = right();
        if right.len() == MOST_RIGHT {
            right.clear();
        }
        right.insert(digest);
    }
    is_right
}

/// The signatures that were found valid, each as the SHA-256 digest of key, signature and message.
static RIGHT: LazyLock<Mutex<BTreeSet<[u8; 32]>>> = LazyLock::new(Mutex::default);
/// The number of signatures that are kept: some megabytes.
const MOST_RIGHT: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// SS-CJSON-021.
    #[test]
    fn the_published_vectors_are_reproduced_bit_for_bit() {
        let key = SigningKey::from_seed(&PUBLISHED_SEED, "1").unwrap();
        for (object, signature) in [
            (
                json!({}),
                "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ",
            ),
            (
                json!({"one": 1, "two": "Two"}),
                "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
            ),
        ] {
            let mut object = object.as_object().unwrap().clone();
            key.sign_json(&mut object, "domain");
            assert_eq!(object["signatures"], json!({"domain": {"ed25519:1": signature}}));
        }
    }

    #[test]
    fn a_malformed_signature_is_not_valid() {
        let key = SigningKey::from_seed(&[1; 32], "1").unwrap();
        let good = key.sign(b"x");
        assert!(verify_bytes(&key.public_key(), &good, "x"));
        assert!(verify_bytes(&key.public_key(), &(good.clone() + "=="), "x"));
        assert!(!verify_bytes(&key.public_key(), &good, "y"));
        assert!(!verify_bytes(&key.public_key()[..31], &good, "x"));
        for bad in ["", "!!!", "AAAA", "å"] {
            assert!(!verify_bytes(&key.public_key(), bad, "x"), "{bad}");
        }
    }

    #[test]
    fn a_signature_replaces_a_malformed_entry() {
        for odd in [json!(7), json!({"a": 7}), json!({"a": {"b": 1}})] {
            let mut object = Map::from_iter([("signatures".to_owned(), odd)]);
            insert_signature(&mut object, "a", "ed25519:1", "s".into());
            assert_eq!(object["signatures"]["a"]["ed25519:1"], "s");
        }
    }
}
