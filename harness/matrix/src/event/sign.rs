//! Hashing and signing events (server-server API, signing events).

use serde_json::{Map, Value, json};

use super::{hash, redact};
use crate::{RoomVersion, SigningKey, canonical::canonical_without, keys::insert_signature};

/// Puts the content hash into `hashes.sha256`, beside other hashes that are there.
pub fn add_content_hash(event: &mut Map<String, Value>) {
    let sha256 = hash::content_hash(&Value::Object(event.clone())).unwrap_or_default();
    match event.get_mut("hashes").and_then(Value::as_object_mut) {
        Some(hashes) => {
            hashes.insert("sha256".into(), sha256.into());
        }
        None => {
            event.insert("hashes".into(), json!({ "sha256": sha256 }));
        }
    }
}

/// The bytes that servers sign: the redacted event without `signatures` and `unsigned`.
pub(crate) fn signed_form(event: &Map<String, Value>, version: &RoomVersion) -> String {
    canonical_without(&redact(event, version), &["signatures", "unsigned"])
}

/// The signature of a key over an event as it stands, unpadded base64. The event may hold numbers that canonical JSON
/// forbids.
pub fn event_signature(event: &Map<String, Value>, key: &SigningKey, version: &RoomVersion) -> String {
    key.sign(signed_form(event, version).as_bytes())
}

/// Adds the signature of `server` to an event that has its content hash, beside those that are there.
pub fn sign_event(event: &mut Map<String, Value>, server: &str, key: &SigningKey, version: &RoomVersion) {
    let signature = event_signature(event, key, version);
    insert_signature(event, server, key.id(), signature);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{canonical_json, keys::PUBLISHED_SEED};

    /// SS-CJSON-022: the event signing vectors of the appendix.
    #[test]
    fn the_published_vectors_are_reproduced_bit_for_bit() {
        let key = SigningKey::from_seed(&PUBLISHED_SEED, "1").unwrap();
        let version = RoomVersion::new("1").unwrap();
        let table = [
            (
                json!({"room_id": "!x:domain", "sender": "@a:domain", "origin": "domain", "origin_server_ts": 1_000_000,
                       "signatures": {}, "hashes": {}, "type": "X", "content": {}, "prev_events": [],
                       "auth_events": [], "depth": 3, "unsigned": {"age_ts": 1_000_000}}),
                "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos",
                "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg",
            ),
            (
                json!({"content": {"body": "Here is the message content"}, "event_id": "$0:domain", "origin": "domain",
                       "origin_server_ts": 1_000_000, "type": "m.room.message", "room_id": "!r:domain",
                       "sender": "@u:domain", "signatures": {}, "unsigned": {"age_ts": 1_000_000}}),
                "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g",
                "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA",
            ),
        ];
        for (event, hash, signature) in table {
            let mut event = event.as_object().unwrap().clone();
            add_content_hash(&mut event);
            sign_event(&mut event, "domain", &key, &version);
            assert_eq!(event["hashes"], json!({ "sha256": hash }));
            assert_eq!(event["signatures"], json!({"domain": {"ed25519:1": signature}}));
        }
    }

    #[test]
    fn ruma_makes_the_same_signatures() {
        let key = SigningKey::from_seed(&[7; 32], "1").unwrap();
        let event = json!({"type": "m.room.member", "sender": "@a:a.test", "content": {"membership": "join", "x": 1},
                           "origin": "a.test", "hashes": {}, "signatures": {}});
        for id in crate::version::ALL {
            let version = RoomVersion::new(id).unwrap();
            let mut ours = event.as_object().unwrap().clone();
            add_content_hash(&mut ours);
            sign_event(&mut ours, "a.test", &key, &version);
            let mut theirs: ruma::CanonicalJsonObject = serde_json::from_value(event.clone()).unwrap();
            let redaction = &version.rules().redaction;
            ruma::signatures::hash_and_sign_event("a.test", key.pair(), &mut theirs, redaction).unwrap();
            let theirs = ruma::CanonicalJsonValue::Object(theirs).to_string();
            assert_eq!(canonical_json(&Value::Object(ours)), theirs, "version {id}");
        }
    }
}
