//! What waits to be sent to other servers: one queue for each, in order, kept until the server has accepted it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use tokio::sync::Notify;

/// All queues, by server.
#[derive(Default)]
pub(crate) struct Queues(Mutex<BTreeMap<String, ServerQueue>>);

/// What one server is still to get.
#[derive(Default)]
pub(crate) struct ServerQueue {
    pub(crate) pdus: VecDeque<Value>,
    pub(crate) edus: VecDeque<Value>,
    /// The transaction that is being sent, and its target: it is kept until it was accepted.
    pub(crate) under_way: Option<(String, Value)>,
    /// Whether a task is sending from the queue.
    pub(crate) busy: bool,
    /// Notified when the server sends a request: it is up.
    pub(crate) is_up: Arc<Notify>,
}

impl ServerQueue {
    /// The PDUs and EDUs of the next transaction; `None` where nothing waits.
    pub(crate) fn next(&mut self, [most_pdus, most_edus]: [usize; 2]) -> Option<(Vec<Value>, Vec<Value>)> {
        let pdus: Vec<_> = self.pdus.drain(..self.pdus.len().min(most_pdus)).collect();
        let edus: Vec<_> = self.edus.drain(..self.edus.len().min(most_edus)).collect();
        (!pdus.is_empty() || !edus.is_empty()).then_some((pdus, edus))
    }
}

impl Queues {
    pub(crate) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ServerQueue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that is still to be sent, for the server after a restart.
    pub(crate) fn taken_over(&self) -> Self {
        let mut queues = std::mem::take(&mut *self.lock());
        queues.values_mut().for_each(|queue| queue.busy = false);
        Self(Mutex::new(queues))
    }

    /// A server that sends a request is up: what waits for it goes out at once.
    pub(crate) fn note_up(&self, server: &str) {
        if let Some(queue) = self.lock().get(server) {
            queue.is_up.notify_waiters();
        }
    }
}
