//! How new events reach the users of a server.

use samklang_matrix::Event;
use serde_json::Value;

use crate::{
    edus,
    fault::Fault,
    homeserver::Homeserver,
    store::{
        ReceivedInvite, Store,
        held_room::{HeldRoom, redaction_target},
    },
};

/// Shows users the events of a room that are new, and does what follows from them; returns the new events.
pub(crate) fn publish(home: &Homeserver, room: &str) -> Vec<Event> {
    let mut store = home.store();
    let Some(mut held) = store.rooms.remove(room) else { return Vec::new() };
    if drops_early_redactions(home) {
        held.forget_early_redactions();
    }
    let new = held.extend_timeline(shows_rejected(home), || store.next_position());
    for event in &new {
        apply(home, &mut store, &mut held, event);
    }
    store.rooms.insert(held);
    drop(store);
    home.announce();
    if home.is_live() {
        for event in &new {
            edus::after_event(home, room, event);
        }
    }
    new
}

fn drops_early_redactions(home: &Homeserver) -> bool {
    home.has(Fault::EarlyRedactionLost)
}

fn shows_rejected(home: &Homeserver) -> bool {
    home.has(Fault::RejectedShown)
}

/// Does what an accepted event changes beside the room's graph.
fn apply(home: &Homeserver, store: &mut Store, held: &mut HeldRoom, event: &Event) {
    if let Some(target) = redaction_target(event).filter(|_| redactions_count(home)) {
        held.redactions.entry(target.to_owned()).or_default().insert(event.id().to_owned());
    }
    let Some((user, membership)) = event.member() else { return };
    if membership == "join" && home.is_own(user) {
        store.rooms.note_visit(user, held.room.id());
    }
    let key = (held.room.id().to_owned(), user.to_owned());
    if ends_invite(home, membership) {
        store.rooms.invites.remove(&key);
    }
    store.rooms.knocks.remove(&key);
    if membership == "invite" && home.is_own(user) {
        let position = store.position();
        let invite = ReceivedInvite {
            room_version: held.room.version().id().to_owned(),
            event: Value::Object(event.json().clone()),
            room_state: held.invite_state(Some(event.sender())),
            position,
        };
        store.rooms.invites.insert(key, invite);
    }
}

fn redactions_count(home: &Homeserver) -> bool {
    !home.has(Fault::RedactionWithoutEffect)
}

/// Whether a new membership ends an invite.
fn ends_invite(home: &Homeserver, membership: &str) -> bool {
    !home.has(Fault::WithdrawnInviteShown) || membership == "join"
}
