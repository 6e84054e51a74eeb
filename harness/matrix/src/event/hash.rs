//! The two hashes of an event (server-server API, signing events).

use base64::{
    Engine,
    engine::{
        DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig,
        general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
    },
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::redact;
use crate::{RoomVersion, canonical::canonical_without, version::EventIds};

/// Reads base64 of the standard alphabet with or without padding (SS-CJSON-015).
pub(crate) const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The content hash of a PDU, as `hashes.sha256` has to hold it: unpadded base64 (server-server API, calculating the
/// content hash for an event). `None` if it is not a JSON object.
pub fn content_hash(pdu: &Value) -> Option<String> {
    pdu.as_object().map(|object| STANDARD_NO_PAD.encode(content_digest(object)))
}

/// It covers every top-level key except `unsigned`, `signatures` and `hashes`, unknown ones included.
fn content_digest(object: &Map<String, Value>) -> [u8; 32] {
    Sha256::digest(canonical_without(object, &["unsigned", "signatures", "hashes"])).into()
}

/// Whether `hashes.sha256` is the content hash. They are compared as bytes, since padding does not count (SS-PDU-055).
pub fn has_content_hash(object: &Map<String, Value>) -> bool {
    let claimed = object.get("hashes").and_then(|hashes| hashes.get("sha256")).and_then(Value::as_str);
    claimed
        .and_then(|claimed| LENIENT.decode(claimed).ok())
        .is_some_and(|hash| hash == content_digest(object))
}

/// The reference hash in the alphabet of its room version, unpadded. It covers the redacted event without `signatures`
/// and `unsigned` (server-server API, calculating the reference hash for an event).
pub fn reference_hash(object: &Map<String, Value>, version: &RoomVersion) -> String {
    let redacted = redact(object, version);
    let digest = Sha256::digest(canonical_without(&redacted, &["signatures", "unsigned"]));
    match version.event_ids() {
        EventIds::UrlSafeHash => URL_SAFE_NO_PAD.encode(digest),
        EventIds::Carried | EventIds::Hash => STANDARD_NO_PAD.encode(digest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event() -> Value {
        json!({"type": "X", "content": {"body": "å"}, "unsigned": {"age": 1}, "odd": 1, "signatures": {"a": {}}})
    }

    /// SS-PDU-045 and 054.
    #[test]
    fn the_content_hash_covers_unknown_keys_but_not_unsigned() {
        let hash = content_hash(&event()).unwrap();
        let mut other = event();
        other["unsigned"] = json!({});
        other["hashes"] = json!({"sha256": "x"});
        assert_eq!(content_hash(&other).unwrap(), hash);
        other["odd"] = json!(2);
        assert_ne!(content_hash(&other).unwrap(), hash);
        assert_eq!(content_hash(&json!([])), None);
    }

    #[test]
    fn a_hash_is_compared_as_bytes() {
        let mut event = event();
        assert!(!has_content_hash(event.as_object().unwrap()));
        for (padding, right) in [("", true), ("=", true), ("x", false)] {
            event["hashes"] = json!({"sha256": content_hash(&event).unwrap() + padding});
            assert_eq!(has_content_hash(event.as_object().unwrap()), right, "{padding:?}");
        }
    }

    #[test]
    fn hashes_agree_with_ruma_in_every_version() {
        let event = event();
        let theirs: ruma::CanonicalJsonObject = serde_json::from_value(event.clone()).unwrap();
        assert_eq!(content_hash(&event).unwrap(), ruma::signatures::content_hash(&theirs).unwrap().encode());
        for id in crate::version::ALL {
            let version = RoomVersion::new(id).unwrap();
            let hash = ruma::signatures::reference_hash(&theirs, version.rules()).unwrap();
            assert_eq!(reference_hash(event.as_object().unwrap(), &version), hash, "version {id}");
        }
    }
}
