//! Failures before anything is played.

use std::{
    fs,
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
};

use crate::{common::ProgramEnd, engine::Proxy, workplace::Workplace};

/// Plays the vendor as containers.
fn contained(place: &Workplace, vendor: &str) -> ProgramEnd {
    place.start(place.play(vendor, &["--deploy", "container"])).ends()
}

/// Asserts that every check of the run has this verdict, that the result is complete, and that nothing is left.
fn assert_unjudged(place: &Workplace, ended: &ProgramEnd, verdict: &str) {
    let result = place.result();
    assert_eq!(result["exit_code"], ended.code, "{result}");
    assert_eq!((&result["run"]["termination"], &result["outcome"]), (&"broken".into(), &"not_proven".into()));
    let checks = result["checks"].as_array().unwrap();
    assert!(!checks.is_empty());
    for check in checks {
        assert_eq!(check["verdict"], verdict, "{check}");
        assert!(check.get("transcript").is_none(), "nothing was played: {check}");
    }
    assert!(!result["problems"].as_array().unwrap().is_empty());
    assert!(place.output().join("report.html").exists());
    place.assert_nothing_left();
}

/// The kept log of the server that the run reports.
fn kept_log(place: &Workplace, ended: &ProgramEnd) -> String {
    let role = if ended.text.contains("Luckless in role A") { "a" } else { "b" };
    fs::read_to_string(place.output().join(format!("logs/{role}.log"))).expect("a kept log")
}

pub(crate) fn no_engine() {
    let place = Workplace::new(3);
    let mut command = place.play("luckless", &["--deploy", "container"]);
    command.env("DOCKER_HOST", "unix:///nowhere.sock");
    let ended = place.start(command).ends();
    ended.assert(
        64,
        &["No container engine answers at unix:///nowhere.sock", "docker/engine up", "--deploy process"],
    );
    assert!(!place.output().exists());
    let mut command = place.play("luckless@exits", &["--deploy", "auto"]);
    command.env("DOCKER_HOST", "unix:///nowhere.sock");
    let ended = place.start(command).ends();
    ended.assert(2, &["no container engine answers, so servers run as processes"]);
    assert_eq!(ended.text.matches("no container engine answers").count(), 1);
    assert_unjudged(&place, &ended, "inconclusive");
}

pub(crate) fn installation_fails() {
    let place = Workplace::new(3);
    let ended = place.run("no-build");
    ended.assert(70, &["Luckless no-build could not be installed (exit status 7)", "has run out of luck"]);
    assert_unjudged(&place, &ended, "not_run");
}

pub(crate) fn build_fails() {
    let place = Workplace::new(3);
    let ended = contained(&place, "luckless@no-build");
    ended.assert(
        70,
        &[
            "The image of Luckless no-build could not be built",
            "| luckless: the compiler has run out of luck",
        ],
    );
    assert_unjudged(&place, &ended, "not_run");
}

pub(crate) fn server_exits() {
    let place = Workplace::new(3);
    let ended = place.run("exits");
    ended.assert(
        2,
        &["Luckless in role", "ended while it was starting: exit status 3", "database is upside down"],
    );
    assert!(kept_log(&place, &ended).contains("the database is upside down"));
    assert_unjudged(&place, &ended, "inconclusive");
}

pub(crate) fn container_exits() {
    let place = Workplace::new(3);
    let ended = contained(&place, "luckless@exits");
    ended.assert(
        2,
        &["Luckless in role", "ended while it was starting: exit status 3", "database is upside down"],
    );
    assert!(kept_log(&place, &ended).contains("the database is upside down"));
    assert_unjudged(&place, &ended, "inconclusive");
}

pub(crate) fn never_ready() {
    let place = Workplace::new(3);
    place.hasty();
    let ended = place.start(place.play("hasty@never-ready", &["--deploy", "process"])).ends();
    let words = [
        "did not become ready within 4 s",
        "at last: the status was 503",
        "luckless: never-ready for",
        "[ready]",
    ];
    ended.assert(2, &words);
    assert!(kept_log(&place, &ended).contains("luckless: never-ready"));
    assert_unjudged(&place, &ended, "inconclusive");
}

pub(crate) fn container_never_ready() {
    let place = Workplace::new(3);
    place.hasty();
    let ended = contained(&place, "hasty@never-ready");
    ended.assert(
        2,
        &["did not become ready within 4 s", "at last: the status was 503", "luckless: never-ready for"],
    );
    assert!(kept_log(&place, &ended).contains("luckless: never-ready"));
    assert_unjudged(&place, &ended, "inconclusive");
}

pub(crate) fn port_taken() {
    let place = Workplace::new(3);
    // Only the port on the run's own network is taken, since another homeserver may use it elsewhere on the machine.
    let proxy = Proxy::taking_port(&place.path, &place.owner(), 8448);
    let mut command = place.play("luckless@well", &["--deploy", "container"]);
    command.env("DOCKER_HOST", proxy.address());
    let ended = place.start(command).ends();
    ended.assert(64, &["Port 8448 of", "is taken", "samklang sweep", "ss -tlnp"]);
    assert_unjudged(&place, &ended, "not_run");
}

pub(crate) fn process_ports_taken() {
    let place = Workplace::new(1);
    // Takes most of the ports that processes get. It leaves out a port that another run has claimed for a server that has
    // not bound it yet.
    let take = |port| {
        let name = SocketAddr::from_abstract_name(format!("samklang-port-{port}")).unwrap();
        let _claim = UnixListener::bind_addr(&name).ok()?;
        TcpListener::bind(("127.0.0.1", port)).ok()
    };
    let taken: Vec<_> = (20_000..20_600).filter_map(take).collect();
    assert!(taken.len() > 400);
    let ended = place.run("well");
    ended.assert(1, &["stage up after", "did not show"]);
    place.assert_nothing_left();
}
