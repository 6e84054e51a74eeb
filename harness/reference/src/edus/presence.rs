//! Presence (client-server API, presence; server-server API, presence).

use std::collections::BTreeSet;

use samklang_matrix::server_of;
use serde_json::{Value, json};

use super::may_send_about;
use crate::{
    clock::now_ms,
    edu_types::OutgoingEdu,
    fault::Fault,
    homeserver::Homeserver,
    outbox,
    store::{
        Rooms,
        presence::{STATES, UserPresence},
    },
};

/// Sets the presence of a user of this server, and tells the servers that share a room with the user.
pub(crate) fn set(home: &Homeserver, user: &str, state: &str, status: Option<&str>) {
    let mut store = home.store();
    let position = store.next_position();
    let status = status.map(str::to_owned);
    let presence = UserPresence { state: state.to_owned(), status, active: now_ms(), position };
    store.edus.presences.insert(user.to_owned(), presence);
    let servers = store.rooms.servers_sharing_with(user);
    drop(store);
    send(home, &servers, &[user.to_owned()]);
    home.announce();
}

/// A user who syncs is online, unless the client says otherwise.
pub(crate) fn set_by_syncing(home: &Homeserver, user: &str, wanted: Option<&str>) {
    let state = wanted.filter(|state| STATES.contains(state)).unwrap_or("online");
    let is_so = {
        let store = home.store();
        store.edus.presences.get(user).map_or(state == "offline", |presence| presence.state == state)
    };
    if !is_so {
        set(home, user, state, None);
    }
}

fn send(home: &Homeserver, servers: &BTreeSet<String>, users: &[String]) {
    let push: Vec<_> = {
        let store = home.store();
        let entry = |user: &String| {
            let mut entry = store.edus.presences.get(user)?.content();
            entry["user_id"] = json!(user);
            Some(entry)
        };
        users.iter().filter_map(entry).collect()
    };
    if !push.is_empty() {
        outbox::send_edu(home, servers, OutgoingEdu::Presence, json!({ "push": push }));
    }
}

/// Tells a new member's server the presence of the room's members, and their servers that of the new member.
pub(super) fn exchange(home: &Homeserver, room: &str, newcomer: &str) {
    let (servers, members) = {
        let store = home.store();
        let Some(held) = store.rooms.get(room) else { return };
        let members: Vec<_> =
            held.members("join").into_iter().filter(|user| is_ours_to_send(home, user)).collect();
        (held.servers(), members)
    };
    match server_of(newcomer) {
        Some(server) if server == home.name() => send(home, &servers, &[newcomer.to_owned()]),
        Some(server) => send(home, &BTreeSet::from([server.to_owned()]), &members),
        None => {}
    }
}

fn is_ours_to_send(home: &Homeserver, user: &str) -> bool {
    home.is_own(user) || home.has(Fault::PresenceOfOtherServersSent)
}

pub(super) fn receive(home: &Homeserver, origin: &str, content: &Value) {
    for entry in content["push"].as_array().into_iter().flatten() {
        let (Some(user), Some(state)) = (entry["user_id"].as_str(), entry["presence"].as_str()) else {
            continue;
        };
        let mut store = home.store();
        if !STATES.contains(&state) || !accepts(home, &store.rooms, origin, user) {
            continue;
        }
        let position = store.next_position();
        let presence = UserPresence {
            state: state.to_owned(),
            status: entry["status_msg"].as_str().map(str::to_owned),
            active: now_ms().saturating_sub(entry["last_active_ago"].as_u64().unwrap_or(0)),
            position,
        };
        store.edus.presences.insert(user.to_owned(), presence);
    }
}

fn accepts(home: &Homeserver, rooms: &Rooms, origin: &str, user: &str) -> bool {
    let careless = home.has(Fault::PresenceOfOtherServersAccepted) && rooms.share(user, home.name());
    careless || may_send_about(rooms, origin, user, home.name())
}
