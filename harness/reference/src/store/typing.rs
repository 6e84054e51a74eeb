//! The users who are typing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Position;

/// The users who are typing, by room.
#[derive(Default)]
pub(crate) struct Typing(BTreeMap<String, TypingUsers>);

/// The users who are typing in a room.
#[derive(Default)]
struct TypingUsers {
    /// By user, since when.
    users: BTreeMap<String, Position>,
    /// The latest change.
    position: Position,
}

impl Typing {
    /// The latest change in a room; 0 where there was none.
    pub(crate) fn position(&self, room: &str) -> Position {
        self.0.get(room).map_or(0, |typing| typing.position)
    }

    /// The users who are typing in a room, as clients are shown them, if that has changed since.
    pub(crate) fn since(&self, room: &str, since: Option<Position>) -> Option<Value> {
        let typing = self.0.get(room).filter(|typing| typing.position > since.unwrap_or(0))?;
        // A client that has just joined need not be told that no user is typing.
        if since.is_none() && typing.users.is_empty() {
            return None;
        }
        Some(json!({"type": "m.typing", "content": {"user_ids": typing.users.keys().collect::<Vec<_>>()}}))
    }

    /// Notes that a user is typing, or no longer is, as of `position`.
    pub(crate) fn set(&mut self, room: &str, user: &str, is_typing: bool, position: Position) {
        let typing = self.0.entry(room.to_owned()).or_default();
        let changed = match is_typing {
            true => typing.users.insert(user.to_owned(), position).is_none(),
            false => typing.users.remove(user).is_some(),
        };
        if changed {
            typing.position = position;
        }
    }

    /// Whether a user is typing and has not renewed it since `position`.
    pub(crate) fn is_unchanged(&self, room: &str, user: &str, position: Position) -> bool {
        self.0.get(room).and_then(|typing| typing.users.get(user)) == Some(&position)
    }
}
