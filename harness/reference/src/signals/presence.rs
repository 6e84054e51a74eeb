//! Who is there (client-server API, presence; server-server API, presence).

use std::collections::{BTreeMap, BTreeSet};

use samklang_matrix::server_of;
use serde_json::{Value, json};

use crate::{
    fault::Fault,
    homeserver::{Homeserver, Position, now_ms},
};

/// What is known of users' presence, by user.
pub(crate) type Presences = BTreeMap<String, Presence>;

/// How somebody is there.
#[derive(Debug, Clone)]
pub(crate) struct Presence {
    /// `online`, `unavailable` or `offline`.
    pub(crate) state: String,
    status: Option<String>,
    /// When the user last did something, in milliseconds since 1970.
    active: u64,
    pub(crate) position: Position,
}

/// What presence can be.
pub(crate) const STATES: [&str; 3] = ["online", "unavailable", "offline"];

impl Presence {
    /// As clients and servers are told it.
    pub(crate) fn content(&self) -> Value {
        let mut content = json!({
            "presence": self.state, "last_active_ago": now_ms().saturating_sub(self.active),
            "currently_active": self.state == "online",
        });
        if let Some(status) = &self.status {
            content["status_msg"] = json!(status);
        }
        content
    }
}

impl Homeserver {
    /// Notes how a user of this server is there, and tells those who share a room.
    pub(crate) fn appears(&self, user: &str, state: &str, status: Option<&str>) {
        let mut known = self.known();
        let position = known.next_position();
        let status = status.map(str::to_owned);
        let presence = Presence { state: state.to_owned(), status, active: now_ms(), position };
        known.presences.insert(user.to_owned(), presence);
        let servers = known.servers_with(user);
        drop(known);
        self.tell_presence(&servers, &[user.to_owned()]);
        self.announce();
    }

    /// Who syncs is online by doing so, unless the client says otherwise.
    pub(crate) fn appears_by_syncing(&self, user: &str, asked: Option<&str>) {
        let state = asked.filter(|state| STATES.contains(state)).unwrap_or("online");
        let is_so = {
            let known = self.known();
            known.presences.get(user).map_or(state == "offline", |presence| presence.state == state)
        };
        if !is_so {
            self.appears(user, state, None);
        }
    }

    fn tell_presence(&self, servers: &BTreeSet<String>, users: &[String]) {
        let push: Vec<_> = {
            let known = self.known();
            let entry = |user: &String| {
                let mut entry = known.presences.get(user)?.content();
                if self.has(Fault::PresenceFlattened) && entry["presence"] == "unavailable" {
                    entry["presence"] = json!("online");
                }
                if self.has(Fault::PresenceWordsCut)
                    && let Some(words) = entry["status_msg"].as_str()
                {
                    entry["status_msg"] = json!(words.chars().take(6).collect::<String>());
                }
                if self.has(Fault::PresenceWithoutWords)
                    && let Some(entry) = entry.as_object_mut()
                {
                    entry.remove("status_msg");
                }
                entry["user_id"] = json!(user);
                Some(entry)
            };
            users.iter().filter_map(entry).collect()
        };
        if !push.is_empty() && !self.has(Fault::PresenceNotTold) {
            self.send_edu(servers, "m.presence", &json!({ "push": push }));
        }
    }

    /// Tells a newcomer's server of those in the room, and those in the room of the newcomer.
    pub(super) fn introduce(&self, room: &str, newcomer: &str) {
        let (servers, own) = {
            let known = self.known();
            let Some(held) = known.rooms.get(room) else { return };
            let is_told = |user: &String| self.is_own(user) || self.has(Fault::PresenceOfOthersTold);
            let own: Vec<_> = held.members("join").into_iter().filter(is_told).collect();
            (held.servers(), own)
        };
        match server_of(newcomer) {
            Some(server) if server == self.name() => self.tell_presence(&servers, &[newcomer.to_owned()]),
            Some(server) => self.tell_presence(&BTreeSet::from([server.to_owned()]), &own),
            None => {}
        }
    }

    pub(super) fn hear_presence(&self, origin: &str, content: &Value) {
        for entry in content["push"].as_array().into_iter().flatten() {
            let (Some(user), Some(state)) = (entry["user_id"].as_str(), entry["presence"].as_str()) else {
                continue;
            };
            let mut known = self.known();
            let unowned = self.has(Fault::PresenceOfOthersHeard) && known.is_met(user, self.name());
            if !STATES.contains(&state) || !(unowned || known.concerns(origin, user, self.name())) {
                continue;
            }
            let position = known.next_position();
            let presence = Presence {
                state: state.to_owned(),
                status: entry["status_msg"].as_str().map(str::to_owned),
                active: now_ms().saturating_sub(entry["last_active_ago"].as_u64().unwrap_or(0)),
                position,
            };
            known.presences.insert(user.to_owned(), presence);
        }
    }
}
