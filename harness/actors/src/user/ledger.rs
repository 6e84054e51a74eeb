//! The ledger of one scenario: the names of ids, the observations, and the order of acts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use samklang_verdict::{ExchangeId, Observation, Role};

/// The time limits of the profile.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The time from a user's act until users of the other server see it.
    pub delivery: Duration,
}

/// The ledger that the users and peers of a scenario share.
#[derive(Debug)]
pub struct Ledger {
    /// A text that makes the scenario's localparts unique on the servers.
    pub nonce: String,
    /// The room version of the scenario.
    pub room_version: String,
    /// The profile's bounds.
    pub bounds: Bounds,
    clock: AtomicU64,
    inner: Mutex<LedgerInner>,
}

#[derive(Debug, Default)]
struct LedgerInner {
    names: BTreeMap<String, String>,
    taken: BTreeSet<String>,
    peers: BTreeSet<String>,
    observations: Vec<Observation>,
}

impl Ledger {
    /// An empty ledger.
    pub fn new(nonce: String, room_version: String, bounds: Bounds) -> Self {
        Self { nonce, room_version, bounds, clock: AtomicU64::new(1), inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, LedgerInner> {
        // A panic elsewhere does not make the entries wrong.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The scenario's logical clock: later acts have larger ticks.
    pub fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    /// Names `id` in everything that is shown; a taken name gets a number.
    pub fn call(&self, id: &str, name: &str) {
        let mut inner = self.inner();
        if inner.names.contains_key(id) {
            return;
        }
        let mut free = name.to_owned();
        let mut number = 2;
        while !inner.taken.insert(free.clone()) {
            free = match name.split_once(':') {
                Some((local, server)) if !server.starts_with('/') => format!("{local}-{number}:{server}"),
                _ => format!("{name}-{number}"),
            };
            number += 1;
        }
        inner.names.insert(id.to_owned(), free);
    }

    /// Names an event after its content: `$hello` for a message that says hello, else `$` and its type.
    pub fn call_event(&self, id: &str, kind: &str, body: Option<&str>) {
        let words = |text: &str| {
            let slug: String = text
                .to_lowercase()
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
                .collect();
            let slug = slug.split('-').filter(|word| !word.is_empty()).take(4).collect::<Vec<_>>().join("-");
            slug.chars().take(32).collect::<String>()
        };
        let from_body = body.map(words).filter(|name| !name.is_empty());
        let name =
            from_body.unwrap_or_else(|| words(kind.trim_start_matches("m.room.").trim_start_matches("m.")));
        self.call(id, &format!("${name}"));
    }

    /// As [`Self::call`], for a peer: all its requests and all requests to it belong to this scenario.
    pub fn call_server(&self, server: &str, name: &str) {
        self.call(server, name);
        self.inner().peers.insert(server.to_owned());
    }

    /// The name of `id`; the id itself if it has no name.
    pub fn name_of(&self, id: &str) -> String {
        self.inner().names.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    /// All ids and their names.
    pub fn names(&self) -> BTreeMap<String, String> {
        self.inner().names.clone()
    }

    /// The ids whose exchanges belong to this scenario: all named ids and the peers, but not the servers, which
    /// scenarios share.
    pub fn own_ids(&self) -> BTreeSet<String> {
        let sigils = ['@', '!', '$', '#'];
        let inner = self.inner();
        let ids = inner.names.keys().filter(|id| id.starts_with(sigils) || id.starts_with("mxc://"));
        ids.chain(&inner.peers).cloned().collect()
    }

    /// Notes an observation of the server in role `by`.
    pub fn observe(&self, by: Role, exchange: ExchangeId) -> Observation {
        let observation = Observation { by, exchange };
        self.inner().observations.push(observation.clone());
        observation
    }

    /// All observations so far.
    pub fn observations(&self) -> Vec<Observation> {
        self.inner().observations.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_describe_the_events_and_are_unique() {
        let ledger = Ledger::new("n1".into(), "11".into(), Bounds { delivery: Duration::from_secs(1) });
        ledger.call_event("$1", "m.room.message", Some("Hello, world! This is long"));
        ledger.call_event("$2", "m.room.message", Some("hello world this is other"));
        ledger.call_event("$3", "m.room.topic", None);
        ledger.call_event("$4", "m.room.message", Some("åäö"));
        ledger.call("@alice-n1:127.0.0.1:4", "@alice:a.test");
        let names = ledger.names();
        let called: Vec<_> = names.values().map(String::as_str).collect();
        assert_eq!(
            called,
            ["$hello-world-this-is", "$hello-world-this-is-2", "$topic", "$message", "@alice:a.test"]
        );
        assert!(ledger.tick() < ledger.tick());
    }
}
