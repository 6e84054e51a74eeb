//! Rooms in the response to a sync: those that the user is a member of, has left, is invited to or knocks on.

use std::collections::BTreeMap;

use samklang_matrix::{StateMap, format_breaches};
use serde_json::{Map, Value, json};

use super::{SyncView, was_member_at};
use crate::{
    client::history::before,
    fault::Fault,
    store::{
        Position,
        held_room::{HeldRoom, TimelineEntry},
        invite_state::stripped,
    },
};

impl SyncView<'_> {
    /// The rooms that the user is a member of and in which something is new.
    pub(super) fn joined(&self) -> Map<String, Value> {
        let rooms = self.store.rooms.joined_by(self.viewer.user).filter(|held| self.has_news(held));
        rooms.filter_map(|held| Some((held.room.id().to_owned(), self.joined_room(held)?))).collect()
    }

    /// Whether something of a room is new, for any user.
    fn has_news(&self, held: &HeldRoom) -> bool {
        let id = held.room.id();
        let edus = &self.store.edus;
        self.has_grown(held)
            || self.is_new(edus.typing.position(id).max(edus.receipts.position(id)))
            || !self.account_data(id).is_empty()
    }

    fn joined_room(&self, held: &HeldRoom) -> Option<Value> {
        // A user who has just joined is shown everything.
        let since = self.since.filter(|since| was_member_at(held, self.viewer.user, *since));
        let mut room = self.room(held, since, Position::MAX);
        let id = held.room.id();
        let typing = self.store.edus.typing.since(id, since);
        let receipts = self.store.edus.receipts.since(id, self.viewer.user, since);
        room["ephemeral"] = json!({ "events": typing.into_iter().chain(receipts).collect::<Vec<_>>() });
        room["account_data"] = json!({ "events": self.account_data(id) });
        let is_news =
            ["state", "timeline", "ephemeral", "account_data"].iter().any(|list| has_events(&room[list]));
        let joined = held.members("join").len();
        let invited = held.members("invite").len();
        is_news.then(|| {
            room["summary"] = json!({"m.joined_member_count": joined, "m.invited_member_count": invited});
            room["unread_notifications"] = json!({"highlight_count": 0, "notification_count": 0});
            room
        })
    }

    /// The rooms that the user has left since the position, up to the leave.
    pub(super) fn left(&self) -> Map<String, Value> {
        let Some(since) = self.since else { return Map::new() };
        let forgotten = self.store.users.accounts.get(self.viewer.user).map(|account| &account.forgotten);
        let mut left = Map::new();
        for held in self.store.rooms.values().filter(|held| self.has_grown(held)) {
            let id = held.room.id();
            let last = held.member_events_of(self.viewer.user).last();
            let Some(leave) = last.filter(|entry| entry.position > since) else { continue };
            let is_gone = matches!(held.membership(self.viewer.user).as_str(), "leave" | "ban");
            if !is_gone || forgotten.is_some_and(|rooms| rooms.contains(id)) {
                continue;
            }
            let from = if was_member_at(held, self.viewer.user, since) { since } else { leave.position - 1 };
            left.insert(id.to_owned(), self.room(held, Some(from), leave.position));
        }
        for ((room, user), leave) in &self.store.rooms.leaves {
            if user == self.viewer.user && self.is_new(leave.position) && !left.contains_key(room) {
                let event = remote_leave(&leave.event);
                left.insert(
                    room.clone(),
                    json!({"timeline": {"events": [event], "limited": false}, "state": {"events": []}}),
                );
            }
        }
        left
    }

    /// A room's timeline later than `since`, up to `until`, and the state before it as far as it is new.
    fn room(&self, held: &HeldRoom, since: Option<Position>, until: Position) -> Value {
        let user = self.viewer.user;
        let all = held.timeline.iter().filter(|entry| since.is_none_or(|since| entry.position > since));
        // A user may always see the user's own member events.
        let is_own = |id: &str| held.event(id).is_some_and(|event| event.is_state("m.room.member", user));
        let is_seen = |entry: &&TimelineEntry| {
            entry.position <= until && (is_own(&entry.id) || held.visible_to_user(&entry.id, user))
        };
        let seen: Vec<&TimelineEntry> = all.filter(is_seen).collect();
        let shown = &seen[seen.len().saturating_sub(self.limit)..];
        let state = state_before(held, shown);
        let is_new = |id: &String| {
            let place = held.timeline.iter().find(|entry| entry.id == *id).map(|entry| entry.position);
            since.is_none_or(|since| place.is_some_and(|place| place > since))
        };
        let event = |id: &String| {
            let mut event = held.client_event(self.store, id, self.viewer)?;
            event.as_object_mut()?.remove("room_id");
            Some(event)
        };
        let state: Vec<_> = if until == Position::MAX {
            state.values().filter(|id| is_new(id)).filter_map(event).collect()
        } else {
            Vec::new()
        };
        let mut timeline: Vec<_> = shown.iter().filter_map(|entry| event(&entry.id)).collect();
        self.viewer.server.timeline(&mut timeline);
        timeline.extend(self.malformed(held, since));
        let mut section = json!({
            "timeline": {"events": timeline, "limited": shown.len() < seen.len() || since.is_none()},
            "state": {"events": state},
        });
        if let Some(first) = shown.first() {
            section["timeline"]["prev_batch"] = json!(before(&first.id));
        }
        section
    }

    /// The malformed events of a room later than `since`, as they were received, with which a faulty server extends the
    /// timeline.
    fn malformed(&self, held: &HeldRoom, since: Option<Position>) -> Vec<Value> {
        if !self.viewer.server.has(Fault::MalformedShown) {
            return Vec::new();
        }
        let is_new = |position: Position| since.is_none_or(|since| position > since);
        let all = self.store.defects.malformed.iter().filter(|(_, (position, event))| {
            is_new(*position)
                && event["room_id"] == *held.room.id()
                && !format_breaches(event, held.room.version()).is_empty()
        });
        all.map(|(id, (_, event))| {
            let mut shown = event.clone();
            shown["event_id"] = json!(id);
            shown
        })
        .collect()
    }

    /// The invites of the user that are new.
    pub(super) fn invites(&self) -> Map<String, Value> {
        let mut invites = Map::new();
        for ((room, user), invite) in &self.store.rooms.invites {
            if self.hides_invites() {
                break;
            }
            if user == self.viewer.user && self.is_new(invite.position) {
                let events = stripped_with(&invite.room_state, &invite.event);
                invites.insert(room.clone(), json!({ "invite_state": { "events": events } }));
            }
        }
        invites
    }

    fn hides_invites(&self) -> bool {
        self.viewer.server.has(Fault::InvitesNotShown)
    }

    /// The knocks of the user that are new.
    pub(super) fn knocks(&self) -> Map<String, Value> {
        let mut knocks = Map::new();
        for ((room, user), knock) in &self.store.rooms.knocks {
            if user == self.viewer.user && self.is_new(knock.position) {
                let events = stripped_with(&knock.room_state, &knock.event);
                knocks.insert(room.clone(), json!({ "knock_state": { "events": events } }));
            }
        }
        for held in self.store.rooms.values().filter(|held| self.has_grown(held)) {
            let member_events = held.member_events_of(self.viewer.user);
            let own = member_events.last().filter(|entry| self.is_new(entry.position));
            let event = own.and_then(|entry| held.pdu(&entry.id));
            let Some(event) = event.filter(|_| held.membership(self.viewer.user) == "knock") else {
                continue;
            };
            let events = stripped_with(&held.invite_state(None), &event);
            knocks.insert(held.room.id().to_owned(), json!({ "knock_state": { "events": events } }));
        }
        knocks
    }
}

fn has_events(section: &Value) -> bool {
    section["events"].as_array().is_some_and(|events| !events.is_empty())
}

/// The state that, with the timeline, makes the current state.
fn state_before(held: &HeldRoom, timeline: &[&TimelineEntry]) -> StateMap {
    let earlier = timeline.first().and_then(|entry| held.room.state_before(&entry.id));
    let is_shown = |id: &String| timeline.iter().any(|entry| entry.id == *id);
    let mut state = BTreeMap::new();
    for (place, id) in held.room.state().unwrap_or_default() {
        if !is_shown(&id) {
            state.insert(place, id);
        } else if let Some(id) = earlier.and_then(|state| state.get(&place)) {
            state.insert(place, id.clone());
        }
    }
    state
}

/// The stripped state of a room, and the user's own member event.
fn stripped_with(state: &[Value], own: &Value) -> Vec<Value> {
    let is_other = |event: &&Value| event["type"] != own["type"] || event["state_key"] != own["state_key"];
    state.iter().filter(is_other).chain([own]).map(stripped).collect()
}

/// A member event of a room that the server does not take part in, as clients are shown it.
fn remote_leave(event: &Value) -> Value {
    let mut shown = stripped(event);
    for key in ["origin_server_ts", "event_id"] {
        if let Some(value) = event.get(key) {
            shown[key] = value.clone();
        }
    }
    shown
}
