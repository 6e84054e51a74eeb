//! Events in the form in which clients get them (client-server API, room event format; redactions; event
//! replacements; threading).

use samklang_matrix::{Event, EventOutcome};
use serde_json::{Map, Value, json};

use crate::{
    fault::Fault,
    held_room::HeldRoom,
    homeserver::{Known, now_ms},
    taking::redacted_by,
};

/// Who looks, and with which device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Eye<'a> {
    pub(super) user: &'a str,
    pub(super) device: &'a str,
}

/// The fields of an event that clients get.
const FIELDS: [&str; 6] = ["type", "sender", "content", "state_key", "origin_server_ts", "redacts"];

impl HeldRoom {
    /// Whether an event is there for users: in force, or from before this server's time.
    fn is_there(&self, id: &str) -> bool {
        let in_force = self.room.outcome(id) == Some(&EventOutcome::Accepted) && !self.redacts_in_vain(id);
        in_force || self.history.contains_key(id)
    }

    /// Whether a user is or was in the room, or anybody may read it.
    pub(super) fn was_member(&self, user: &str) -> bool {
        let open = self.state_content("m.room.history_visibility")["history_visibility"] == "world_readable";
        let joined = |event: &Event| event.membership() == Some("join");
        open || self.membership(user) == "join"
            || self.stations(user).iter().filter_map(|entry| self.event(&entry.id)).any(joined)
    }

    /// Whether a user may read an event of the room.
    pub(super) fn shows(&self, id: &str, user: &str) -> bool {
        self.is_there(id) && self.visible_to_user(id, user)
    }

    /// An event as clients get it, with `room_id` and with what is told of the events about it.
    pub(super) fn client_event(&self, known: &Known, id: &str, eye: Eye<'_>) -> Option<Value> {
        let mut shown = self.client_event_alone(known, id, eye)?;
        let bundle = self.bundle(known, self.event(id)?, eye);
        if known.has(Fault::EditsInPlace)
            && let Some(content) =
                bundle.get("m.replace").map(|edit| edit["content"]["m.new_content"].clone())
        {
            shown["content"] = content;
        }
        if known.has(Fault::EditsNotBundled) {
            return Some(shown);
        }
        if !bundle.is_empty() {
            shown["unsigned"]["m.relations"] = Value::Object(bundle);
        }
        Some(shown)
    }

    /// As [`HeldRoom::client_event`], without what is told of the events about it.
    pub(super) fn client_event_alone(&self, known: &Known, id: &str, eye: Eye<'_>) -> Option<Value> {
        let event = self.event(id)?;
        let mut shown = self.plain(event)?;
        if known.has(Fault::RedactionTargetHidden) {
            shown.as_object_mut()?.remove("redacts");
        } else if known.has(Fault::TimesOfArrival) {
            shown["origin_server_ts"] = json!(now_ms());
        }
        let mut unsigned = Map::new();
        unsigned.insert(
            "age".into(),
            json!(i64::try_from(now_ms()).unwrap_or(i64::MAX) - event.origin_server_ts()),
        );
        if let Some(before) = self.replaced(event) {
            unsigned.insert("prev_content".into(), self.pdu(before.id())?["content"].clone());
            unsigned.insert("replaces_state".into(), json!(before.id()));
        }
        if let Some(membership) = self.membership_at(id, eye.user) {
            unsigned.insert("membership".into(), json!(membership));
        }
        if let Some(transaction) = transaction_of(known, id, eye) {
            unsigned.insert("transaction_id".into(), json!(transaction));
        }
        if let Some(redaction) = self.redaction_of(id).filter(|_| !known.has(Fault::RedactionUnexplained)) {
            unsigned.insert("redacted_because".into(), self.plain(redaction)?);
        }
        shown["unsigned"] = Value::Object(unsigned);
        Some(shown)
    }

    /// An event without `unsigned`.
    fn plain(&self, event: &Event) -> Option<Value> {
        let pdu = self.pdu(event.id())?;
        let mut shown = json!({"event_id": event.id(), "room_id": self.room.id()});
        for key in FIELDS {
            if let Some(value) = pdu.get(key) {
                shown[key] = value.clone();
            }
        }
        // Clients find the target in both places, whatever the room's version (rooms/v11, redactions).
        if let Some(target) = redacted_by(event) {
            shown["redacts"] = json!(target);
            if shown["content"].is_object() && self.redaction_of(event.id()).is_none() {
                shown["content"]["redacts"] = json!(target);
            }
        }
        Some(shown)
    }

    /// The state event whose place a state event took.
    pub(super) fn replaced(&self, event: &Event) -> Option<&Event> {
        let place = (event.kind().to_owned(), event.state_key()?.to_owned());
        self.event(self.room.state_before(event.id())?.get(&place)?)
    }

    /// What a user was in the room when an event was sent; a member event of the user's own counts.
    fn membership_at(&self, id: &str, user: &str) -> Option<String> {
        let after = self.room.state_after(id)?;
        let member = after.get(&("m.room.member".to_owned(), user.to_owned()));
        let membership = member.and_then(|id| self.event(id)).and_then(Event::membership);
        Some(membership.unwrap_or("leave").to_owned())
    }
}

/// The transaction in which this very device sent an event.
fn transaction_of(known: &Known, id: &str, eye: Eye<'_>) -> Option<String> {
    let device = known.users.device(eye.user, eye.device)?;
    let sent = device.sent.iter().find(|(_, sent)| *sent == id);
    sent.map(|((_, transaction), _)| transaction.clone())
}

/// State as somebody outside is shown it (client-server API, stripped state).
pub(crate) fn stripped(event: &Value) -> Value {
    let mut shown = Map::new();
    for key in ["type", "state_key", "sender", "content"] {
        shown.insert(key.to_owned(), event[key].clone());
    }
    Value::Object(shown)
}
