//! The progress of a run. One stream feeds the terminal, the plain lines and the JSON lines.

use samklang_verdict::{Counts, Outcome, Problem};
use serde::Serialize;

/// Something that happened in a run.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// The next pair of a matrix.
    Pair {
        /// The vendor in role A.
        a: String,
        /// The vendor in role B.
        b: String,
        /// Which one it is, counted from 1.
        place: usize,
        /// How many there are.
        of: usize,
        /// Whether its result is there already.
        there: bool,
    },
    /// The run has begun.
    Begun {
        /// Its id.
        run: String,
        /// How servers are brought up, and why so.
        deployer: String,
    },
    /// A step that takes a while is under way.
    Preparing {
        /// The text of the line.
        line: String,
    },
    /// The stage is up.
    StageUp {
        /// The servers on it: role, vendor, answered version.
        servers: Vec<String>,
        /// How long that took, in milliseconds.
        took_ms: u64,
    },
    /// The trials are planned.
    Planned {
        /// How many trials will be played.
        trials: usize,
        /// How many will not.
        set_aside: usize,
        /// Whether what servers send is held against the rules about all traffic.
        judges_traffic: bool,
    },
    /// A trial has ended.
    Played {
        /// Its name.
        trial: String,
        /// How many of its checks ended how.
        counts: Counts,
        /// Each check that did not pass and whose fail is not on record, in a line.
        troubles: Vec<String>,
        /// How long it took, in milliseconds.
        took_ms: u64,
    },
    /// A trial with a fail is played again, alone, to tell whether the fail is firm.
    Again {
        /// Its name.
        trial: String,
    },
    /// Something went wrong outside any check.
    Trouble {
        /// The problem.
        problem: Problem,
    },
    /// The run is over and its files are written.
    Ended {
        /// What it comes to.
        outcome: Outcome,
        /// How many checks ended how.
        counts: Counts,
        /// The exit code.
        exit_code: u8,
    },
}

/// Listens to a run.
pub trait Observer: Send + Sync {
    /// Hears an event, in order.
    fn hear(&self, event: &RunEvent);
}
