//! Plays several pairs at a time, each on a stage and a runtime of its own.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
};

use samklang_runner::run::progress::{Observer, RunEvent};
use samklang_verdict::{PlayedPair, Problem, Termination, message};

use super::{MatrixRun, ProgressPrinter};

/// The number of processors that a stage keeps busy: one for each of its two servers.
const CPUS_OF_A_STAGE: usize = 2;
/// One part in four of the free memory is left for the engine, this program and others.
const SPARED: u64 = 4;

/// A pair that has not been played yet.
pub(super) struct PendingPair {
    /// Its place among the pairs.
    pub(super) place: usize,
    pub(super) a: String,
    pub(super) b: String,
    /// The event to report when it begins.
    pub(super) event: RunEvent,
}

/// The pairs that wait, and the results of the others.
pub(super) struct PairPool(Mutex<PairPoolState>);

struct PairPoolState {
    waiting: VecDeque<PendingPair>,
    /// The results, by place.
    met: BTreeMap<usize, PlayedPair>,
    /// No further pair is begun.
    is_stopped: bool,
    /// A pair was cut short, so there is no complete matrix.
    is_cut_short: bool,
}

impl PairPool {
    pub(super) fn new(left: Vec<PendingPair>, met: BTreeMap<usize, PlayedPair>) -> Self {
        Self(Mutex::new(PairPoolState { waiting: left.into(), met, is_stopped: false, is_cut_short: false }))
    }

    /// Plays all, `at_once` at a time, and returns the results in the order of the pairs; `None` when a pair was cut short.
    ///
    /// # Errors
    /// The first error of a pair or of writing. Pairs that already play are played to their end.
    pub(super) fn play(
        self,
        at_once: usize,
        matrix: &MatrixRun<'_>,
        printer: &ProgressPrinter,
    ) -> Result<Option<Vec<PlayedPair>>, Problem> {
        let workers = at_once.clamp(1, self.state().waiting.len().max(1));
        let work = || {
            let done = self.work(matrix, printer, workers > 1);
            if done.is_err() {
                self.state().is_stopped = true;
            }
            done
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            let ended = workers.into_iter().map(|worker| {
                worker.join().unwrap_or_else(|_| Err(Problem::harness(message!("matrix.panicked"))))
            });
            ended.collect::<Vec<_>>().into_iter().collect::<Result<(), _>>()
        })?;
        let state = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok((!state.is_cut_short).then(|| state.met.into_values().collect()))
    }

    fn state(&self) -> MutexGuard<'_, PairPoolState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plays one pair after another until none waits.
    fn work(
        &self,
        matrix: &MatrixRun<'_>,
        printer: &ProgressPrinter,
        is_beside_others: bool,
    ) -> Result<(), Problem> {
        while let Some(PendingPair { place, a, b, event }) = self.next() {
            printer.hear(&event);
            let label = is_beside_others.then(|| format!("{a} × {b}"));
            let result = matrix.play(&a, &b, label)?;
            let mut state = self.state();
            let Some(result) = result else {
                (state.is_stopped, state.is_cut_short) = (true, true);
                return Ok(());
            };
            state.is_stopped |= result.run.termination == Termination::Interrupted;
            state.met.insert(place, PlayedPair { a, b, result });
            // Written under the lock, so that of two pairs that end at once the later one writes both results.
            matrix.write(&state.met.values().cloned().collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn next(&self) -> Option<PendingPair> {
        let mut state = self.state();
        if state.is_stopped { None } else { state.waiting.pop_front() }
    }
}

/// The number of stages that this machine can hold at a time, if each may need `need` MiB.
pub(super) fn stages_at_once(need: u64) -> usize {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let by_memory = match fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(available) {
        Some(available) => (available - available / SPARED) / need.max(1),
        // If the free memory is unknown, the processors decide.
        None => u64::MAX,
    };
    (cpus / CPUS_OF_A_STAGE).min(usize::try_from(by_memory).unwrap_or(usize::MAX)).max(1)
}

/// The memory that is free for new work, in MiB, from the text of `/proc/meminfo`.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? >> 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_memory_is_read_from_meminfo() {
        let text = "MemTotal:       24575000 kB\nMemFree: 1 kB\nMemAvailable:   12582912 kB\n";
        assert_eq!(available(text), Some(12 * 1024));
        assert_eq!(available("MemTotal: 24575000 kB\n"), None);
        assert_eq!(available("MemAvailable: much\n"), None);
    }

    #[test]
    fn one_stage_is_played_even_with_too_little_memory() {
        assert_eq!(stages_at_once(u64::MAX), 1);
    }
}
