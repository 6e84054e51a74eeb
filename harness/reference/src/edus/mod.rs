//! EDUs between servers, and what follows from events outside of their room (server-server API, EDUs). For all types: a
//! server sends EDUs of its own users only, to the servers that share a room with them, and not in rooms whose ACL denies
//! it.

pub(crate) mod device_lists;
pub(crate) mod presence;
pub(crate) mod receipts;
pub(crate) mod to_device;
pub(crate) mod typing;

use samklang_matrix::{Event, server_of};
use serde_json::Value;

use crate::{fault::left_out, homeserver::Homeserver, store::Rooms};

/// Processes an EDU that `origin` sent. An EDU that is malformed, or not for the sender to send, changes nothing.
pub(crate) fn receive_edu(home: &Homeserver, origin: &str, edu: &Value) {
    if !home.is_live() {
        return;
    }
    let content = &edu["content"];
    match edu["edu_type"].as_str() {
        Some(kind) if lacks(home, kind) => {}
        Some("m.typing") => typing::receive(home, origin, content),
        Some("m.receipt") => receipts::receive(home, origin, content),
        Some("m.presence") => presence::receive(home, origin, content),
        Some("m.direct_to_device") => to_device::receive(home, origin, content),
        Some("m.device_list_update") => device_lists::receive_device(home, origin, content),
        Some("m.signing_key_update") => device_lists::receive_signing_keys(home, origin, content),
        _ => {}
    }
    home.announce();
}

/// Whether the server lacks a feature to which alone this path or EDU type belongs.
pub(crate) fn lacks(home: &Homeserver, part: &str) -> bool {
    left_out(part).any(|fault| home.has(fault))
}

/// Does what an accepted event requires outside of its room.
pub(crate) fn after_event(home: &Homeserver, room: &str, event: &Event) {
    let Some((user, membership)) = event.member() else { return };
    match membership {
        "join" => {
            presence::exchange(home, room, user);
            device_lists::send_devices_of_new_member(home, room, user);
        }
        "leave" | "ban" => {
            typing::record(home, room, user, None);
            device_lists::drop_unshared_copies(home, user);
        }
        _ => {}
    }
}

/// Whether a server may send an EDU about a user in a room: it is the user's server, the user is a member, and the room's
/// ACL does not deny the server.
fn may_send_in_room(rooms: &Rooms, origin: &str, user: &str, room: &str) -> bool {
    server_of(user) == Some(origin) && rooms.has_member(origin, user, room)
}

/// Whether a server may send an EDU about a user: it is the user's server, and the user shares a room with a user of the
/// server `name`.
fn may_send_about(rooms: &Rooms, origin: &str, user: &str, name: &str) -> bool {
    server_of(user) == Some(origin) && rooms.share(user, name)
}
