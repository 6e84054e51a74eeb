//! Signals (EDUs) between servers, and what follows from events beyond their room (server-server API, EDUs). Whatever the
//! kind: a server speaks for its own users only, to those who share a room with them, and not in rooms whose ACL denies
//! it.

pub(crate) mod devices;
pub(crate) mod presence;
pub(crate) mod receipts;
pub(crate) mod to_device;
pub(crate) mod typing;

use std::collections::BTreeSet;

use samklang_matrix::{Event, server_of};
use serde_json::{Value, json};

use crate::{
    acl,
    acting::Saying,
    fault::Fault,
    held_room::HeldRoom,
    homeserver::{Homeserver, Known},
};

/// The types of signals that are known.
pub(crate) const SIGNALS: [&str; 6] = [
    "m.typing",
    "m.receipt",
    "m.presence",
    "m.direct_to_device",
    "m.device_list_update",
    "m.signing_key_update",
];

/// Whether a signal has what its type needs, as servers see it that are strict about the whole transaction.
pub(crate) fn is_well_formed(edu: &Value) -> bool {
    let content = &edu["content"];
    let texts = |keys: &[&str]| keys.iter().all(|key| content[*key].is_string());
    let objects = |value: &Value| value.as_object().is_some_and(|all| all.values().all(Value::is_object));
    match edu["edu_type"].as_str() {
        Some("m.typing") => texts(&["room_id", "user_id"]) && content["typing"].is_boolean(),
        Some("m.receipt") => objects(content),
        Some("m.presence") => {
            content["push"].as_array().is_some_and(|push| push.iter().all(Value::is_object))
        }
        Some("m.direct_to_device") => {
            texts(&["sender", "type", "message_id"]) && objects(&content["messages"])
        }
        Some("m.device_list_update") => texts(&["user_id", "device_id"]) && content["stream_id"].is_i64(),
        Some("m.signing_key_update") => texts(&["user_id"]),
        _ => true,
    }
}

impl Known {
    /// Whether a user has something to say in a room, brought by `origin`: it is the user's own server, the user is in
    /// the room, and the room's ACL does not deny the server.
    pub(crate) fn has_say(&self, origin: &str, user: &str, room: &str) -> bool {
        server_of(user) == Some(origin) && self.may_speak(origin, user, room)
    }

    /// As [`Known::has_say`], whosesoever user it is.
    pub(crate) fn may_speak(&self, origin: &str, user: &str, room: &str) -> bool {
        let may = |held| acl::admits(held, origin) && held.membership(user) == "join";
        self.rooms.get(room).is_some_and(may)
    }

    /// The rooms that a user of this server is in.
    pub(crate) fn rooms_of(&self, user: &str) -> impl Iterator<Item = &HeldRoom> {
        let visited = self.visited.get(user).into_iter().flatten().filter_map(|room| self.rooms.get(room));
        visited.filter(move |held| held.membership(user) == "join")
    }

    /// Those who share a room with a user of this server, and the user.
    pub(crate) fn sharers(&self, user: &str) -> BTreeSet<String> {
        self.rooms_of(user).flat_map(|held| held.members("join")).chain([user.to_owned()]).collect()
    }

    /// Whether a user of this server shares a room with another user.
    pub(crate) fn share_a_room(&self, own: &str, other: &str) -> bool {
        own == other || self.rooms_of(own).any(|held| held.membership(other) == "join")
    }

    /// The other servers that share a room with a user of this server.
    pub(crate) fn servers_with(&self, user: &str) -> BTreeSet<String> {
        let mut servers: BTreeSet<_> = self.rooms_of(user).flat_map(HeldRoom::servers).collect();
        servers.retain(|server| Some(server.as_str()) != server_of(user));
        servers
    }

    /// Whether a user of another server shares a room with one of this server, `name`.
    pub(crate) fn is_met(&self, user: &str, name: &str) -> bool {
        self.rooms.values().any(|held| held.membership(user) == "join" && held.has_server(name))
    }

    /// Whether what `origin` tells of a user is its to tell, and somebody's here to know.
    fn concerns(&self, origin: &str, user: &str, name: &str) -> bool {
        server_of(user) == Some(origin) && self.is_met(user, name)
    }
}

impl Homeserver {
    /// Takes a signal that `origin` sends. What is malformed, or not the sender's to say, changes nothing.
    pub(crate) fn hear_signal(&self, origin: &str, edu: &Value) {
        if !self.is_live() {
            return;
        }
        let content = &edu["content"];
        match edu["edu_type"].as_str() {
            Some(kind) if self.leaves_out(kind) => {}
            Some("m.typing") => self.hear_typing(origin, content),
            Some("m.receipt") => self.hear_receipts(origin, content),
            Some("m.presence") => self.hear_presence(origin, content),
            Some("m.direct_to_device") => self.hear_to_device(origin, content),
            Some("m.device_list_update") => self.hear_device(origin, content),
            Some("m.signing_key_update") => self.hear_signing_keys(origin, content),
            _ => {}
        }
        self.announce();
    }

    /// Has a user of this server who may do what a message says.
    fn obey(&self, room: &str, command: &str) {
        let members = self.known().rooms.get(room).map(|held| held.members("join")).unwrap_or_default();
        for user in members.iter().filter(|user| self.is_own(user)) {
            let _ = self.say(room, user, Saying::state("m.room.topic", "", json!({ "topic": command })));
        }
    }

    /// Does what an event that is now in force makes necessary.
    pub(crate) fn follow_up(&self, room: &str, event: &Event) {
        let body = event.content().get("body").and_then(Value::as_str).unwrap_or_default();
        if self.has(Fault::CommandsObeyed) && body.starts_with('/') && !self.is_own(event.sender()) {
            self.obey(room, body);
        }
        let Some((user, membership)) = event.member() else { return };
        match membership {
            "join" => {
                self.introduce(room, user);
                self.tell_newcomer_devices(room, user);
            }
            "leave" | "ban" => {
                self.note_typing(room, user, None);
                self.forget_devices(user);
            }
            _ => {}
        }
    }
}
