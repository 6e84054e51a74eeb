//! People in a sync's answer: how they are there, and whose devices have changed.

use std::collections::BTreeSet;

use samklang_matrix::Event;
use serde_json::{Value, json};

use super::{View, was_in_at};
use crate::{held_room::HeldRoom, homeserver::Position};

impl View<'_> {
    /// Of these users, those who share a room with the user.
    fn shared(&self, users: BTreeSet<String>) -> BTreeSet<String> {
        match users.len() {
            0 => users,
            _ => users.intersection(&self.known.sharers(self.eye.user)).cloned().collect(),
        }
    }

    /// How those are there who share a room with the user, as far as that is new.
    pub(super) fn presence(&self) -> Vec<Value> {
        let met = self.met();
        let presences = self.known.presences.iter();
        let new = presences.filter(|(user, it)| self.is_new(it.position) || met.contains(*user));
        let shared = self.shared(new.map(|(user, _)| user.clone()).collect());
        let known = shared.iter().filter_map(|user| Some((user, self.known.presences.get(user)?.content())));
        known
            .map(|(user, content)| json!({"type": "m.presence", "sender": user, "content": content}))
            .collect()
    }

    /// The rooms that the user is in and whose timeline has grown.
    fn grown(&self) -> impl Iterator<Item = &HeldRoom> {
        self.known.rooms_of(self.eye.user).filter(|held| self.has_grown(held))
    }

    /// Those whom the user has got to share a room with.
    fn met(&self) -> BTreeSet<String> {
        self.grown().flat_map(|held| self.met_in(held)).collect()
    }

    /// Who came to a room, or all that are in it when the user came.
    fn met_in(&self, held: &HeldRoom) -> BTreeSet<String> {
        let members = held.members("join").into_iter();
        match self.since.filter(|since| was_in_at(held, self.eye.user, *since)) {
            Some(since) => members.filter(|user| has_come_since(held, user, since)).collect(),
            None => members.collect(),
        }
    }

    /// Whose devices or keys have changed since, or who has got to share an encrypted room; and who shares none any more
    /// (client-server API, tracking the device list for a user).
    pub(super) fn device_lists(&self) -> Option<Value> {
        let since = self.since?;
        let changes = self.known.device_lists.changes.iter().filter(|(_, at)| **at > since);
        let mut changed = self.shared(changes.map(|(user, _)| user.clone()).collect());
        for held in self.grown().filter(|held| is_encrypted(held)) {
            let met = if was_encrypted_since(held, since) {
                held.members("join").into_iter().collect()
            } else {
                self.met_in(held)
            };
            changed.extend(met.into_iter().filter(|user| user != self.eye.user));
        }
        let parted = self.parted(since);
        let left: BTreeSet<_> = parted.difference(&self.shared(parted.clone())).cloned().collect();
        let is_news = !changed.is_empty() || !left.is_empty();
        is_news.then(|| json!({"changed": changed, "left": left}))
    }

    /// Those who were in an encrypted room with the user and have parted since.
    fn parted(&self, since: Position) -> BTreeSet<String> {
        let mut parted = BTreeSet::new();
        let visited = self.known.visited.get(self.eye.user).into_iter().flatten();
        let rooms = visited.filter_map(|room| self.known.rooms.get(room));
        let grown = rooms.filter(|held| self.has_grown(held) && is_encrypted(held));
        for held in grown.filter(|held| was_in_at(held, self.eye.user, since)) {
            if held.membership(self.eye.user) != "join" {
                parted.extend(held.members("join"));
            }
            let gone = new_events(held, since).filter(|event| {
                event.kind() == "m.room.member" && matches!(event.membership(), Some("leave" | "ban"))
            });
            parted.extend(gone.filter_map(Event::state_key).map(str::to_owned));
        }
        parted
    }
}

fn new_events(held: &HeldRoom, since: Position) -> impl Iterator<Item = &Event> {
    let new = held.timeline.iter().filter(move |entry| entry.position > since);
    new.filter_map(|entry| held.event(&entry.id))
}

fn is_encrypted(held: &HeldRoom) -> bool {
    held.state_content("m.room.encryption").is_object()
}

fn was_encrypted_since(held: &HeldRoom, since: Position) -> bool {
    new_events(held, since).any(|event| event.is_state("m.room.encryption", ""))
}

fn has_come_since(held: &HeldRoom, user: &str, since: Position) -> bool {
    let is_join = |event: &Event| event.is_state("m.room.member", user) && event.membership() == Some("join");
    new_events(held, since).any(is_join) && !was_in_at(held, user, since)
}
