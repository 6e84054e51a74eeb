//! Aliases and published rooms.

use std::collections::{BTreeMap, BTreeSet};

/// The room directory of a server.
#[derive(Default)]
pub(crate) struct RoomDirectory {
    /// The room of each alias, and the user who set it.
    pub(crate) aliases: BTreeMap<String, (String, String)>,
    /// The published rooms.
    pub(crate) published: BTreeSet<String>,
}

impl RoomDirectory {
    /// Moves the aliases and the publication of a room to another.
    pub(crate) fn move_room(&mut self, old: &str, new: &str) {
        for (room, _) in self.aliases.values_mut().filter(|(room, _)| room == old) {
            new.clone_into(room);
        }
        if self.published.remove(old) {
            self.published.insert(new.to_owned());
        }
    }
}
