//! Offers every play of a scenario as a trial of its own to test runners. The only file that imports libtest-mimic.
//!
//! In one process all trials share one stage, which comes up with the first of them. Under a runner that starts a
//! process for each trial, each brings a stage of its own up.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, RwLock},
};

use libtest_mimic::{Arguments, Completion, Conclusion, Failed, Trial as Offered};
use samklang_deploy::Deployer;
use samklang_stage::{Logs, Stage};
use samklang_verdict::{Catalogue, CheckResult, Disposition, Message, Problem, Verdict, message};
use tokio::{runtime::Runtime, sync::OnceCell, sync::watch};

use super::{evidence, order::RunOrder, tally::CheckTally};
use crate::{
    scenario::ScenarioKind,
    schedule::{
        Schedule,
        plan::{Trial, TrialObstacle, plan},
    },
    suite::Suite,
};

/// How many trials run side by side when the caller does not say: they wait for servers most of the time.
const SIDE_BY_SIDE: usize = 6;

/// What the trials share.
pub struct Conformance {
    suite: Arc<Suite>,
    order: RunOrder,
    deployer: Arc<dyn Deployer>,
    runtime: Runtime,
    stage: OnceCell<Result<Schedule, Problem>>,
    /// Held for reading by trials that share the stage, for writing by one that wants it alone.
    turn: RwLock<()>,
    /// Where the transcripts of trials that did not pass go.
    output: PathBuf,
}

/// Offers every trial of `order` to the runner that `arguments` come from, and takes the stage down afterwards.
pub fn offer(
    mut arguments: Arguments,
    runtime: Runtime,
    suite: Arc<Suite>,
    order: RunOrder,
    deployer: Arc<dyn Deployer>,
) -> Result<ExitCode, Problem> {
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    let trials = plan(&suite, &order.selection, &order.casts, &order.subjects, order.direct)?;
    let output = order.output.clone();
    let conformance = Arc::new(Conformance {
        suite,
        order,
        deployer,
        runtime,
        stage: OnceCell::new(),
        turn: RwLock::new(()),
        output,
    });
    let offered = trials.into_iter().enumerate().filter(|(_, trial)| !is_passive(trial));
    let offered = offered.map(|(place, trial)| one(&conformance, place, trial)).collect();
    let conclusion = libtest_mimic::run(&arguments, offered);
    conformance.down()?;
    Ok(code(&conclusion))
}

fn code(conclusion: &Conclusion) -> ExitCode {
    conclusion.exit_code()
}

/// Whether the trial judges the traffic of a whole run. Here each trial is played by itself.
fn is_passive(trial: &Trial) -> bool {
    trial.scenario.kind == ScenarioKind::Passive
}

fn one(conformance: &Arc<Conformance>, place: usize, trial: Trial) -> Offered {
    let name = trial.name();
    match &trial.obstacle {
        // The trial is ignored before the run, so that no runner counts it as a pass.
        Some(TrialObstacle::NotApplicable(why) | TrialObstacle::NotRun(why)) => {
            let why = in_words(why);
            Offered::ignorable_test(name, move || Ok(Completion::ignored_with(why))).with_ignored_flag(true)
        }
        None => {
            let conformance = Arc::clone(conformance);
            Offered::ignorable_test(name, move || conformance.play(place, trial))
        }
    }
}

impl Conformance {
    /// Plays one trial. A trial without a judged check is reported as ignored, since a skip is not a pass.
    fn play(&self, place: usize, trial: Trial) -> Result<Completion, Failed> {
        let alone = trial.scenario.is_alone();
        let (_shared, _whole);
        // A trial that panicked while it held the lock left nothing half done.
        if alone {
            _whole = self.turn.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        } else {
            _shared = self.turn.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        self.runtime.block_on(async {
            let schedule = match self.stage.get_or_init(|| self.up()).await {
                Ok(schedule) => schedule,
                Err(problem) => return Err(Failed::from(told(problem))),
            };
            let played = schedule.play_one(place, trial).await;
            let checks = CheckTally::new(&self.order, &self.suite, &[]).checks(std::slice::from_ref(&played));
            let bad: Vec<_> = checks.iter().filter(|check| !is_well(check)).collect();
            if bad.is_empty() {
                let judged = checks.iter().any(CheckResult::is_judged);
                let nothing = || Completion::ignored_with(in_words(&message!("conformance.nothing-judged")));
                return Ok(if judged { Completion::Completed } else { nothing() });
            }
            let mut text: Vec<_> = bad.into_iter().map(in_trouble).collect();
            let name = evidence::transcript_path(&played.trial.name(), 0);
            if evidence::prepare(&self.output)
                .and_then(|()| evidence::write(&self.output, &schedule.stage, std::slice::from_ref(&played)))
                .is_ok()
            {
                text.push(self.output.join(name).display().to_string());
            }
            Err(Failed::from(text.join("\n")))
        })
    }

    async fn up(&self) -> Result<Schedule, Problem> {
        let quiet = |_: &str| {};
        let order = &self.order;
        let logs = Logs::default();
        let stage = Stage::up(&self.deployer, &order.casts, order.direct, &quiet, &logs).await?;
        let (_, stop) = watch::channel(false);
        Ok(Schedule {
            suite: Arc::clone(&self.suite),
            stage: Arc::new(stage),
            subjects: order.subjects.clone(),
            side_by_side: 1,
            seed: order.seed,
            stop,
        })
    }

    fn down(&self) -> Result<(), Problem> {
        self.runtime.block_on(async {
            if let Some(Ok(schedule)) = self.stage.get() {
                schedule.stage.down().await;
            }
            self.deployer.clear().await
        })
    }
}

fn is_well(check: &CheckResult) -> bool {
    use Disposition::{AsExpected, Deviation, Unproven};
    matches!(check.disposition, AsExpected | Deviation | Unproven)
}

fn in_words(message: &Message) -> String {
    Catalogue::english().render(message).in_one_line()
}

fn told(problem: &Problem) -> String {
    let lines = std::iter::once(in_words(&problem.message)).chain(problem.detail.iter().cloned());
    lines.collect::<Vec<_>>().join("\n")
}

fn in_trouble(check: &CheckResult) -> String {
    let (why, expected, actual) = match &check.verdict {
        Verdict::Pass { .. } => (check.deviation.clone().unwrap_or_default(), None, None),
        Verdict::Fail(fail) => (in_words(&fail.message), fail.expected.clone(), fail.actual.clone()),
        Verdict::Inconclusive { message, .. }
        | Verdict::NotApplicable { message }
        | Verdict::Error { message, .. }
        | Verdict::NotRun { message } => (in_words(message), None, None),
    };
    let mut text = format!("{} {}: {why}", check.verdict.name(), check.id);
    for (label, part) in [("expected", expected), ("actual", actual)] {
        if let Some(part) = part {
            text.push_str(&format!("\n{label}:\n{part}"));
        }
    }
    text
}
