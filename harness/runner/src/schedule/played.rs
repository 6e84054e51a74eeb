//! The results of trials.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use samklang_verdict::{Attempt, Exchange, Problem, Verdict};

use super::plan::{Trial, TrialObstacle};
use crate::judging::ledger::CheckOutcome;

/// The result of a trial.
pub struct PlayedTrial {
    /// The trial.
    pub trial: Trial,
    /// Each check's verdict, by name.
    pub checks: BTreeMap<String, CheckOutcome>,
    /// Every attempt at each check that was played more than once.
    pub attempts: BTreeMap<String, Vec<Attempt>>,
    /// The exchanges of the first attempt.
    pub transcript: Vec<Arc<Exchange>>,
    /// The exchanges of each further attempt.
    pub further: Vec<Vec<Arc<Exchange>>>,
    /// How long the first attempt took.
    pub took: Duration,
}

/// How a schedule ended.
pub struct ScheduleEnd {
    /// Every trial, in the order of the plan.
    pub played: Vec<PlayedTrial>,
    /// The problem that ended it early, if there was one.
    pub casualty: Option<Problem>,
}

impl PlayedTrial {
    /// Whether one of its checks failed.
    pub fn failed(&self) -> bool {
        self.checks.values().any(|check| matches!(check.verdict, Verdict::Fail(_)))
    }

    /// A trial that was not played. All its checks have the verdict that its own obstacle says, else `verdict`.
    pub fn unplayed(trial: Trial, verdict: &Verdict) -> Self {
        let verdict = match &trial.obstacle {
            Some(TrialObstacle::NotApplicable(message)) => {
                &Verdict::NotApplicable { message: message.clone() }
            }
            Some(TrialObstacle::NotRun(message)) => &Verdict::NotRun { message: message.clone() },
            None => verdict,
        };
        let checks =
            trial.scenario.all_checks().map(|(name, ..)| (name.to_owned(), verdict.clone().into())).collect();
        Self {
            trial,
            checks,
            attempts: BTreeMap::new(),
            transcript: vec![],
            further: vec![],
            took: Duration::ZERO,
        }
    }
}
