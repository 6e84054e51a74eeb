//! Questions about users and rooms that a peer can answer from what it is.

use serde_json::{Map, Value, json};

use super::Asked;
use crate::{
    homeserver::Homeserver,
    reply::{Refusal, Reply, refuse},
};

impl Homeserver {
    /// Answers a question below `/federation/v1`. A peer's users have no devices, no keys, and their localpart as their
    /// name.
    pub(super) fn answer_query(&self, asked: &Asked<'_>, method: &str, path: &[&str]) -> Reply {
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
            ("GET", ["media", ..]) => refuse(404, "M_NOT_FOUND", "there is no such file"),
            ("GET", ["openid", "userinfo"]) => refuse(401, "M_UNKNOWN_TOKEN", "no token was given out"),
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
