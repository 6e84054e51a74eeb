//! Questions about users and rooms (server-server API, querying for information, device management).

use serde_json::{Map, Value, json};

use super::Asked;
use crate::{
    fault::Fault,
    held_room::HeldRoom,
    homeserver::Homeserver,
    reply::{Refusal, Reply, refuse},
};

impl Homeserver {
    /// Answers a question below `/federation/v1`.
    pub(super) fn answer_query(&self, asked: &Asked<'_>, method: &str, path: &[&str]) -> Reply {
        if !self.is_live() {
            return self.answer_by_script(asked, method, path);
        }
        match (method, path) {
            ("GET", ["query", "profile"]) => {
                let user = asked.value("user_id").unwrap_or_default();
                self.own_user(user)?;
                if self.has(Fault::ProfileNotAnswered) {
                    return Ok(json!({}));
                }
                self.own_profile(user, asked.value("field"))
            }
            ("GET", ["query", "directory"]) => self.own_alias(asked.value("room_alias").unwrap_or_default()),
            ("GET" | "POST", ["publicRooms"]) => {
                let limit = asked.value("limit").and_then(|limit| limit.parse().ok());
                let term = asked.body["filter"]["generic_search_term"].as_str();
                Ok(self.own_public_rooms(asked.body["limit"].as_u64().or(limit), term))
            }
            ("GET", ["user", "devices", user]) => self.give_devices(user),
            ("POST", ["user", "keys", "query"]) => Ok(self.own_keys(&asked.body["device_keys"])),
            ("POST", ["user", "keys", "claim"]) => Ok(self.claim_own_keys(&asked.body["one_time_keys"])),
            ("GET", ["hierarchy", room]) => {
                let suggested = asked.value("suggested_only") == Some("true");
                self.hierarchy_for_server(&asked.origin, room, suggested)
            }
            ("GET", ["timestamp_to_event", room]) => self.give_event_near(asked, room),
            _ => refuse(404, "M_UNRECOGNIZED", "no such endpoint"),
        }
    }

    fn give_devices(&self, user: &str) -> Reply {
        let known = self.known();
        if self.has(Fault::DevicesForOthers)
            && let Some(copy) = known.device_lists.copies.get(user)
        {
            let devices: Vec<_> = copy.devices.values().cloned().collect();
            return Ok(json!({"user_id": user, "stream_id": 1, "devices": devices}));
        }
        match known.users.accounts.get(user) {
            Some(account) => Ok(account.devices_for_servers(user)),
            None => refuse(404, "M_NOT_FOUND", format!("{user} does not exist")),
        }
    }

    /// The event of the room that is closest to a time, before or after it.
    fn give_event_near(&self, asked: &Asked<'_>, room: &str) -> Reply {
        let time: i64 = match asked.value("ts").and_then(|time| time.parse().ok()) {
            Some(time) => time,
            None => return refuse(400, "M_INVALID_PARAM", "ts is no time"),
        };
        let known = self.known();
        let Some(held) = known.rooms.get(room).filter(|held| held.has_server(&asked.origin)) else {
            return refuse(403, "M_FORBIDDEN", "the server is not in the room");
        };
        let backwards = asked.value("dir") == Some("b");
        let found = event_near(held, time, backwards);
        let found = match found {
            None if self.has(Fault::TimestampDirectionIgnored) => event_near(held, time, !backwards),
            found => found,
        };
        match found {
            Some((id, time)) => Ok(json!({"event_id": id, "origin_server_ts": time})),
            None => refuse(404, "M_NOT_FOUND", "there is no event there"),
        }
    }

    /// What a scripted server is asked. Its users have no devices, no keys, and their localpart as their name.
    fn answer_by_script(&self, asked: &Asked<'_>, method: &str, path: &[&str]) -> Reply {
        match (method, path) {
            ("GET", ["query", "profile"]) => self.profile(asked),
            ("GET", ["query", "directory"]) => refuse(404, "M_NOT_FOUND", "no such alias"),
            ("GET" | "POST", ["publicRooms"]) => Ok(json!({"chunk": [], "total_room_count_estimate": 0})),
            ("GET", ["user", "devices", user]) => {
                self.own_user(user)?;
                Ok(json!({"user_id": user, "stream_id": 1, "devices": []}))
            }
            ("POST", ["user", "keys", "query"]) => {
                Ok(json!({"device_keys": self.nothing_for_each(&asked.body["device_keys"])?}))
            }
            ("POST", ["user", "keys", "claim"]) => {
                Ok(json!({"one_time_keys": self.nothing_for_each(&asked.body["one_time_keys"])?}))
            }
            ("GET", ["hierarchy" | "timestamp_to_event", ..]) => {
                refuse(404, "M_NOT_FOUND", "the room is not known")
            }
            _ => refuse(404, "M_UNRECOGNIZED", "no such endpoint"),
        }
    }

    fn own_user<'a>(&self, user: &'a str) -> Result<&'a str, Refusal> {
        let localpart = user.strip_prefix('@').and_then(|rest| rest.strip_suffix(self.name()));
        match localpart.and_then(|rest| rest.strip_suffix(':')) {
            Some(localpart) => Ok(localpart),
            None => refuse(404, "M_NOT_FOUND", format!("{user} is not a user of this server")),
        }
    }

    fn profile(&self, asked: &Asked<'_>) -> Reply {
        let name = self.own_user(asked.value("user_id").unwrap_or_default())?;
        match asked.value("field") {
            None | Some("displayname") => Ok(json!({ "displayname": name })),
            Some(_) => Ok(json!({})),
        }
    }

    fn nothing_for_each(&self, users: &Value) -> Result<Map<String, Value>, Refusal> {
        let users = users.as_object().into_iter().flat_map(Map::keys);
        users.map(|user| self.own_user(user).map(|_| (user.clone(), json!({})))).collect()
    }
}

fn event_near(held: &HeldRoom, time: i64, backwards: bool) -> Option<(String, i64)> {
    let events = held.timeline.iter().filter_map(|entry| held.event(&entry.id));
    let times = events.map(|event| (event.origin_server_ts(), event.id().to_owned()));
    let found = if backwards {
        times.filter(|(at, _)| *at <= time).max()
    } else {
        times.filter(|(at, _)| *at >= time).min()
    };
    found.map(|(at, id)| (id, at))
}
