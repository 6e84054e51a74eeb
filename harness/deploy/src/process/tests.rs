use std::io::Read;

use samklang_verdict::{Class, Role};

use super::*;
use crate::{
    housekeeping::{RunFolder, StateRoot},
    vendor::VendorShelf,
};
use samklang_wire::certificates::Leaf;

/// A run with a deployer, in a state root of its own.
struct Scratch {
    root: PathBuf,
    run: RunFolder,
    deployer: ProcessDeployer,
}

impl Scratch {
    async fn new() -> Self {
        let root = env::temp_dir().join(format!("samklang-home-{:016x}", fastrand::u64(..)));
        let run = RunFolder::create(&StateRoot::at(&root).unwrap()).await.unwrap();
        let deployer = ProcessDeployer::new(run.mark().clone());
        Self { root, run, deployer }
    }

    async fn started(&self, version: &str, federation_port: Option<u16>) -> Arc<dyn Listening> {
        self.started_on(Storage::Own, version, federation_port).await
    }

    async fn started_on(
        &self,
        storage: Storage,
        version: &str,
        federation_port: Option<u16>,
    ) -> Arc<dyn Listening> {
        let cast = cast(version);
        self.deployer.prepare(&cast, &|_| {}).await.unwrap();
        let leaf = Leaf { cert_pem: "certificate".into(), key_pem: "key".into() };
        let (server_name, ca_pem) = ("127.0.0.1:1".to_owned(), "authority".to_owned());
        let names = Vec::new();
        let start = ServerStart {
            cast,
            server_name,
            leaf,
            ca_pem,
            ca_key_pem: None,
            names,
            federation_port,
            storage,
        };
        self.deployer.start(start).await.unwrap()
    }

    async fn close(self) {
        self.deployer.clear().await.unwrap();
        let marks = [("SAMKLANG_RUN", self.run.mark().id())];
        assert_eq!(processes::kill_all(|environment| environment.has_all(&marks)).await.gone, 0);
        self.run.close().unwrap();
        fs::remove_dir_all(&self.root).unwrap();
    }
}

fn cast(version: &str) -> Cast {
    let shelf = VendorShelf::new([Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/vendors")]);
    Cast {
        role: Role::A,
        vendor: Arc::new(shelf.load("pebble").unwrap()),
        version: version.to_owned(),
        image: None,
        upgrade_to: None,
        target: None,
    }
}

/// Sends a request to a server that may not listen yet.
async fn ask(address: SocketAddr, question: &str) -> String {
    let answer = waiting::until(Duration::from_secs(10), async || {
        let mut stream = std::net::TcpStream::connect(address).ok()?;
        stream.write_all(format!("{question}\n").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    });
    answer.await.unwrap().trim_end().to_owned()
}

#[tokio::test]
async fn a_server_runs_on_loopback_with_a_reduced_environment_and_ends_on_request() {
    let scratch = Scratch::new().await;
    let server = scratch.started("1.0.0", None).await;
    assert_eq!(ask(server.federation(), "value SERVER_NAME").await, "127.0.0.1:1");
    assert_eq!(ask(server.client(), "value CARGO_MANIFEST_DIR").await, "none");
    let key = ask(server.client(), "value SAMKLANG_TLS_KEY").await;
    assert_eq!(fs::read_to_string(&key).unwrap(), "key");
    assert!(Path::new(&key).starts_with(scratch.run.path()));
    assert_eq!(server.ended().await.unwrap(), None);

    server.stop().await.unwrap();
    assert_eq!(server.ended().await.unwrap().as_deref(), Some("exit status 0"));
    let log = fs::read_to_string(server.log().unwrap()).unwrap();
    assert!(log.contains("pebble 1.0.0 for 127.0.0.1:1") && log.contains("told to end"), "{log}");
    server.stop().await.unwrap();
    scratch.close().await;
}

#[tokio::test]
async fn a_server_that_does_not_end_on_request_is_killed_in_bounded_time() {
    let scratch = Scratch::new().await;
    let server = scratch.started("5.0.0", None).await;
    ask(server.client(), "user").await;
    let begun = std::time::Instant::now();
    server.stop().await.unwrap();
    assert!((GRACE..GRACE + GONE).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert_eq!(server.ended().await.unwrap().as_deref(), Some("signal 9"));
    scratch.close().await;
}

#[tokio::test]
async fn another_version_takes_over_files_ports_and_log() {
    let scratch = Scratch::new().await;
    let older = scratch.started_on(Storage::Kept, "1.0.0", None).await;
    assert!(ask(older.client(), "keep word").await.starts_with("none"));
    older.stop().await.unwrap();
    let newer = scratch.started_on(Storage::Found, "1.1.0", None).await;
    assert_eq!((newer.client(), newer.federation()), (older.client(), older.federation()));
    assert_eq!(ask(newer.client(), "value VERSION").await, "1.1.0");
    assert_eq!(ask(newer.client(), "keep and").await, "word");
    newer.stop().await.unwrap();
    let log = fs::read_to_string(newer.log().unwrap()).unwrap();
    assert!(log.contains("pebble 1.0.0") && log.contains("pebble 1.1.0"), "{log}");
    // A server with a storage of its own finds no data of the others.
    let other = scratch.started("1.1.0", None).await;
    assert!(ask(other.client(), "keep word").await.starts_with("none"));
    scratch.close().await;
}

#[tokio::test]
async fn a_server_that_ends_at_start_has_an_exit_status_and_a_log() {
    let scratch = Scratch::new().await;
    let server = scratch.started("3.0.0", None).await;
    let bound = Duration::from_secs(10);
    let ended = waiting::until(bound, async || server.ended().await.unwrap()).await;
    assert_eq!(ended.as_deref(), Ok("exit status 3"));
    server.stop().await.unwrap();
    assert!(fs::read_to_string(server.log().unwrap()).unwrap().contains("cannot go on"));
    scratch.close().await;
}

#[tokio::test]
async fn a_process_that_left_its_servers_group_is_killed_with_the_run() {
    let scratch = Scratch::new().await;
    let server = scratch.started("1.0.0", None).await;
    let stray = ask(server.client(), "stray").await;
    server.stop().await.unwrap();
    assert!(Path::new("/proc").join(&stray).exists());
    scratch.deployer.clear().await.unwrap();
    let cmdline = || fs::read(format!("/proc/{stray}/cmdline")).unwrap_or_default();
    assert!(cmdline().is_empty(), "{stray} still runs");
    scratch.close().await;
}

#[tokio::test]
async fn a_server_listens_on_the_port_claimed_for_it() {
    let scratch = Scratch::new().await;
    let port = scratch.deployer.claim_port().unwrap().unwrap();
    assert!(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err());
    let server = scratch.started("1.0.0", Some(port)).await;
    assert_eq!(server.federation().port(), port);
    assert_eq!(
        ask(server.federation(), "user").await.parse::<u32>().unwrap(),
        nix::unistd::getuid().as_raw()
    );
    scratch.close().await;
}

#[tokio::test]
async fn a_failed_installation_reports_its_last_lines() {
    let scratch = Scratch::new().await;
    let heard = Mutex::new(Vec::new());
    let progress = |line: &str| heard.lock().unwrap().push(line.to_owned());
    let problem = scratch.deployer.prepare(&cast("6.0.0"), &progress).await.unwrap_err();
    assert_eq!(problem.class, Class::Engine);
    assert!(problem.to_string().contains("Pebble 6.0.0"), "{problem}");
    assert!(problem.detail.contains(&"no such version: 6.0.0".to_owned()), "{:?}", problem.detail);
    assert_eq!(*heard.lock().unwrap(), ["installing pebble 6.0.0"]);
    scratch.close().await;
}
