//! The one module of this crate that waits.

use std::time::Duration;

/// Waits for `event`, but not longer than `bound`; returns its result.
pub(crate) async fn at_most<T>(bound: Duration, event: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(bound, event).await.ok()
}
