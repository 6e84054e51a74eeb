//! Every way in which a check can end, tried on servers that are only a list of events in memory.
#![allow(clippy::unwrap_used, missing_docs)]

mod world;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use samklang_actors::user::{Failure, MustBeRefused, Observed, Public, join};
use samklang_deploy::Cast;
use samklang_runner::{
    judging::expectation::Expectations,
    play,
    run::order::RunOrder,
    run::tally::CheckTally,
    scenario::{CheckPlan, Need, Scenario},
    scene::Scene,
    schedule::plan::{Selection, Trial, TrialObstacle, plan},
    schedule::{Schedule, played::PlayedTrial},
    suite::kill_matrix::{Kill, KillMatrix},
    suite::{Profile, Requirements, Suite},
};
use samklang_verdict::{
    Blame, CheckId, CheckResult, Counts, Disposition, Outcome, Play, ReasonCode, Role, Verdict, aggregate,
    message,
};
use tokio::sync::watch;
use world::{Fault, stage};

const fn scenario(id: &'static str, checks: &'static [CheckPlan], play: PlayFn) -> Scenario {
    Scenario { id, title: "A story.", catalogue: &["X"], checks, play, ..Scenario::PAIR }
}

type PlayFn = for<'a> fn(&'a Scene) -> samklang_runner::scenario::Playing<'a>;

static TALK: Scenario = scenario(
    "fake.talk",
    &[
        CheckPlan::new("shown", "Bob is shown what Alice wrote."),
        CheckPlan::new("refused", "The server refuses a knock."),
    ],
    play!(talk),
);
static FORGETFUL: Scenario =
    scenario("fake.forgetful", &[CheckPlan::new("never", "Never judged.")], play!(forgetful));
static TWICE: Scenario = scenario("fake.twice", &[CheckPlan::new("one", "Judged twice.")], play!(twice));
static UNDECLARED: Scenario = scenario("fake.undeclared", &[], play!(undeclared));
static IDLE: Scenario = scenario("fake.idle", &[], play!(idle));
static PANICKING: Scenario =
    scenario("fake.panicking", &[CheckPlan::new("late", "Too late.")], play!(panicking));
static ENDLESS: Scenario = scenario("fake.endless", &[], play!(endless));
static CREDULOUS: Scenario = scenario("fake.credulous", &[], play!(credulous));
static MOODY: Scenario = scenario("fake.moody", &[], play!(moody));
static LONELY: Scenario =
    Scenario { needs: &[Need::WholeStage], ..scenario("fake.lonely", &[], play!(lonely)) };

async fn talk(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let (alice, bob) = (host.register("alice").await?, guest.register("bob").await?);
    let room = alice.create_room(Public).await?;
    bob.join(&room).await?;
    alice.sees(join(&room, &bob)).await?;
    let hello = alice.send(&room, "hello").await?;
    scene.record("shown", bob.sees(&hello).await?);
    scene.check("refused", bob.knock(&room).await.refused());
    bob.state(&room).await?;
    Ok(())
}

async fn forgetful(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    host.register("alice").await.map(|_| ())
}

async fn twice(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let room = alice.create_room(Public).await?;
    scene.check("one", Ok(room.done.clone()));
    scene.check("one", Ok(room.done));
    Ok(())
}

async fn undeclared(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    scene.check("unheard-of", alice.create_room(Public).await.map(|room| room.done));
    Ok(())
}

async fn idle(_: &Scene) -> Result<(), Failure> {
    Ok(())
}

async fn panicking(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    host.register("alice").await?;
    panic!("on purpose");
}

async fn endless(_: &Scene) -> Result<(), Failure> {
    std::future::pending().await
}

/// Claims absence of something that was done after what was seen.
async fn credulous(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let room = alice.create_room(Public).await?;
    let early = alice.send(&room, "early").await?;
    let sighting = alice.sees(&early).await?;
    let late = alice.send(&room, "late").await?;
    alice.never_saw(&late, &sighting)?;
    Ok(())
}

static WISHFUL: Scenario = scenario("fake.wishful", &[CheckPlan::new("late", "Too late.")], play!(wishful));

static RELAYED: Scenario = scenario(
    "fake.relayed",
    &[
        CheckPlan::new("as-sent", "As Alice's server sent it."),
        CheckPlan::new("changed", "Otherwise than it."),
    ],
    play!(relayed),
);

/// What Bob is shown, held against two stories of what Alice's server sent.
async fn relayed(scene: &Scene) -> Result<(), Failure> {
    let [host, guest] = scene.servers()?;
    let (alice, bob) = (host.register("alice").await?, guest.register("bob").await?);
    let room = alice.create_room(Public).await?;
    bob.join(&room).await?;
    let hello = alice.send(&room, "hello").await?;
    let shown = Observed::from(bob.sees(&hello).await?).map(|event| event["content"].clone());
    let sent = |value| Some(Observed::new(value, hello.done.observations.clone()));
    scene.record("as-sent", shown.clone().as_sent(sent(shown.value.clone())));
    scene.record("changed", shown.as_sent(sent(serde_json::json!({"body": "hello"}))));
    Ok(())
}

/// Wants a verb that the servers do not offer.
async fn wishful(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let room = alice.create_room(Public).await?;
    alice.types(&room, true).await.map(|_| ())
}

static MOODS: AtomicUsize = AtomicUsize::new(0);

/// Fails at first and never again.
async fn moody(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let room = alice.create_room(Public).await?;
    if MOODS.fetch_add(1, Ordering::SeqCst) == 0 {
        return Err(alice.wrong("fake.mood", message!("blame.shown"), room.done.observations.all()));
    }
    Ok(())
}

static OTHERS: AtomicUsize = AtomicUsize::new(0);

async fn lonely(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    assert_eq!(OTHERS.fetch_add(1, Ordering::SeqCst), 0, "another scenario is on the stage");
    host.register("alice").await?;
    OTHERS.fetch_sub(1, Ordering::SeqCst);
    Ok(())
}

/// A folder of expectations that goes with the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Bench {
    schedule: Schedule,
    order: RunOrder,
    _folder: Folder,
}

impl Bench {
    fn new(name: &str, fault: Fault) -> Self {
        let folder = std::env::temp_dir().join(format!("samklang-judging-{name}-{}", std::process::id()));
        let profile = Profile {
            name: "test".into(),
            version: "1".into(),
            room_versions: vec!["11".into()],
            delivery_seconds: 1,
            play_seconds: 3,
        };
        let suite = Suite {
            version: "1".into(),
            scenarios: vec![&TALK],
            requirements: Requirements::default(),
            catalogue: BTreeMap::new(),
            profile,
            expectations: Expectations::in_folder(&folder),
            kill_matrix: proven(&TALK),
        };
        let casts = vec![world::cast(Role::A), world::cast(Role::B)];
        let order = RunOrder {
            id: "test".into(),
            casts,
            subjects: vec![Role::A, Role::B],
            selection: Selection::default(),
            direct: true,
            side_by_side: 4,
            seed: 1,
            output: folder.clone(),
            deployer_line: String::new(),
            deviations: BTreeMap::new(),
            today: "2026-12-01".into(),
        };
        let (_, stop) = watch::channel(false);
        let subjects = vec![Role::A, Role::B];
        let schedule = Schedule {
            suite: Arc::new(suite),
            stage: stage(fault),
            subjects,
            side_by_side: 4,
            seed: 1,
            stop,
        };
        Self { schedule, order, _folder: Folder(folder) }
    }

    async fn play(&self, scenario: &'static Scenario) -> BTreeMap<String, CheckResult> {
        let play = Play { room_version: "11".into(), host: Role::A };
        let trials = vec![Trial { scenario, play, obstacle: None }];
        let mut played = self.schedule.play_all(trials, &|_| {}).await.played;
        let tally = CheckTally::new(&self.order, &self.schedule.suite, &[]);
        self.schedule.classify(&mut played, &|played: &PlayedTrial| tally.is_news(played), &|_| {}).await;
        let checks = tally.checks(&played);
        checks.into_iter().map(|check| (check.id.name().to_owned(), check)).collect()
    }

    fn accept_all(&self) {
        for proposal in self.schedule.suite.expectations.proposals().unwrap() {
            proposal.accept().unwrap();
        }
    }
}

fn names(checks: &BTreeMap<String, CheckResult>) -> Vec<(&str, &str)> {
    checks.iter().map(|(name, check)| (name.as_str(), check.verdict.name())).collect()
}

fn reason(check: &CheckResult) -> &str {
    check.verdict.reason().map_or("", |reason| reason.as_str())
}

/// A kill matrix in which some fault turns each check of `scenario` red.
fn proven(scenario: &Scenario) -> KillMatrix {
    let kill = |check: &str| Kill {
        fault: "some".into(),
        check: CheckId::new(format!("{}/{check}", scenario.id)).unwrap(),
        reason: ReasonCode::new("some.reason").unwrap(),
        room_version: "11".into(),
        scenario: scenario.id.into(),
    };
    scenario.all_checks().map(|(check, ..)| kill(check)).collect()
}

#[tokio::test]
async fn a_pass_counts_where_a_fault_is_known_that_turns_the_check_red() {
    let mut bench = Bench::new("unproven", Fault::None);
    bench.play(&TALK).await;
    bench.accept_all();
    let all = bench.play(&TALK).await.into_values().collect::<Vec<_>>();
    assert!(all.iter().all(|check| check.disposition == Disposition::AsExpected), "{all:?}");
    assert_eq!((Counts::of(&all).pass, aggregate(&all)), (3, (Outcome::Certifiable, 0)));

    let suite = Suite { kill_matrix: KillMatrix::default(), ..Suite::clone(&bench.schedule.suite) };
    bench.schedule.suite = Arc::new(suite);
    let none = bench.play(&TALK).await.into_values().collect::<Vec<_>>();
    assert!(none.iter().all(|check| check.disposition == Disposition::Unproven), "{none:?}");
    let counts = Counts::of(&none);
    assert_eq!((counts.pass, counts.unproven, counts.total()), (0, 3, 3));
    assert_eq!(aggregate(&none), (Outcome::NotProven, 70));
}

#[tokio::test]
async fn an_expectation_has_to_be_accepted_before_it_can_be_met() {
    let bench = Bench::new("accepted", Fault::None);
    let first = bench.play(&TALK).await;
    assert_eq!(names(&first), [("flow", "pass"), ("refused", "pass"), ("shown", "inconclusive")]);
    bench.accept_all();
    let second = bench.play(&TALK).await;
    assert_eq!(names(&second), [("flow", "pass"), ("refused", "pass"), ("shown", "pass")]);
}

#[tokio::test]
async fn a_difference_from_the_expectation_fails_with_both_texts() {
    let good = Bench::new("differs", Fault::None);
    good.play(&TALK).await;
    good.accept_all();
    let mut bad = Bench::new("differs-bad", Fault::Alters);
    let suite =
        Suite { expectations: good.schedule.suite.expectations.clone(), ..Suite::clone(&bad.schedule.suite) };
    bad.schedule.suite = Arc::new(suite);
    let checks = bad.play(&TALK).await;
    assert_eq!(names(&checks), [("flow", "pass"), ("refused", "pass"), ("shown", "fail")]);
    let Verdict::Fail(fail) = &checks["shown"].verdict else { panic!("{checks:?}") };
    assert!(fail.expected.as_ref().is_some_and(|text| text.contains("\"body\": \"hello\"")), "{fail:?}");
    assert!(fail.actual.as_ref().is_some_and(|text| text.contains("something else")), "{fail:?}");
    assert!(matches!(fail.blame, Blame::Server { role: Role::B, .. }), "{fail:?}");
    assert!(!fail.evidence.is_empty());
    assert_eq!(checks["shown"].disposition, Disposition::Unexpected);
}

#[tokio::test]
async fn the_server_that_sent_or_changed_a_difference_is_to_blame_for_it() {
    let good = Bench::new("relayed", Fault::None);
    good.play(&RELAYED).await;
    good.accept_all();
    let mut bad = Bench::new("relayed-bad", Fault::Alters);
    let suite =
        Suite { expectations: good.schedule.suite.expectations.clone(), ..Suite::clone(&bad.schedule.suite) };
    bad.schedule.suite = Arc::new(suite);
    let checks = bad.play(&RELAYED).await;
    for (name, culprit) in [("as-sent", Role::A), ("changed", Role::B)] {
        let Verdict::Fail(fail) = &checks[name].verdict else { panic!("{checks:?}") };
        assert!(matches!(&fail.blame, Blame::Server { role, .. } if *role == culprit), "{fail:?}");
    }
}

#[tokio::test]
async fn an_event_that_is_not_seen_fails_the_flow_and_blocks_the_later_checks() {
    let checks = Bench::new("deaf", Fault::Deaf).play(&TALK).await;
    assert_eq!(names(&checks), [("flow", "fail"), ("refused", "inconclusive"), ("shown", "inconclusive")]);
    assert_eq!(reason(&checks["flow"]), "delivery.not_seen");
    let Verdict::Inconclusive { blocked_by, .. } = &checks["shown"].verdict else { panic!("{checks:?}") };
    assert_eq!(blocked_by.as_ref().map(|id| id.as_str()), Some("fake.talk/flow"));
}

#[tokio::test]
async fn a_check_for_a_refusal_fails_if_the_request_is_accepted() {
    let checks = Bench::new("lets-in", Fault::LetsIn).play(&TALK).await;
    assert_eq!(reason(&checks["refused"]), "client.accepted");
}

#[tokio::test]
async fn a_server_is_to_blame_for_its_malformed_answer() {
    let checks = Bench::new("babbles", Fault::Babbles).play(&TALK).await;
    let Verdict::Fail(fail) = &checks["flow"].verdict else { panic!("{checks:?}") };
    assert_eq!(fail.reason.as_str(), "client.malformed_answer");
    assert!(matches!(fail.blame, Blame::Server { role: Role::B, .. }), "{fail:?}");
}

#[tokio::test]
async fn a_scenario_that_misuses_its_checks_is_an_error_and_never_a_pass() {
    let bench = Bench::new("misuse", Fault::None);
    assert_eq!(names(&bench.play(&FORGETFUL).await), [("flow", "pass"), ("never", "error")]);
    assert_eq!(names(&bench.play(&TWICE).await), [("flow", "pass"), ("one", "error")]);
    assert_eq!(names(&bench.play(&UNDECLARED).await), [("flow", "error")]);
    assert_eq!(names(&bench.play(&IDLE).await), [("flow", "error")]);
    assert_eq!(names(&bench.play(&CREDULOUS).await), [("flow", "error")]);
    assert_eq!(names(&bench.play(&PANICKING).await), [("flow", "error"), ("late", "inconclusive")]);
}

#[tokio::test]
async fn a_scenario_without_an_end_is_inconclusive_with_its_bound() {
    let checks = Bench::new("endless", Fault::None).play(&ENDLESS).await;
    let Verdict::Inconclusive { bound_ms, .. } = &checks["flow"].verdict else { panic!("{checks:?}") };
    assert_eq!(*bound_ms, Some(3000));
}

#[tokio::test]
async fn a_fail_that_does_not_come_again_is_flaky_and_stays_a_fail() {
    let checks = Bench::new("moody", Fault::None).play(&MOODY).await;
    let flow = &checks["flow"];
    assert_eq!((flow.verdict.name(), flow.disposition), ("fail", Disposition::Flaky));
    let tries: Vec<_> = flow.attempts.iter().map(|attempt| attempt.verdict.as_str()).collect();
    assert_eq!(tries, ["fail", "pass", "pass"]);
}

#[tokio::test]
async fn a_fail_that_a_record_covers_is_not_played_again() {
    for (recorded, tries) in [("fake.mood", 0), ("fake.other", 3)] {
        let mut bench = Bench::new(&format!("recorded-{recorded}"), Fault::None);
        let record = serde_json::from_value(serde_json::json!({
            "check": "fake.gloomy/flow", "reason": recorded, "owner": "x", "because": "x", "issue": "x",
            "expires": "2027-01-01",
        }));
        bench.order.deviations.insert("pebble".into(), vec![record.unwrap()]);
        let flow = &bench.play(&GLOOMY).await["flow"];
        assert_eq!((flow.verdict.name(), flow.attempts.len()), ("fail", tries), "{recorded}");
        assert_eq!(flow.disposition == Disposition::Deviation, tries == 0, "{:?}", flow.disposition);
    }
}

static GLOOMY: Scenario = scenario("fake.gloomy", &[], play!(gloomy));

async fn gloomy(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let room = alice.create_room(Public).await?;
    Err(alice.wrong("fake.mood", message!("blame.shown"), room.done.observations.all()))
}

#[tokio::test]
async fn a_pass_that_rests_on_another_server_than_the_subject_is_an_error() {
    let mut bench = Bench::new("subject", Fault::None);
    bench.schedule.subjects = vec![Role::B];
    let checks = bench.play(&MOODY_NOT).await;
    assert_eq!(names(&checks), [("flow", "error")]);
}

static MOODY_NOT: Scenario = scenario("fake.one-sided", &[], play!(one_sided));

async fn one_sided(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    host.register("alice").await.map(|_| ())
}

#[tokio::test]
async fn a_scenario_does_not_apply_if_the_api_lacks_a_verb() {
    let checks = Bench::new("wishful", Fault::None).play(&WISHFUL).await;
    assert_eq!(names(&checks), [("flow", "not_applicable"), ("late", "not_applicable")]);
    let Verdict::NotApplicable { message } = &checks["late"].verdict else { panic!("{checks:?}") };
    assert!(message.to_string().contains("typing"), "{message}");
}

#[tokio::test]
async fn a_scenario_does_not_apply_in_a_room_version_that_the_server_does_not_create() {
    let bench = Bench::new("not-created", Fault::None);
    let play = Play { room_version: "1".into(), host: Role::A };
    let trials = vec![Trial { scenario: &TALK, play, obstacle: None }];
    let played = bench.schedule.play_all(trials, &|_| {}).await.played;
    let Verdict::NotApplicable { message } = &played[0].checks["flow"].verdict else {
        panic!("no predicate")
    };
    assert!(message.to_string().contains("version 1"), "{message}");
}

/// The hosts of a play of two servers, B in this version.
fn hosts(version: &str, subjects: &[Role], selection: &Selection) -> Vec<Role> {
    hosts_of(&TALK, version, subjects, selection)
}

fn hosts_of(
    scenario: &'static Scenario,
    version: &str,
    subjects: &[Role],
    selection: &Selection,
) -> Vec<Role> {
    let mut suite = Bench::new("hosts", Fault::None).schedule.suite;
    Arc::get_mut(&mut suite).unwrap().scenarios = vec![scenario];
    let other = Cast { version: version.into(), ..world::cast(Role::B) };
    let trials = plan(&suite, selection, &[world::cast(Role::A), other], subjects, false).unwrap();
    assert!(trials.iter().all(|trial| trial.obstacle.is_none()), "{trials:?}");
    trials.into_iter().map(|trial| trial.play.host).collect()
}

#[test]
fn servers_of_one_kind_take_turns_as_hosts_when_both_are_judged() {
    let (both, any) = ([Role::A, Role::B], Selection::default());
    let same = world::cast(Role::B).version;
    assert_eq!(hosts("0.9.0", &both, &any), both);
    assert_eq!(hosts(&same, &both, &any).len(), 1);
    assert_eq!(hosts(&same, &[Role::A], &any), both);
    for host in both {
        assert_eq!(hosts(&same, &both, &Selection { hosts: vec![host], ..any.clone() }), [host]);
    }
}

static HEARD: Scenario =
    Scenario { id: "fake.heard", title: "A rule.", catalogue: &["X"], ..Scenario::PASSIVE };

#[test]
fn the_traffic_of_a_judged_server_is_judged_once_whichever_server_hosts() {
    let any = Selection::default();
    assert_eq!(hosts_of(&HEARD, "0.9.0", &[Role::B], &any), [Role::B]);
    assert_eq!(hosts_of(&HEARD, "0.9.0", &[Role::A, Role::B], &any), [Role::A, Role::B]);
    let elsewhere = Selection { hosts: vec![Role::A], ..any };
    assert_eq!(hosts_of(&HEARD, "0.9.0", &[Role::B], &elsewhere), [Role::A]);
}

#[tokio::test]
async fn a_check_of_an_adapter_neither_passes_nor_fails() {
    for fault in [Fault::None, Fault::LetsIn] {
        let mut bench = Bench::new("adapter", fault);
        bench.schedule.stage = world::stage_with(fault, &["fake.talk/refused"]);
        let checks = bench.play(&TALK).await;
        assert_eq!(checks["refused"].verdict.name(), "not_applicable", "{fault:?}");
        assert_eq!(checks["flow"].verdict.name(), "pass", "{fault:?}");
    }
}

static LATER: Scenario = Scenario { needs: &[Need::LastOfAll], ..scenario("fake.later", &[], play!(later)) };
static LATEST: Scenario =
    Scenario { needs: &[Need::OthersFirst], ..scenario("fake.latest", &[], play!(latest)) };
static SOONER: Scenario = scenario("fake.sooner", &[], play!(sooner));
static ENDED: AtomicUsize = AtomicUsize::new(0);

async fn sooner(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    host.register("alice").await?;
    ENDED.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

async fn later(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    assert_eq!(ENDED.load(Ordering::SeqCst), 2, "others were to be played before");
    host.register("alice").await?;
    ENDED.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

async fn latest(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    assert_eq!(ENDED.load(Ordering::SeqCst), 3, "all others were to be played before");
    host.register("alice").await.map(|_| ())
}

#[tokio::test]
async fn trials_that_are_last_of_all_come_before_those_that_want_others_first() {
    let bench = Bench::new("last", Fault::None);
    let trial =
        |scenario, host| Trial { scenario, play: Play { room_version: "11".into(), host }, obstacle: None };
    let sooner = [trial(&SOONER, Role::A), trial(&SOONER, Role::B)];
    let trials = [trial(&LATEST, Role::A), trial(&LATER, Role::A)].into_iter().chain(sooner).collect();
    let played = bench.schedule.play_all(trials, &|_| {}).await.played;
    assert!(played.iter().all(|play| matches!(play.checks["flow"].verdict, Verdict::Pass { .. })));
}

#[tokio::test]
async fn a_trial_that_needs_the_whole_stage_plays_alone() {
    let bench = Bench::new("lonely", Fault::None);
    let trial =
        |host| Trial { scenario: &LONELY, play: Play { room_version: "11".into(), host }, obstacle: None };
    let played = bench.schedule.play_all(vec![trial(Role::A), trial(Role::B)], &|_| {}).await.played;
    assert_eq!(played.len(), 2);
    assert!(played.iter().all(|play| matches!(play.checks["flow"].verdict, Verdict::Pass { .. })));
}

static UPGRADE: Scenario =
    Scenario { needs: &[Need::NewerVersion], ..scenario("fake.upgrade", &[], play!(quiet)) };
static WHOLE: Scenario = Scenario { needs: &[Need::WholeStage], ..scenario("fake.whole", &[], play!(quiet)) };
static QUIET: Scenario = scenario("fake.quiet", &[], play!(quiet));

async fn quiet(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    host.register("alice").await.map(|_| ())
}

/// What a scenario about an upgrade comes to, by host, where the server in `role` is upgraded or none is.
fn upgrades(role: Option<Role>) -> Vec<(Role, Option<TrialObstacle>)> {
    let mut suite = Suite::clone(&Bench::new("upgrades", Fault::None).schedule.suite);
    suite.scenarios = vec![&UPGRADE];
    let cast = |own| {
        let cast = world::cast(own);
        Cast { upgrade_to: (role == Some(own)).then(|| "9.9.9".to_owned()), ..cast }
    };
    let both = [Role::A, Role::B];
    let trials = plan(&suite, &Selection::default(), &both.map(cast), &both, false).unwrap();
    trials.into_iter().map(|trial| (trial.play.host, trial.obstacle)).collect()
}

#[test]
fn the_upgraded_server_hosts_its_upgrade_and_without_one_it_does_not_apply() {
    assert_eq!(upgrades(Some(Role::A)), [(Role::A, None)]);
    assert_eq!(upgrades(Some(Role::B)), [(Role::B, None)]);
    let [(Role::A, Some(TrialObstacle::NotApplicable(why)))] = &upgrades(None)[..] else {
        panic!("no predicate")
    };
    assert_eq!(why.key, "plan.no-upgrade");
}

#[tokio::test]
async fn an_upgrade_is_played_after_all_other_trials() {
    let bench = Bench::new("upgrade-last", Fault::None);
    let trial =
        |scenario, host| Trial { scenario, play: Play { room_version: "11".into(), host }, obstacle: None };
    let seen = std::sync::Mutex::new(Vec::new());
    let note = |played: &PlayedTrial| seen.lock().unwrap().push(played.trial.scenario.id);
    let trials = vec![trial(&UPGRADE, Role::A), trial(&WHOLE, Role::A), trial(&QUIET, Role::B)];
    bench.schedule.play_all(trials, &note).await;
    assert_eq!(*seen.lock().unwrap(), ["fake.quiet", "fake.whole", "fake.upgrade"]);
}

static PARTED: Scenario = scenario(
    "fake.parted",
    &[CheckPlan::new("cause", "What comes first."), CheckPlan::new("rest", "What needs it.")],
    play!(parted),
);

async fn parted(scene: &Scene) -> Result<(), Failure> {
    let [host] = scene.servers()?;
    let alice = host.register("alice").await?;
    let room = alice.create_room(Public).await?;
    let wrong = alice.wrong("fake.cause", message!("blame.shown"), room.done.observations.all());
    scene.check("cause", Err::<Observed, _>(wrong));
    scene.block("rest", "cause");
    Ok(())
}

#[tokio::test]
async fn a_check_can_be_blocked_by_the_fail_of_another() {
    let checks = Bench::new("parted", Fault::None).play(&PARTED).await;
    assert_eq!(names(&checks), [("cause", "fail"), ("flow", "pass"), ("rest", "inconclusive")]);
    let Verdict::Inconclusive { blocked_by, .. } = &checks["rest"].verdict else {
        panic!("{:?}", checks["rest"].verdict)
    };
    assert_eq!(blocked_by.as_ref().map(CheckId::as_str), Some("fake.parted/cause"));
}
