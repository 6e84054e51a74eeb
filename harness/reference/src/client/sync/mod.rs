//! All that a user is shown, or what is new since a position (client-server API, syncing).

mod people;
mod rooms;

use std::time::Duration;

use samklang_matrix::Event;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{ClientRequest, events::Viewer};
use crate::{
    edus::presence,
    homeserver::Homeserver,
    response::{ErrorResponse, JsonResult, error_response},
    store::{Position, Store, held_room::HeldRoom, users::UserAccount},
    waiting::at_most,
};

/// The longest that a client may wait for news.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How many events of a room's timeline are shown, unless the filter says otherwise.
const TIMELINE: usize = 10;

/// What a user is shown: all that is later than `since`, or everything.
struct SyncView<'a> {
    store: &'a Store,
    viewer: Viewer<'a>,
    since: Option<Position>,
    limit: usize,
}

/// Responds at once when there is news; else as soon as there is, or when the time is up.
pub(super) async fn sync(home: &Homeserver, call: &ClientRequest) -> JsonResult {
    let since = call.request.value("since").map(position_of).transpose()?;
    // A client that requests what came after a position has received all that came before it.
    if let Some(since) = since
        && let Some(device) = home.store().users.device_mut(&call.user, &call.device)
    {
        device.inbox.retain(|message| message.position > since);
    }
    presence::set_by_syncing(home, &call.user, call.request.value("set_presence"));
    let wait = call.request.value("timeout").and_then(|wait| wait.parse().ok()).unwrap_or(0);
    let until = Instant::now() + Duration::from_millis(wait).min(LONGEST_WAIT);
    let filter: Value =
        call.request.value("filter").and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default();
    let limit = filter["room"]["timeline"]["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(TIMELINE);
    let mut news = home.news();
    loop {
        news.borrow_and_update();
        let (response, is_news) = {
            let store = home.store();
            SyncView { store: &store, viewer: call.viewer(home), since, limit }.response()
        };
        let left = until.saturating_duration_since(Instant::now());
        if is_news || since.is_none() || at_most(left, news.changed()).await.is_none() {
            return Ok(response);
        }
    }
}

fn position_of(token: &str) -> Result<Position, ErrorResponse> {
    let position = token.strip_prefix('s').and_then(|rest| rest.parse().ok());
    position.ok_or_else(|| error_response(400, "M_INVALID_PARAM", "no such token"))
}

/// The users whose devices have changed since a position (client-server API, `GET /keys/changes`).
pub(super) fn read_changes(home: &Homeserver, call: &ClientRequest) -> JsonResult {
    let since = position_of(call.request.value("from").unwrap_or_default())?;
    let store = home.store();
    let view = SyncView { store: &store, viewer: call.viewer(home), since: Some(since), limit: 0 };
    Ok(view.device_lists().unwrap_or_else(|| json!({"changed": [], "left": []})))
}

impl SyncView<'_> {
    fn is_new(&self, position: Position) -> bool {
        self.since.is_none_or(|since| position > since)
    }

    /// Whether a room's timeline has grown. Most have not, and need no closer look.
    fn has_grown(&self, held: &HeldRoom) -> bool {
        held.timeline.last().is_some_and(|entry| self.is_new(entry.position))
    }

    /// The response, and whether it holds any news.
    fn response(&self) -> (Value, bool) {
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
        let device = self.store.users.device(self.viewer.user, self.viewer.device);
        let messages: Vec<_> =
            device.into_iter().flat_map(|it| &it.inbox).map(|message| message.event.clone()).collect();
        let (presence, data) = (self.presence(), self.account_data(""));
        let lists = self.device_lists();
        let is_news = !rooms.is_empty()
            || lists.is_some()
            || [&messages, &presence, &data].iter().any(|events| !events.is_empty());
        let mut response = json!({
            "next_batch": format!("s{}", self.store.position()), "rooms": rooms, "to_device": {"events": messages},
            "presence": {"events": presence}, "account_data": {"events": data},
        });
        if let Some(lists) = lists {
            response["device_lists"] = lists;
        }
        if let Some(device) = device {
            response["device_one_time_keys_count"] = device.one_time_key_counts();
            response["device_unused_fallback_key_types"] = json!(device.unused_fallback_keys());
        }
        (response, is_news)
    }

    fn account(&self) -> Option<&UserAccount> {
        self.store.users.accounts.get(self.viewer.user)
    }

    /// The account data of a room or of all rooms, as far as it is new.
    fn account_data(&self, room: &str) -> Vec<Value> {
        let data = self.account().into_iter().flat_map(|account| &account.data);
        let new = data.filter(|((of, _), (_, position))| of == room && self.is_new(*position));
        new.map(|((_, kind), (content, _))| json!({"type": kind, "content": content})).collect()
    }
}

/// Whether a user was a member of the room at a position.
fn was_member_at(held: &HeldRoom, user: &str, at: Position) -> bool {
    let last = held.member_events_of(user).iter().rev().find(|entry| entry.position <= at);
    last.and_then(|entry| held.event(&entry.id)).and_then(Event::membership) == Some("join")
}
