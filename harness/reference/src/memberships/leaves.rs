//! Leaves of rooms that the server holds no copy of.

use samklang_matrix::{Event, RoomVersion, verify_event};
use serde_json::Value;

use crate::{events::receive::fetch_signers_keys, fault::Fault, homeserver::Homeserver, store::RemoteLeave};

/// Records that a user has left a room of which the server holds no copy.
pub(crate) fn record_leave(home: &Homeserver, room: &str, user: &str, event: &Value) {
    if keeps_withdrawn(home) {
        return;
    }
    let mut store = home.store();
    let key = (room.to_owned(), user.to_owned());
    store.rooms.invites.remove(&key);
    store.rooms.knocks.remove(&key);
    let position = store.next_position();
    store.rooms.leaves.insert(key, RemoteLeave { event: event.clone(), position });
    drop(store);
    home.announce();
}

fn keeps_withdrawn(home: &Homeserver) -> bool {
    home.has(Fault::WithdrawnInviteShown)
}

/// Receives a member event of a room that this server is not in: the end of an invite or a knock of one of its users.
pub(crate) async fn receive_leave(home: &Homeserver, pdu: &Value) {
    let text = |key: &str| pdu[key].as_str().map(str::to_owned);
    let (Some(room), Some(user)) = (text("room_id"), text("state_key")) else { return };
    let key = (room.clone(), user.clone());
    let version = {
        let store = home.store();
        let invited = store.rooms.invites.get(&key).map(|invite| invite.room_version.clone());
        invited.or_else(|| store.rooms.knocks.contains_key(&key).then(|| "11".to_owned()))
    };
    let is_end = matches!(pdu["content"]["membership"].as_str(), Some("leave" | "ban"));
    let Some(version) = version.and_then(|version| RoomVersion::new(&version).ok()).filter(|_| is_end) else {
        return;
    };
    fetch_signers_keys(home, &version, [pdu]).await;
    let is_valid =
        Event::read(pdu, &version).is_ok_and(|event| verify_event(&event, &home.store().keys.ring).is_ok());
    if is_valid && pdu["type"] == "m.room.member" {
        record_leave(home, &room, &user, pdu);
    }
}
