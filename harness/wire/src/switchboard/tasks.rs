//! Background tasks that end with their owner.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

/// A set of tasks. Dropping it ends them; [`Tasks::close`] also waits until they are gone.
#[derive(Debug)]
pub(super) struct Tasks {
    set: Mutex<Option<JoinSet<()>>>,
}

impl Tasks {
    pub(super) fn new() -> Self {
        Self { set: Mutex::new(Some(JoinSet::new())) }
    }

    /// Starts a task. After the end, it does nothing.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(set) = lock(&self.set).as_mut() {
            while set.try_join_next().is_some() {}
            set.spawn(task);
        }
    }

    /// Ends all tasks without waiting for them.
    pub(super) fn abort(&self) {
        drop(lock(&self.set).take());
    }

    /// Ends all tasks and waits until they are gone.
    pub(super) async fn close(&self) {
        let set = lock(&self.set).take();
        if let Some(mut set) = set {
            set.shutdown().await;
        }
    }
}

/// Locks even if an earlier holder panicked: the data that the switchboard guards is consistent between two statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
