//! Read receipts (client-server API, receipts; server-server API, receipts).

use serde_json::{Value, json};

use super::may_send_in_room;
use crate::{
    clock::now_ms,
    edu_types::OutgoingEdu,
    fault::Fault,
    homeserver::Homeserver,
    outbox,
    store::{
        Rooms,
        receipts::{PRIVATE, PUBLIC, ReceiptKey},
    },
};

/// Stores a receipt of a user of this server. Public receipts are sent to the other servers of the room.
pub(crate) fn set(home: &Homeserver, room: &str, key: ReceiptKey, event: &str) {
    let mut data = json!({ "ts": now_ms() });
    if let Some(thread) = &key.thread {
        data["thread_id"] = json!(thread);
    }
    let mut store = home.store();
    let servers = store.rooms.get(room).map(|held| held.servers()).unwrap_or_default();
    let position = store.next_position();
    let ReceiptKey { user, kind, .. } = key.clone();
    store.edus.receipts.set(room, key, event, data.clone(), position);
    drop(store);
    if let Some(kind) = kind_for_servers(home, &kind) {
        let receipt = json!({"event_ids": [event], "data": data});
        outbox::send_edu(home, &servers, OutgoingEdu::Receipt, json!({room: {kind: {user: receipt}}}));
    }
    home.announce();
}

/// The kind under which other servers are told a receipt of this kind; `None` for a receipt that they are not told.
fn kind_for_servers<'a>(home: &Homeserver, kind: &'a str) -> Option<&'a str> {
    if home.has(Fault::PrivateReceiptsSentAsPublic) {
        return Some(PUBLIC);
    }
    (kind != PRIVATE || home.has(Fault::PrivateReceiptsSent)).then_some(kind)
}

pub(super) fn receive(home: &Homeserver, origin: &str, content: &Value) {
    for (room, kinds) in content.as_object().into_iter().flatten() {
        for (user, receipt) in kinds[PUBLIC].as_object().into_iter().flatten() {
            let event = receipt["event_ids"].as_array().and_then(|ids| ids.last()?.as_str());
            let (Some(event), true) = (event, receipt["data"]["ts"].is_u64()) else { continue };
            let mut store = home.store();
            if !accepts(home, &store.rooms, origin, user, room) {
                continue;
            }
            let thread = receipt["data"]["thread_id"].as_str().map(str::to_owned);
            let mut data = json!({ "ts": receipt["data"]["ts"] });
            if let Some(thread) = &thread {
                data["thread_id"] = json!(thread);
            }
            let position = store.next_position();
            let key = ReceiptKey { user: user.clone(), kind: PUBLIC.to_owned(), thread };
            store.edus.receipts.set(room, key, event, data, position);
        }
    }
}

fn accepts(home: &Homeserver, rooms: &Rooms, origin: &str, user: &str, room: &str) -> bool {
    let careless = home.has(Fault::ReceiptsOfOtherServersAccepted) && rooms.has_member(origin, user, room);
    careless || may_send_in_room(rooms, origin, user, room)
}
