//! Which events a user or a server may see (client-server API, room history visibility; server-server API, retrieving
//! events).

use samklang_matrix::{Event, StateMap, server_of};

use super::held_room::HeldRoom;

/// Whether a user with these memberships may see an event: `then` when it was sent, `now` in the current state.
fn allows(visibility: &str, then: &[&str], now: &[&str]) -> bool {
    match visibility {
        "world_readable" => true,
        "joined" => then.contains(&"join"),
        "invited" => then.contains(&"join") || then.contains(&"invite"),
        // Shared: also all events from before the user joined.
        _ => now.contains(&"join") || then.contains(&"join"),
    }
}

/// The history visibility in a state, and the memberships of the users whom `is_one` names.
fn visibility_and_memberships<'a>(
    held: &'a HeldRoom,
    state: &StateMap,
    is_one: &dyn Fn(&str) -> bool,
) -> (String, Vec<&'a str>) {
    let event = |id: &String| held.event(id);
    let visibility = state.get(&("m.room.history_visibility".to_owned(), String::new())).and_then(event);
    let visibility = visibility.and_then(|event| event.content().get("history_visibility")?.as_str());
    let members = state.iter().filter(|((kind, user), _)| kind == "m.room.member" && is_one(user));
    let memberships = members.filter_map(|(_, id)| event(id)?.membership()).collect();
    (visibility.unwrap_or("shared").to_owned(), memberships)
}

impl HeldRoom {
    fn visible_to(&self, id: &str, is_one: &dyn Fn(&str) -> bool) -> bool {
        let now = self.room.state().unwrap_or_default();
        let (_, now) = visibility_and_memberships(self, &now, is_one);
        let (Some(before), after) = (self.room.state_before(id), self.room.state_after(id)) else {
            // The server that returned an event of the earlier history has judged this.
            return now.contains(&"join");
        };
        let allowed = |state: &StateMap| {
            let (visibility, then) = visibility_and_memberships(self, state, is_one);
            allows(&visibility, &then, &now)
        };
        // An event that changes the visibility or the membership is visible if the state before or after it allows it.
        let changes = self.room.event(id).is_some_and(|event| {
            event.kind() == "m.room.history_visibility" || event.state_key().is_some_and(is_one)
        });
        allowed(before) || (changes && after.is_some_and(|after| allowed(&after)))
    }

    /// Whether a user may see an event.
    pub(crate) fn visible_to_user(&self, id: &str, user: &str) -> bool {
        self.visible_to(id, &|member| member == user)
    }

    /// Whether a server's users may see an event. A server may see its own users' events in any case.
    pub(crate) fn visible_to_server(&self, id: &str, server: &str) -> bool {
        let own = self.event(id).map(Event::sender).and_then(server_of) == Some(server);
        own || self.visible_to(id, &|member| server_of(member) == Some(server))
    }
}
