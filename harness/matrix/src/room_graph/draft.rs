//! Events in the making.

use serde_json::{Value, json};

use super::{RoomGraph, Tamper};
use crate::{
    Event, MAX_INTEGER, SigningKey, add_content_hash, auth_types, canonical_json, event::event_signature,
    keys::insert_signature, names::server_of, reference_hash, version::EventIds,
};

/// An event as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireEvent {
    /// The PDU, unless a [`Tamper::Wire`] changed its text.
    pub json: Value,
    /// Its id, as a server derives it from `json`.
    pub id: String,
    /// The text on the wire: canonical JSON, unless tampered with.
    pub text: String,
}

/// An event in the making. By default its prev events are the forward extremities, its auth events are those that the
/// specification selects, its depth is one more than the greatest of its prev events, and its time is one millisecond after
/// the latest.
///
/// ```
/// # use samklang_matrix::{RoomGraph, SigningKey};
/// # use serde_json::json;
/// let key = SigningKey::from_seed(&[1; 32], "1")?;
/// let room = RoomGraph::create("11", "@alice:peer.test", &key, 1_700_000_000_000)?;
/// let topic = room.draft("m.room.topic", "@alice:peer.test").state_key("").content(json!({"topic": "x"})).sign(&key);
/// assert_eq!(topic.json["prev_events"], json!(room.extremities()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Draft<'a> {
    room: &'a RoomGraph,
    kind: String,
    sender: String,
    state_key: Option<String>,
    content: Value,
    prev_events: Option<Vec<String>>,
    auth_events: Option<Vec<String>>,
    at: Option<i64>,
    cosigners: Vec<(String, &'a SigningKey)>,
    tampers: Vec<Tamper<'a>>,
}

impl RoomGraph {
    /// A draft of an event.
    pub fn draft<'a>(&'a self, kind: &str, sender: &str) -> Draft<'a> {
        Draft {
            room: self,
            kind: kind.to_owned(),
            sender: sender.to_owned(),
            state_key: None,
            content: json!({}),
            prev_events: None,
            auth_events: None,
            at: None,
            cosigners: Vec::new(),
            tampers: Vec::new(),
        }
    }

    /// A draft of a member event: `sender` sets the membership of `target`.
    pub fn draft_member<'a>(&'a self, sender: &str, target: &str, membership: &str) -> Draft<'a> {
        self.draft("m.room.member", sender).state_key(target).content(json!({ "membership": membership }))
    }
}

impl<'a> Draft<'a> {
    /// Makes it a state event.
    pub fn state_key(mut self, state_key: &str) -> Self {
        self.state_key = Some(state_key.to_owned());
        self
    }

    /// Its content.
    pub fn content(mut self, content: Value) -> Self {
        self.content = content;
        self
    }

    /// Sets its prev events; they need not be known.
    pub fn after<T: AsRef<str>>(mut self, ids: impl IntoIterator<Item = T>) -> Self {
        self.prev_events = Some(ids.into_iter().map(|id| id.as_ref().to_owned()).collect());
        self
    }

    /// Sets its auth events.
    pub fn with_auth_events<T: AsRef<str>>(mut self, ids: impl IntoIterator<Item = T>) -> Self {
        self.auth_events = Some(ids.into_iter().map(|id| id.as_ref().to_owned()).collect());
        self
    }

    /// Its `origin_server_ts`, in milliseconds since 1970.
    pub fn at(mut self, origin_server_ts: i64) -> Self {
        self.at = Some(origin_server_ts);
        self
    }

    /// Adds the signature of another server, such as that of an authorising user.
    pub fn also_signed_by(mut self, server: &str, key: &'a SigningKey) -> Self {
        self.cosigners.push((server.to_owned(), key));
        self
    }

    /// Adds a lie. Lies at the same place are applied in order.
    pub fn tampered(mut self, tamper: Tamper<'a>) -> Self {
        self.tampers.push(tamper);
        self
    }

    /// Hashes and signs in the name of the sender's server.
    pub fn sign(self, key: &SigningKey) -> WireEvent {
        let mut pdu = self.fields();
        let version = self.room.version();
        let (mut before_signing, mut after_signing, mut wire) = (Vec::new(), Vec::new(), Vec::new());
        let (mut key, mut key_id, mut signs) = (key, key.id().to_owned(), true);
        for tamper in self.tampers {
            match tamper {
                Tamper::BeforeHash(change) => change(&mut pdu),
                Tamper::BeforeSigning(change) => before_signing.push(change),
                Tamper::AfterSigning(change) => after_signing.push(change),
                Tamper::Wire(change) => wire.push(change),
                Tamper::KeyId(id) => key_id = id,
                Tamper::Key(stranger) => key = stranger,
                Tamper::Unsigned => signs = false,
            }
        }
        if let Some(object) = pdu.as_object_mut() {
            add_content_hash(object);
        }
        before_signing.into_iter().for_each(|change| change(&mut pdu));
        if let Some(object) = pdu.as_object_mut() {
            if signs {
                let server = server_of(&self.sender).unwrap_or_default();
                let signature = event_signature(object, key, version);
                insert_signature(object, server, &key_id, signature);
            }
            for (server, key) in &self.cosigners {
                let signature = event_signature(object, key, version);
                insert_signature(object, server, key.id(), signature);
            }
        }
        after_signing.into_iter().for_each(|change| change(&mut pdu));
        let id = pdu.as_object().map(|object| Event::of(object.clone(), version).id().to_owned());
        let text = wire.into_iter().fold(canonical_json(&pdu), |text, change| change(text));
        WireEvent { json: pdu, id: id.unwrap_or_default(), text }
    }

    /// The fields before the event is hashed.
    fn fields(&self) -> Value {
        let room = self.room;
        let after = self.prev_events.clone().unwrap_or_else(|| room.extremities());
        let known = || after.iter().filter_map(|id| room.event(id));
        let depth = known().map(Event::depth).max().unwrap_or(0).saturating_add(1).min(MAX_INTEGER);
        let latest = known().map(Event::origin_server_ts).max().unwrap_or(0);
        let mut pdu = json!({
            "type": self.kind, "sender": self.sender, "content": self.content, "depth": depth, "room_id": room.id(),
            "origin_server_ts": self.at.unwrap_or(latest.saturating_add(1)), "hashes": {}, "signatures": {},
        });
        if let Some(state_key) = &self.state_key {
            pdu["state_key"] = json!(state_key);
        }
        pdu["auth_events"] =
            self.references(&self.auth_events.clone().unwrap_or_else(|| self.selected(&pdu, &after)));
        pdu["prev_events"] = self.references(&after);
        if let Some(object) = pdu.as_object_mut() {
            if room.version().is_named_by_create() && self.kind == "m.room.create" {
                object.remove("room_id");
            }
            if room.version().event_ids() == EventIds::Carried {
                let name = reference_hash(object, room.version()).replace(['/', '+'], "_");
                let server = server_of(&self.sender).unwrap_or_default();
                object.insert("event_id".into(), json!(format!("${name}:{server}")));
            }
        }
        pdu
    }

    /// The auth events that the specification selects from the state before the event; none if that is not known.
    fn selected(&self, pdu: &Value, after: &[String]) -> Vec<String> {
        let state = self.room.state_at(after).unwrap_or_default();
        let event = Event::of(pdu.as_object().cloned().unwrap_or_default(), self.room.version());
        auth_types(&event).iter().filter_map(|place| state.get(place).cloned()).collect()
    }

    /// The form of references: ids from version 3 on, before that pairs of id and hash.
    fn references(&self, ids: &[String]) -> Value {
        let version = self.room.version();
        if version.event_ids() != EventIds::Carried {
            return json!(ids);
        }
        let hash = |id: &String| self.room.event(id).map(|event| reference_hash(event.json(), version));
        ids.iter().map(|id| json!([id, { "sha256": hash(id).unwrap_or_default() }])).collect()
    }
}
