//! A room that a server takes part in: the graph of events, and the events that users are shown, in the order of their
//! arrival.

use std::collections::{BTreeMap, BTreeSet};

use samklang_matrix::{
    AuthEventsError, Event, EventOutcome, KeyRing, RoomGraph, Verified, server_of, verify_event,
};
use serde_json::Value;

use super::Position;

/// A room and what users are shown of it.
pub(crate) struct HeldRoom {
    /// The graph of events.
    pub(crate) room: RoomGraph,
    /// The events that users may be shown, in the order of their arrival.
    pub(crate) timeline: Vec<TimelineEntry>,
    /// The IDs in the timeline.
    listed: BTreeSet<String>,
    /// The member events in the timeline, by user.
    member_events: BTreeMap<String, Vec<TimelineEntry>>,
    /// Events from before this server joined, and those of an earlier membership, by ID. Their place in the graph is not
    /// judged.
    pub(crate) history: BTreeMap<String, Event>,
    /// The events of the earlier history that the rules do not allow, by ID, with their prev events. Users are not shown
    /// them, but there may be others before them.
    refused: BTreeMap<String, Vec<String>>,
    /// The IDs of the redactions of an event, by its ID. Whether they are allowed is judged once the event is there.
    pub(crate) redactions: BTreeMap<String, BTreeSet<String>>,
}

/// An event's place in the timeline.
#[derive(Debug, Clone)]
pub(crate) struct TimelineEntry {
    /// When the event arrived.
    pub(crate) position: Position,
    /// The event's ID.
    pub(crate) id: String,
}

impl HeldRoom {
    /// A room of which users were not shown any event yet.
    pub(crate) fn new(room: RoomGraph) -> Self {
        Self {
            room,
            timeline: Vec::new(),
            listed: BTreeSet::new(),
            member_events: BTreeMap::new(),
            history: BTreeMap::new(),
            refused: BTreeMap::new(),
            redactions: BTreeMap::new(),
        }
    }

    /// An event of the graph or of the earlier history.
    pub(crate) fn event(&self, id: &str) -> Option<&Event> {
        self.room.event(id).or_else(|| self.history.get(id))
    }

    /// The room after this server has joined it again: the events of the earlier membership are history.
    pub(crate) fn rejoined(mut self, room: RoomGraph) -> Self {
        for id in self.room.ids().filter(|id| self.listed.contains(*id)) {
            if let Some(event) = self.room.event(id) {
                self.history.insert(id.to_owned(), event.clone());
            }
        }
        self.room = room;
        self
    }

    /// Keeps an event of the earlier history if its signatures are valid; returns whether it did. Of an event that its auth
    /// events do not allow only the place is kept.
    pub(crate) fn add_history(&mut self, pdu: &Value, ring: &KeyRing) -> bool {
        let Ok(event) = Event::read(pdu, self.room.version()) else { return false };
        let own = event.room_id() == Some(self.room.id());
        let place_is_known = self.room.state_before(event.id()).is_some();
        if !own || place_is_known || self.has_earlier(event.id()) {
            return false;
        }
        let kept = match verify_event(&event, ring) {
            Ok(Verified::All) => event,
            Ok(Verified::ContentHashMismatch) => event.redacted(),
            Err(_) => return false,
        };
        let (id, before) = (kept.id().to_owned(), kept.prev_events());
        if let Err(AuthEventsError::Rule(_)) =
            self.room.check_by_auth_events(&kept, |id| self.history.get(id))
        {
            self.refused.insert(id, before);
        } else {
            self.history.insert(id, kept);
        }
        true
    }

    /// Whether an event of the earlier history is known, shown or not.
    fn has_earlier(&self, id: &str) -> bool {
        self.history.contains_key(id) || self.refused.contains_key(id)
    }

    /// Whether the earlier history holds an event that the rules do not allow.
    pub(crate) fn has_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// The known events some of whose prev events are not known.
    pub(crate) fn backward_extremities(&self) -> Vec<String> {
        let shown =
            self.timeline.iter().filter_map(|entry| self.event(&entry.id)).chain(self.history.values());
        let shown = shown.map(|event| (event.id().to_owned(), event.prev_events()));
        let refused = self.refused.iter().map(|(id, before)| (id.clone(), before.clone()));
        let has_place = |id: &String| self.has_earlier(id) || self.room.state_before(id).is_some();
        let open = shown.chain(refused).filter(|(_, before)| before.iter().any(|id| !has_place(id)));
        open.map(|(id, _)| id).collect()
    }

    /// The redaction in force on an event.
    pub(crate) fn redaction_of(&self, id: &str) -> Option<&Event> {
        let target = self.event(id)?;
        let candidates = self.redactions.get(id)?.iter().filter_map(|id| self.event(id));
        candidates.into_iter().find(|redaction| self.room.may_redact(redaction, target))
    }

    /// Whether an event is a redaction without effect, for now or for ever: users are not shown it (rooms/v3, handling
    /// redactions).
    pub(crate) fn redacts_nothing(&self, id: &str) -> bool {
        let Some(redaction) = self.room.event(id) else { return false };
        let Some(target) = redaction_target(redaction) else { return false };
        self.event(target).is_none_or(|target| !self.room.may_redact(redaction, target))
    }

    /// Drops the redactions whose target is not there yet.
    pub(crate) fn forget_early_redactions(&mut self) {
        let redactions = self.room.ids().filter_map(|id| self.room.event(id));
        let early = redactions
            .filter(|event| redaction_target(event).is_some_and(|target| self.event(target).is_none()));
        let early: Vec<_> = early.map(|event| event.id().to_owned()).collect();
        self.listed.extend(early);
    }

    /// Shows an event again that was shown before.
    pub(crate) fn show_again(&mut self, id: &str) {
        self.listed.remove(id);
    }

    /// An event in the federation format, as this server returns it: without what was redacted.
    pub(crate) fn pdu(&self, id: &str) -> Option<Value> {
        let event = self.event(id)?;
        let kept = if self.redaction_of(id).is_some() { event.redacted() } else { event.clone() };
        Some(Value::Object(kept.json().clone()))
    }

    /// The membership of a user in the current state; `leave` for a user who was never a member.
    pub(crate) fn membership(&self, user: &str) -> String {
        let member = self.room.state_event("m.room.member", user);
        member.and_then(Event::membership).unwrap_or("leave").to_owned()
    }

    /// The member events of a user in the timeline, in the order of their arrival.
    pub(crate) fn member_events_of(&self, user: &str) -> &[TimelineEntry] {
        self.member_events.get(user).map_or(&[], Vec::as_slice)
    }

    /// The users in the room with this membership.
    pub(crate) fn members(&self, membership: &str) -> Vec<String> {
        let state = self.room.state().unwrap_or_default();
        let is_one =
            |id: &String| self.room.event(id).is_some_and(|event| event.membership() == Some(membership));
        state
            .iter()
            .filter(|((kind, _), id)| kind == "m.room.member" && is_one(id))
            .map(|((_, user), _)| user.clone())
            .collect()
    }

    /// The servers that have a member in the room.
    pub(crate) fn servers(&self) -> BTreeSet<String> {
        self.members("join").iter().filter_map(|user| server_of(user)).map(str::to_owned).collect()
    }

    /// Whether a server has a member in the room.
    pub(crate) fn has_server(&self, server: &str) -> bool {
        self.servers().contains(server)
    }

    /// The content of a state event; null where there is none.
    pub(crate) fn state_content(&self, kind: &str) -> Value {
        let event = self.room.state_event(kind, "");
        event.map_or(Value::Null, |event| Value::Object(event.content().clone()))
    }

    /// The sender of a state event; empty where there is none.
    pub(crate) fn state_sender(&self, kind: &str) -> &str {
        self.room.state_event(kind, "").map_or("", Event::sender)
    }

    /// Adds the accepted events that are new to the timeline, earlier ones first, and returns them; with `rejected_too`,
    /// also those that are rejected or soft-failed.
    pub(crate) fn extend_timeline(
        &mut self,
        rejected_too: bool,
        mut position: impl FnMut() -> Position,
    ) -> Vec<Event> {
        let is_accepted =
            |id: &str| self.room.outcome(id) == Some(&EventOutcome::Accepted) && !self.redacts_nothing(id);
        let is_new = |id: &&str| {
            !self.listed.contains(*id)
                && (rejected_too || is_accepted(id))
                && self.room.state_before(id).is_some()
        };
        let new = self.room.ids().filter(is_new).filter_map(|id| self.room.event(id));
        let mut new: Vec<Event> = new.cloned().collect();
        new.sort_by_key(|event| (event.depth(), event.origin_server_ts(), event.id().to_owned()));
        for event in &new {
            self.listed.insert(event.id().to_owned());
            let entry = TimelineEntry { position: position(), id: event.id().to_owned() };
            if let Some((user, _)) = event.member() {
                self.member_events.entry(user.to_owned()).or_default().push(entry.clone());
            }
            self.timeline.push(entry);
        }
        new
    }
}

/// The event that a redaction redacts (rooms/v11, redactions: from then on named in the content).
pub(crate) fn redaction_target(event: &Event) -> Option<&str> {
    if event.kind() != "m.room.redaction" {
        return None;
    }
    let in_content = event.version().has_redacts_in_content();
    if in_content { event.content().get("redacts")?.as_str() } else { event.text("redacts") }
}
