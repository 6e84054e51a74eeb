//! What is new for a user, all of it or since a place in the stream (client-server API, syncing).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use samklang_matrix::{Event, StateMap};
use serde_json::{Map, Value, json};

use super::{
    Account, Call,
    history::before,
    keys::counted,
    shown::{Eye, stripped},
};
use crate::{
    held_room::{Entry, HeldRoom},
    homeserver::{Homeserver, Known, Position},
    reply::{Refusal, Reply, refusal},
    waiting::at_most,
};

/// The longest that a client may wait for news.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How many events of a room's timeline are shown, unless the filter says otherwise.
const TIMELINE: usize = 10;

/// What a user is shown: all that is later than `since`, or everything.
struct View<'a> {
    known: &'a Known,
    eye: Eye<'a>,
    since: Option<Position>,
    limit: usize,
}

impl Homeserver {
    /// Answers at once when there is something to tell; else as soon as there is, or when the time is up.
    pub(super) async fn sync(&self, call: &Call<'_>) -> Reply {
        let since = call.asked.value("since").map(position_of).transpose()?;
        // What a client has been given once it asks for what came later need not be given again.
        if let Some(since) = since
            && let Some(device) = self.known().users.device_mut(&call.user, &call.device)
        {
            device.inbox.retain(|note| note.position > since);
        }
        self.appears_by_syncing(&call.user, call.asked.value("set_presence"));
        let wait = call.asked.value("timeout").and_then(|wait| wait.parse().ok()).unwrap_or(0);
        let until = Instant::now() + Duration::from_millis(wait).min(LONGEST_WAIT);
        let filter: Value =
            call.asked.value("filter").and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default();
        let limit =
            filter["room"]["timeline"]["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.unwrap_or(TIMELINE);
        let mut news = self.news();
        loop {
            news.borrow_and_update();
            let (answer, is_news) = {
                let known = self.known();
                View { known: &known, eye: call.eye(), since, limit }.answer()
            };
            let left = until.saturating_duration_since(Instant::now());
            if is_news || since.is_none() || at_most(left, news.changed()).await.is_none() {
                return Ok(answer);
            }
        }
    }
}

fn position_of(token: &str) -> Result<Position, Refusal> {
    let position = token.strip_prefix('s').and_then(|rest| rest.parse().ok());
    position.ok_or_else(|| refusal(400, "M_INVALID_PARAM", "no such token"))
}

impl Homeserver {
    /// Whose devices have changed since (client-server API, `GET /keys/changes`).
    pub(super) fn read_changes(&self, call: &Call<'_>) -> Reply {
        let since = position_of(call.asked.value("from").unwrap_or_default())?;
        let known = self.known();
        let view = View { known: &known, eye: call.eye(), since: Some(since), limit: 0 };
        Ok(view.device_lists().unwrap_or_else(|| json!({"changed": [], "left": []})))
    }
}

impl View<'_> {
    fn is_new(&self, position: Position) -> bool {
        self.since.is_none_or(|since| position > since)
    }

    /// The answer, and whether it says anything.
    fn answer(&self) -> (Value, bool) {
        let sections = [
            ("join", self.joined()),
            ("leave", self.left()),
            ("invite", self.invites()),
            ("knock", self.knocks()),
        ];
        let mut rooms = Map::new();
        for (name, section) in sections {
            if !section.is_empty() {
                rooms.insert(name.to_owned(), Value::Object(section));
            }
        }
        let (account, device) = (self.account(), self.known.users.device(self.eye.user, self.eye.device));
        let notes: Vec<_> =
            device.into_iter().flat_map(|it| &it.inbox).map(|note| note.event.clone()).collect();
        let (presence, data) = (self.presence(), self.account_data(""));
        let lists = self.device_lists();
        let is_news = !rooms.is_empty()
            || lists.is_some()
            || [&notes, &presence, &data].iter().any(|events| !events.is_empty());
        let mut answer = json!({
            "next_batch": format!("s{}", self.known.position()), "rooms": rooms, "to_device": {"events": notes},
            "presence": {"events": presence}, "account_data": {"events": data},
        });
        if let Some(lists) = lists {
            answer["device_lists"] = lists;
        }
        if let Some(device) = account.and(device) {
            answer["device_one_time_keys_count"] = counted(&device.one_time_keys);
            answer["device_unused_fallback_key_types"] = json!(device.unused_fallback_keys());
        }
        (answer, is_news)
    }

    fn account(&self) -> Option<&Account> {
        self.known.users.accounts.get(self.eye.user)
    }

    /// What the user's clients keep, of a room or of all.
    fn account_data(&self, room: &str) -> Vec<Value> {
        let data = self.account().into_iter().flat_map(|account| &account.data);
        let new = data.filter(|((of, _), (_, position))| of == room && self.is_new(*position));
        new.map(|((_, kind), (content, _))| json!({"type": kind, "content": content})).collect()
    }

    /// How those are there who share a room with the user, as far as that is new.
    fn presence(&self) -> Vec<Value> {
        let met = self.met();
        let is_new = |user: &String, position: Position| self.is_new(position) || met.contains(user);
        let shared = self.known.sharers(self.eye.user);
        let known = self.known.presences.iter().filter(|(user, presence)| {
            (shared.contains(*user) || *user == self.eye.user) && is_new(user, presence.position)
        });
        known
            .map(|(user, presence)| json!({"type": "m.presence", "sender": user, "content": presence.content()}))
            .collect()
    }

    /// The rooms that the user is in.
    fn rooms_inside(&self) -> impl Iterator<Item = &HeldRoom> {
        self.known.rooms.values().filter(|held| held.membership(self.eye.user) == "join")
    }

    /// Those whom the user has got to share a room with: who came, and all in a room to which the user came.
    fn met(&self) -> BTreeSet<String> {
        self.rooms_inside().flat_map(|held| self.met_in(held)).collect()
    }

    fn met_in(&self, held: &HeldRoom) -> BTreeSet<String> {
        let Some(since) = self.since else { return held.members("join").into_iter().collect() };
        if !was_in_at(held, self.eye.user, since) {
            return held.members("join").into_iter().collect();
        }
        let members = held.members("join");
        members.into_iter().filter(|user| !was_in_at_or_before(held, user, since)).collect()
    }

    /// Whose devices have changed since, and who shares no encrypted room any more.
    fn device_lists(&self) -> Option<Value> {
        let since = self.since?;
        let shared = self.known.sharers(self.eye.user);
        let is_shared = |user: &String| shared.contains(user) || user == self.eye.user;
        let encrypted = |held: &&HeldRoom| held.state_content("m.room.encryption").is_object();
        let changes = self.known.device_lists.changes.iter();
        let mut changed: BTreeSet<String> = changes
            .filter(|(user, at)| **at > since && is_shared(user))
            .map(|(user, _)| user.clone())
            .collect();
        for held in self.rooms_inside().filter(encrypted) {
            let is_switched_on = |entry: &&Entry| {
                entry.position > since
                    && held.event(&entry.id).is_some_and(|event| event.is_state("m.room.encryption", ""))
            };
            if held.timeline.iter().rev().find(is_switched_on).is_some() {
                changed.extend(held.members("join"));
            } else {
                changed.extend(self.met_in(held));
            }
        }
        changed.remove(self.eye.user);
        let own = self.known.device_lists.changes.get(self.eye.user).is_some_and(|at| *at > since);
        changed.extend(own.then(|| self.eye.user.to_owned()));
        let left: BTreeSet<String> = self.parted(since).into_iter().filter(|user| !is_shared(user)).collect();
        let is_news = !changed.is_empty() || !left.is_empty();
        is_news.then(|| json!({"changed": changed, "left": left}))
    }

    /// Those who were in an encrypted room with the user and have parted since.
    fn parted(&self, since: Position) -> BTreeSet<String> {
        let mut parted = BTreeSet::new();
        for held in self.known.rooms.values() {
            if !held.state_content("m.room.encryption").is_object() || !was_in_at(held, self.eye.user, since)
            {
                continue;
            }
            if held.membership(self.eye.user) != "join" {
                parted.extend(held.members("join"));
            }
            let later = held.timeline.iter().filter(|entry| entry.position > since);
            let gone = later.filter_map(|entry| held.event(&entry.id)).filter(|event| {
                matches!(event.membership(), Some("leave" | "ban")) && event.kind() == "m.room.member"
            });
            parted.extend(gone.filter_map(|event| event.state_key()).map(str::to_owned));
        }
        parted
    }

    /// The rooms that the user is in and in which something is new.
    fn joined(&self) -> Map<String, Value> {
        let is_in = |held: &HeldRoom| held.membership(self.eye.user) == "join";
        let rooms = self.known.rooms.iter().filter(|(_, held)| is_in(held));
        rooms.filter_map(|(id, held)| Some((id.clone(), self.joined_room(held)?))).collect()
    }

    fn joined_room(&self, held: &HeldRoom) -> Option<Value> {
        // Who has just come is shown everything.
        let known_so_far = self.since.filter(|since| was_in_at(held, self.eye.user, *since));
        let room = self.room(held, known_so_far, Position::MAX);
        let mut room = room;
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
    fn left(&self) -> Map<String, Value> {
        let Some(since) = self.since else { return Map::new() };
        let forgotten = self.known.users.accounts.get(self.eye.user).map(|account| &account.forgotten);
        let mut left = Map::new();
        for (id, held) in &self.known.rooms {
            let gone = matches!(held.membership(self.eye.user).as_str(), "leave" | "ban");
            if !gone || forgotten.is_some_and(|rooms| rooms.contains(id)) {
                continue;
            }
            let Some(departure) = last_own(held, self.eye.user).filter(|entry| entry.position > since) else {
                continue;
            };
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
        let timeline: Vec<_> = shown.iter().filter_map(|entry| event(&entry.id)).collect();
        let mut section = json!({
            "timeline": {"events": timeline, "limited": shown.len() < seen.len() || since.is_none()},
            "state": {"events": state},
        });
        if let Some(first) = shown.first() {
            section["timeline"]["prev_batch"] = json!(before(&first.id));
        }
        section
    }

    fn invites(&self) -> Map<String, Value> {
        let mut invites = Map::new();
        for ((room, user), invite) in &self.known.invites {
            if user == self.eye.user && self.is_new(invite.position) {
                let events = stripped_with(&invite.room_state, &invite.event);
                invites.insert(room.clone(), json!({ "invite_state": { "events": events } }));
            }
        }
        invites
    }

    fn knocks(&self) -> Map<String, Value> {
        let mut knocks = Map::new();
        for ((room, user), knock) in &self.known.knocks {
            if user == self.eye.user && self.is_new(knock.position) {
                let events = stripped_with(&knock.room_state, &knock.event);
                knocks.insert(room.clone(), json!({ "knock_state": { "events": events } }));
            }
        }
        for (room, held) in &self.known.rooms {
            let own = last_own(held, self.eye.user).filter(|entry| self.is_new(entry.position));
            let event = own.and_then(|entry| held.pdu(&entry.id));
            let Some(event) = event.filter(|_| held.membership(self.eye.user) == "knock") else { continue };
            let events = stripped_with(&crate::answering::shown_to(held, None), &event);
            knocks.insert(room.clone(), json!({ "knock_state": { "events": events } }));
        }
        knocks
    }
}

fn has_events(section: &Value) -> bool {
    section["events"].as_array().is_some_and(|events| !events.is_empty())
}

/// The user's latest member event.
fn last_own<'a>(held: &'a HeldRoom, user: &str) -> Option<&'a Entry> {
    let is_own =
        |entry: &&Entry| held.event(&entry.id).is_some_and(|event| event.is_state("m.room.member", user));
    held.timeline.iter().rev().find(is_own)
}

/// Whether a user was in the room at a place in the stream.
fn was_in_at(held: &HeldRoom, user: &str, at: Position) -> bool {
    let earlier = held.timeline.iter().filter(|entry| entry.position <= at);
    let own = earlier.rev().filter_map(|entry| held.event(&entry.id));
    let mut own = own.filter(|event| event.is_state("m.room.member", user));
    own.next().and_then(Event::membership) == Some("join")
}

/// Whether a user was in the room at a place in the stream, or before all of it.
fn was_in_at_or_before(held: &HeldRoom, user: &str, at: Position) -> bool {
    let came_later = held.timeline.iter().filter(|entry| entry.position > at).any(|entry| {
        held.event(&entry.id)
            .is_some_and(|event| event.is_state("m.room.member", user) && event.membership() == Some("join"))
    });
    !came_later || was_in_at(held, user, at)
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
    shown["origin_server_ts"] = event["origin_server_ts"].clone();
    shown["event_id"] = event["event_id"].clone();
    shown
}
