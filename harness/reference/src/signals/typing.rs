//! Who is typing (client-server API, typing notifications; server-server API, typing notifications).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use samklang_matrix::server_of;
use serde_json::{Value, json};

use crate::{
    fault::Fault,
    homeserver::{Homeserver, Position},
    waiting::at_most,
};

/// How long a user of another server is taken to type who does not say that it has ended.
const REMOTE: Duration = Duration::from_secs(30);

/// Who is typing, by room.
#[derive(Default)]
pub(crate) struct Typing(BTreeMap<String, Writers>);

/// Those who type in a room.
#[derive(Default)]
struct Writers {
    /// By user, since when.
    users: BTreeMap<String, Position>,
    /// When that changed last.
    position: Position,
}

impl Typing {
    /// When it changed last who types in a room; 0 for never.
    pub(crate) fn position(&self, room: &str) -> Position {
        self.0.get(room).map_or(0, |writers| writers.position)
    }

    /// Who types in a room, as clients are shown it, if that has changed since.
    pub(crate) fn since(&self, room: &str, since: Option<Position>) -> Option<Value> {
        let writers = self.0.get(room).filter(|it| it.position > since.unwrap_or(0))?;
        // Nobody typing is no news to who has just come.
        if since.is_none() && writers.users.is_empty() {
            return None;
        }
        Some(json!({"type": "m.typing", "content": {"user_ids": writers.users.keys().collect::<Vec<_>>()}}))
    }
}

impl Homeserver {
    /// Notes that a user of this server types, or no longer does, and tells the other servers of the room.
    pub(crate) fn types(&self, room: &str, user: &str, lasting: Option<Duration>) {
        let servers = self.known().rooms.get(room).map(|held| held.servers()).unwrap_or_default();
        self.note_typing(room, user, lasting);
        self.tell_typing(&servers, room, user, lasting.is_some());
        self.announce();
    }

    fn tell_typing(&self, servers: &BTreeSet<String>, room: &str, user: &str, on: bool) {
        if !on && self.has(Fault::TypingEndNotTold) {
            return;
        }
        let mut content = json!({"room_id": room, "user_id": user, "typing": on});
        if self.has(Fault::TypingWithoutRoom) {
            content["room_id"] = Value::Null;
        }
        self.send_edu(servers, "m.typing", &content);
    }

    /// Notes that somebody types for at most so long, or does not type.
    pub(super) fn note_typing(&self, room: &str, user: &str, lasting: Option<Duration>) {
        let mut known = self.known();
        let position = known.next_position();
        let writers = known.typing.0.entry(room.to_owned()).or_default();
        let changed = match lasting {
            Some(_) => writers.users.insert(user.to_owned(), position).is_none(),
            None => writers.users.remove(user).is_some(),
        };
        if changed {
            writers.position = position;
        }
        drop(known);
        if let Some(lasting) = lasting {
            self.end_typing_after(room, user, position, lasting);
        }
    }

    /// Who does not say again in time that they type, does not.
    fn end_typing_after(&self, room: &str, user: &str, begun: Position, lasting: Duration) {
        let (room, user) = (room.to_owned(), user.to_owned());
        self.in_background(|me| async move {
            at_most(lasting, std::future::pending::<()>()).await;
            let is_same = me.known().typing.0.get(&room).and_then(|it| it.users.get(&user)) == Some(&begun);
            if is_same && me.is_own(&user) {
                me.types(&room, &user, None);
            } else if is_same {
                me.note_typing(&room, &user, None);
                me.announce();
            }
        });
    }

    pub(super) fn hear_typing(&self, origin: &str, content: &Value) {
        let (Some(room), Some(user)) = (content["room_id"].as_str(), content["user_id"].as_str()) else {
            return;
        };
        let Some(on) = content["typing"].as_bool() else { return };
        let known = self.known();
        let has_say = if self.has(Fault::TypingOfOthersHeard) {
            known.may_speak(origin, user, room)
        } else if self.has(Fault::TypingFromOutsideHeard) {
            server_of(user) == Some(origin)
        } else {
            known.has_say(origin, user, room)
        };
        drop(known);
        if has_say {
            self.note_typing(room, user, on.then_some(REMOTE));
        }
    }
}
