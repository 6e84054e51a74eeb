//! Plays servers with faults. Each has its own stage, clock and thread.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use samklang_deploy::{Deployer, embedded::EmbeddedDeployer};
use samklang_reference::{Fault, reached};
use samklang_stage::{Logs, Stage};
use samklang_verdict::{CheckId, ExchangeId, Problem, Role, ScenarioId, Verdict, message};
use samklang_wire::waiting;
use tokio::sync::watch;

use super::{CheckState, KillSite, ScenarioVersions, Selftest, ServerResults};
use crate::{
    scenario::{ScenarioKind, Versions},
    schedule::{
        Schedule,
        plan::{Trial, plan},
        played::PlayedTrial,
    },
    suite::kill_matrix::KillMatrix,
};

/// How many scenarios share a stage at a time: they wait for each other's servers, which costs no time here.
const SIDE_BY_SIDE: usize = 6;

/// Has all servers inside this program, the one in role A with this fault.
pub(super) fn embedded(fault: Option<Fault>) -> Arc<dyn Deployer> {
    Arc::new(EmbeddedDeployer::new(fault))
}

/// Plays a server with each of these faults, in its scenarios, and returns the kills.
pub(super) fn side_by_side(
    test: &Selftest,
    faulty: &[(Fault, ScenarioVersions)],
    honest: &ServerResults,
    heard: &(dyn Fn(&ServerResults) + Sync),
) -> Result<KillMatrix, Problem> {
    let kills = each(test, faulty, |(fault, places)| {
        let showing = show(test, Some(*fault), Some(places), &embedded(Some(*fault)))?;
        heard(&showing);
        Ok(showing.kills(honest).collect::<Vec<_>>())
    })?;
    Ok(kills.into_iter().flatten().collect())
}

/// For each fault, the scenarios in which an honest server reaches the code of the fault. Each scenario is played
/// alone. The passive scenarios are added to each fault, since they judge the traffic of all others.
pub(super) fn reach(
    test: &Selftest,
    everywhere: &ScenarioVersions,
) -> Result<BTreeMap<Fault, ScenarioVersions>, Problem> {
    let is_passive = |place: &ScenarioVersions| {
        test.suite.scenarios.iter().any(|it| it.kind == ScenarioKind::Passive && place.name(it.id))
    };
    let (passive, active): (Vec<_>, Vec<_>) = everywhere.each().partition(is_passive);
    let found = each(test, &active, |place| {
        let (shown, faults) = reached(|| show(test, None, Some(place), &embedded(None)));
        shown.map(|_| (place.clone(), faults))
    })?;
    let mut reach: BTreeMap<Fault, ScenarioVersions> = BTreeMap::new();
    for (place, faults) in found {
        for fault in faults {
            reach.entry(fault).or_default().extend(place.clone());
        }
    }
    for places in reach.values_mut() {
        passive.iter().for_each(|place| places.extend(place.clone()));
    }
    Ok(reach)
}

/// Does `work` for each of `items`, as many at a time as there are jobs, each on a thread of its own.
fn each<T: Sync, U: Send>(
    test: &Selftest,
    items: &[T],
    work: impl Fn(&T) -> Result<U, Problem> + Sync,
) -> Result<Vec<U>, Problem> {
    let next = AtomicUsize::new(0);
    let ended: Mutex<Vec<Result<U, Problem>>> = Mutex::default();
    let worker = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            let done = work(item);
            ended.lock().unwrap_or_else(PoisonError::into_inner).push(done);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..test.jobs.clamp(1, items.len().max(1))).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| worker.join())
    })
    .map_err(|_| Problem::harness(message!("selftest.panicked")))?;
    ended.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
}

/// Plays one server, which `deployer` starts in role A, in these scenarios and room versions, or in all.
pub(super) fn show(
    test: &Selftest,
    fault: Option<Fault>,
    places: Option<&ScenarioVersions>,
    deployer: &Arc<dyn Deployer>,
) -> Result<ServerResults, Problem> {
    let begun = Instant::now();
    // Random numbers follow the seed, on whichever thread they are drawn.
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
        let ending = schedule.play_all(trials(test, places)?, &|_: &PlayedTrial| {}).await;
        schedule.stage.down().await;
        if let Some(problem) = ending.casualty {
            return Err(problem);
        }
        let spots = spots_of(&ending.played);
        Ok(ending.played.iter().flat_map(|played| of_play(played, &spots)).collect())
    })?;
    Ok(ServerResults { fault, seen, took: begun.elapsed() })
}

/// The trials in these scenarios and room versions, or all trials.
fn trials(test: &Selftest, places: Option<&ScenarioVersions>) -> Result<Vec<Trial>, Problem> {
    let mut trials = plan(&test.suite, &test.selection(), &test.casts, &[Role::A], false)?;
    if let Some(places) = places {
        trials.retain(|trial| match trial.scenario.versions {
            // The newest version stands for the others too.
            Versions::Newest => places.name(trial.scenario.id),
            _ => places.contain(trial.scenario.id, &trial.play.room_version),
        });
    }
    Ok(trials)
}

/// The scenario and the room version that each exchange belongs to.
fn spots_of(played: &[PlayedTrial]) -> BTreeMap<ExchangeId, KillSite> {
    let active = played.iter().filter(|played| played.trial.scenario.kind != ScenarioKind::Passive);
    let belongs = |played: &PlayedTrial| {
        let spot = spot(&played.trial);
        played.transcript.iter().map(|exchange| (exchange.id, spot.clone())).collect::<Vec<_>>()
    };
    active.flat_map(belongs).collect()
}

fn spot(trial: &Trial) -> KillSite {
    KillSite { scenario: trial.scenario.id.to_owned(), room_version: trial.play.room_version.clone() }
}

/// Puts the newest room version first, and there the scenarios in order.
fn rank<'a>(spot: &&'a KillSite) -> (Reverse<u32>, &'a str) {
    (Reverse(spot.room_version.parse().unwrap_or(0)), &spot.scenario)
}

fn of_play(
    played: &PlayedTrial,
    spots: &BTreeMap<ExchangeId, KillSite>,
) -> impl Iterator<Item = ((CheckId, samklang_verdict::Play), CheckState)> {
    let scenario = ScenarioId::new(played.trial.scenario.id).ok();
    played.checks.iter().filter_map(move |(name, outcome)| {
        let id = CheckId::of(scenario.as_ref()?, name).ok()?;
        let came = match &outcome.verdict {
            Verdict::Pass { .. } => CheckState::Pass,
            Verdict::Fail(fail) => {
                let evidence = outcome.verdict.evidence();
                let evident = evidence.iter().filter_map(|id| spots.get(id));
                // An exchange that belongs to no scenario may be seen in any.
                let seen_in = evident.min_by_key(rank).or_else(|| spots.values().min_by_key(rank));
                let seen_in =
                    seen_in.filter(|_| played.trial.scenario.kind == ScenarioKind::Passive).cloned();
                CheckState::Fail(fail.reason.clone(), seen_in.unwrap_or_else(|| spot(&played.trial)))
            }
            Verdict::NotApplicable { .. } => CheckState::NotApplicable,
            Verdict::Inconclusive { message, .. }
            | Verdict::Error { message, .. }
            | Verdict::NotRun { message } => CheckState::Unjudged(message.to_string()),
        };
        Some(((id, played.trial.play.clone()), came))
    })
}
