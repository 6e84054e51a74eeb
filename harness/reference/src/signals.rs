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
use serde_json::Value;

use crate::{
    acl,
    homeserver::{Homeserver, Known},
};

impl Known {
    /// Whether a user has something to say in a room, brought by `origin`: it is the user's own server, the user is in
    /// the room, and the room's ACL does not deny the server.
    pub(crate) fn has_say(&self, origin: &str, user: &str, room: &str) -> bool {
        let may = |held| acl::admits(held, origin) && held.membership(user) == "join";
        server_of(user) == Some(origin) && self.rooms.get(room).is_some_and(may)
    }

    /// Those who share a room with a user, beside the user.
    pub(crate) fn sharers(&self, user: &str) -> BTreeSet<String> {
        let rooms = self.rooms.values().map(|held| held.members("join"));
        let shared = rooms.filter(|members| members.iter().any(|member| member == user));
        shared.flatten().filter(|member| member != user).collect()
    }

    /// Whether two users share a room.
    pub(crate) fn share_a_room(&self, one: &str, other: &str) -> bool {
        one == other
            || self
                .rooms
                .values()
                .any(|held| held.membership(one) == "join" && held.membership(other) == "join")
    }

    /// The other servers that share a room with a user.
    pub(crate) fn servers_with(&self, user: &str) -> BTreeSet<String> {
        let own = server_of(user);
        let others = self.sharers(user);
        others
            .iter()
            .filter_map(|user| server_of(user))
            .filter(|it| Some(*it) != own)
            .map(str::to_owned)
            .collect()
    }

    /// Whether a user of `origin`'s is in a room with a user of this server's, `name`.
    fn concerns(&self, origin: &str, user: &str, name: &str) -> bool {
        server_of(user) == Some(origin)
            && self.sharers(user).iter().any(|other| server_of(other) == Some(name))
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

    /// Does what an event that is now in force makes necessary.
    pub(crate) fn follow_up(&self, room: &str, event: &Event) {
        let (Some(membership), Some(user)) = (event.membership(), event.state_key()) else { return };
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
