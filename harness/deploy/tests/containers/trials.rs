//! The trials. Each makes a run of its own and checks that the run leaves nothing behind.

use std::{
    fs,
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    os::unix::net::{UnixListener, UnixStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use samklang_deploy::{
    Deployer, Storage,
    engine::Engine,
    housekeeping::{StateRoot, sweep},
};
use samklang_verdict::{Class, Role};
use samklang_wire::waiting;

use crate::{
    bench::{Bench, ask, block_on, cast, cast_as, new_root},
    helper::Helper,
};

type Play = fn();

/// Every trial with its name.
pub(crate) const ALL: [(&str, Play); 14] = [
    ("a_server_starts_with_the_contracts_files_and_stops", || block_on(starts_and_stops())),
    ("another_version_takes_over_the_storage_which_goes_with_the_run", || block_on(taken_over())),
    ("a_server_reaches_what_runs_beside_it_and_its_secret_reaches_no_log", || block_on(beside())),
    ("a_server_has_no_way_off_the_runs_network", || block_on(no_way_off())),
    ("servers_reach_one_another_directly_only_when_they_are_to", || block_on(direct())),
    ("a_server_is_bounded_and_has_no_capabilities", || block_on(bounded())),
    ("a_server_that_ends_at_start_says_so_and_leaves_its_log", || block_on(ends_at_start())),
    ("a_server_that_ignores_being_told_is_killed_in_bounded_time", || block_on(ignores_term())),
    ("an_image_that_cannot_be_built_shows_the_builds_last_lines", || block_on(build_fails())),
    ("an_image_that_is_there_is_not_built_again", || block_on(cached())),
    ("an_image_that_nobody_has_is_told_by_name", || block_on(unknown_image())),
    ("a_killed_harness_is_swept_and_nobody_else", || block_on(killed_harness())),
    ("an_engine_that_is_silent_at_first_is_told_in_bounded_time", || block_on(silent_engine())),
    ("an_engine_that_dies_in_mid_run_is_told_in_bounded_time", || block_on(dying_engine())),
];

async fn beside() {
    let bench = Bench::new(false).await;
    let server = bench.start_as(cast_as("cairn", Role::A, "1.0.0"), Storage::Own).await.unwrap();
    assert_eq!(
        waiting::until(Duration::from_secs(10), async || {
            Some(ask(server.client(), "hello").await).filter(|answer| answer != "nobody")
        })
        .await
        .as_deref(),
        Ok("from beside")
    );
    server.stop().await.unwrap();
    let log = fs::read_to_string(server.log().unwrap()).unwrap();
    assert!(log.contains("cairn has <redacted>!"), "{log}");
    bench.close().await;
}

async fn taken_over() {
    let bench = Bench::new(false).await;
    let older = bench.start_on(Storage::Kept, Role::A, "1.0.0").await.unwrap();
    assert!(ask(older.client(), "keep word").await.starts_with("none"));
    older.stop().await.unwrap();
    let newer = bench.start_on(Storage::Found, Role::A, "1.1.0").await.unwrap();
    assert_eq!(ask(newer.client(), "value VERSION").await, "1.1.0");
    assert_eq!(ask(newer.client(), "keep and").await, "word");
    assert_ne!(newer.image(), older.image());
    assert_eq!(newer.log(), older.log());
    let other = bench.start(Role::B, "1.0.0").await.unwrap();
    assert!(ask(other.client(), "keep word").await.starts_with("none"));
    newer.stop().await.unwrap();
    let log = fs::read_to_string(newer.log().unwrap()).unwrap();
    assert!(log.contains("pebble 1.0.0") && log.contains("pebble 1.1.0"), "{log}");
    bench.close().await;
}

async fn starts_and_stops() {
    let bench = Bench::new(false).await;
    // The first start may have an image to build.
    bench.deployer.prepare(&cast(Role::A, "1.0.0"), &|_| {}).await.unwrap();
    let begun = Instant::now();
    let server = bench.start(Role::A, "1.0.0").await.unwrap();
    eprintln!("containers: created and started in {} ms", begun.elapsed().as_millis());
    assert_eq!(ask(server.client(), "value SERVER_NAME").await, "a.test");
    assert_eq!(ask(server.federation(), "content /samklang/tls/cert.pem").await, "certificate");
    assert_eq!(ask(server.client(), "content /samklang/tls/key.pem").await, "key");
    assert_eq!(ask(server.client(), "content /samklang/ca.crt").await, "authority");
    assert_eq!(ask(server.client(), "content /complement/ca/ca.crt").await, "authority");
    assert!(ask(server.client(), "content /complement/ca/ca.key").await.starts_with("none"));
    assert_eq!(server.source().map(|address| address.to_string()), Some(server.client().ip().to_string()));
    assert!(server.image().is_some_and(|image| image.starts_with("sha256:")));
    assert_eq!(server.ended().await.unwrap(), None);
    let begun = Instant::now();
    server.stop().await.unwrap();
    eprintln!("containers: stopped and removed in {} ms", begun.elapsed().as_millis());
    assert!(server.ended().await.unwrap().is_some());
    let log = fs::read_to_string(server.log().unwrap()).unwrap();
    assert!(log.contains("pebble 1.0.0 for a.test") && log.contains("told to end"), "{log}");
    server.stop().await.unwrap();
    bench.close().await;
}

async fn no_way_off() {
    let bench = Bench::new(false).await;
    let server = bench.start(Role::A, "1.0.0").await.unwrap();
    let listener = TcpListener::bind((bench.gateway, 0)).unwrap();
    let ours = listener.local_addr().unwrap();
    assert_eq!(ask(server.client(), &format!("reach {ours}")).await, "connected");

    // Other addresses of this machine: the gateway of another run, where a listener is open, and the machine's own, if
    // any.
    let other = Bench::new(false).await;
    let neighbour = TcpListener::bind((other.gateway, 0)).unwrap().local_addr().unwrap();
    let _open = TcpListener::bind(neighbour).unwrap();
    let mut beyond = vec![neighbour, SocketAddr::from((Ipv4Addr::new(1, 1, 1, 1), 53))];
    let outward = UdpSocket::bind("0.0.0.0:0").unwrap();
    if outward.connect("198.51.100.1:9").is_ok() {
        beyond.push(SocketAddr::new(outward.local_addr().unwrap().ip(), ours.port()));
    }
    let _on_all = beyond.iter().filter_map(|address| TcpListener::bind(address).ok()).collect::<Vec<_>>();
    for address in beyond {
        let answer = ask(server.client(), &format!("reach {address}")).await;
        assert!(answer.starts_with("not connected"), "{address}: {answer}");
    }
    other.close().await;
    bench.close().await;
}

async fn direct() {
    let bench = Bench::new(false).await;
    let [a, b] = [bench.start(Role::A, "1.0.0").await.unwrap(), bench.start(Role::B, "1.0.0").await.unwrap()];
    // Every name leads to the switchboard's address, and no traffic can bypass it.
    assert_eq!(ask(a.client(), "resolve b.test").await, bench.gateway.to_string());
    assert_eq!(ask(a.client(), "resolve mallory.test").await, bench.gateway.to_string());
    ask(b.client(), "user").await;
    let answer = ask(a.client(), &format!("reach {}", b.federation())).await;
    assert!(answer.starts_with("not connected"), "{answer}");
    bench.close().await;

    let bench = Bench::new(true).await;
    let [a, b] = [bench.start(Role::A, "1.0.0").await.unwrap(), bench.start(Role::B, "1.0.0").await.unwrap()];
    ask(b.client(), "user").await;
    assert_eq!(ask(a.client(), "resolve b.test").await, b.federation().ip().to_string());
    assert_eq!(ask(a.client(), "reach b.test:8448").await, "connected");
    bench.close().await;
}

async fn bounded() {
    let bench = Bench::new(false).await;
    let server = bench.start(Role::A, "1.0.0").await.unwrap();
    let status = ask(server.client(), "content /proc/self/status").await;
    for line in ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"] {
        assert!(status.contains(line), "{line} is not in {status}");
    }
    // Machines with the older control groups have the second path.
    for (new, old, expected) in [
        ("memory.max", "memory/memory.limit_in_bytes", (96 << 20).to_string()),
        ("pids.max", "pids/pids.max", "40".to_owned()),
        ("cpu.max", "cpu/cpu.cfs_quota_us", "50000".to_owned()),
    ] {
        let mut limit = ask(server.client(), &format!("content /sys/fs/cgroup/{new}")).await;
        if limit.starts_with("none") {
            limit = ask(server.client(), &format!("content /sys/fs/cgroup/{old}")).await;
        }
        assert_eq!(limit.split(' ').next(), Some(expected.as_str()), "{new}");
    }
    let children: u32 = ask(server.client(), "spawn 100").await.parse().unwrap();
    assert!((20..40).contains(&children), "{children} processes");
    bench.close().await;
}

async fn ends_at_start() {
    let bench = Bench::new(false).await;
    let server = bench.start(Role::A, "3.0.0").await.unwrap();
    let bound = Duration::from_secs(10);
    let ended = waiting::until(bound, async || server.ended().await.unwrap()).await;
    assert_eq!(ended.as_deref(), Ok("exit status 3"));
    server.stop().await.unwrap();
    let log = fs::read_to_string(server.log().unwrap()).unwrap();
    assert!(log.contains("cannot go on"), "{log}");
    bench.close().await;
}

async fn ignores_term() {
    let bench = Bench::new(false).await;
    let server = bench.start(Role::A, "5.0.0").await.unwrap();
    ask(server.client(), "user").await;
    let begun = Instant::now();
    server.stop().await.unwrap();
    assert!((4..12).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    bench.close().await;
}

async fn build_fails() {
    let bench = Bench::new(false).await;
    let heard = Mutex::new(Vec::new());
    let progress = |line: &str| heard.lock().unwrap().push(line.to_owned());
    let problem = bench.deployer.prepare(&cast(Role::A, "6.0.0"), &progress).await.unwrap_err();
    assert_eq!(problem.class, Class::Engine);
    assert!(problem.to_string().contains("Pebble 6.0.0"), "{problem}");
    assert!(problem.detail.contains(&"no such version: 6.0.0".to_owned()), "{:?}", problem.detail);
    assert!(heard.lock().unwrap().iter().any(|line| line.starts_with("Step 1/")), "{heard:?}");
    bench.close().await;
}

async fn cached() {
    let bench = Bench::new(false).await;
    let cast = cast(Role::A, "1.0.1");
    bench.deployer.prepare(&cast, &|_| {}).await.unwrap();
    let heard = Mutex::new(Vec::new());
    let begun = Instant::now();
    let progress = |line: &str| heard.lock().unwrap().push(line.to_owned());
    bench.deployer.prepare(&cast, &progress).await.unwrap();
    assert!(heard.lock().unwrap().is_empty() && begun.elapsed() < Duration::from_secs(2), "{heard:?}");
    bench.close().await;
}

async fn unknown_image() {
    let bench = Bench::new(false).await;
    let mut cast = cast(Role::A, "1.0.0");
    // A registry where nothing answers, so that the failure is immediate.
    cast.image = Some("127.0.0.1:1/nobody/has-this:1".to_owned());
    let problem = bench.deployer.prepare(&cast, &|_| {}).await.unwrap_err();
    assert!(problem.to_string().contains("127.0.0.1:1/nobody/has-this:1"), "{problem}");
    bench.close().await;
}

async fn killed_harness() {
    let (ours, others) = (new_root(), new_root());
    let mut killed = Helper::new("hold", &ours, &[]);
    let mut living = Helper::new("hold", &ours, &[]);
    let mut foreign = Helper::new("hold", &others, &[]);
    let run = killed.line();
    for line in [&run, &living.line(), &foreign.line()] {
        // The line is an ID. Any other line is the helper's reason why it could not begin.
        assert_eq!(line.len(), "20261124T034512-k3f9".len(), "{line}");
    }
    killed.kill();
    foreign.kill();

    let engine = Engine::connect().await.unwrap();
    let root = StateRoot::at(&ours).unwrap();
    let report = sweep(&root, Some(&engine)).await.unwrap();
    assert_eq!(report.left, []);
    assert_eq!(report.runs.iter().collect::<Vec<_>>(), [&run]);
    assert_eq!((report.containers, report.networks, report.folders), (1, 1, 1));
    // The living run still finds all its things, and its `close` reports that nothing else is left.
    living.nudge();
    living.nudge();
    assert_eq!(living.line(), "closed");

    let root = StateRoot::at(&others).unwrap();
    let report = sweep(&root, Some(&engine)).await.unwrap();
    assert_eq!((report.containers, report.networks, report.folders), (1, 1, 1));
    fs::remove_dir_all(others).unwrap();
}

async fn silent_engine() {
    let root = new_root();
    let socket = root.with_extension("sock");
    let _accepts_and_says_nothing = UnixListener::bind(&socket).unwrap();
    let begun = Instant::now();
    let mut helper =
        Helper::new("ground", &root, &[("DOCKER_HOST", &format!("unix://{}", socket.display()))]);
    let line = helper.line();
    assert!(line.starts_with("ground 0 Configuration"), "{line}");
    assert!(line.contains(&socket.display().to_string()) && line.contains("docker/engine up"), "{line}");
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    fs::remove_file(socket).unwrap();
    fs::remove_dir_all(root).unwrap();
}

/// A socket in front of the engine's real one. It can stop answering.
fn proxy(socket: &std::path::Path, silent: &Arc<AtomicBool>) {
    let listener = UnixListener::bind(socket).unwrap();
    let engine = Engine::address_by_environment();
    let engine = engine.strip_prefix("unix://").unwrap_or("/var/run/docker.sock").to_owned();
    let silent = Arc::clone(silent);
    std::thread::spawn(move || {
        for guest in listener.incoming().flatten() {
            let Ok(host) = UnixStream::connect(&engine) else { continue };
            for (from, to) in [(&guest, &host), (&host, &guest)] {
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                let silent = Arc::clone(&silent);
                std::thread::spawn(move || pass_on(from, to, &silent));
            }
        }
    });
}

fn pass_on(mut from: UnixStream, mut to: UnixStream, silent: &AtomicBool) {
    use std::io::{Read, Write};
    let mut buffer = [0; 8192];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            // After that, all data is swallowed, as by an engine that hangs.
            Ok(_) if silent.load(Ordering::SeqCst) => {}
            Ok(length) if to.write_all(&buffer[..length]).is_ok() => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => break,
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

async fn dying_engine() {
    let root = new_root();
    let socket = root.with_extension("sock");
    let silent = Arc::new(AtomicBool::new(false));
    proxy(&socket, &silent);
    let mut helper = Helper::new("use", &root, &[("DOCKER_HOST", &format!("unix://{}", socket.display()))]);
    assert!(!helper.line().is_empty());
    silent.store(true, Ordering::SeqCst);
    helper.nudge();
    let mut calls = Vec::new();
    for _ in 0..4 {
        let line = helper.line();
        let words: Vec<_> = line.splitn(4, ' ').collect();
        assert!(words[1].parse::<u64>().unwrap() <= 25, "{line}");
        assert_eq!(words[2], "Engine", "{line}");
        assert!(words[3].contains(&socket.display().to_string()), "{line}");
        calls.push(words[0].to_owned());
    }
    calls.sort();
    assert_eq!(calls, ["clear", "ended", "start", "stop"]);
    helper.kill();
    // The next run finds everything once the engine is back.
    let engine = Engine::connect().await.unwrap();
    let report = sweep(&StateRoot::at(&root).unwrap(), Some(&engine)).await.unwrap();
    assert_eq!((report.containers, report.networks, report.folders), (1, 1, 1), "{report:?}");
    fs::remove_file(socket).unwrap();
    fs::remove_dir_all(root).unwrap();
}
