//! A whole run: plan, stage up, play, judge, write.

pub mod conformance;
pub mod evidence;
pub mod order;
mod participants;
pub mod progress;
pub mod tally;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use samklang_deploy::Deployer;
use samklang_stage::{Logs, Stage};
use samklang_verdict::{
    Counts, Outcome, Participant, Problem, RESULT_SCHEMA, ResultFile, RunInfo, Termination, Verdict, message,
};
use tokio::sync::watch;

use self::{
    order::RunOrder,
    progress::{Observer, RunEvent},
    tally::CheckTally,
};
use crate::{
    scenario::ScenarioKind,
    schedule::{
        Schedule,
        nonce::Round,
        plan::{Trial, plan},
        played::{PlayedTrial, ScheduleEnd},
    },
    suite::Suite,
};

/// This program's own version, as results have it.
pub const SAMKLANG: &str = env!("CARGO_PKG_VERSION");

/// Where the time of a run went.
#[derive(Default)]
struct Clock {
    phases: BTreeMap<String, u64>,
}

impl Clock {
    fn note(&mut self, phase: &str, since: Instant) {
        self.phases.insert(phase.to_owned(), millis(since.elapsed()));
    }
}

/// Processor time this program has used so far, without its children, in milliseconds.
fn own_cpu_ms() -> u64 {
    use nix::sys::{
        resource::{UsageWho, getrusage},
        time::TimeValLike,
    };
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return 0 };
    let spent = usage.user_time().num_milliseconds() + usage.system_time().num_milliseconds();
    u64::try_from(spent).unwrap_or(0)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Plays a run to its end. All problems stand in the result, and everything that was started is stopped again.
///
/// # Errors
/// When nothing can be planned or the output folder cannot be used: then nothing was started.
pub async fn run(
    order: &RunOrder,
    suite: Arc<Suite>,
    deployer: &Arc<dyn Deployer>,
    observer: &dyn Observer,
    stop: watch::Receiver<bool>,
) -> Result<ResultFile, Problem> {
    let trials = plan(&suite, &order.selection, &order.casts, &order.subjects, order.direct)?;
    evidence::clear(&order.output)?;
    evidence::prepare(&order.output)?;
    let started = jiff::Timestamp::now();
    let begun = Instant::now();
    observer.hear(&RunEvent::Begun { run: order.id.clone(), deployer: order.deployer_line.clone() });
    let mut clock = Clock::default();
    let mut result = blank(order, &suite, deployer.as_ref(), started)?;
    let mut stopped = stop.clone();
    let up = Instant::now();
    let logs = Logs::default();
    let progress = |line: &str| observer.hear(&RunEvent::Preparing { line: line.to_owned() });
    let stage = tokio::select! {
        stage = Stage::up(deployer, &order.casts, order.direct, &progress, &logs) => Some(stage),
        Ok(_) = stopped.wait_for(|&stop| stop) => None,
    };
    clock.note("stage_up", up);
    let (played, trouble) = match stage {
        Some(Ok(stage)) => {
            let stage = Arc::new(stage);
            result.participants =
                stage.servers().map(|server| participants::answered(server, order)).collect();
            observer.hear(&stage_up(&stage, up.elapsed()));
            let playing = Instant::now();
            let ending =
                play(order, &suite, (&stage, &result.participants), trials, observer, stop.clone()).await;
            clock.note("play", playing);
            let writing = Instant::now();
            let identity = participants::proof_of_difference(order, &stage);
            let written = evidence::write(&order.output, &stage, &ending.played);
            stage.down().await;
            clock.note("write", writing);
            participants::note_cpu(&stage, &mut result.participants).await;
            participants::note_upgrades(&stage, &mut result.participants);
            let trouble: Vec<_> = [ending.casualty, identity, written.err()].into_iter().flatten().collect();
            (ending.played, trouble)
        }
        Some(Err(problem)) => (set_aside(trials, &problem), vec![problem]),
        None => (stopped_before(trials), vec![]),
    };
    let down = Instant::now();
    let cleared = deployer.clear().await;
    let mut unkept = None;
    for (role, log) in logs.all() {
        unkept = evidence::keep_log(&order.output, role, &log).err().or(unkept);
    }
    let kept = evidence::logs(&order.output, order.casts.iter().map(|cast| cast.role));
    for participant in &mut result.participants {
        participant.log = kept.get(&participant.role).cloned();
    }
    clock.note("stage_down", down);
    result.problems = trouble.into_iter().chain(cleared.err()).chain(unkept).collect();
    for problem in &result.problems {
        observer.hear(&RunEvent::Trouble { problem: problem.clone() });
    }
    result.checks = CheckTally::new(order, &suite, &result.participants).checks(&played);
    result.evidence = evidence::list(&order.output);
    result.run.termination = match (*stop.borrow(), result.problems.is_empty()) {
        (true, _) => Termination::Interrupted,
        (false, true) => Termination::Complete,
        (false, false) => Termination::Broken,
    };
    result.run.ended = jiff::Timestamp::now().to_string();
    result.run.duration_ms = millis(begun.elapsed());
    clock.phases.insert("harness_cpu".to_owned(), own_cpu_ms());
    result.run.phases_ms = clock.phases;
    result.settle();
    Ok(result)
}

async fn play(
    order: &RunOrder,
    suite: &Arc<Suite>,
    (stage, participants): (&Arc<Stage>, &[Participant]),
    trials: Vec<Trial>,
    observer: &dyn Observer,
    stop: watch::Receiver<bool>,
) -> ScheduleEnd {
    let set_aside = trials.iter().filter(|trial| trial.obstacle.is_some()).count();
    let judges_traffic = trials.iter().any(|trial| trial.scenario.kind == ScenarioKind::Passive);
    observer.hear(&RunEvent::Planned { trials: trials.len() - set_aside, set_aside, judges_traffic });
    let schedule = Schedule {
        suite: Arc::clone(suite),
        stage: Arc::clone(stage),
        subjects: order.subjects.clone(),
        side_by_side: order.side_by_side,
        seed: order.seed,
        stop,
    };
    let tally = CheckTally::new(order, suite, participants);
    let heard = |played: &PlayedTrial| observer.hear(&tally.told(played));
    // A fail is played again on the same version, so the upgrade comes after that.
    let (upgrades, trials): (Vec<_>, Vec<_>) =
        trials.into_iter().partition(|trial| trial.scenario.is_upgrade());
    let mut ending = schedule.play_all(trials, &heard).await;
    if ending.casualty.is_none() {
        let again = |trial: &str| observer.hear(&RunEvent::Again { trial: trial.to_owned() });
        schedule.classify(&mut ending.played, &|played| tally.is_news(played), &again).await;
    }
    let after = match &ending.casualty {
        None => schedule.play_round(Round::Upgrade, upgrades, &heard).await,
        Some(_) => {
            let gone = Verdict::NotRun { message: message!("run.stage-gone") };
            let played = upgrades.into_iter().map(|trial| PlayedTrial::unplayed(trial, &gone)).collect();
            ScheduleEnd { played, casualty: None }
        }
    };
    ending.played.extend(after.played);
    ending.casualty = ending.casualty.or(after.casualty);
    ending
}

fn blank(
    order: &RunOrder,
    suite: &Suite,
    deployer: &dyn Deployer,
    started: jiff::Timestamp,
) -> Result<ResultFile, Problem> {
    Ok(ResultFile {
        schema: RESULT_SCHEMA.to_owned(),
        digest: String::new(),
        run: RunInfo {
            id: order.id.clone(),
            started: started.to_string(),
            ended: String::new(),
            duration_ms: 0,
            seed: order.seed,
            deployer: deployer.name().to_owned(),
            direct: order.direct,
            termination: Termination::Broken,
            selection: order.selection.in_words(),
            samklang: SAMKLANG.to_owned(),
            phases_ms: BTreeMap::new(),
        },
        suite: suite.info()?,
        participants: order.casts.iter().map(|cast| participants::cast_only(cast, order)).collect(),
        checks: vec![],
        counts: Counts::default(),
        outcome: Outcome::NotProven,
        exit_code: 0,
        problems: vec![],
        evidence: vec![],
    })
}

fn stage_up(stage: &Stage, took: Duration) -> RunEvent {
    let line = |server: &Arc<samklang_stage::StageServer>| {
        let answered = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".into());
        let identity = &server.identity;
        format!("{} {} {}", server.role, answered(&identity.name), answered(&identity.version))
    };
    RunEvent::StageUp { servers: stage.servers().map(line).collect(), took_ms: millis(took) }
}

/// A stage that did not come up leaves every trial unjudged, for the reason that kept it down.
fn set_aside(trials: Vec<Trial>, problem: &Problem) -> Vec<PlayedTrial> {
    use samklang_verdict::Class;
    let verdict = match problem.class {
        Class::Subject | Class::Peer | Class::Blocked => {
            Verdict::Inconclusive { message: problem.message.clone(), blocked_by: None, bound_ms: None }
        }
        _ => Verdict::NotRun { message: problem.message.clone() },
    };
    trials.into_iter().map(|trial| PlayedTrial::unplayed(trial, &verdict)).collect()
}

fn stopped_before(trials: Vec<Trial>) -> Vec<PlayedTrial> {
    let verdict = Verdict::NotRun { message: message!("run.stopped") };
    trials.into_iter().map(|trial| PlayedTrial::unplayed(trial, &verdict)).collect()
}

/// The default output folder of a run: a folder of its own below `base`.
pub fn default_output(base: &Path, run: &str) -> PathBuf {
    base.join(run)
}
