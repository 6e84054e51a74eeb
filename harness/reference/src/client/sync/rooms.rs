//! Rooms in a sync's answer: those that the user is in, has left, is invited to or knocks on.

use std::collections::BTreeMap;

use samklang_matrix::{StateMap, format_breaches};
use serde_json::{Map, Value, json};

use super::{View, was_in_at};
use crate::{
    answering::shown_to,
    client::{history::before, shown::stripped},
    fault::Fault,
    held_room::{Entry, HeldRoom},
    homeserver::Position,
};

impl View<'_> {
    /// The rooms that the user is in and in which something is new.
    pub(super) fn joined(&self) -> Map<String, Value> {
        let rooms = self.known.rooms_of(self.eye.user).filter(|held| self.has_news(held));
        rooms.filter_map(|held| Some((held.room.id().to_owned(), self.joined_room(held)?))).collect()
    }

    /// Whether something of a room is new, for whomever.
    fn has_news(&self, held: &HeldRoom) -> bool {
        let id = held.room.id();
        self.has_grown(held)
            || self.is_new(self.known.typing.position(id).max(self.known.receipts.position(id)))
            || !self.account_data(id).is_empty()
    }

    fn joined_room(&self, held: &HeldRoom) -> Option<Value> {
        // Who has just come is shown everything.
        let known_so_far = self.since.filter(|since| was_in_at(held, self.eye.user, *since));
        let mut room = self.room(held, known_so_far, Position::MAX);
        let id = held.room.id();
        let typing = self.known.typing.since(id, known_so_far);
        let receipts = self.known.receipts.since(id, self.eye.user, known_so_far);
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

    /// The rooms that the user has come out of since: up to that, and no further.
    pub(super) fn left(&self) -> Map<String, Value> {
        let Some(since) = self.since else { return Map::new() };
        let forgotten = self.known.users.accounts.get(self.eye.user).map(|account| &account.forgotten);
        let mut left = Map::new();
        for (id, held) in self.known.rooms.iter().filter(|(_, held)| self.has_grown(held)) {
            let last = held.stations(self.eye.user).last();
            let Some(departure) = last.filter(|entry| entry.position > since) else { continue };
            let gone = matches!(held.membership(self.eye.user).as_str(), "leave" | "ban");
            if !gone || forgotten.is_some_and(|rooms| rooms.contains(id)) {
                continue;
            }
            let from = if was_in_at(held, self.eye.user, since) { since } else { departure.position - 1 };
            left.insert(id.clone(), self.room(held, Some(from), departure.position));
        }
        for ((room, user), departure) in &self.known.departures {
            if user == self.eye.user && self.is_new(departure.position) && !left.contains_key(room) {
                let event = from_outside(&departure.event);
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
        let user = self.eye.user;
        let all = held.timeline.iter().filter(|entry| since.is_none_or(|since| entry.position > since));
        // What becomes of oneself, one may always know.
        let is_own = |id: &str| held.event(id).is_some_and(|event| event.is_state("m.room.member", user));
        let is_seen = |entry: &&Entry| {
            entry.position <= until && (is_own(&entry.id) || held.visible_to_user(&entry.id, user))
        };
        let seen: Vec<&Entry> = all.filter(is_seen).collect();
        let shown = &seen[seen.len().saturating_sub(self.limit)..];
        let state = state_before(held, shown);
        let is_new = |id: &String| {
            let place = held.timeline.iter().find(|entry| entry.id == *id).map(|entry| entry.position);
            since.is_none_or(|since| place.is_some_and(|place| place > since))
        };
        let event = |id: &String| {
            let mut event = held.client_event(self.known, id, self.eye)?;
            event.as_object_mut()?.remove("room_id");
            Some(event)
        };
        let state: Vec<_> = if until == Position::MAX {
            state.values().filter(|id| is_new(id)).filter_map(event).collect()
        } else {
            Vec::new()
        };
        let mut timeline: Vec<_> = shown.iter().filter_map(|entry| event(&entry.id)).collect();
        if self.known.has(Fault::EventsShownTwice) {
            timeline.extend(timeline.clone());
        }
        if self.known.has(Fault::MalformedShown) {
            timeline.extend(self.malformed(held, since));
        }
        let mut section = json!({
            "timeline": {"events": timeline, "limited": shown.len() < seen.len() || since.is_none()},
            "state": {"events": state},
        });
        if let Some(first) = shown.first() {
            section["timeline"]["prev_batch"] = json!(before(&first.id));
        }
        section
    }

    /// What came of a room later than `since` and is no event, as it came.
    fn malformed(&self, held: &HeldRoom, since: Option<Position>) -> Vec<Value> {
        let is_new = |position: Position| since.is_none_or(|since| position > since);
        let all = self.known.malformed.iter().filter(|(_, (position, event))| {
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
        for ((room, user), invite) in &self.known.invites {
            if self.known.has(Fault::InvitesNotShown) {
                break;
            }
            if user == self.eye.user && self.is_new(invite.position) {
                let events = stripped_with(&invite.room_state, &invite.event);
                invites.insert(room.clone(), json!({ "invite_state": { "events": events } }));
            }
        }
        invites
    }

    /// The knocks of the user that are new.
    pub(super) fn knocks(&self) -> Map<String, Value> {
        let mut knocks = Map::new();
        for ((room, user), knock) in &self.known.knocks {
            if user == self.eye.user && self.is_new(knock.position) {
                let events = stripped_with(&knock.room_state, &knock.event);
                knocks.insert(room.clone(), json!({ "knock_state": { "events": events } }));
            }
        }
        for (room, held) in self.known.rooms.iter().filter(|(_, held)| self.has_grown(held)) {
            let own = held.stations(self.eye.user).last().filter(|entry| self.is_new(entry.position));
            let event = own.and_then(|entry| held.pdu(&entry.id));
            let Some(event) = event.filter(|_| held.membership(self.eye.user) == "knock") else { continue };
            let events = stripped_with(&shown_to(held, None), &event);
            knocks.insert(room.clone(), json!({ "knock_state": { "events": events } }));
        }
        knocks
    }
}

fn has_events(section: &Value) -> bool {
    section["events"].as_array().is_some_and(|events| !events.is_empty())
}

/// The state that, with the timeline, makes the current one.
fn state_before(held: &HeldRoom, timeline: &[&Entry]) -> StateMap {
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

/// What is shown of a room from outside, and the user's own member event.
fn stripped_with(state: &[Value], own: &Value) -> Vec<Value> {
    let is_other = |event: &&Value| event["type"] != own["type"] || event["state_key"] != own["state_key"];
    state.iter().filter(is_other).chain([own]).map(stripped).collect()
}

/// A member event of a room that is not held.
fn from_outside(event: &Value) -> Value {
    let mut shown = stripped(event);
    for key in ["origin_server_ts", "event_id"] {
        if let Some(value) = event.get(key) {
            shown[key] = value.clone();
        }
    }
    shown
}
