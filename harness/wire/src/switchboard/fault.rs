//! Network faults: what a scenario has the switchboard do to some requests.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use samklang_verdict::Party;

use super::tasks::lock;

/// A request as a fault sees it, before it is passed on.
#[derive(Debug, Clone, Copy)]
pub struct RoutedRequest<'a> {
    /// The sender.
    pub from: &'a Party,
    /// The receiver.
    pub to: &'a Party,
    /// The method.
    pub method: &'a str,
    /// Path and query as sent.
    pub path: &'a str,
    /// The body as sent.
    pub body: &'a [u8],
}

/// The effect on a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The connection is reset, and the request is not delivered.
    Cut,
    /// The request is held back for this long, then passed on.
    Delay(Duration),
    /// The request is not delivered, and its sender gets this status.
    Refuse(http::StatusCode),
    /// The transaction is not delivered, but its sender gets the response that it was accepted, as from a server that
    /// loses what it has acknowledged. A cut only delays, since senders try again; this makes a gap that the receiver
    /// has to fill.
    Lose,
    /// The request is passed on twice, and its sender gets the first response.
    Duplicate,
}

impl fmt::Display for Effect {
    /// The words of the transcript for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("connection reset"),
            Self::Delay(span) => write!(f, "delayed by {span:?}"),
            Self::Refuse(status) => write!(f, "refused with {}", status.as_u16()),
            Self::Lose => f.write_str("acknowledged and lost"),
            Self::Duplicate => f.write_str("sent twice"),
        }
    }
}

/// A network fault between two parties.
pub struct NetworkFault {
    /// The sender, or `None` for any sender.
    pub from: Option<Party>,
    /// The receiver, or `None` for any receiver.
    pub to: Option<Party>,
    /// The condition that a request between them meets.
    pub when: Box<dyn Fn(&RoutedRequest<'_>) -> bool + Send + Sync>,
    /// The effect on those requests.
    pub effect: Effect,
}

impl fmt::Debug for NetworkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("from", &self.from)
            .field("to", &self.to)
            .field("effect", &self.effect)
            .finish_non_exhaustive()
    }
}

impl NetworkFault {
    /// `effect` on every request.
    pub fn on_all(effect: Effect) -> Self {
        Self { from: None, to: None, when: Box::new(|_| true), effect }
    }

    /// Restricts it to requests of `party`.
    #[must_use]
    pub fn from(mut self, party: Party) -> Self {
        self.from = Some(party);
        self
    }

    /// Restricts it to requests to `party`.
    #[must_use]
    pub fn to(mut self, party: Party) -> Self {
        self.to = Some(party);
        self
    }

    /// Restricts it to requests for which `when` holds.
    #[must_use]
    pub fn when(mut self, when: impl Fn(&RoutedRequest<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.when = Box::new(when);
        self
    }

    fn hits(&self, asked: &RoutedRequest<'_>) -> bool {
        self.from.as_ref().is_none_or(|from| from == asked.from)
            && self.to.as_ref().is_none_or(|to| to == asked.to)
            && (self.when)(asked)
    }
}

/// The faults in force.
#[derive(Debug, Default)]
pub(super) struct NetworkFaults {
    last: AtomicU64,
    in_force: Mutex<BTreeMap<u64, Arc<Counted>>>,
}

#[derive(Debug)]
struct Counted {
    fault: NetworkFault,
    hits: AtomicU64,
}

impl NetworkFaults {
    pub(super) fn add(self: &Arc<Self>, fault: NetworkFault) -> NetworkFaultGuard {
        let key = self.last.fetch_add(1, Ordering::Relaxed);
        let counted = Arc::new(Counted { fault, hits: AtomicU64::new(0) });
        tracing::debug!(key, effect = ?counted.fault.effect, "network fault begins");
        lock(&self.in_force).insert(key, Arc::clone(&counted));
        NetworkFaultGuard { key, counted, faults: Arc::clone(self) }
    }

    /// The effect on this request. If several faults match, the oldest decides.
    pub(super) fn hit(&self, asked: &RoutedRequest<'_>) -> Option<Effect> {
        let in_force: Vec<_> = lock(&self.in_force).values().cloned().collect();
        let counted = in_force.into_iter().find(|counted| counted.fault.hits(asked))?;
        counted.hits.fetch_add(1, Ordering::Relaxed);
        Some(counted.fault.effect.clone())
    }
}

/// Keeps a fault in force until it is dropped.
#[derive(Debug)]
#[must_use = "the fault ends when this is dropped"]
pub struct NetworkFaultGuard {
    key: u64,
    counted: Arc<Counted>,
    faults: Arc<NetworkFaults>,
}

impl NetworkFaultGuard {
    /// How many requests it was applied to.
    pub fn hits(&self) -> u64 {
        self.counted.hits.load(Ordering::Relaxed)
    }
}

impl Drop for NetworkFaultGuard {
    fn drop(&mut self) {
        tracing::debug!(key = self.key, hits = self.hits(), "network fault ends");
        lock(&self.faults.in_force).remove(&self.key);
    }
}
