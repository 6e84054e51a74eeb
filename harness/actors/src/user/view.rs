//! The syncs of a user: one long poll after another, with the entries in order.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use samklang_verdict::ExchangeId;
use tokio::{sync::watch, task::JoinHandle};

use super::pattern::Pattern;
use samklang_drivers::{CallError, Session, SyncEntry};
use samklang_wire::waiting;

/// The time for which a server is asked to hold a poll.
const POLL_MS: u64 = 10_000;
/// The number of retries of a failing poll before the view gives up.
const RETRIES: u32 = 20;
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// The record of one user's syncs. A task of its own keeps it.
pub(super) struct UserView {
    shared: Arc<Shared>,
    changed: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<ShownSoFar>,
}

#[derive(Default)]
struct ShownSoFar {
    happenings: Vec<Arc<SyncEntry>>,
    last: Option<ExchangeId>,
    trouble: Option<CallError>,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, ShownSoFar> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UserView {
    /// Starts to sync.
    pub(super) fn open(session: Arc<dyn Session>) -> Self {
        let shared = Arc::new(Shared::default());
        let (announce, changed) = watch::channel(0);
        let task = tokio::spawn(keep_looking(session, Arc::clone(&shared), announce));
        Self { shared, changed, task }
    }

    /// Waits for the first match of `pattern`, for at most `bound`; returns it and its place among all entries.
    pub(super) async fn wait_for(
        &self,
        pattern: &Pattern,
        bound: Duration,
    ) -> Option<(usize, Arc<SyncEntry>)> {
        let mut changed = self.changed.clone();
        let found = async {
            let mut looked = 0;
            loop {
                {
                    let seen = self.shared.seen();
                    let mut fresh = seen.happenings.iter().enumerate().skip(looked);
                    if let Some((place, found)) = fresh.find(|(place, seen)| pattern.matches(*place, seen)) {
                        return Some((place, Arc::clone(found)));
                    }
                    looked = seen.happenings.len();
                }
                // The task has given up: no more entries will come.
                if changed.changed().await.is_err() {
                    return None;
                }
            }
        };
        waiting::within(bound, found).await.ok().flatten()
    }

    /// A match among the entries so far.
    pub(super) fn has_seen(&self, pattern: &Pattern) -> Option<Arc<SyncEntry>> {
        self.all(pattern).into_iter().next()
    }

    /// All matches among the entries so far, in their order.
    pub(super) fn all(&self, pattern: &Pattern) -> Vec<Arc<SyncEntry>> {
        let seen = self.shared.seen();
        let places = seen.happenings.iter().enumerate();
        places
            .filter(|(place, seen)| pattern.matches(*place, seen))
            .map(|(_, seen)| Arc::clone(seen))
            .collect()
    }

    /// The last few entries of `room` in words, and the exchange of the last poll.
    pub(super) fn lately(&self, room: Option<&str>) -> (Vec<String>, Option<ExchangeId>) {
        const FEW: usize = 12;
        let seen = self.shared.seen();
        let here =
            seen.happenings.iter().filter(|happening| room.is_none() || happening.room.as_deref() == room);
        let mut lines: Vec<_> = here
            .rev()
            .take(FEW)
            .map(|happening| {
                let event = &happening.event;
                let part =
                    |key: &str| event[key].as_str().unwrap_or("-").chars().take(120).collect::<String>();
                format!(
                    "{} {} {} from {}",
                    happening.exchange,
                    part("type"),
                    part("event_id"),
                    part("sender")
                )
            })
            .collect();
        lines.reverse();
        (lines, seen.last)
    }

    /// The error of the last poll, if it failed: then the absence of an entry proves nothing.
    pub(super) fn trouble(&self) -> Option<CallError> {
        self.shared.seen().trouble.clone()
    }
}

impl Drop for UserView {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep_looking(session: Arc<dyn Session>, shared: Arc<Shared>, announce: watch::Sender<usize>) {
    let mut since: Option<String> = None;
    let mut failures = 0;
    while failures < RETRIES {
        let wait = if since.is_some() { POLL_MS } else { 0 };
        match session.sync(since.as_deref(), wait).await {
            Ok(answer) => {
                failures = 0;
                since = Some(answer.value.next);
                let count = {
                    let mut seen = shared.seen();
                    seen.last = Some(answer.exchange);
                    seen.trouble = None;
                    seen.happenings.extend(answer.value.happenings.into_iter().map(Arc::new));
                    seen.happenings.len()
                };
                announce.send_replace(count);
            }
            Err(error) => {
                failures += 1;
                shared.seen().trouble = Some(error);
                waiting::let_pass(RETRY_PAUSE).await;
            }
        }
    }
}
