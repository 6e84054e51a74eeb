//! Messages to devices alone (client-server API, send-to-device messaging; server-server API, send-to-device messaging).

use std::collections::{BTreeMap, BTreeSet};

use samklang_matrix::server_of;
use serde_json::{Map, Value, json};

use crate::{
    fault::Fault,
    homeserver::{Homeserver, Known, Position},
};

/// A message that waits for its device.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    pub(crate) event: Value,
    pub(crate) position: Position,
}

/// What goes to one server: user to device to content.
type Messages = Map<String, Value>;

impl Known {
    /// Puts messages into the inboxes of this server's users.
    fn put_into_inboxes(&mut self, sender: &str, kind: &str, messages: &Messages) {
        for (user, devices) in messages {
            for (device, content) in devices.as_object().into_iter().flatten() {
                let position = self.next_position();
                let Some(account) = self.users.account(user) else { continue };
                let addressed = account.devices.iter_mut().filter(|(id, _)| device == "*" || *id == device);
                for (_, held) in addressed.filter(|_| content.is_object()) {
                    let event = json!({"sender": sender, "type": kind, "content": content});
                    held.inbox.push(Note { event, position });
                }
            }
        }
    }
}

impl Homeserver {
    /// Brings messages of a user of this server to their devices, wherever these are.
    pub(crate) fn send_to_devices(&self, sender: &str, kind: &str, messages: &Messages) {
        let mut by_server: BTreeMap<&str, Messages> = BTreeMap::new();
        for (user, devices) in messages {
            if let Some(server) = server_of(user) {
                by_server.entry(server).or_default().insert(user.clone(), devices.clone());
            }
        }
        for (server, messages) in by_server {
            if server == self.name() {
                self.known().put_into_inboxes(sender, kind, &messages);
                continue;
            }
            if self.has(Fault::NotesNotSent) {
                continue;
            }
            let mut id = self.transaction_id().to_string();
            if self.has(Fault::NoteIdsLong) {
                id = format!("{id:0>40}");
            }
            let content = json!({"sender": sender, "type": kind, "message_id": id, "messages": messages});
            self.send_edu(&BTreeSet::from([server.to_owned()]), "m.direct_to_device", &content);
        }
        self.announce();
    }

    pub(super) fn hear_to_device(&self, origin: &str, content: &Value) {
        let text = |key: &str| content[key].as_str();
        let (Some(sender), Some(kind), Some(id)) = (text("sender"), text("type"), text("message_id")) else {
            return;
        };
        let is_own = server_of(sender) == Some(origin) || self.has(Fault::NotesOfOthersHeard);
        let Some(messages) = content["messages"].as_object().filter(|_| is_own) else { return };
        let mut known = self.known();
        // One that was seen before is not delivered again.
        let is_new = known.seen_notes.insert((origin.to_owned(), id.to_owned()));
        if is_new || self.has(Fault::NotesRepeated) {
            known.put_into_inboxes(sender, kind, messages);
        }
    }
}
