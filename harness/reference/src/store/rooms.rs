//! The rooms of a server: those that it takes part in, and those that its users are invited to, knock on or have left.

use std::collections::{BTreeMap, BTreeSet};

use samklang_matrix::server_of;
use serde_json::Value;

use super::{Position, acl, held_room::HeldRoom};

/// A room and a user.
type RoomAndUser = (String, String);

/// All rooms that a server knows.
#[derive(Default)]
pub(crate) struct Rooms {
    /// The rooms that it takes part in, by ID.
    held: BTreeMap<String, HeldRoom>,
    /// The rooms that its users are or were members of, by user: an index of where to look.
    visited: BTreeMap<String, BTreeSet<String>>,
    /// The invites that its users received.
    pub(crate) invites: BTreeMap<RoomAndUser, ReceivedInvite>,
    /// The knocks of its users on rooms of other servers.
    pub(crate) knocks: BTreeMap<RoomAndUser, SentKnock>,
    /// How its users left rooms that the server holds no copy of.
    pub(crate) leaves: BTreeMap<RoomAndUser, RemoteLeave>,
}

/// An invite that a server received.
#[derive(Debug, Clone)]
pub struct ReceivedInvite {
    /// The room's version.
    pub room_version: String,
    /// The invite as it was received, signed by the inviting server alone.
    pub event: Value,
    /// The state of the room that it shows.
    pub room_state: Vec<Value>,
    /// When it was received.
    pub(crate) position: Position,
}

/// A knock on a room of another server.
#[derive(Debug, Clone)]
pub(crate) struct SentKnock {
    /// The member event.
    pub(crate) event: Value,
    /// The state of the room that the resident server showed.
    pub(crate) room_state: Vec<Value>,
    /// The resident server.
    pub(crate) via: String,
    pub(crate) position: Position,
}

/// The end of an invite or a knock.
#[derive(Debug, Clone)]
pub(crate) struct RemoteLeave {
    /// The member event.
    pub(crate) event: Value,
    pub(crate) position: Position,
}

impl Rooms {
    pub(crate) fn get(&self, room: &str) -> Option<&HeldRoom> {
        self.held.get(room)
    }

    pub(crate) fn get_mut(&mut self, room: &str) -> Option<&mut HeldRoom> {
        self.held.get_mut(room)
    }

    pub(crate) fn contains(&self, room: &str) -> bool {
        self.held.contains_key(room)
    }

    pub(crate) fn insert(&mut self, room: HeldRoom) {
        self.held.insert(room.room.id().to_owned(), room);
    }

    pub(crate) fn remove(&mut self, room: &str) -> Option<HeldRoom> {
        self.held.remove(room)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &HeldRoom> {
        self.held.values()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut HeldRoom> {
        self.held.values_mut()
    }

    /// Notes that a user of this server has joined a room.
    pub(crate) fn note_visit(&mut self, user: &str, room: &str) {
        self.visited.entry(user.to_owned()).or_default().insert(room.to_owned());
    }

    /// The rooms that a user of this server is or was a member of.
    pub(crate) fn visited_by(&self, user: &str) -> impl Iterator<Item = &HeldRoom> {
        self.visited.get(user).into_iter().flatten().filter_map(|room| self.get(room))
    }

    /// The rooms that a user of this server is a member of.
    pub(crate) fn joined_by(&self, user: &str) -> impl Iterator<Item = &HeldRoom> {
        self.visited_by(user).filter(move |held| held.membership(user) == "join")
    }

    /// A user of this server and all users who share a room with that user.
    pub(crate) fn sharing_with(&self, user: &str) -> BTreeSet<String> {
        self.joined_by(user).flat_map(|held| held.members("join")).chain([user.to_owned()]).collect()
    }

    /// Whether a user of this server shares a room with another user.
    pub(crate) fn are_shared_by(&self, own: &str, other: &str) -> bool {
        own == other || self.joined_by(own).any(|held| held.membership(other) == "join")
    }

    /// The other servers that share a room with a user of this server.
    pub(crate) fn servers_sharing_with(&self, user: &str) -> BTreeSet<String> {
        let mut servers: BTreeSet<_> = self.joined_by(user).flat_map(HeldRoom::servers).collect();
        servers.retain(|server| Some(server.as_str()) != server_of(user));
        servers
    }

    /// Whether a user of another server shares a room with a user of the server `name`.
    pub(crate) fn share(&self, user: &str, name: &str) -> bool {
        self.values().any(|held| held.membership(user) == "join" && held.has_server(name))
    }

    /// Whether a user is a member of a room whose ACL does not deny the server `origin`.
    pub(crate) fn has_member(&self, origin: &str, user: &str, room: &str) -> bool {
        self.get(room).is_some_and(|held| acl::admits(held, origin) && held.membership(user) == "join")
    }
}
