//! Events in the form in which clients get them (client-server API, room event format; redactions; event replacements;
//! threading).

use samklang_matrix::{Event, EventOutcome};
use serde_json::{Map, Value, json};

use super::relations::bundle;
use crate::{
    clock::timestamp,
    fault::Identity,
    store::{
        Store,
        held_room::{HeldRoom, redaction_target},
    },
};

/// The user who is shown something, and the user's device.
#[derive(Clone, Copy)]
pub(super) struct Viewer<'a> {
    pub(super) user: &'a str,
    pub(super) device: &'a str,
    /// The server that shows it.
    pub(super) server: Identity<'a>,
}

/// The fields of an event that clients get.
const FIELDS: [&str; 6] = ["type", "sender", "content", "state_key", "origin_server_ts", "redacts"];

impl HeldRoom {
    /// Whether users are shown an event: it is accepted, or from the earlier history.
    fn is_for_users(&self, id: &str) -> bool {
        let is_accepted = self.room.outcome(id) == Some(&EventOutcome::Accepted) && !self.redacts_nothing(id);
        is_accepted || self.history.contains_key(id)
    }

    /// Whether a user is or was a member of the room, or the room is world readable.
    pub(super) fn was_member(&self, user: &str) -> bool {
        let is_open = self.is_world_readable();
        let is_join = |event: &Event| event.membership() == Some("join");
        is_open
            || self.membership(user) == "join"
            || self.member_events_of(user).iter().filter_map(|entry| self.event(&entry.id)).any(is_join)
    }

    pub(super) fn is_world_readable(&self) -> bool {
        self.state_content("m.room.history_visibility")["history_visibility"] == "world_readable"
    }

    /// Whether a user may read an event of the room.
    pub(super) fn shows(&self, id: &str, user: &str) -> bool {
        self.is_for_users(id) && self.visible_to_user(id, user)
    }

    /// An event as clients get it, with `room_id` and with the events that relate to it.
    pub(super) fn client_event(&self, store: &Store, id: &str, viewer: Viewer<'_>) -> Option<Value> {
        let mut shown = self.client_event_alone(store, id, viewer)?;
        let bundle = bundle(self, store, self.event(id)?, viewer);
        if !bundle.is_empty() {
            shown["unsigned"]["m.relations"] = Value::Object(bundle);
        }
        viewer.server.bundled_event(&mut shown);
        Some(shown)
    }

    /// As [`HeldRoom::client_event`], without the events that relate to it.
    pub(super) fn client_event_alone(&self, store: &Store, id: &str, viewer: Viewer<'_>) -> Option<Value> {
        let event = self.event(id)?;
        let mut shown = self.plain(event)?;
        let mut unsigned = Map::new();
        unsigned.insert("age".into(), json!(timestamp() - event.origin_server_ts()));
        if let Some(before) = self.replaced(event) {
            unsigned.insert("prev_content".into(), self.pdu(before.id())?["content"].clone());
            unsigned.insert("replaces_state".into(), json!(before.id()));
        }
        if let Some(membership) = self.membership_at(id, viewer.user) {
            unsigned.insert("membership".into(), json!(membership));
        }
        if let Some(transaction) = transaction_of(store, id, viewer) {
            unsigned.insert("transaction_id".into(), json!(transaction));
        }
        if let Some(redaction) = self.redaction_of(id) {
            unsigned.insert("redacted_because".into(), self.plain(redaction)?);
        }
        shown["unsigned"] = Value::Object(unsigned);
        viewer.server.client_event(&mut shown);
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
        if let Some(target) = redaction_target(event) {
            shown["redacts"] = json!(target);
            if shown["content"].is_object() && self.redaction_of(event.id()).is_none() {
                shown["content"]["redacts"] = json!(target);
            }
        }
        Some(shown)
    }

    /// The state event that a state event replaced.
    pub(super) fn replaced(&self, event: &Event) -> Option<&Event> {
        let place = (event.kind().to_owned(), event.state_key()?.to_owned());
        self.event(self.room.state_before(event.id())?.get(&place)?)
    }

    /// The membership of a user when an event was sent; a member event of the user itself counts.
    fn membership_at(&self, id: &str, user: &str) -> Option<String> {
        let after = self.room.state_after(id)?;
        let member = after.get(&("m.room.member".to_owned(), user.to_owned()));
        let membership = member.and_then(|id| self.event(id)).and_then(Event::membership);
        Some(membership.unwrap_or("leave").to_owned())
    }
}

/// The ID of the transaction in which the viewer's device sent an event.
fn transaction_of(store: &Store, id: &str, viewer: Viewer<'_>) -> Option<String> {
    let device = store.users.device(viewer.user, viewer.device)?;
    let sent = device.sent.iter().find(|(_, sent)| *sent == id);
    sent.map(|((_, transaction), _)| transaction.clone())
}
