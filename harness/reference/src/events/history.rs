//! The history of a room from before the server joined (server-server API, backfilling and retrieving missing events).

use std::collections::BTreeSet;

use samklang_matrix::endpoints::paths;

use super::receive::{fetch_signers_keys, version_of};
use crate::{fault::Fault, homeserver::Homeserver, requests::request_list, store::held_room::HeldRoom};

/// Fetches events from before those that the server holds of a room, from the servers in it; returns how many are new.
pub(crate) async fn fetch_history(home: &Homeserver, room: &str, limit: u64) -> usize {
    let Some(version) = version_of(home, room) else { return 0 };
    let from = home.store().rooms.get(room).map(HeldRoom::backward_extremities).unwrap_or_default();
    if from.is_empty() || is_at_end(home, room) {
        return 0;
    }
    let target = paths::backfill(room, from, limit);
    for server in other_servers(home, room) {
        let pdus = request_list(home, "GET", &server, &target, None, "pdus").await;
        fetch_signers_keys(home, &version, &pdus).await;
        let mut store = home.store();
        let ring = store.keys.ring.clone();
        let Some(held) = store.rooms.get_mut(room) else { return 0 };
        let new = pdus.iter().filter(|pdu| held.add_history(pdu, &ring)).count();
        if new > 0 {
            return new;
        }
    }
    0
}

/// Whether a faulty server takes a room's history for complete.
fn is_at_end(home: &Homeserver, room: &str) -> bool {
    let store = home.store();
    store.rooms.get(room).is_some_and(|held| home.has(Fault::HistoryEndsAtRejected) && held.has_refused())
}

/// The other servers in a room.
pub(crate) fn other_servers(home: &Homeserver, room: &str) -> BTreeSet<String> {
    let mut servers = home.store().rooms.get(room).map(HeldRoom::servers).unwrap_or_default();
    servers.remove(home.name());
    servers
}
