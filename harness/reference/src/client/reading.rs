//! What users read of a room's state and single events (client-server API, getting events for a room).

use samklang_matrix::{Event, StateMap, server_of};
use serde_json::{Map, Value, json};

use super::{Call, not_found, shown::Eye};
use crate::{
    fault::Fault,
    held_room::HeldRoom,
    homeserver::{Homeserver, Known},
    reply::{Refusal, Reply, refusal, refuse},
};

impl Call<'_> {
    pub(super) fn eye(&self) -> Eye<'_> {
        Eye { user: &self.user, device: &self.device }
    }
}

/// The state that a user may read: the current one, or for who has left what it was then.
fn readable_state(held: &HeldRoom, user: &str) -> Result<StateMap, Refusal> {
    let state = || held.room.state().unwrap_or_default();
    if held.membership(user) == "join" {
        return Ok(state());
    }
    let is_departure = |event: &&Event| event.is_state("m.room.member", user) && was_in(held, event);
    let departure = held.timeline.iter().rev().filter_map(|entry| held.event(&entry.id)).find(is_departure);
    match departure.and_then(|event| held.room.state_after(event.id())) {
        Some(state) => Ok(state),
        None if held.state_content("m.room.history_visibility")["history_visibility"] == "world_readable" => {
            Ok(state())
        }
        None => refuse(403, "M_FORBIDDEN", format!("{user} is not in the room")),
    }
}

/// Whether a member event ends a stay.
fn was_in(held: &HeldRoom, event: &Event) -> bool {
    let place = ("m.room.member".to_owned(), event.state_key().unwrap_or_default().to_owned());
    let before = held.room.state_before(event.id()).and_then(|state| held.event(state.get(&place)?));
    before.and_then(Event::membership) == Some("join")
}

impl HeldRoom {
    /// A state event as clients read it.
    fn state_as_read(&self, known: &Known, id: &str, eye: Eye<'_>) -> Option<Value> {
        let mut id = id;
        if known.restarted
            && known.has(Fault::TopicsForgotten)
            && self.event(id).is_some_and(|event| event.kind() == "m.room.topic")
        {
            return None;
        }
        if known.has(Fault::StateReadLate)
            && let Some(before) = self.replaced(self.event(id)?)
        {
            id = before.id();
        }
        let mut event = self.client_event(known, id, eye)?;
        if known.has(Fault::StateListsDropped)
            && let Some(content) = event["content"].as_object_mut()
        {
            content.retain(|_, value| !value.is_array());
        }
        if known.has(Fault::CreatorsShownListed) && event["type"] == "m.room.power_levels" {
            event["content"]["users"][self.state_sender("m.room.create")] = json!(100);
        }
        Some(event)
    }
}

impl Homeserver {
    /// Looks into a room that is held.
    pub(super) fn look<T>(
        &self,
        room: &str,
        look: impl FnOnce(&Known, &HeldRoom) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let known = self.known();
        let unknown = || refusal(403, "M_FORBIDDEN", "the room is not known, or one is not in it");
        look(&known, known.rooms.get(room).ok_or_else(unknown)?)
    }

    pub(super) fn read_state(&self, call: &Call<'_>, room: &str) -> Reply {
        self.look(room, |known, held| {
            let state = readable_state(held, &call.user)?;
            let is_hidden = |(kind, user): &(String, String)| {
                known.has(Fault::MembersOfOthersHidden)
                    && kind == "m.room.member"
                    && server_of(user) != Some(self.name())
            };
            let shown = state.iter().filter(|(place, _)| !is_hidden(place));
            Ok(Value::Array(shown.filter_map(|(_, id)| held.state_as_read(known, id, call.eye())).collect()))
        })
    }

    pub(super) fn read_one(&self, call: &Call<'_>, room: &str, kind: &str, state_key: &str) -> Reply {
        self.look(room, |known, held| {
            let state = readable_state(held, &call.user)?;
            let id = state.get(&(kind.to_owned(), state_key.to_owned()));
            let Some(event) = id.and_then(|id| held.state_as_read(known, id, call.eye())) else {
                return not_found(format!("the room's state has no {kind} {state_key:?}"));
            };
            Ok(if call.asked.value("format") == Some("event") { event } else { event["content"].clone() })
        })
    }

    pub(super) fn read_event(&self, call: &Call<'_>, room: &str, id: &str) -> Reply {
        self.look(room, |known, held| {
            let shown = held.event(id).filter(|_| held.shows(id, &call.user));
            let event = shown.and_then(|_| held.client_event(known, id, call.eye()));
            event.map_or_else(|| not_found("the event is not known, or one may not see it"), Ok)
        })
    }

    pub(super) fn read_members(&self, call: &Call<'_>, room: &str) -> Reply {
        self.look(room, |known, held| {
            let wanted = call.asked.value("membership");
            let unwanted = call.asked.value("not_membership");
            let is_wanted = |event: &Value| {
                let membership = event["content"]["membership"].as_str();
                (wanted.is_none() || membership == wanted) && (unwanted.is_none() || membership != unwanted)
            };
            let state = readable_state(held, &call.user)?;
            let members = state.iter().filter(|((kind, _), _)| kind == "m.room.member");
            let events = members.filter_map(|(_, id)| held.client_event(known, id, call.eye()));
            Ok(json!({ "chunk": events.filter(is_wanted).collect::<Vec<_>>() }))
        })
    }

    pub(super) fn read_joined(&self, call: &Call<'_>, room: &str) -> Reply {
        self.look(room, |_, held| {
            if held.membership(&call.user) != "join" {
                return refuse(403, "M_FORBIDDEN", "only who is in the room may ask who is in it");
            }
            let profile = |user: &String| {
                let content = held.room.state_event("m.room.member", user).map(Event::content);
                let field = |key: &str| content.and_then(|content| content.get(key)).cloned();
                (
                    user.clone(),
                    json!({"display_name": field("displayname"), "avatar_url": field("avatar_url")}),
                )
            };
            let joined: Map<_, _> = held.members("join").iter().map(profile).collect();
            Ok(json!({ "joined": joined }))
        })
    }
}
