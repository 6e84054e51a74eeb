//! Keeps every exchange of a stage, finds exchanges by the identifiers that they mention, and wakes callers that wait
//! for one.

mod identifiers;
mod redaction;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use samklang_verdict::{Exchange, ExchangeId};
use tokio::{sync::watch, time::Instant};

pub use self::redaction::{REDACTED, redact_headers, redact_json_body, redact_path};
use crate::waiting;

/// The transcript of one stage while it is being written. Clones share it.
#[derive(Debug, Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    start: Instant,
    kept: Mutex<Kept>,
    /// How many exchanges are finished.
    finished: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Kept {
    begun: u64,
    /// In the order in which they finished, so that a waiting reader looks at each of them once.
    finished: Vec<Arc<Exchange>>,
    by_id: BTreeMap<ExchangeId, Arc<Exchange>>,
    mentions: BTreeMap<String, Vec<ExchangeId>>,
}

/// A request that began.
#[derive(Debug, Clone, Copy)]
pub struct Begun {
    /// The exchange's id.
    pub id: ExchangeId,
    /// The time when it began, in microseconds since the stage came up.
    pub at_us: u64,
    start: Instant,
}

impl Begun {
    /// Microseconds since the request began.
    pub fn took_us(&self) -> u64 {
        micros(self.start.elapsed())
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// An empty transcript whose clock starts now.
    pub fn new() -> Self {
        let shared =
            Shared { start: Instant::now(), kept: Mutex::default(), finished: watch::Sender::new(0) };
        Self { shared: Arc::new(shared) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a request begins now. IDs follow the order of these calls.
    pub fn begin(&self) -> Begun {
        let mut kept = self.kept();
        kept.begun += 1;
        let start = Instant::now();
        Begun { id: ExchangeId(kept.begun), at_us: micros(start.duration_since(self.shared.start)), start }
    }

    /// Keeps a finished exchange. Its ID came from [`Recorder::begin`], and its secrets must already be removed.
    pub fn finish(&self, exchange: Exchange) {
        let mentions = identifiers::mentioned(&exchange);
        let exchange = Arc::new(exchange);
        let mut kept = self.kept();
        for mention in mentions {
            kept.mentions.entry(mention).or_default().push(exchange.id);
        }
        kept.by_id.insert(exchange.id, Arc::clone(&exchange));
        kept.finished.push(exchange);
        let count = kept.finished.len();
        drop(kept);
        self.shared.finished.send_replace(count);
    }

    /// The ID that the next request will get. An exchange with this ID or a higher one begins after this call.
    pub fn mark(&self) -> ExchangeId {
        ExchangeId(self.kept().begun + 1)
    }

    /// How many exchanges are finished.
    pub fn len(&self) -> usize {
        self.kept().finished.len()
    }

    /// Whether no exchange is finished.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The finished exchange with this id.
    pub fn by_id(&self, id: ExchangeId) -> Option<Arc<Exchange>> {
        self.kept().by_id.get(&id).cloned()
    }

    /// All finished exchanges in the order of their ids.
    pub fn all(&self) -> Vec<Arc<Exchange>> {
        self.kept().by_id.values().cloned().collect()
    }

    /// The finished exchanges that mention any of `identifiers` (room, user and event ids, aliases, `mxc://` URIs) in
    /// their path, query or JSON bodies, in the order of their ids.
    pub fn mentioning(&self, identifiers: &BTreeSet<String>) -> Vec<Arc<Exchange>> {
        let kept = self.kept();
        let mut ids = BTreeSet::new();
        for identifier in identifiers {
            // A federation download names media by the bare ID.
            let bare =
                identifier.strip_prefix("mxc://").and_then(|rest| rest.split_once('/')).map(|(_, id)| id);
            for key in [Some(identifier.as_str()), bare].into_iter().flatten() {
                ids.extend(kept.mentions.get(key).into_iter().flatten());
            }
        }
        ids.into_iter().filter_map(|id| kept.by_id.get(id).cloned()).collect()
    }

    /// The first exchange to finish with an ID of at least `from` for which `wanted` holds. It looks at finished
    /// exchanges first, then waits for at most `bound`.
    pub async fn await_exchange(
        &self,
        bound: Duration,
        from: ExchangeId,
        wanted: impl Fn(&Exchange) -> bool,
    ) -> Option<Arc<Exchange>> {
        let mut finished = self.shared.finished.subscribe();
        let mut seen = 0;
        let search = async {
            loop {
                finished.borrow_and_update();
                let new: Vec<_> = self.kept().finished[seen..].to_vec();
                seen += new.len();
                if let Some(found) = new.into_iter().find(|exchange| exchange.id >= from && wanted(exchange))
                {
                    return Some(found);
                }
                finished.changed().await.ok()?;
            }
        };
        waiting::within(bound, search).await.ok().flatten()
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use samklang_verdict::{Body, Party, Wire};

    use super::*;

    fn exchange(begun: Begun, path: &str, body: &str) -> Exchange {
        Exchange {
            id: begun.id,
            wire: Wire::Federation,
            at_us: begun.at_us,
            took_us: begun.took_us(),
            from: Party::Harness,
            to: Party::Harness,
            method: "GET".into(),
            path: path.into(),
            request_headers: Vec::new(),
            request_body: Body::Empty,
            status: Some(200),
            response_headers: Vec::new(),
            response_body: Body::of(body.as_bytes()),
            broken: None,
            fault: None,
        }
    }

    fn ids(exchanges: &[Arc<Exchange>]) -> Vec<u64> {
        exchanges.iter().map(|exchange| exchange.id.0).collect()
    }

    #[test]
    fn exchanges_are_found_by_identifiers_in_the_order_they_began() {
        let recorder = Recorder::new();
        let [first, second, third] = [(); 3].map(|()| recorder.begin());
        recorder.finish(exchange(third, "/media/download/m1", ""));
        recorder.finish(exchange(second, "/x", r#"{"sender":"@u:a.test","room":"!r:a.test"}"#));
        recorder.finish(exchange(first, "/x/%21r%3Aa.test", ""));
        let find = |wanted: &[&str]| ids(&recorder.mentioning(&wanted.iter().map(|&id| id.into()).collect()));
        assert_eq!(find(&["!r:a.test"]), [1, 2]);
        assert_eq!(find(&["@u:a.test", "mxc://a.test/m1"]), [2, 3]);
        assert_eq!(find(&["!other:a.test"]), [0; 0]);
        assert_eq!(
            (ids(&recorder.all()), recorder.len(), recorder.mark()),
            (vec![1, 2, 3], 3, ExchangeId(4))
        );
        assert!(recorder.by_id(ExchangeId(4)).is_none());
    }

    #[tokio::test]
    async fn a_wait_sees_earlier_and_later_exchanges_and_ends_at_its_bound() {
        let recorder = Recorder::new();
        recorder.finish(exchange(recorder.begin(), "/early", ""));
        let long = Duration::from_secs(20);
        let found = recorder.await_exchange(long, ExchangeId(1), |x| x.path == "/early").await;
        assert_eq!(found.unwrap().id, ExchangeId(1));

        let from = recorder.mark();
        let waiting = recorder.await_exchange(long, from, |x| x.path != "/other");
        let acting = async {
            tokio::task::yield_now().await;
            recorder.finish(exchange(recorder.begin(), "/other", ""));
            tokio::task::yield_now().await;
            recorder.finish(exchange(recorder.begin(), "/late", ""));
        };
        assert_eq!(tokio::join!(waiting, acting).0.unwrap().path, "/late");
        assert!(
            recorder.await_exchange(Duration::from_millis(20), recorder.mark(), |_| true).await.is_none()
        );
    }
}
