//! The presence of users.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Position;
use crate::clock::now_ms;

/// The presence of users, by user.
pub(crate) type Presences = BTreeMap<String, UserPresence>;

/// The presence of a user.
#[derive(Debug, Clone)]
pub(crate) struct UserPresence {
    /// One of [`STATES`].
    pub(crate) state: String,
    pub(crate) status: Option<String>,
    /// When the user was last active, in milliseconds since 1970.
    pub(crate) active: u64,
    pub(crate) position: Position,
}

/// The states of presence.
pub(crate) const STATES: [&str; 3] = ["online", "unavailable", "offline"];

impl UserPresence {
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
