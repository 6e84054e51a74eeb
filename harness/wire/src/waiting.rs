//! The one module that waits. Every wait has a predicate and a bound.

use std::time::Duration;

use tokio::time::Instant;

/// The shortest and the longest pause between two polls of a predicate that nothing announces.
const PERIODS: [Duration; 2] = [Duration::from_millis(25), Duration::from_millis(500)];
/// A long wait polls less often: the pause is this part of the time waited so far, so that servers are not kept busy
/// with empty responses.
const PATIENCE: u32 = 16;

/// The bound passed before the predicate held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundPassed {
    /// The bound that was set.
    pub bound: Duration,
}

/// Polls `probe` until it returns a value, for at most `bound`. The last poll is at the bound.
///
/// # Errors
/// [`BoundPassed`] if it never returned one.
pub async fn until<T>(bound: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> Result<T, BoundPassed> {
    let start = Instant::now();
    loop {
        let last = start.elapsed() >= bound;
        if let Some(answer) = probe().await {
            return Ok(answer);
        }
        if last {
            tracing::debug!(?bound, "what was waited for did not come");
            return Err(BoundPassed { bound });
        }
        pause(start.elapsed(), bound.saturating_sub(start.elapsed())).await;
    }
}

/// Pauses between two polls after waiting for so long, or for the little time that is left.
async fn pause(waited: Duration, left: Duration) {
    let period = (waited / PATIENCE).clamp(PERIODS[0], PERIODS[1]);
    #[expect(clippy::disallowed_methods, reason = "this is the waiting module")]
    tokio::time::sleep(period.min(left)).await;
}

/// As [`until`], for a wait that has to be [`Send`]. The compiler cannot prove that of a wait over an `async ||`
/// (rust-lang/rust#100013), but it can if the closure makes the future by itself.
///
/// # Errors
/// [`BoundPassed`] if it never returned a value.
pub async fn until_send<T, F: Future<Output = Option<T>>>(
    bound: Duration,
    mut probe: impl FnMut() -> F,
) -> Result<T, BoundPassed> {
    let start = Instant::now();
    loop {
        let last = start.elapsed() >= bound;
        if let Some(answer) = probe().await {
            return Ok(answer);
        }
        if last {
            tracing::debug!(?bound, "what was waited for did not come");
            return Err(BoundPassed { bound });
        }
        pause(start.elapsed(), bound.saturating_sub(start.elapsed())).await;
    }
}

/// Waits for `future`, for at most `bound`.
///
/// # Errors
/// [`BoundPassed`] if it did not end before.
pub async fn within<F: Future>(bound: Duration, future: F) -> Result<F::Output, BoundPassed> {
    tokio::time::timeout(bound, future).await.map_err(|_| {
        tracing::debug!(?bound, "what was waited for did not end");
        BoundPassed { bound }
    })
}

/// A runtime for work that waits for nothing outside it. It has one thread, and when every task waits, its clock
/// advances at once to the next bound or pause. So a bound of thirty seconds costs no time.
///
/// # Errors
/// Fails if the system refuses a resource that the runtime needs.
pub fn runtime_of_its_own_time() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()
}

/// Lets `span` pass, for the network fault "delay". Only the switchboard uses it.
pub async fn let_pass(span: Duration) {
    #[expect(clippy::disallowed_methods, reason = "this is the waiting module")]
    tokio::time::sleep(span).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_passes_at_once_if_every_task_waits() {
        let begun = std::time::Instant::now();
        let bound = Duration::from_secs(600);
        let runtime = runtime_of_its_own_time().unwrap();
        let passed = runtime.block_on(until(bound, async || None::<()>));
        assert_eq!(passed, Err(BoundPassed { bound }));
        assert!(begun.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn a_wait_ends_when_the_predicate_holds_and_when_the_bound_passes() {
        let mut asked = 0;
        let third = until(Duration::from_secs(5), async || {
            asked += 1;
            (asked == 3).then_some(asked)
        });
        assert_eq!(third.await, Ok(3));
        let bound = Duration::from_millis(30);
        assert_eq!(until(bound, async || None::<()>).await, Err(BoundPassed { bound }));
        assert_eq!(until_send(bound, || async { None::<()> }).await, Err(BoundPassed { bound }));
        assert_eq!(within(bound, std::future::pending::<()>()).await, Err(BoundPassed { bound }));
    }
}
