//! Presence and device lists in the response to a sync.

use std::collections::BTreeSet;

use samklang_matrix::Event;
use serde_json::{Value, json};

use super::{SyncView, was_member_at};
use crate::store::{Position, held_room::HeldRoom};

impl SyncView<'_> {
    /// Of these users, those who share a room with the viewer.
    fn shared(&self, users: BTreeSet<String>) -> BTreeSet<String> {
        match users.len() {
            0 => users,
            _ => users.intersection(&self.store.rooms.sharing_with(self.viewer.user)).cloned().collect(),
        }
    }

    /// The presence of users who share a room with the viewer, as far as it is new.
    pub(super) fn presence(&self) -> Vec<Value> {
        let met = self.met();
        let presences = self.store.edus.presences.iter();
        let new = presences.filter(|(user, it)| self.is_new(it.position) || met.contains(*user));
        let shared = self.shared(new.map(|(user, _)| user.clone()).collect());
        let known =
            shared.iter().filter_map(|user| Some((user, self.store.edus.presences.get(user)?.content())));
        known
            .map(|(user, content)| json!({"type": "m.presence", "sender": user, "content": content}))
            .collect()
    }

    /// The rooms of the viewer whose timeline has grown.
    fn grown(&self) -> impl Iterator<Item = &HeldRoom> {
        self.store.rooms.joined_by(self.viewer.user).filter(|held| self.has_grown(held))
    }

    /// The users who share a room with the viewer since the position.
    fn met(&self) -> BTreeSet<String> {
        self.grown().flat_map(|held| self.met_in(held)).collect()
    }

    /// The users who have joined a room since the position, or all members if the viewer has joined it since then.
    fn met_in(&self, held: &HeldRoom) -> BTreeSet<String> {
        let members = held.members("join").into_iter();
        match self.since.filter(|since| was_member_at(held, self.viewer.user, *since)) {
            Some(since) => members.filter(|user| has_joined_since(held, user, since)).collect(),
            None => members.collect(),
        }
    }

    /// The users whose devices or keys have changed since the position or who share an encrypted room since then, and those
    /// who share none any more (client-server API, tracking the device list for a user).
    pub(super) fn device_lists(&self) -> Option<Value> {
        let since = self.since?;
        let changes = self.store.edus.device_lists.changes.iter().filter(|(_, at)| **at > since);
        let mut changed = self.shared(changes.map(|(user, _)| user.clone()).collect());
        for held in self.grown().filter(|held| is_encrypted(held)) {
            let met = if was_encrypted_since(held, since) {
                held.members("join").into_iter().collect()
            } else {
                self.met_in(held)
            };
            changed.extend(met.into_iter().filter(|user| user != self.viewer.user));
        }
        let parted = self.parted(since);
        let left: BTreeSet<_> = parted.difference(&self.shared(parted.clone())).cloned().collect();
        let is_news = !changed.is_empty() || !left.is_empty();
        is_news.then(|| json!({"changed": changed, "left": left}))
    }

    /// The users who were in an encrypted room with the viewer and have left it since, or whose room the viewer has left.
    fn parted(&self, since: Position) -> BTreeSet<String> {
        let mut parted = BTreeSet::new();
        let rooms = self.store.rooms.visited_by(self.viewer.user);
        let grown = rooms.filter(|held| self.has_grown(held) && is_encrypted(held));
        for held in grown.filter(|held| was_member_at(held, self.viewer.user, since)) {
            if held.membership(self.viewer.user) != "join" {
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

fn has_joined_since(held: &HeldRoom, user: &str, since: Position) -> bool {
    let is_join = |event: &Event| event.is_state("m.room.member", user) && event.membership() == Some("join");
    new_events(held, since).any(is_join) && !was_member_at(held, user, since)
}
