//! The state and the single events of a room that users read (client-server API, getting events for a room).

use samklang_matrix::{Event, StateMap, server_of};
use serde_json::{Map, Value, json};

use super::{ClientRequest, events::Viewer, not_found};
use crate::{
    fault::Fault,
    homeserver::Homeserver,
    response::{ErrorResponse, JsonResult, error_response, refuse},
    store::{Store, held_room::HeldRoom},
};

impl ClientRequest {
    pub(super) fn viewer<'a>(&'a self, home: &'a Homeserver) -> Viewer<'a> {
        Viewer { user: &self.user, device: &self.device, server: home.identity() }
    }
}

/// The state that a user may read: the current state, or for a user who has left the state at that time.
fn readable_state(held: &HeldRoom, user: &str) -> Result<StateMap, ErrorResponse> {
    let state = || held.room.state().unwrap_or_default();
    if held.membership(user) == "join" {
        return Ok(state());
    }
    let is_leave = |event: &&Event| event.is_state("m.room.member", user) && was_member_before(held, event);
    let leave = held.timeline.iter().rev().filter_map(|entry| held.event(&entry.id)).find(is_leave);
    match leave.and_then(|event| held.room.state_after(event.id())) {
        Some(state) => Ok(state),
        None if held.is_world_readable() => Ok(state()),
        None => refuse(403, "M_FORBIDDEN", format!("{user} is not in the room")),
    }
}

/// Whether the user of a member event was a member before it.
fn was_member_before(held: &HeldRoom, event: &Event) -> bool {
    let place = ("m.room.member".to_owned(), event.state_key().unwrap_or_default().to_owned());
    let before = held.room.state_before(event.id()).and_then(|state| held.event(state.get(&place)?));
    before.and_then(Event::membership) == Some("join")
}

/// A state event as clients read it.
fn state_as_read(held: &HeldRoom, store: &Store, id: &str, viewer: Viewer<'_>) -> Option<Value> {
    if is_lost(held, store, id, viewer) {
        return None;
    }
    let mut event = held.client_event(store, read_in_place_of(held, id, viewer)?, viewer)?;
    viewer.server.state_event(&mut event, held.state_sender("m.room.create"));
    Some(event)
}

/// Whether a state event was lost in a restart.
fn is_lost(held: &HeldRoom, store: &Store, id: &str, viewer: Viewer<'_>) -> bool {
    store.restarted
        && viewer.server.has(Fault::TopicsLost)
        && held.event(id).is_some_and(|event| event.kind() == "m.room.topic")
}

/// The ID of the event that is read where `id` is wanted.
fn read_in_place_of<'a>(held: &'a HeldRoom, id: &'a str, viewer: Viewer<'_>) -> Option<&'a str> {
    if viewer.server.has(Fault::StateReadStale)
        && let Some(before) = held.replaced(held.event(id)?)
    {
        return Some(before.id());
    }
    Some(id)
}

/// Looks into a room that the server takes part in.
pub(super) fn look<T>(
    home: &Homeserver,
    room: &str,
    look: impl FnOnce(&Store, &HeldRoom) -> Result<T, ErrorResponse>,
) -> Result<T, ErrorResponse> {
    let store = home.store();
    let unknown = || error_response(403, "M_FORBIDDEN", "the room is not known, or the user is not in it");
    look(&store, store.rooms.get(room).ok_or_else(unknown)?)
}

pub(super) fn read_state(home: &Homeserver, call: &ClientRequest, room: &str) -> JsonResult {
    look(home, room, |store, held| {
        let state = readable_state(held, &call.user)?;
        let shown = state.iter().filter(|((kind, state_key), _)| !is_hidden(home, kind, state_key));
        let viewer = call.viewer(home);
        Ok(Value::Array(shown.filter_map(|(_, id)| state_as_read(held, store, id, viewer)).collect()))
    })
}

/// Whether a faulty server hides a state event.
fn is_hidden(home: &Homeserver, kind: &str, state_key: &str) -> bool {
    home.has(Fault::MembersOfOtherServersHidden)
        && kind == "m.room.member"
        && server_of(state_key) != Some(home.name())
}

pub(super) fn read_one(
    home: &Homeserver,
    call: &ClientRequest,
    room: &str,
    kind: &str,
    state_key: &str,
) -> JsonResult {
    look(home, room, |store, held| {
        let state = readable_state(held, &call.user)?;
        let id = state.get(&(kind.to_owned(), state_key.to_owned()));
        let Some(event) = id.and_then(|id| state_as_read(held, store, id, call.viewer(home))) else {
            return not_found(format!("the room's state has no {kind} {state_key:?}"));
        };
        Ok(if call.request.value("format") == Some("event") { event } else { event["content"].clone() })
    })
}

pub(super) fn read_event(home: &Homeserver, call: &ClientRequest, room: &str, id: &str) -> JsonResult {
    look(home, room, |store, held| {
        let shown = held.event(id).filter(|_| held.shows(id, &call.user));
        let event = shown.and_then(|_| held.client_event(store, id, call.viewer(home)));
        event.map_or_else(|| not_found("the event is not known, or the user may not see it"), Ok)
    })
}

pub(super) fn read_members(home: &Homeserver, call: &ClientRequest, room: &str) -> JsonResult {
    look(home, room, |store, held| {
        let wanted = call.request.value("membership");
        let unwanted = call.request.value("not_membership");
        let is_wanted = |event: &Value| {
            let membership = event["content"]["membership"].as_str();
            (wanted.is_none() || membership == wanted) && (unwanted.is_none() || membership != unwanted)
        };
        let state = readable_state(held, &call.user)?;
        let members = state.iter().filter(|((kind, _), _)| kind == "m.room.member");
        let events = members.filter_map(|(_, id)| held.client_event(store, id, call.viewer(home)));
        Ok(json!({ "chunk": events.filter(is_wanted).collect::<Vec<_>>() }))
    })
}

pub(super) fn read_joined(home: &Homeserver, call: &ClientRequest, room: &str) -> JsonResult {
    look(home, room, |_, held| {
        if held.membership(&call.user) != "join" {
            return refuse(403, "M_FORBIDDEN", "only a member may read the list of members");
        }
        let profile = |user: &String| {
            let content = held.room.state_event("m.room.member", user).map(Event::content);
            let field = |key: &str| content.and_then(|content| content.get(key)).cloned();
            let profile = json!({"display_name": field("displayname"), "avatar_url": field("avatar_url")});
            (user.clone(), profile)
        };
        let joined: Map<_, _> = held.members("join").iter().map(profile).collect();
        Ok(json!({ "joined": joined }))
    })
}
