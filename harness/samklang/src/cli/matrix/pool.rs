//! Pairs that are played side by side, each on a stage and a runtime of its own.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
};

use samklang_runner::event::{Event, Observer};
use samklang_verdict::{Met, Problem, Termination, message};

use super::{Matrix, Teller};

/// How many processors a stage keeps busy: those of its two servers.
const CPUS_OF_A_STAGE: usize = 2;
/// What is left of the memory for the engine, this program and everybody else: a quarter.
const SPARED: u64 = 4;

/// A pair that is to be played.
pub(super) struct Left {
    /// Its place among the pairs.
    pub(super) place: usize,
    pub(super) a: String,
    pub(super) b: String,
    /// What is told when it begins.
    pub(super) event: Event,
}

/// Pairs that wait, and what those have come to that do not.
pub(super) struct Pool(Mutex<State>);

struct State {
    waiting: VecDeque<Left>,
    /// By place.
    met: BTreeMap<usize, Met>,
    /// Nothing more is begun.
    is_stopped: bool,
    /// A pair was cut short, so there is no whole to be told of.
    is_cut_short: bool,
}

impl Pool {
    pub(super) fn new(left: Vec<Left>, met: BTreeMap<usize, Met>) -> Self {
        Self(Mutex::new(State { waiting: left.into(), met, is_stopped: false, is_cut_short: false }))
    }

    /// Plays all, `at_once` at a time, and gives the results in the order of the pairs; nothing when a pair was cut short.
    ///
    /// # Errors
    /// The first that a pair or the writing comes to. What plays by then is played to its end.
    pub(super) fn play(
        self,
        at_once: usize,
        matrix: &Matrix<'_>,
        teller: &Teller,
    ) -> Result<Option<Vec<Met>>, Problem> {
        let workers = at_once.clamp(1, self.state().waiting.len().max(1));
        let work = || {
            let done = self.work(matrix, teller, workers > 1);
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plays one pair after another until none waits.
    fn work(&self, matrix: &Matrix<'_>, teller: &Teller, is_beside_others: bool) -> Result<(), Problem> {
        while let Some(Left { place, a, b, event }) = self.next() {
            teller.hear(&event);
            let label = is_beside_others.then(|| format!("{a} × {b}"));
            let result = matrix.play(&a, &b, label)?;
            let mut state = self.state();
            let Some(result) = result else {
                (state.is_stopped, state.is_cut_short) = (true, true);
                return Ok(());
            };
            state.is_stopped |= result.run.termination == Termination::Interrupted;
            state.met.insert(place, Met { a, b, result });
            // Under the lock: of two that end at once the later one writes what both came to.
            matrix.write(&state.met.values().cloned().collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn next(&self) -> Option<Left> {
        let mut state = self.state();
        if state.is_stopped { None } else { state.waiting.pop_front() }
    }
}

/// How many stages this machine bears at a time, each of which may take `need` MiB.
pub(super) fn bearable(need: u64) -> usize {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let by_memory = match fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(available) {
        Some(available) => (available - available / SPARED) / need.max(1),
        // Where nobody tells, processors decide.
        None => u64::MAX,
    };
    (cpus / CPUS_OF_A_STAGE).min(usize::try_from(by_memory).unwrap_or(usize::MAX)).max(1)
}

/// The memory that is free for new work, in MiB, as the kernel tells it.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? >> 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_memory_is_read_from_what_the_kernel_tells() {
        let told = "MemTotal:       24575000 kB\nMemFree: 1 kB\nMemAvailable:   12582912 kB\n";
        assert_eq!(available(told), Some(12 * 1024));
        assert_eq!(available("MemTotal: 24575000 kB\n"), None);
        assert_eq!(available("MemAvailable: much\n"), None);
    }

    #[test]
    fn a_stage_is_played_however_little_memory_there_is() {
        assert_eq!(bearable(u64::MAX), 1);
    }
}
