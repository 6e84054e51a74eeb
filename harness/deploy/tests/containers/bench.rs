//! A run of its own for each trial, and helpers that send requests to the fixture's server.

use std::{
    cell::RefCell,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use samklang_deploy::{
    Cast, Deployer, Listening, ServerStart, Storage,
    container::ContainerDeployer,
    engine::Engine,
    housekeeping::{RunFolder, StateRoot, sweep},
    vendor::VendorShelf,
};
use samklang_verdict::{Problem, Role};
use samklang_wire::{certificates::Leaf, switchboard::Ground, waiting};

/// Runs a trial's future on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// A state root, a run and a deployer.
pub(crate) struct Bench {
    pub(crate) root: StateRoot,
    pub(crate) run: RunFolder,
    pub(crate) deployer: ContainerDeployer,
    pub(crate) gateway: Ipv4Addr,
}

thread_local! {
    /// The state roots of the trial that runs on this thread.
    static ROOTS: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
}

/// A state root for one trial, and so an owner that no other trial has.
pub(crate) fn new_root() -> PathBuf {
    let root = std::env::temp_dir().join(format!("samklang-home-{:016x}", fastrand::u64(..)));
    ROOTS.with_borrow_mut(|roots| roots.push(root.clone()));
    root
}

/// Removes the things that a failed trial left behind.
pub(crate) fn tidy() {
    for path in ROOTS.take().into_iter().filter(|path| path.exists()) {
        block_on(async {
            let engine = Engine::connect().await.ok();
            let report = sweep(&StateRoot::at(&path).unwrap(), engine.as_ref()).await.unwrap();
            eprintln!("containers: after a failure {report:?}");
        });
        let _ = std::fs::remove_dir_all(path);
    }
}

impl Bench {
    pub(crate) async fn new(direct: bool) -> Self {
        Self::at(&new_root(), direct).await.unwrap()
    }

    pub(crate) async fn at(root: &Path, direct: bool) -> Result<Self, Problem> {
        let root = StateRoot::at(root)?;
        let run = RunFolder::create(&root).await?;
        let deployer = ContainerDeployer::new(run.mark().clone(), direct);
        match deployer.ground().await? {
            Ground::Network { gateway } => Ok(Self { root, run, deployer, gateway }),
            Ground::Loopback | Ground::Memory | Ground::Around(_) => panic!("containers stand on a network"),
        }
    }

    pub(crate) async fn start(&self, role: Role, version: &str) -> Result<Arc<dyn Listening>, Problem> {
        self.start_on(Storage::Own, role, version).await
    }

    pub(crate) async fn start_on(
        &self,
        storage: Storage,
        role: Role,
        version: &str,
    ) -> Result<Arc<dyn Listening>, Problem> {
        self.start_as(cast(role, version), storage).await
    }

    pub(crate) async fn start_as(&self, cast: Cast, storage: Storage) -> Result<Arc<dyn Listening>, Problem> {
        self.deployer.prepare(&cast, &|_| {}).await?;
        let leaf = Leaf { cert_pem: "certificate".into(), key_pem: "key".into() };
        let start = ServerStart {
            server_name: format!("{}.test", cast.role.as_str()),
            cast,
            leaf,
            ca_pem: "authority".into(),
            ca_key_pem: Some("the authority's key".into()),
            names: vec![("b.test".into(), self.gateway), ("mallory.test".into(), self.gateway)],
            federation_port: None,
            storage,
        };
        self.deployer.start(start).await
    }

    /// Ends the run and checks that the deployer left nothing on the engine or on disk.
    pub(crate) async fn close(self) {
        self.deployer.clear().await.unwrap();
        let path = self.run.path().to_owned();
        self.run.close().unwrap();
        assert!(!path.exists());
        let left = sweep(&self.root, Some(&Engine::connect().await.unwrap())).await.unwrap();
        assert!(left.is_empty(), "{left:?}");
        std::fs::remove_dir_all(self.root.path()).unwrap();
    }
}

pub(crate) fn cast(role: Role, version: &str) -> Cast {
    cast_as("pebble", role, version)
}

pub(crate) fn cast_as(vendor: &str, role: Role, version: &str) -> Cast {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shelf = VendorShelf::new([root.join("fixtures/vendors"), root.join("docker")]);
    Cast {
        role,
        vendor: Arc::new(shelf.load(vendor).unwrap()),
        version: version.to_owned(),
        image: None,
        upgrade_to: None,
        target: None,
    }
}

/// Sends a request to a server that may not listen yet.
pub(crate) async fn ask(address: SocketAddr, question: &str) -> String {
    let answer = waiting::until(Duration::from_secs(15), async || {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(15))).ok()?;
        stream.write_all(format!("{question}\n").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer.trim_end().to_owned())
    });
    answer.await.unwrap_or_else(|_| panic!("{address} never answered {question}"))
}
