//! Whether the servers that have to sign an event have signed it (server-server API, validating hashes and signatures on
//! received events).

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Event, hash::has_content_hash, sign::signed_form, text};
use crate::{
    KeyRing,
    keys::verify_bytes,
    names::{is_server_name, server_of},
    version::EventIds,
};

/// The result for an event with valid signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// The content hash matches as well.
    All,
    /// The content hash does not match: the event is to be processed in its redacted form.
    ContentHashMismatch,
}

/// Why a server has to sign an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signer {
    /// It is the server of the sender.
    Sender,
    /// It is the server in the event id (room versions 1 and 2).
    EventId,
    /// It is the server of the user who authorised a restricted join (version 8 on).
    Authoriser,
}

/// A signature that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// An id names no server, so it is not known which server has to sign.
    #[error("{0:?}: the id names no server")]
    NoServer(Signer),
    /// The server has not signed.
    #[error("{server} ({role:?}) has not signed")]
    Missing {
        /// The server.
        server: String,
        /// Why it has to sign.
        role: Signer,
    },
    /// The server has signed, but with no key that is known and valid for the event.
    #[error("{server} ({role:?}) signed with no usable key, but with {key_ids:?}")]
    NoUsableKey {
        /// The server.
        server: String,
        /// Why it has to sign.
        role: Signer,
        /// The ids of the keys that it used.
        key_ids: Vec<String>,
    },
    /// A signature by a known and valid key is wrong.
    #[error("the signature of {server} ({role:?}) by {key_id} is wrong")]
    Bad {
        /// The server.
        server: String,
        /// Why it has to sign.
        role: Signer,
        /// The id of the key.
        key_id: String,
    },
}

impl SignatureError {
    /// Why the server has to sign.
    pub fn role(&self) -> Signer {
        match self {
            Self::NoServer(role)
            | Self::Missing { role, .. }
            | Self::NoUsableKey { role, .. }
            | Self::Bad { role, .. } => *role,
        }
    }

    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoServer(_) => "signature.no-server",
            Self::Missing { .. } => "signature.missing",
            Self::NoUsableKey { .. } => "signature.no-usable-key",
            Self::Bad { .. } => "signature.bad",
        }
    }
}

/// The servers that have to sign an event, each with the first reason for it.
///
/// # Errors
/// If an id names no server.
pub fn required_signers(event: &Event) -> Result<BTreeMap<String, Signer>, SignatureError> {
    let mut signers = BTreeMap::new();
    let mut add = |id: Option<&str>, role: Signer| {
        let server = id.and_then(server_of).filter(|server| is_server_name(server));
        let server = server.ok_or(SignatureError::NoServer(role))?;
        signers.entry(server.to_owned()).or_insert(role);
        Ok(())
    };
    // Another server may send an invite for a third-party invite in the sender's name.
    if !is_third_party_invite(event) {
        add(event.text("sender"), Signer::Sender)?;
    }
    if event.version().event_ids() == EventIds::Carried {
        add(event.text("event_id"), Signer::EventId)?;
    }
    let authoriser = event.content().get("join_authorised_via_users_server");
    // Only member events have an authorising user (rooms/v8, authorization rules 4.2).
    if event.version().has_restricted_joins() && event.kind() == "m.room.member" && authoriser.is_some() {
        add(authoriser.and_then(Value::as_str), Signer::Authoriser)?;
    }
    Ok(signers)
}

fn is_third_party_invite(event: &Event) -> bool {
    event.kind() == "m.room.member"
        && event.membership() == Some("invite")
        && event.content().contains_key("third_party_invite")
}

/// Verifies the signatures of all servers that have to sign, and the content hash. A signature by a key that the ring does
/// not hold, or that is not valid for the event, is ignored. A wrong signature by a valid key is an error.
///
/// # Errors
/// The first signature that is missing or wrong; the authorising server's is looked at last.
pub fn verify_event(event: &Event, keys: &KeyRing) -> Result<Verified, SignatureError> {
    let form = signed_form(event.json(), event.version());
    let mut signers: Vec<_> = required_signers(event)?.into_iter().collect();
    signers.sort_by_key(|(_, role)| *role);
    for (server, role) in signers {
        verify_signer(event, &server, role, &form, keys)?;
    }
    Ok(if has_content_hash(event.json()) { Verified::All } else { Verified::ContentHashMismatch })
}

fn verify_signer(
    event: &Event,
    server: &str,
    role: Signer,
    form: &str,
    keys: &KeyRing,
) -> Result<(), SignatureError> {
    let all = event.json().get("signatures").and_then(Value::as_object);
    let own = all.and_then(|all| all.get(server)).and_then(Value::as_object).filter(|own| !own.is_empty());
    let server = server.to_owned();
    let Some(own) = own else { return Err(SignatureError::Missing { server, role }) };
    let mut counted = false;
    for key_id in own.keys() {
        let Some(key) = keys.for_event(&server, key_id, event) else { continue };
        if !text(own, key_id).is_some_and(|signature| verify_bytes(key, signature, form)) {
            return Err(SignatureError::Bad { server, role, key_id: key_id.clone() });
        }
        counted = true;
    }
    if counted {
        return Ok(());
    }
    Err(SignatureError::NoUsableKey { server, role, key_ids: own.keys().cloned().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RoomVersion, SigningKey, add_content_hash, sign_event};
    use serde_json::json;

    fn signed(mut event: Value, version: &str, signers: &[(&str, &SigningKey)]) -> Event {
        let version = RoomVersion::new(version).unwrap();
        let object = event.as_object_mut().unwrap();
        add_content_hash(object);
        for (server, key) in signers {
            sign_event(object, server, key, &version);
        }
        Event::read(&event, &version).unwrap()
    }

    fn join(authoriser: Option<&str>) -> Value {
        let mut event = json!({"type": "m.room.member", "sender": "@a:a.test", "state_key": "@a:a.test",
            "content": {"membership": "join", "displayname": "A"}, "origin_server_ts": 5, "event_id": "$1:c.test"});
        if let Some(user) = authoriser {
            event["content"]["join_authorised_via_users_server"] = json!(user);
        }
        event
    }

    fn keys() -> (SigningKey, SigningKey, KeyRing) {
        let [a, b] = [1, 2].map(|seed| SigningKey::from_seed(&[seed; 32], "1").unwrap());
        let ring = KeyRing::new().with("a.test", &a).with("b.test", &b).with("c.test", &b);
        (a, b, ring)
    }

    /// SS-PDU-020, 021, 047, 052.
    #[test]
    fn the_server_of_the_sender_has_to_sign() {
        let (a, b, ring) = keys();
        let good = signed(join(None), "11", &[("a.test", &a)]);
        assert_eq!(verify_event(&good, &ring), Ok(Verified::All));
        assert_eq!(verify_event(&good.redacted(), &ring), Ok(Verified::ContentHashMismatch));
        let mut altered = Value::Object(good.json().clone());
        altered["content"]["displayname"] = json!("B");
        let altered = Event::parse(&altered, "11").unwrap();
        assert_eq!(verify_event(&altered, &ring), Ok(Verified::ContentHashMismatch));
        let other = signed(join(None), "11", &[("b.test", &b)]);
        assert_eq!(verify_event(&other, &ring).unwrap_err().code(), "signature.missing");
        let stranger = signed(join(None), "11", &[("a.test", &b)]);
        assert_eq!(verify_event(&stranger, &ring).unwrap_err().code(), "signature.bad");
    }

    /// SS-PDU-050, 051, SS-CJSON-018 to 020.
    #[test]
    fn unknown_keys_are_ignored_and_wrong_signatures_of_known_keys_are_errors() {
        let (a, _, ring) = keys();
        let good = signed(join(None), "11", &[("a.test", &a)]);
        let with = |key_id: &str, signature: Value| {
            let mut event = Value::Object(good.json().clone());
            event["signatures"]["a.test"][key_id] = signature;
            verify_event(&Event::parse(&event, "11").unwrap(), &ring)
        };
        assert_eq!(with("ed25519:unknown", json!("AAAA")), Ok(Verified::All));
        assert_eq!(with("foo:1", json!(7)), Ok(Verified::All));
        for wrong in [json!("!!!"), json!(7), json!(""), json!("AAAA")] {
            assert_eq!(with("ed25519:1", wrong).unwrap_err().code(), "signature.bad");
        }
        let mut only_unknown = Value::Object(good.json().clone());
        only_unknown["signatures"] = json!({"a.test": {"foo:1": "AAAA"}});
        let fault = verify_event(&Event::parse(&only_unknown, "11").unwrap(), &ring).unwrap_err();
        assert_eq!(fault.code(), "signature.no-usable-key");
    }

    /// SS-PDU-048 and SS-EAUTH-029.
    #[test]
    fn the_other_required_signatures_depend_on_the_version() {
        let (a, b, ring) = keys();
        let table = [
            ("2", None, Some(("c.test", &b)), None),
            ("2", None, None, Some(Signer::EventId)),
            ("3", None, None, None),
            ("7", Some("@b:b.test"), None, None),
            ("8", Some("@b:b.test"), None, Some(Signer::Authoriser)),
            ("8", Some("@b:b.test"), Some(("b.test", &b)), None),
            ("11", Some("@a2:a.test"), None, None),
            ("11", Some("nobody"), None, Some(Signer::Authoriser)),
        ];
        for (version, authoriser, second, fault) in table {
            let signers: Vec<_> = [("a.test", &a)].into_iter().chain(second).collect();
            let event = signed(join(authoriser), version, &signers);
            let role = verify_event(&event, &ring).err().map(|fault| fault.role());
            assert_eq!(
                role,
                fault,
                "version {version}, authoriser {authoriser:?}, second {}",
                second.is_some()
            );
        }
    }

    /// ruma requires the signature of the authorising user's server also for a *message* that names one. The rule is only
    /// for member events.
    #[test]
    fn ruma_differs_for_messages_that_name_an_authorising_user() {
        let (a, _, ring) = keys();
        let mut message = join(Some("@b:b.test"));
        message["type"] = json!("m.room.message");
        let event = signed(message, "11", &[("a.test", &a)]);
        assert_eq!(verify_event(&event, &ring), Ok(Verified::All));
        let theirs: ruma::CanonicalJsonObject =
            serde_json::from_value(Value::Object(event.json().clone())).unwrap();
        let rules = &event.version().rules().signatures;
        let signers = ruma::signatures::required_server_signatures_to_verify_event(&theirs, rules).unwrap();
        assert_eq!(signers.len(), 2);
    }

    /// SS-PDU-049.
    #[test]
    fn an_invite_for_a_third_party_invite_needs_no_signature_of_its_sender() {
        let mut invite = join(None);
        invite["content"] = json!({"membership": "invite", "third_party_invite": {"signed": {}}});
        let event = Event::parse(&invite, "11").unwrap();
        assert!(required_signers(&event).unwrap().is_empty());
    }
}
