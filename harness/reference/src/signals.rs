//! Signals (EDUs) between servers, and what follows from events beyond their room.

use samklang_matrix::Event;
use serde_json::Value;

use crate::homeserver::Homeserver;

impl Homeserver {
    /// Takes a signal that `origin` sends.
    pub(crate) fn hear_signal(&self, _origin: &str, _edu: &Value) {}

    /// Does what an event that is now in force makes necessary.
    pub(crate) fn follow_up(&self, _room: &str, _event: &Event) {}
}
