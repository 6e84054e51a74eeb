//! Failures in mid-run: the run is stopped or killed, a server or the engine dies, two runs play at once.

use std::{process::Command, time::Duration};

use nix::sys::signal::Signal;

use crate::{
    common::ProgramEnd,
    engine::{self, Bystander, Proxy},
    workplace::{BOUND, CHECKS, RunningProgram, Workplace, marked, only_the_flow_failed, until},
};

/// A bound for deliveries that no trial reaches, so that the run is still playing when it is stopped.
const LONG: u32 = 120;
/// The time that a tidy stop may take. Servers have five seconds to end by themselves.
const TIDY: Duration = Duration::from_secs(20);

fn command(place: &Workplace, mood: &str, deploy: &str, output: &str) -> Command {
    place.play_into(output, &format!("luckless@{mood}"), &["--deploy", deploy])
}

/// Starts a run and waits until it plays.
fn in_mid_play(place: &Workplace, mood: &str, deploy: &str, output: &str) -> RunningProgram {
    let mut playing = place.start(command(place, mood, deploy, output));
    playing.says("1 to play");
    playing
}

fn assert_interrupted(place: &Workplace, ended: &ProgramEnd) {
    ended.assert(
        2,
        &["Stopped on request", "Not proven", "The run was stopped on request", &format!("{CHECKS} not run")],
    );
    let result = place.result();
    assert_eq!((&result["run"]["termination"], &result["exit_code"]), (&"interrupted".into(), &2.into()));
    place.assert_nothing_left();
}

fn interrupted_in_mid_play(mood: &str, deploy: &str) {
    let place = Workplace::new(LONG);
    let mut playing = in_mid_play(&place, mood, deploy, "out");
    let stopped = std::time::Instant::now();
    playing.signal(Signal::SIGINT);
    let ended = playing.ends();
    assert!(stopped.elapsed() < TIDY, "{:?}", stopped.elapsed());
    assert_interrupted(&place, &ended);
}

pub(crate) fn interrupted_processes() {
    interrupted_in_mid_play("well", "process");
}

pub(crate) fn interrupted_stubborn_processes() {
    interrupted_in_mid_play("stubborn", "process");
}

pub(crate) fn interrupted_containers() {
    interrupted_in_mid_play("well", "container");
}

pub(crate) fn interrupted_at_start() {
    let place = Workplace::new(LONG);
    let mut playing = place.start(command(&place, "never-ready", "process", "out"));
    let started = until(BOUND, || (place.processes().len() >= 2).then_some(()));
    assert!(started.is_some(), "{}", playing.text());
    playing.signal(Signal::SIGTERM);
    let (ended, usage) = playing.ends_with_usage();
    assert!(usage.took < TIDY, "{:?}", usage.took);
    assert_interrupted(&place, &ended);
}

pub(crate) fn interrupted_while_containers_start() {
    let place = Workplace::new(LONG);
    let owner = place.owner();
    let mut playing = place.start(command(&place, "never-ready", "container", "out"));
    let started = until(BOUND, || (engine::count("containers", &owner) >= 1).then_some(()));
    assert!(started.is_some(), "{}", playing.text());
    playing.signal(Signal::SIGINT);
    let ended = playing.ends();
    assert_interrupted(&place, &ended);
}

fn interrupted_twice(mood: &str, deploy: &str) {
    let place = Workplace::new(LONG);
    let mut playing = in_mid_play(&place, mood, deploy, "out");
    playing.signal(Signal::SIGINT).says("Stopped on request");
    let second = std::time::Instant::now();
    playing.signal(Signal::SIGINT);
    let ended = playing.ends();
    assert!(second.elapsed() < Duration::from_secs(4), "{:?}", second.elapsed());
    // If the servers end quickly, the tidy stop may be over before the second signal arrives.
    ended.assert(2, &["Stopped"]);
    if mood == "stubborn" && deploy == "process" {
        ended.assert(2, &["Stopped at once: no result was written"]);
        assert!(!place.output().join("result.json").exists());
    }
    place.assert_nothing_left();
}

pub(crate) fn twice_processes() {
    interrupted_twice("stubborn", "process");
}

pub(crate) fn twice_containers() {
    interrupted_twice("stubborn", "container");
}

pub(crate) fn killed_processes() {
    let place = Workplace::new(LONG);
    let mut killed = in_mid_play(&place, "stubborn", "process", "killed");
    killed.signal(Signal::SIGKILL);
    let ended = killed.ends();
    assert_eq!(ended.code, -1);
    let dead = format!("SAMKLANG_RUN={}", place.runs()[0]);
    assert!(marked(&dead).len() >= 2);
    let mut living = in_mid_play(&place, "well", "process", "out");
    assert!(living.text().contains("Swept the leftovers of 1 earlier run(s)"), "{}", living.text());
    let alive = place.processes().len();
    assert!(marked(&dead).is_empty() && alive >= 2 && place.runs().len() == 1);
    let swept = place.samklang(&["sweep"]);
    swept.assert(0, &["Swept 0 run(s)"]);
    assert!(place.processes().len() >= 2);
    living.signal(Signal::SIGINT);
    assert_interrupted(&place, &living.ends());
}

pub(crate) fn killed_containers() {
    let place = Workplace::new(LONG);
    let owner = place.owner();
    let bystander = Bystander::new("debian:bookworm-slim");
    let mut living = in_mid_play(&place, "well", "container", "out");
    let mut killed = in_mid_play(&place, "well", "container", "killed");
    assert_eq!((engine::count("containers", &owner), engine::count("networks", &owner)), (4, 2));
    killed.signal(Signal::SIGKILL);
    assert_eq!(killed.ends().code, -1);
    let swept = place.samklang(&["sweep"]);
    swept.assert(
        0,
        &["Swept 1 run(s): 2 container(s), 1 network(s), 0 volume(s), 0 process(es), 1 folder(s)"],
    );
    assert_eq!((engine::count("containers", &owner), engine::count("networks", &owner)), (2, 1));
    assert!(bystander.is_there());
    assert_eq!(place.runs().len(), 1);
    living.signal(Signal::SIGINT);
    assert_interrupted(&place, &living.ends());
    assert!(bystander.is_there());
}

fn two_at_once(deploy: &str) {
    let place = Workplace::new(3);
    let started = ["out", "out2"].map(|output| place.start(command(&place, "well", deploy, output)));
    for playing in started {
        // Each run has played to its end, with the same verdict.
        playing.ends().assert(1, &["1 to play", "did not show invite", &only_the_flow_failed()]);
    }
    assert!(place.path.join("out2/result.json").exists() && place.output().join("result.json").exists());
    place.assert_nothing_left();
}

pub(crate) fn two_process_runs() {
    two_at_once("process");
}

pub(crate) fn two_container_runs() {
    two_at_once("container");
}

pub(crate) fn server_dies() {
    let place = Workplace::new(3);
    let ended = place.run("dies");
    ended.assert(2, &["Luckless in role A ended during the run: signal 9", "luckless: out of memory"]);
    let result = place.result();
    assert_eq!(result["run"]["termination"], "broken");
    place.assert_nothing_left();
}

pub(crate) fn engine_dies() {
    let place = Workplace::new(3);
    let owner = place.owner();
    let proxy = Proxy::new(&place.path);
    let mut command = command(&place, "well", "container", "out");
    command.env("DOCKER_HOST", proxy.address());
    let mut playing = place.start(command);
    playing.says("1 to play");
    proxy.die();
    let (ended, usage) = playing.ends_with_usage();
    assert!(usage.took < Duration::from_secs(60), "{:?}", usage.took);
    ended.assert(
        70,
        &["The container engine at", "stopped answering", "what this one left behind is swept then"],
    );
    let result = place.result();
    assert_eq!((&result["run"]["termination"], &result["exit_code"]), (&"broken".into(), &70.into()));
    assert_eq!(engine::count("containers", &owner), 2);
    let swept = place.samklang(&["sweep"]);
    swept.assert(0, &["Swept 1 run(s): 2 container(s), 1 network(s)"]);
    place.assert_nothing_left();
}
