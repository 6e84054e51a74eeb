//! A room's history, page by page (client-server API, getting events for a room; event context).

use std::collections::BTreeSet;

use samklang_matrix::Event;
use serde_json::{Value, json};

use super::{ClientRequest, events::Viewer, not_found, room_state::look};
use crate::{
    events::history::fetch_history,
    fault::Fault,
    homeserver::Homeserver,
    response::{ErrorResponse, JsonResult, refuse},
    store::{Position, held_room::HeldRoom},
};

/// The most events of a page.
const LARGEST_PAGE: usize = 500;
/// How many events are fetched from other servers at a time.
const FETCHED: u64 = 100;

/// A place between two events of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PageToken {
    /// After all events that had arrived by this position.
    Position(Position),
    /// Before this event.
    Before(String),
}

impl PageToken {
    fn read(text: &str) -> Result<Self, ErrorResponse> {
        let position = text.strip_prefix('s').and_then(|rest| rest.parse().ok()).map(Self::Position);
        let before = || text.strip_prefix("t-").map(|id| Self::Before(id.to_owned()));
        position.or_else(before).map_or_else(|| refuse(400, "M_INVALID_PARAM", "no such token"), Ok)
    }
}

/// The token of the place before an event.
pub(super) fn before(id: &str) -> String {
    format!("t-{id}")
}

/// The token of the place after an event.
fn after(all: &[&Event], id: &str) -> String {
    let next = all.iter().skip_while(|event| event.id() != id).nth(1);
    next.map_or_else(|| format!("s{}", Position::MAX), |next| before(next.id()))
}

impl HeldRoom {
    /// All events that users may be shown, in no order.
    pub(super) fn all_shown(&self) -> impl Iterator<Item = &Event> {
        let listed: BTreeSet<_> = self.timeline.iter().map(|entry| entry.id.as_str()).collect();
        let earlier = self.history.values().filter(move |event| !listed.contains(event.id()));
        earlier.chain(self.timeline.iter().filter_map(|entry| self.event(&entry.id)))
    }

    /// All events that users may be shown, from the earliest to the latest in the graph.
    pub(super) fn whole_history(&self) -> Vec<&Event> {
        let mut all: Vec<_> = self.all_shown().collect();
        all.sort_by_key(|event| (event.depth(), event.origin_server_ts(), event.id()));
        all
    }

    /// How many events lie before a token.
    fn place_of(&self, all: &[&Event], token: &PageToken) -> usize {
        match token {
            PageToken::Before(id) => all.iter().position(|event| event.id() == id).unwrap_or(0),
            PageToken::Position(position) => {
                let is_later = |event: &&Event| {
                    self.timeline.iter().any(|entry| entry.id == event.id() && entry.position > *position)
                };
                all.iter().rposition(|event| !is_later(event)).map_or(0, |last| last + 1)
            }
        }
    }
}

/// The history of a room, in order.
fn ordered_history<'a>(held: &'a HeldRoom, viewer: Viewer<'_>) -> Vec<&'a Event> {
    let mut all = held.whole_history();
    if viewer.server.has(Fault::HistoryUnordered) {
        all.chunks_mut(2).for_each(<[_]>::reverse);
    }
    all
}

pub(super) async fn read_messages(home: &Homeserver, call: &ClientRequest, room: &str) -> JsonResult {
    let limit = call.request.value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(10);
    let limit = LARGEST_PAGE.min(limit);
    let from = call.request.value("from").map(PageToken::read).transpose()?;
    let backwards = call.request.value("dir") != Some("f");
    loop {
        let (page, is_whole) = look(home, room, |store, held| {
            if !held.was_member(&call.user) {
                return refuse(403, "M_FORBIDDEN", "the user is not in the room");
            }
            let viewer = call.viewer(home);
            let all = ordered_history(held, viewer);
            let start = match (&from, backwards) {
                (Some(token), _) => held.place_of(&all, token),
                (None, true) => all.len(),
                (None, false) => 0,
            };
            let range: Vec<_> =
                if backwards { all[..start].iter().rev().copied().collect() } else { all[start..].to_vec() };
            let shown: Vec<_> =
                range.iter().filter(|event| held.shows(event.id(), &call.user)).take(limit).collect();
            let chunk: Vec<_> =
                shown.iter().filter_map(|event| held.client_event(store, event.id(), viewer)).collect();
            let last = shown.last().map(|event| event.id().to_owned());
            let is_whole = shown.len() == limit || held.backward_extremities().is_empty();
            let goes_on = shown.len() == limit && limit > 0;
            let end = last
                .filter(|_| goes_on)
                .map(|last| if backwards { before(&last) } else { after(&all, &last) });
            let mut page =
                json!({"chunk": chunk, "start": call.request.value("from").unwrap_or("s0"), "state": []});
            if let Some(end) = end {
                page["end"] = json!(end);
            }
            Ok((page, is_whole))
        })?;
        if is_whole || !backwards || fetch_history(home, room, FETCHED).await == 0 {
            return Ok(page);
        }
    }
}

pub(super) fn read_context(home: &Homeserver, call: &ClientRequest, room: &str, id: &str) -> JsonResult {
    let limit = call.request.value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(10);
    let half = LARGEST_PAGE.min(limit) / 2;
    look(home, room, |store, held| {
        let all: Vec<_> =
            held.whole_history().into_iter().filter(|event| held.shows(event.id(), &call.user)).collect();
        let Some(place) = all.iter().position(|event| event.id() == id) else {
            return not_found("the event is not known, or the user may not see it");
        };
        let show = |event: &&Event| held.client_event(store, event.id(), call.viewer(home));
        let earlier: Vec<_> = all[..place].iter().rev().take(half).filter_map(show).collect();
        let later: Vec<_> = all[place + 1..].iter().take(half).filter_map(show).collect();
        Ok(json!({
            "event": show(&all[place]), "events_before": earlier, "events_after": later,
            "start": before(all[place.saturating_sub(half)].id()), "state": Value::Array(vec![]),
        }))
    })
}
