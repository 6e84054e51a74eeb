//! To-device messages (client-server API, send-to-device messaging; server-server API, send-to-device messaging).

use std::collections::{BTreeMap, BTreeSet};

use samklang_matrix::server_of;
use serde_json::{Value, json};

use crate::{
    edu_types::OutgoingEdu, fault::Fault, homeserver::Homeserver, outbox, store::to_device::Messages,
};

/// Sends to-device messages of a user of this server to their devices, at this server or others.
pub(crate) fn send(home: &Homeserver, sender: &str, kind: &str, messages: &Messages) {
    let mut by_server: BTreeMap<&str, Messages> = BTreeMap::new();
    for (user, devices) in messages {
        if let Some(server) = server_of(user) {
            by_server.entry(server).or_default().insert(user.clone(), devices.clone());
        }
    }
    for (server, messages) in by_server {
        if server == home.name() {
            home.store().deliver_to_devices(sender, kind, &messages);
            continue;
        }
        let id = home.transaction_id();
        let content = json!({"sender": sender, "type": kind, "message_id": id, "messages": messages});
        outbox::send_edu(home, &BTreeSet::from([server.to_owned()]), OutgoingEdu::ToDevice, content);
    }
    home.announce();
}

pub(super) fn receive(home: &Homeserver, origin: &str, content: &Value) {
    let text = |key: &str| content[key].as_str();
    let (Some(sender), Some(kind), Some(id)) = (text("sender"), text("type"), text("message_id")) else {
        return;
    };
    let Some(messages) = content["messages"].as_object().filter(|_| accepts(home, origin, sender)) else {
        return;
    };
    let mut store = home.store();
    let is_new = store.edus.seen_messages.insert((origin.to_owned(), id.to_owned()));
    if is_new || delivers_repeats(home) {
        store.deliver_to_devices(sender, kind, messages);
    }
}

fn accepts(home: &Homeserver, origin: &str, sender: &str) -> bool {
    server_of(sender) == Some(origin) || home.has(Fault::ToDeviceOfOtherServersAccepted)
}

/// Whether the server delivers a message again that it has received before.
fn delivers_repeats(home: &Homeserver) -> bool {
    home.has(Fault::ToDeviceRepeatsDelivered)
}
