//! Plays trials: side by side on a shared stage, then those alone that need the whole stage, then what nothing may follow;
//! after that, nothing of theirs being needed any more, what servers take their time with; and the upgrade of a server at
//! the very end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use samklang_stage::Stage;
use samklang_verdict::{
    Attempt, Class, Exchange, ExchangeId, Message, Play, Problem, Role, Verdict, message,
};
use samklang_wire::waiting;
use tokio::sync::watch;

use crate::{
    plan::{Obstacle, Trial},
    scenario::{FLOW, Kind, Need, Versions},
    scene::{CheckOutcome, Scene},
    suite::Suite,
    traffic::Traffic,
};

/// A fail is played again alone at most this often.
const AGAIN: usize = 2;
/// How long a server may still look alive after it broke off a call by ending.
const DYING: Duration = Duration::from_millis(500);

/// What a trial came to.
pub struct Played {
    /// The trial.
    pub trial: Trial,
    /// Each check's verdict, by name.
    pub checks: BTreeMap<String, CheckOutcome>,
    /// Every try of each check that was played more than once.
    pub attempts: BTreeMap<String, Vec<Attempt>>,
    /// The exchanges of the first try.
    pub transcript: Vec<Arc<Exchange>>,
    /// The exchanges of each further try.
    pub further: Vec<Vec<Arc<Exchange>>>,
    /// How long the first try took.
    pub took: Duration,
}

impl Played {
    /// Whether one of its checks failed.
    pub fn failed(&self) -> bool {
        self.checks.values().any(|check| matches!(check.verdict, Verdict::Fail(_)))
    }

    /// A trial that was not played, with the same verdict for all its checks, or what its own obstacle says.
    pub fn unplayed(trial: Trial, verdict: &Verdict) -> Self {
        let verdict = match &trial.obstacle {
            Some(Obstacle::NotApplicable(message)) => &Verdict::NotApplicable { message: message.clone() },
            Some(Obstacle::NotRun(message)) => &Verdict::NotRun { message: message.clone() },
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
    /// Makes names unlike any other's on this stage.
    pub seed: u64,
    /// Turns true when the run is to stop.
    pub stop: watch::Receiver<bool>,
}

/// What was recorded in all plays of a room version and direction.
#[derive(Default)]
struct Heard {
    exchanges: BTreeMap<ExchangeId, Arc<Exchange>>,
    /// Those of plays that went well.
    sound: BTreeSet<ExchangeId>,
}

impl Heard {
    fn of_all<'a>(several: impl Iterator<Item = &'a Self>) -> Self {
        let mut all = Self::default();
        for one in several {
            all.exchanges.extend(one.exchanges.iter().map(|(id, exchange)| (*id, Arc::clone(exchange))));
            all.sound.extend(&one.sound);
        }
        all
    }

    fn hear(&mut self, played: &Played) {
        let went_well =
            played.checks.get(FLOW).is_some_and(|flow| matches!(flow.verdict, Verdict::Pass { .. }));
        for exchange in &played.transcript {
            self.exchanges.insert(exchange.id, Arc::clone(exchange));
            if went_well {
                self.sound.insert(exchange.id);
            }
        }
    }
}

/// Whether a trial that only listens hears what was played there. One whose rules are the same in all room versions hears
/// those of all; and where `hosts`, those of all that listen, are one, it hears whoever hosts.
fn hears(trial: &Trial, hosts: &BTreeSet<Role>, play: &Play) -> bool {
    let same_version = play.room_version == trial.play.room_version;
    let same_host = play.host == trial.play.host;
    (same_version || trial.scenario.versions == Versions::Newest) && (same_host || hosts.len() == 1)
}

/// How a schedule ended.
pub struct Ending {
    /// Every trial, in the order of the plan.
    pub played: Vec<Played>,
    /// What ended it early, if something did.
    pub casualty: Option<Problem>,
}

impl Schedule {
    /// Plays all of `trials` and tells `heard` of each that has ended.
    pub async fn play_all(&self, trials: Vec<Trial>, heard: &(dyn Fn(&Played) + Sync)) -> Ending {
        self.play_all_from(0, trials, heard).await
    }

    /// As [`Self::play_all`], where others were played before on the same stage, fewer than `first`.
    pub async fn play_all_from(
        &self,
        first: usize,
        trials: Vec<Trial>,
        heard: &(dyn Fn(&Played) + Sync),
    ) -> Ending {
        let total = trials.len();
        let mut results: Vec<Option<Played>> = Vec::with_capacity(total);
        results.resize_with(total, || None);
        let [mut shared, mut alone, mut last, mut after_others, mut upgrades, mut passive] =
            [const { Vec::new() }; 6];
        let mut heard_of: BTreeMap<Play, Heard> = BTreeMap::new();
        for (place, trial) in trials.into_iter().enumerate() {
            if trial.obstacle.is_some() {
                results[place] =
                    Some(Played::unplayed(trial, &Verdict::NotRun { message: message!("run.stopped") }));
            } else if trial.scenario.kind == Kind::Passive {
                passive.push((place, trial));
            } else if trial.scenario.is_upgrade() {
                upgrades.push((place, trial));
            } else if trial.scenario.needs.contains(&Need::LastOfAll) {
                last.push((place, trial));
            } else if trial.scenario.needs.contains(&Need::OthersFirst) {
                after_others.push((place, trial));
            } else if trial.scenario.needs.contains(&Need::WholeStage) {
                alone.push((place, trial));
            } else {
                shared.push((place, trial));
            }
        }
        let over = AtomicBool::new(false);
        let batches =
            [(shared, self.side_by_side.max(1)), (alone, 1), (last, 1), (after_others, 1), (upgrades, 1)];
        for (batch, width) in batches {
            let over = &over;
            let plays = batch
                .into_iter()
                .map(|(place, trial)| async move { (place, self.play(first + place, trial, over).await) });
            let mut ended = futures_util::stream::iter(plays).buffer_unordered(width);
            while let Some((place, played)) = ended.next().await {
                heard(&played);
                // What a newer version says is not the judged one's.
                if !played.trial.scenario.is_upgrade() {
                    heard_of.entry(played.trial.play.clone()).or_default().hear(&played);
                }
                results[place] = Some(played);
            }
        }
        let hosts: BTreeSet<_> = passive.iter().map(|(_, trial)| trial.play.host).collect();
        let mut traffic = BTreeMap::new();
        for (place, trial) in passive {
            let plays: Vec<_> = heard_of.keys().filter(|play| hears(&trial, &hosts, play)).collect();
            let of_play = traffic.entry(plays).or_insert_with_key(|plays| {
                let heard = Heard::of_all(plays.iter().map(|play| &heard_of[*play]));
                let exchanges = heard.exchanges.into_values().collect();
                Arc::new(Traffic::on(&self.stage, exchanges, &trial.play.room_version, &heard.sound))
            });
            let played = self.play_passive(place, trial, &over, Arc::clone(of_play)).await;
            heard(&played);
            results[place] = Some(played);
        }
        let casualty = if over.load(Ordering::Relaxed) { self.stage.casualty().await } else { None };
        Ending { played: results.into_iter().flatten().collect(), casualty }
    }

    /// Plays what failed and is `news` again, alone, to tell a firm fail from a flaky one. The first verdict stays.
    pub async fn classify(
        &self,
        played: &mut [Played],
        news: &(dyn Fn(&Played) -> bool + Sync),
        heard: &(dyn Fn(&str) + Sync),
    ) {
        for (place, first) in played.iter_mut().enumerate() {
            // What was recorded stays what it was.
            let is_passive = first.trial.scenario.kind == Kind::Passive;
            // The older version is gone.
            let is_upgrade = first.trial.scenario.is_upgrade();
            if is_passive || is_upgrade || !first.failed() || !news(first) || *self.stop.borrow() {
                continue;
            }
            let names: Vec<_> = first.checks.keys().cloned().collect();
            for name in &names {
                first.attempts.insert(name.clone(), vec![attempt(&first.checks[name].verdict)]);
            }
            for again in 1..=AGAIN {
                heard(&first.trial.name());
                let over = AtomicBool::new(false);
                let nonce_place = place + again * 100_000;
                let second = self.play(nonce_place, first.trial.clone(), &over).await;
                for (name, outcome) in &second.checks {
                    first.attempts.entry(name.clone()).or_default().push(attempt(&outcome.verdict));
                }
                first.further.push(second.transcript);
            }
            let checks = &first.checks;
            first.attempts.retain(|name, _| matches!(checks[name].verdict, Verdict::Fail(_)));
        }
    }

    /// Plays a trial unless the run is stopped or its stage is gone, and looks what became of the servers where it did not
    /// go as it should.
    async fn play(&self, place: usize, trial: Trial, over: &AtomicBool) -> Played {
        let played = match self.ended(over) {
            Some(why) => return Played::unplayed(trial, &Verdict::NotRun { message: why }),
            None => self.play_now(place, trial, None).await,
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

    /// Plays a trial that looks at what those before it put on the wire, which no server can end under.
    async fn play_passive(
        &self,
        place: usize,
        trial: Trial,
        over: &AtomicBool,
        traffic: Arc<Traffic>,
    ) -> Played {
        match self.ended(over) {
            Some(why) => Played::unplayed(trial, &Verdict::NotRun { message: why }),
            None => self.play_now(place, trial, Some(traffic)).await,
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

    /// Plays one trial, whoever else may be on the stage.
    pub async fn play_one(&self, place: usize, trial: Trial) -> Played {
        self.play(place, trial, &AtomicBool::new(false)).await
    }

    async fn play_now(&self, place: usize, trial: Trial, traffic: Option<Arc<Traffic>>) -> Played {
        let begun = Instant::now();
        let (id, version, host) = (trial.scenario.id, &trial.play.room_version, trial.play.host.as_str());
        tracing::info!(scenario = id, room_version = version, host, "play begins");
        let bound = Duration::from_secs(self.suite.profile.play_seconds);
        let scene = Scene::new(
            Arc::clone(&self.stage),
            trial.scenario,
            trial.play.clone(),
            nonce(self.seed, place),
            self.suite.profile.bounds(),
            self.suite.expectations.clone(),
            self.subjects.clone(),
        );
        let scene = Arc::new(scene.after(traffic));
        let scenario = trial.scenario;
        // A task of its own: a panic ends the scenario and nothing else.
        let mut task = tokio::spawn({
            let scene = Arc::clone(&scene);
            async move { (scenario.play)(&scene).await }
        });
        let mut stop = self.stop.clone();
        let ended = tokio::select! {
            ended = waiting::within(bound, &mut task) => ended,
            // Where nobody can ask for a stop any more, none comes.
            Ok(_) = stop.wait_for(|&stop| stop) => {
                task.abort();
                return Played::unplayed(trial, &Verdict::NotRun { message: message!("run.stopped") });
            }
        };
        let checks = match ended {
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
                let mut checks =
                    scene.close(&Err(samklang_actors::user::Failure::Inconclusive(message.clone())));
                let bound_ms = u64::try_from(bound.as_millis()).ok();
                checks.insert(
                    FLOW.to_owned(),
                    Verdict::Inconclusive { message, blocked_by: None, bound_ms }.into(),
                );
                checks
            }
        };
        let transcript = scene.transcript(checks.values().flat_map(|check| check.verdict.evidence()));
        Played {
            trial,
            checks,
            attempts: BTreeMap::new(),
            transcript,
            further: vec![],
            took: begun.elapsed(),
        }
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

/// Lower-case letters and digits, unlike for each place, and unlike from run to run.
fn nonce(seed: u64, place: usize) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut rest = (seed % 46_656).saturating_mul(10_000_000).saturating_add(place as u64);
    let mut text = Vec::new();
    while rest > 0 || text.is_empty() {
        text.push(DIGITS[(rest % 36) as usize]);
        rest /= 36;
    }
    text.reverse();
    format!("x{}", String::from_utf8_lossy(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn who_listens_alone_hears_every_host_and_where_versions_are_no_matter_all_of_them() {
        let play = |version: &str, host| Play { room_version: version.to_owned(), host };
        let trial = |versions| Trial {
            scenario: Box::leak(Box::new(Scenario { versions, ..Scenario::PASSIVE })),
            play: play("12", Role::A),
            obstacle: None,
        };
        let [alone, both] = [BTreeSet::from([Role::A]), BTreeSet::from([Role::A, Role::B])];
        let (one_version, all_versions) = (trial(Versions::All), trial(Versions::Newest));
        let heard = |trial, hosts| {
            let of = |play| hears(trial, hosts, &play);
            [
                of(play("12", Role::A)),
                of(play("12", Role::B)),
                of(play("10", Role::A)),
                of(play("10", Role::B)),
            ]
        };
        assert_eq!(heard(&one_version, &both), [true, false, false, false]);
        assert_eq!(heard(&one_version, &alone), [true, true, false, false]);
        assert_eq!(heard(&all_versions, &both), [true, false, true, false]);
        assert_eq!(heard(&all_versions, &alone), [true, true, true, true]);
    }

    #[test]
    fn no_two_places_share_a_nonce() {
        let nonces: BTreeSet<_> =
            (0..5_000).chain((0..5_000).map(|place| place + 100_000)).map(|p| nonce(7, p)).collect();
        assert_eq!(nonces.len(), 10_000);
        assert_ne!(nonce(7, 1), nonce(8, 1));
        assert!(
            nonces.iter().all(|nonce| nonce.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
        );
    }
}
