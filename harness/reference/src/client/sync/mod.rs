//! What is new for a user, all of it or since a place in the stream (client-server API, syncing).

mod people;
mod rooms;

use std::time::Duration;

use samklang_matrix::Event;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{Account, Call, keys::counted, shown::Eye};
use crate::{
    held_room::HeldRoom,
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

    /// Whether a room's timeline has grown: most have not, and are not looked at any closer.
    fn has_grown(&self, held: &HeldRoom) -> bool {
        held.timeline.last().is_some_and(|entry| self.is_new(entry.position))
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
}

/// Whether a user was in the room at a place in the stream.
fn was_in_at(held: &HeldRoom, user: &str, at: Position) -> bool {
    let last = held.stations(user).iter().rev().find(|entry| entry.position <= at);
    last.and_then(|entry| held.event(&entry.id)).and_then(Event::membership) == Some("join")
}
