//! The known keys of servers over time, and the validity of each.

use std::collections::BTreeMap;

use base64::Engine;

use super::{KeyDocument, SigningKey};
use crate::{Event, event::LENIENT};

/// A key counts as valid for at most seven days after it was fetched, however far ahead `valid_until_ts` is
/// (server-server API, retrieving server keys).
pub const MAX_VALIDITY_MS: u64 = 7 * 24 * 60 * 60 * 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
struct KnownKey {
    bytes: Vec<u8>,
    valid_until: u64,
    expired: Option<u64>,
}

/// The public keys of servers. A later document replaces what an earlier one says about a key. A key that a later document
/// leaves out stays as it was, since events that it signed are still in rooms.
#[derive(Debug, Clone, Default)]
pub struct KeyRing(BTreeMap<String, BTreeMap<String, KnownKey>>);

impl KeyRing {
    /// A ring without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key of the harness, which is always valid.
    #[must_use]
    pub fn with(mut self, server_name: &str, key: &SigningKey) -> Self {
        let known = KnownKey { bytes: key.public_key().to_vec(), valid_until: u64::MAX, expired: None };
        self.0.entry(server_name.to_owned()).or_default().insert(key.id().to_owned(), known);
        self
    }

    /// Adds the keys of a document that was fetched at a time, in milliseconds since 1970. Keys of other algorithms than
    /// Ed25519 are left out, and so is what is not base64.
    pub fn learn(&mut self, document: &KeyDocument, fetched_at: u64) {
        let valid_until = document.valid_until_ts.min(fetched_at.saturating_add(MAX_VALIDITY_MS));
        let keys = self.0.entry(document.server_name.clone()).or_default();
        // Current keys go last: a key in both lists is current.
        let old = document.old_verify_keys.iter().map(|(id, old)| (id, &old.key, Some(old.expired_ts)));
        let current = document.verify_keys.iter().map(|(id, key)| (id, key, None));
        for (id, key, expired) in old.chain(current) {
            if let (true, Ok(bytes)) = (id.starts_with("ed25519:"), LENIENT.decode(key)) {
                keys.insert(id.clone(), KnownKey { bytes, valid_until, expired });
            }
        }
    }

    /// The key, if a signature by it counts for this event. An old key counts for events up to its expiry. A current key
    /// always counts up to room version 4, and from version 5 on for events within its validity (rooms/v5, signing key
    /// validity period).
    pub fn for_event(&self, server_name: &str, key_id: &str, event: &Event) -> Option<&[u8]> {
        let key = self.0.get(server_name)?.get(key_id)?;
        let stamp = u64::try_from(event.origin_server_ts()).unwrap_or_default();
        let good = match key.expired {
            Some(expired) => stamp <= expired,
            None => !event.version().enforces_key_validity() || stamp <= key.valid_until,
        };
        good.then_some(key.bytes.as_slice())
    }

    /// The key, if it authenticates a request at a time in milliseconds since 1970: current and still valid.
    pub fn for_request(&self, server_name: &str, key_id: &str, now: u64) -> Option<&[u8]> {
        let key = self.0.get(server_name)?.get(key_id)?;
        (key.expired.is_none() && now <= key.valid_until).then_some(key.bytes.as_slice())
    }

    /// Whether this key of the server is known, valid or not.
    pub fn has(&self, server_name: &str, key_id: &str) -> bool {
        self.0.get(server_name).is_some_and(|keys| keys.contains_key(key_id))
    }

    /// Whether any key of the server is known, valid or not.
    pub fn knows(&self, server_name: &str) -> bool {
        self.0.get(server_name).is_some_and(|keys| !keys.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyPublication;
    use serde_json::json;

    const DAY: u64 = 24 * 60 * 60 * 1000;

    fn event(stamp: u64, version: &str) -> Event {
        Event::parse(&json!({"origin_server_ts": stamp}), version).unwrap()
    }

    fn read(publication: &KeyPublication<'_>) -> KeyDocument {
        KeyDocument::verify(&publication.build(), "a.test").unwrap()
    }

    /// SS-KEYS-016, 017 and 020.
    #[test]
    fn a_key_is_valid_for_at_most_seven_days_from_version_5_on() {
        let key = SigningKey::from_seed(&[1; 32], "1").unwrap();
        let mut ring = KeyRing::new();
        ring.learn(&read(&KeyPublication::new("a.test", 365 * DAY).current(&key)), DAY);
        let good = |stamp, version| ring.for_event("a.test", "ed25519:1", &event(stamp, version)).is_some();
        assert!(good(8 * DAY, "5") && !good(8 * DAY + 1, "5"));
        assert!(good(300 * DAY, "4"));
        assert!(ring.for_request("a.test", "ed25519:1", 8 * DAY).is_some());
        assert!(ring.for_request("a.test", "ed25519:1", 8 * DAY + 1).is_none());
    }

    #[test]
    fn a_shorter_validity_counts() {
        let key = SigningKey::from_seed(&[1; 32], "1").unwrap();
        let mut ring = KeyRing::new();
        ring.learn(&read(&KeyPublication::new("a.test", 2 * DAY).current(&key)), DAY);
        assert!(ring.for_request("a.test", "ed25519:1", 2 * DAY).is_some());
        assert!(ring.for_request("a.test", "ed25519:1", 2 * DAY + 1).is_none());
    }

    /// SS-KEYS-012 to 014.
    #[test]
    fn an_old_key_is_valid_only_for_events_up_to_its_expiry() {
        let [old, new] = [1, 2].map(|seed| SigningKey::from_seed(&[seed; 32], &seed.to_string()).unwrap());
        let mut ring = KeyRing::new();
        ring.learn(&read(&KeyPublication::new("a.test", 9 * DAY).current(&old)), DAY);
        ring.learn(&read(&KeyPublication::new("a.test", 9 * DAY).current(&new).old(&old, 3 * DAY)), 4 * DAY);
        let good = |id, stamp| ring.for_event("a.test", id, &event(stamp, "11")).is_some();
        assert!(good("ed25519:1", 3 * DAY) && !good("ed25519:1", 3 * DAY + 1));
        assert!(good("ed25519:2", 9 * DAY) && !good("ed25519:3", DAY));
        assert!(ring.for_request("a.test", "ed25519:1", 3 * DAY).is_none());
        assert!(ring.for_request("a.test", "ed25519:2", 4 * DAY).is_some());
        assert!(ring.knows("a.test") && !ring.knows("b.test"));
    }
}
