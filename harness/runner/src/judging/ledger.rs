//! The checks of one scenario that have been judged so far.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use samklang_actors::user::{Failure, Ledger};
use samklang_verdict::{CheckId, Class, Message, Observations, Problem, Role, ScenarioId, Verdict, message};

use super::{
    blame::verdict_of,
    declaration::{Declaration, FLOW, ScenarioKind},
};
use crate::traffic::wire_view::WireView;

/// A check's verdict, and the digest of what was shown where it was held against an expectation.
#[derive(Debug, Clone)]
pub struct CheckOutcome {
    /// The verdict.
    pub verdict: Verdict,
    /// SHA-256 of the normalised text that was shown.
    pub actual_sha256: Option<String>,
}

impl From<Verdict> for CheckOutcome {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, actual_sha256: None }
    }
}

/// The checks of one scenario that have been judged so far.
pub struct CheckLedger {
    declaration: Declaration,
    subjects: Vec<Role>,
    notebook: Arc<Ledger>,
    judged: Mutex<BTreeMap<String, CheckOutcome>>,
}

impl CheckLedger {
    /// A ledger without entries. Passes have to rest on something that one of `subjects` did, which `notebook` tells.
    pub fn new(declaration: Declaration, subjects: Vec<Role>, notebook: Arc<Ledger>) -> Self {
        Self { declaration, subjects, notebook, judged: Mutex::default() }
    }

    /// What the scenario declares.
    pub fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    /// The roles whose servers are judged.
    pub fn subjects(&self) -> &[Role] {
        &self.subjects
    }

    fn judged(&self) -> MutexGuard<'_, BTreeMap<String, CheckOutcome>> {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Judges the check `name`: it passes with what `outcome` rests on, or fails as `outcome` failed.
    pub fn judge(&self, name: &str, outcome: Result<Observations, Failure>, wire: Option<&WireView>) {
        let verdict = match outcome {
            Ok(observations) => self.pass(observations),
            Err(failure) => verdict_of(&failure, wire),
        };
        self.settle(name, verdict.into());
    }

    /// The check `name` cannot be judged because of what the check `by` found wrong.
    pub fn block(&self, name: &str, by: &str) {
        let message = message!("judging.blocked-by", check = by);
        let by = check_id(&self.declaration, by);
        self.settle(name, Verdict::Inconclusive { message, blocked_by: by, bound_ms: None }.into());
    }

    /// Writes down what the check `name` came to. A check that is not declared, or that was judged before, is an error
    /// of the suite.
    pub fn settle(&self, name: &str, outcome: CheckOutcome) {
        let scenario = self.declaration.id;
        let is_declared = name != FLOW && self.declaration.title_of(name).is_some();
        let mut judged = self.judged();
        let outcome = if !is_declared {
            harness_error(message!("judging.unknown-check", check = name, scenario = scenario))
        } else if judged.contains_key(name) {
            harness_error(message!("judging.judged-twice", check = name, scenario = scenario))
        } else {
            outcome
        };
        judged.insert(name.to_owned(), outcome);
    }

    /// A pass, if it rests on something that a subject was seen to do. Where only the other server shows the outcome,
    /// it rests on the last thing that a subject did for it.
    pub fn pass(&self, observations: Observations) -> Verdict {
        if observations.any_by(&self.subjects) {
            return Verdict::Pass { observations };
        }
        let own = self.notebook.observations().into_iter().rfind(|own| self.subjects.contains(&own.by));
        if let Some(own) = own {
            Verdict::Pass { observations: Observations::new(own, observations.all().iter().cloned()) }
        } else {
            let problem = Problem::harness(message!("judging.no-subject", scenario = self.declaration.id));
            Verdict::Error { class: problem.class, message: problem.message }
        }
    }

    /// What the flow comes to, now that the scenario has ended as `ended`.
    fn flow(&self, ended: &Result<(), Failure>, wire: Option<&WireView>) -> CheckOutcome {
        match ended {
            // A passive scenario makes no server do anything, so its flow cannot fail and proves nothing.
            Ok(()) if self.declaration.kind == ScenarioKind::Passive => {
                Verdict::NotApplicable { message: message!("judging.no-flow") }.into()
            }
            Ok(()) => match Observations::from_all(self.notebook.observations()) {
                Some(observations) => self.pass(observations).into(),
                None => harness_error(message!("judging.nothing-observed", scenario = self.declaration.id)),
            },
            Err(failure) => verdict_of(failure, wire).into(),
        }
    }

    /// Every check's verdict, now that the scenario has ended as `ended`.
    pub fn close(
        &self,
        ended: &Result<(), Failure>,
        wire: Option<&WireView>,
    ) -> BTreeMap<String, CheckOutcome> {
        let declaration = &self.declaration;
        let flow = self.flow(ended, wire);
        let went_well = match flow.verdict {
            Verdict::Pass { .. } => true,
            Verdict::NotApplicable { .. } => declaration.kind == ScenarioKind::Passive,
            _ => false,
        };
        let mut judged = std::mem::take(&mut *self.judged());
        for check in declaration.checks {
            judged.entry(check.name.to_owned()).or_insert_with(|| {
                if went_well {
                    let (check, scenario) = (check.name, declaration.id);
                    harness_error(message!("judging.not-judged", check = check, scenario = scenario))
                } else {
                    blocked(declaration, &flow.verdict).into()
                }
            });
        }
        // A check that is not declared has no place in a result, so the flow carries its error.
        let is_stray = |name: &&String| *name == FLOW || declaration.title_of(name).is_none();
        let stray = judged.keys().find(is_stray).cloned();
        let stray = stray.and_then(|name| judged.remove(&name));
        judged.insert(FLOW.to_owned(), stray.unwrap_or(flow));
        judged
    }
}

/// The verdict on a check whose scenario ended before it.
fn blocked(declaration: &Declaration, flow: &Verdict) -> Verdict {
    if let Verdict::NotApplicable { message } = flow {
        return Verdict::NotApplicable { message: message.clone() };
    }
    Verdict::Inconclusive {
        message: message!("judging.blocked", scenario = declaration.id),
        blocked_by: check_id(declaration, FLOW),
        bound_ms: None,
    }
}

fn check_id(declaration: &Declaration, check: &str) -> Option<CheckId> {
    ScenarioId::new(declaration.id).ok().and_then(|id| CheckId::of(&id, check).ok())
}

fn harness_error(message: Message) -> CheckOutcome {
    Verdict::Error { class: Class::Harness, message }.into()
}
