//! Plays trials, in this order:
//!
//! 1. trials that can share the stage, side by side;
//! 2. trials that need the whole stage, one at a time;
//! 3. trials after which a server may no longer talk to others;
//! 4. trials on which servers are at work long after they have ended;
//! 5. the upgrade of a server;
//! 6. passive trials, which judge the traffic of all others.

pub mod nonce;
pub mod plan;
pub mod played;
mod recorded;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use samklang_actors::user::Failure;
use samklang_stage::Stage;
use samklang_verdict::{Attempt, Class, Message, Problem, Role, Verdict, message};
use samklang_wire::waiting;
use tokio::{sync::watch, task::JoinHandle};

use self::{
    nonce::{PlaySlot, Round},
    plan::Trial,
    played::{PlayedTrial, ScheduleEnd},
    recorded::RecordedPlays,
};
use crate::{
    judging::ledger::CheckOutcome,
    scenario::{FLOW, Need, Scenario, ScenarioKind},
    scene::Scene,
    suite::Suite,
    traffic::Traffic,
};

/// How long a server may still look alive after it broke off a call by ending.
const DYING: Duration = Duration::from_millis(500);

/// How trials are played.
pub struct Schedule {
    /// The suite they come from.
    pub suite: Arc<Suite>,
    /// The stage they are played on.
    pub stage: Arc<Stage>,
    /// The roles whose servers are judged.
    pub subjects: Vec<Role>,
    /// How many are played side by side.
    pub side_by_side: usize,
    /// The seed of the nonces.
    pub seed: u64,
    /// Turns true when the run is to stop.
    pub stop: watch::Receiver<bool>,
}

/// Trials that are played together; the batches are played in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Batch {
    Shared,
    WholeStage,
    LastOfAll,
    OthersFirst,
    Upgrade,
}

impl Batch {
    fn of(scenario: &Scenario) -> Self {
        let needs = |need| scenario.needs.contains(&need);
        if scenario.is_upgrade() {
            Self::Upgrade
        } else if needs(Need::LastOfAll) {
            Self::LastOfAll
        } else if needs(Need::OthersFirst) {
            Self::OthersFirst
        } else if needs(Need::WholeStage) {
            Self::WholeStage
        } else {
            Self::Shared
        }
    }
}

impl Schedule {
    /// Plays all of `trials`, and tells `heard` of each that has ended.
    pub async fn play_all(&self, trials: Vec<Trial>, heard: &(dyn Fn(&PlayedTrial) + Sync)) -> ScheduleEnd {
        self.play_round(Round::First, trials, heard).await
    }

    /// Plays all of `trials` in this round, and tells `heard` of each that has ended.
    pub async fn play_round(
        &self,
        round: Round,
        trials: Vec<Trial>,
        heard: &(dyn Fn(&PlayedTrial) + Sync),
    ) -> ScheduleEnd {
        let mut results: Vec<Option<PlayedTrial>> = Vec::with_capacity(trials.len());
        let (mut batches, mut passive) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
        for (place, trial) in trials.into_iter().enumerate() {
            let mut result = None;
            if trial.obstacle.is_some() {
                let stopped = Verdict::NotRun { message: message!("run.stopped") };
                result = Some(PlayedTrial::unplayed(trial, &stopped));
            } else if trial.scenario.kind == ScenarioKind::Passive {
                passive.push((PlaySlot { round, place }, trial));
            } else {
                let batch = batches.entry(Batch::of(trial.scenario)).or_default();
                batch.push((PlaySlot { round, place }, trial));
            }
            results.push(result);
        }
        let over = AtomicBool::new(false);
        let mut recorded = RecordedPlays::default();
        for (batch, trials) in batches {
            let width = if batch == Batch::Shared { self.side_by_side.max(1) } else { 1 };
            let over = &over;
            let plays = trials
                .into_iter()
                .map(|(slot, trial)| async move { (slot, self.play(slot, trial, over).await) });
            let mut ended = futures_util::stream::iter(plays).buffer_unordered(width);
            while let Some((slot, played)) = ended.next().await {
                heard(&played);
                // The traffic of the newer version does not judge the version that is the subject.
                if batch != Batch::Upgrade {
                    recorded.add(&played);
                }
                results[slot.place] = Some(played);
            }
        }
        let hosts: BTreeSet<_> = passive.iter().map(|(_, trial)| trial.play.host).collect();
        for (slot, trial) in passive {
            let traffic = recorded.traffic_for(&trial, &hosts, &self.stage);
            let played = self.play_passive(slot, trial, &over, traffic).await;
            heard(&played);
            results[slot.place] = Some(played);
        }
        let casualty = if over.load(Ordering::Relaxed) { self.stage.casualty().await } else { None };
        ScheduleEnd { played: results.into_iter().flatten().collect(), casualty }
    }

    /// Plays what failed and is `news` again, alone, to tell a firm fail from a flaky one. The first verdict stays.
    pub async fn classify(
        &self,
        played: &mut [PlayedTrial],
        news: &(dyn Fn(&PlayedTrial) -> bool + Sync),
        heard: &(dyn Fn(&str) + Sync),
    ) {
        for (place, first) in played.iter_mut().enumerate() {
            // A passive trial would judge the same recorded traffic, and of an upgraded server the older version is
            // gone.
            let scenario = first.trial.scenario;
            let cannot_repeat = scenario.kind == ScenarioKind::Passive || scenario.is_upgrade();
            if cannot_repeat || !first.failed() || !news(first) || *self.stop.borrow() {
                continue;
            }
            let names: Vec<_> = first.checks.keys().cloned().collect();
            for name in &names {
                first.attempts.insert(name.clone(), vec![attempt(&first.checks[name].verdict)]);
            }
            for round in Round::REPEATS {
                heard(&first.trial.name());
                let over = AtomicBool::new(false);
                let again = self.play(PlaySlot { round, place }, first.trial.clone(), &over).await;
                for (name, outcome) in &again.checks {
                    first.attempts.entry(name.clone()).or_default().push(attempt(&outcome.verdict));
                }
                first.further.push(again.transcript);
            }
            let checks = &first.checks;
            first.attempts.retain(|name, _| matches!(checks[name].verdict, Verdict::Fail(_)));
        }
    }

    /// Plays a trial unless the run is stopped or its stage is gone. Where the trial did not go as it should, looks
    /// whether a server has ended.
    async fn play(&self, slot: PlaySlot, trial: Trial, over: &AtomicBool) -> PlayedTrial {
        let played = match self.ended(over) {
            Some(why) => return PlayedTrial::unplayed(trial, &Verdict::NotRun { message: why }),
            None => self.play_now(slot, trial, None).await,
        };
        if played.failed() || played.checks.values().any(|check| is_unclear(&check.verdict)) {
            // The end of a connection can be heard before the end of the server that caused it.
            let broke_off = played.checks.get(FLOW).is_some_and(|flow| is_unclear(&flow.verdict));
            let bound = if broke_off { DYING } else { Duration::ZERO };
            if waiting::until_send(bound, || self.stage.casualty()).await.is_ok() {
                over.store(true, Ordering::Relaxed);
            }
        }
        played
    }

    /// Plays a passive trial. It makes no server do anything, so no server can end because of it.
    async fn play_passive(
        &self,
        slot: PlaySlot,
        trial: Trial,
        over: &AtomicBool,
        traffic: Arc<Traffic>,
    ) -> PlayedTrial {
        match self.ended(over) {
            Some(why) => PlayedTrial::unplayed(trial, &Verdict::NotRun { message: why }),
            None => self.play_now(slot, trial, Some(traffic)).await,
        }
    }

    /// Why nothing is played any more, if so.
    fn ended(&self, over: &AtomicBool) -> Option<Message> {
        if *self.stop.borrow() {
            Some(message!("run.stopped"))
        } else {
            over.load(Ordering::Relaxed).then(|| message!("run.stage-gone"))
        }
    }

    /// Plays one trial for the first time, whichever others are on the stage.
    pub async fn play_one(&self, place: usize, trial: Trial) -> PlayedTrial {
        self.play(PlaySlot::first(place), trial, &AtomicBool::new(false)).await
    }

    async fn play_now(&self, slot: PlaySlot, trial: Trial, traffic: Option<Arc<Traffic>>) -> PlayedTrial {
        let begun = Instant::now();
        let scenario = trial.scenario;
        let (id, version, host) = (scenario.id, &trial.play.room_version, trial.play.host.as_str());
        tracing::info!(scenario = id, room_version = version, host, "play begins");
        let scene = Scene::new(
            Arc::clone(&self.stage),
            scenario.declaration(),
            trial.play.clone(),
            slot.nonce(self.seed),
            self.suite.profile.bounds(),
            self.suite.expectations.clone(),
            self.subjects.clone(),
        );
        let scene = Arc::new(scene.after(traffic));
        // A task of its own: a panic ends the scenario and nothing else.
        let task = tokio::spawn({
            let scene = Arc::clone(&scene);
            async move { (scenario.play)(&scene).await }
        });
        let Some(checks) = self.checks_of(&scene, task).await else {
            return PlayedTrial::unplayed(trial, &Verdict::NotRun { message: message!("run.stopped") });
        };
        let transcript = scene.transcript(checks.values().flat_map(|check| check.verdict.evidence()));
        PlayedTrial {
            trial,
            checks,
            attempts: BTreeMap::new(),
            transcript,
            further: vec![],
            took: begun.elapsed(),
        }
    }

    /// Waits for a scenario's end and closes its scene; none where the run is stopped meanwhile.
    async fn checks_of(
        &self,
        scene: &Scene,
        mut task: JoinHandle<Result<(), Failure>>,
    ) -> Option<BTreeMap<String, CheckOutcome>> {
        let bound = Duration::from_secs(self.suite.profile.play_seconds);
        let mut stop = self.stop.clone();
        let ended = tokio::select! {
            ended = waiting::within(bound, &mut task) => ended,
            // An error here means that no stop can be asked for any more.
            Ok(_) = stop.wait_for(|&stop| stop) => {
                task.abort();
                return None;
            }
        };
        Some(match ended {
            Ok(Ok(outcome)) => scene.close(&outcome),
            Ok(Err(error)) => {
                let message = message!("judging.panicked", error = panic_text(error));
                let mut checks = scene.close(&Err(Problem::harness(message.clone()).into()));
                checks.insert(FLOW.to_owned(), Verdict::Error { class: Class::Harness, message }.into());
                checks
            }
            Err(_) => {
                task.abort();
                let message = message!("judging.play-too-long", seconds = bound.as_secs());
                let mut checks = scene.close(&Err(Failure::Inconclusive(message.clone())));
                let bound_ms = u64::try_from(bound.as_millis()).ok();
                let flow = Verdict::Inconclusive { message, blocked_by: None, bound_ms };
                checks.insert(FLOW.to_owned(), flow.into());
                checks
            }
        })
    }
}

/// Whether the verdict leaves open what became of the check.
fn is_unclear(verdict: &Verdict) -> bool {
    !verdict.is_judged() && !matches!(verdict, Verdict::NotApplicable { .. })
}

fn attempt(verdict: &Verdict) -> Attempt {
    Attempt {
        verdict: verdict.name().to_owned(),
        reason: verdict.reason().map(|reason| reason.as_str().to_owned()),
        transcript: None,
    }
}

fn panic_text(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
        }
        Err(error) => error.to_string(),
    }
}
