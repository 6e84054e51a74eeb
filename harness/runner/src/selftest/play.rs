//! Plays servers with faults: each on a stage, a clock and a thread of its own.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use samklang_reference::Fault;
use samklang_stage::{
    deploy::{Deployer, embedded::EmbeddedDeployer},
    stage::{Logs, Stage},
    waiting,
};
use samklang_verdict::{CheckId, Problem, Role, ScenarioId, Verdict, message};
use tokio::sync::watch;

use super::{
    CameTo, Places, Selftest, Showing,
    matrix::{Kill, KillMatrix},
};
use crate::{
    plan::{Selection, Trial, plan},
    schedule::{Played, Schedule},
};

/// How many scenarios share a stage at a time: they wait for each other's servers, which costs no time here.
const SIDE_BY_SIDE: usize = 6;

/// Plays a server with each of these faults, as many at a time as there are jobs, and keeps what was noticed.
pub(super) fn side_by_side(
    test: &Selftest,
    faults: &[Fault],
    honest: &Showing,
    heard: &(dyn Fn(&Showing) + Sync),
) -> Result<KillMatrix, Problem> {
    let (next, places) = (AtomicUsize::new(0), Places::of(honest));
    let ended: Mutex<Vec<Result<Vec<Kill>, Problem>>> = Mutex::default();
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(fault) = faults.get(place) else { return };
            let showing = show(test, Some(*fault), Some(&places), &EmbeddedDeployer::new(Some(*fault)));
            let kills = showing.map(|showing| {
                heard(&showing);
                showing.kills(honest).collect()
            });
            ended.lock().unwrap_or_else(PoisonError::into_inner).push(kills);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..test.jobs.clamp(1, faults.len().max(1))).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join())
    })
    .map_err(|_| Problem::harness(message!("selftest.panicked")))?;
    let kills: Result<Vec<_>, _> =
        ended.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect();
    Ok(kills?.into_iter().flatten().collect())
}

/// Plays one server, which `deployer` brings up in role A, in these places, or everywhere.
pub(super) fn show(
    test: &Selftest,
    fault: Option<Fault>,
    places: Option<&Places>,
    deployer: &dyn Deployer,
) -> Result<Showing, Problem> {
    let begun = Instant::now();
    // What is random here follows the seed, whichever thread it comes to.
    fastrand::seed(test.seed);
    let runtime = waiting::runtime_of_its_own_time()
        .map_err(|error| Problem::harness(message!("run.no-runtime", error = error)))?;
    let seen = runtime.block_on(async {
        let stage = Stage::up(deployer, &test.casts, false, &|_: &str| {}, &Logs::default()).await?;
        let (_asked, stop) = watch::channel(false);
        let schedule = Schedule {
            suite: Arc::clone(&test.suite),
            stage: Arc::new(stage),
            subjects: vec![Role::A],
            side_by_side: SIDE_BY_SIDE,
            seed: test.seed,
            stop,
        };
        let ending = schedule.play_all(trials(test, fault, places)?, &|_: &Played| {}).await;
        schedule.stage.down().await;
        if let Some(problem) = ending.casualty {
            return Err(problem);
        }
        Ok(ending.played.iter().flat_map(of_play).collect())
    })?;
    Ok(Showing { fault, seen, took: begun.elapsed() })
}

/// What a server with this fault plays. The honest server plays all that any other does.
fn trials(test: &Selftest, fault: Option<Fault>, places: Option<&Places>) -> Result<Vec<Trial>, Problem> {
    let mut selection = Selection::default();
    if test.quick {
        let areas = match &fault {
            Some(fault) => fault.areas().to_vec(),
            None => test.faults.iter().flat_map(|fault| fault.areas()).copied().collect(),
        };
        selection.terms = areas.into_iter().map(str::to_owned).collect();
    }
    let mut trials = plan(&test.suite, &selection, &test.casts, &[Role::A], false)?;
    if let Some(places) = places {
        trials.retain(|trial| places.contain(trial.scenario.id, &trial.play.room_version));
    }
    Ok(trials)
}

fn of_play(played: &Played) -> impl Iterator<Item = ((CheckId, samklang_verdict::Play), CameTo)> {
    let scenario = ScenarioId::new(played.trial.scenario.id).ok();
    played.checks.iter().filter_map(move |(name, outcome)| {
        let id = CheckId::of(scenario.as_ref()?, name).ok()?;
        let came = match &outcome.verdict {
            Verdict::Pass { .. } => CameTo::Pass,
            Verdict::Fail(fail) => CameTo::Fail(fail.reason.clone()),
            Verdict::NotApplicable { .. } => CameTo::NotApplicable,
            Verdict::Inconclusive { message, .. }
            | Verdict::Error { message, .. }
            | Verdict::NotRun { message } => CameTo::Unjudged(message.to_string()),
        };
        Some(((id, played.trial.play.clone()), came))
    })
}
