//! Who may see an event (client-server API, room history visibility; server-server API, retrieving events).

use samklang_matrix::{Event, StateMap, server_of};

use crate::held_room::HeldRoom;

/// Whether somebody with these memberships may see an event: `then` is what they were when it was sent, `now` what they
/// are.
fn allows(visibility: &str, then: &[&str], now: &[&str]) -> bool {
    match visibility {
        "world_readable" => true,
        "joined" => then.contains(&"join"),
        "invited" => then.contains(&"join") || then.contains(&"invite"),
        // Shared: all that was said before one left.
        _ => now.contains(&"join") || then.contains(&"join"),
    }
}

/// What a state says of the room's visibility and of the memberships of those whom `is_one` names.
fn standing<'a>(
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
        let (_, now) = standing(self, &now, is_one);
        let (Some(before), after) = (self.room.state_before(id), self.room.state_after(id)) else {
            // Of before this server's time: who gave it out has judged that.
            return now.contains(&"join");
        };
        let allowed = |state: &StateMap| {
            let (visibility, then) = standing(self, state, is_one);
            allows(&visibility, &then, &now)
        };
        // What changes the standing itself may be seen by whoever may see one of its sides.
        let changes = self.room.event(id).is_some_and(|event| {
            event.kind() == "m.room.history_visibility" || event.state_key().is_some_and(is_one)
        });
        allowed(before) || (changes && after.is_some_and(|after| allowed(&after)))
    }

    /// Whether a user may see an event.
    pub(crate) fn visible_to_user(&self, id: &str, user: &str) -> bool {
        self.visible_to(id, &|member| member == user)
    }

    /// Whether a server's users may see an event; its own events it has anyhow.
    pub(crate) fn visible_to_server(&self, id: &str, server: &str) -> bool {
        let own = self.event(id).map(Event::sender).and_then(server_of) == Some(server);
        own || self.visible_to(id, &|member| server_of(member) == Some(server))
    }
}
