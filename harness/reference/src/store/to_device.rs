//! The inboxes of devices.

use serde_json::{Map, Value, json};

use super::{Store, users::ToDeviceMessage};

/// To-device messages: user to device to content.
pub(crate) type Messages = Map<String, Value>;

impl Store {
    /// Puts to-device messages into the inboxes of this server's users.
    pub(crate) fn deliver_to_devices(&mut self, sender: &str, kind: &str, messages: &Messages) {
        for (user, devices) in messages {
            for (device, content) in devices.as_object().into_iter().flatten() {
                let position = self.next_position();
                let Some(account) = self.users.account_mut(user) else { continue };
                let addressed = account.devices.iter_mut().filter(|(id, _)| device == "*" || *id == device);
                for (_, held) in addressed.filter(|_| content.is_object()) {
                    let event = json!({"sender": sender, "type": kind, "content": content});
                    held.inbox.push(ToDeviceMessage { event, position });
                }
            }
        }
    }
}
