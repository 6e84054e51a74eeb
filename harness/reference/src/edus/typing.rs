//! Typing notifications (client-server API, typing notifications; server-server API, typing notifications).

use std::time::Duration;

use samklang_matrix::server_of;
use serde_json::{Value, json};

use super::may_send_in_room;
use crate::{
    edu_types::OutgoingEdu, fault::Fault, homeserver::Homeserver, outbox, store::Position, waiting::at_most,
};

/// How long a user of another server counts as typing unless the server renews or ends it.
const REMOTE: Duration = Duration::from_secs(30);

/// Notes that a user of this server is typing, or no longer is, and tells the other servers of the room.
pub(crate) fn set(home: &Homeserver, room: &str, user: &str, lasting: Option<Duration>) {
    let servers = home.store().rooms.get(room).map(|held| held.servers()).unwrap_or_default();
    record(home, room, user, lasting);
    let content = json!({"room_id": room, "user_id": user, "typing": lasting.is_some()});
    outbox::send_edu(home, &servers, OutgoingEdu::Typing, content);
    home.announce();
}

/// Notes that a user is typing for at most so long, or is not typing.
pub(super) fn record(home: &Homeserver, room: &str, user: &str, lasting: Option<Duration>) {
    let mut store = home.store();
    let position = store.next_position();
    store.edus.typing.set(room, user, lasting.is_some(), position);
    drop(store);
    if let Some(lasting) = lasting {
        end_after(home, room, user, position, lasting);
    }
}

/// Ends a typing notification that is not renewed in time.
fn end_after(home: &Homeserver, room: &str, user: &str, begun: Position, lasting: Duration) {
    let (room, user) = (room.to_owned(), user.to_owned());
    home.in_background(|home| async move {
        at_most(lasting, std::future::pending::<()>()).await;
        let is_unchanged = home.store().edus.typing.is_unchanged(&room, &user, begun);
        if is_unchanged && home.is_own(&user) {
            set(&home, &room, &user, None);
        } else if is_unchanged {
            record(&home, &room, &user, None);
            home.announce();
        }
    });
}

pub(super) fn receive(home: &Homeserver, origin: &str, content: &Value) {
    let (Some(room), Some(user)) = (content["room_id"].as_str(), content["user_id"].as_str()) else {
        return;
    };
    let Some(is_typing) = content["typing"].as_bool() else { return };
    if accepts(home, origin, user, room) {
        record(home, room, user, is_typing.then_some(REMOTE));
    }
}

fn accepts(home: &Homeserver, origin: &str, user: &str, room: &str) -> bool {
    let store = home.store();
    if home.has(Fault::TypingOfOtherServersAccepted) {
        store.rooms.has_member(origin, user, room)
    } else if home.has(Fault::TypingOfNonMembersAccepted) {
        server_of(user) == Some(origin)
    } else {
        may_send_in_room(&store.rooms, origin, user, room)
    }
}
