//! Servers as processes on loopback, started by the `install` and `start` programs of the vendor's folder. Linux only.
//!
//! A process is not confined: this deployer is for machines without a container engine, and for vendors that the user
//! trusts. It promises only that no process is left running: each server leads a process group of its own, and has
//! marks in its environment by which a later sweep finds it even if the harness was killed.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    future::ready,
    io::Write,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use samklang_verdict::{Problem, Role, message};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    task::JoinHandle,
};

use super::{
    Cast, Deployer, Listening, Progress, Running, ServerStart, Storage,
    log::{self, Log, not_writable},
    ports::Port,
    script,
};
use crate::housekeeping::{RunMark, processes};
use samklang_wire::{switchboard::Ground, waiting};

/// The bound on an installation.
const INSTALL: Duration = Duration::from_secs(600);
/// The time that a server gets to end after it was told to.
const GRACE: Duration = Duration::from_secs(5);
/// The bound on the end of a killed process.
const GONE: Duration = Duration::from_secs(5);
/// The variables of the caller's environment that every program of a vendor gets.
const KEPT: [&str; 5] = ["PATH", "HOME", "LANG", "USER", "TZ"];
/// The variables that an installation gets as well: they say how this machine reaches packages.
const KEPT_TO_INSTALL: [&str; 15] = [
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Starts servers as processes on loopback.
#[derive(Debug)]
pub struct ProcessDeployer {
    run: RunMark,
    /// Distinguishes the things of this deployer from those of another deployer of the same run.
    ground: String,
    state: Mutex<ProcessesState>,
}

#[derive(Debug, Default)]
struct ProcessesState {
    started: u32,
    claimed: BTreeMap<u16, Port>,
    servers: Vec<Arc<ProcessServer>>,
    /// The files and ports that a server leaves to the next server in the same role.
    estates: BTreeMap<Role, Estate>,
}

/// A server's files and ports on the machine.
#[derive(Debug, Clone)]
struct Estate {
    home: PathBuf,
    log: Arc<Log>,
    /// The ports for clients and federation. They stay claimed as long as a server may start on them again.
    ports: Arc<[Port; 2]>,
}

impl ProcessDeployer {
    /// A deployer for one stage of a run.
    pub fn new(run: RunMark) -> Self {
        let ground = run.new_ground();
        Self { run, ground, state: Mutex::default() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, ProcessesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A folder of the user's cache that is only for this version and this installation script.
    fn cache(&self, cast: &Cast) -> Result<PathBuf, Problem> {
        let install = &cast.vendor.process()?.install;
        let script = fs::read(install).map_err(|error| not_writable(install, &error))?;
        let digest: String = hex::encode(&Sha256::digest(&script)[..6]);
        Ok(self.run.vendors().join(format!("{}-{}-{digest}", cast.vendor.name, cast.version)))
    }

    /// A program of the vendor's folder, with the environment that all of these programs get.
    fn command(&self, program: &Path, cast: &Cast, kept: impl Fn(&str) -> bool) -> Result<Command, Problem> {
        let mut command = Command::new(program);
        let inherited: Vec<(OsString, OsString)> =
            env::vars_os().filter(|(name, _)| name.to_str().is_some_and(&kept)).collect();
        command.env_clear().envs(inherited).envs(self.run.marks()).env("SAMKLANG_GROUND", &self.ground);
        command.env("VERSION", &cast.version).env("SAMKLANG_CACHE", self.cache(cast)?);
        command.current_dir(&cast.vendor.folder);
        Ok(command)
    }

    fn failed(&self, cast: &Cast, program: &Path, reason: &str) -> Problem {
        let (vendor, program) = (&cast.vendor.title, program.display());
        Problem::engine(message!("process.not-started", vendor = vendor, program = program, reason = reason))
    }

    /// A home and ports of its own for a server, or those of the server before it in the same role.
    fn estate(&self, start: &ServerStart) -> Result<Estate, Problem> {
        let role = start.cast.role;
        if start.storage == Storage::Found {
            let estate = self.state().estates.get(&role).cloned();
            return estate.ok_or_else(|| Problem::harness(message!("stage.no-successor", role = role)));
        }
        let number = {
            let mut state = self.state();
            state.started += 1;
            state.started
        };
        let home = self.run.folder().join(format!("{}-{}-{number}", self.ground, role.as_str()));
        let log = Arc::new(Log::create(&home.join("log"), log::BOUND)?);
        let mut ports = [Port::claim()?, self.federation_port(start)?];
        ports.iter_mut().for_each(Port::make_way);
        let estate = Estate { home, log, ports: Arc::new(ports) };
        self.state().estates.insert(role, estate.clone());
        Ok(estate)
    }

    /// Writes the files of one server, readable only to the user, and returns the environment that names their paths.
    fn furnish(&self, start: &ServerStart, home: &Path) -> Result<Vec<(&'static str, OsString)>, Problem> {
        let data = home.join("data");
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&data);
        made.map_err(|error| not_writable(&data, &error))?;
        let file = |name: &str, content: &str| {
            let path = home.join(name);
            if start.storage == Storage::Found {
                // Name, certificate and authority are those of the server before it.
                return Ok(path.into_os_string());
            }
            let mut options = fs::OpenOptions::new();
            let opened = options.write(true).create_new(true).mode(0o600).open(&path);
            let written = opened.and_then(|mut file| file.write_all(content.as_bytes()));
            written.map(|()| path.clone().into_os_string()).map_err(|error| not_writable(&path, &error))
        };
        Ok(vec![
            ("SERVER_NAME", start.server_name.clone().into()),
            ("SAMKLANG_BIND", Ipv4Addr::LOCALHOST.to_string().into()),
            ("SAMKLANG_TLS_CERT", file("cert.pem", &start.leaf.cert_pem)?),
            ("SAMKLANG_TLS_KEY", file("key.pem", &start.leaf.key_pem)?),
            ("SAMKLANG_CA", file("ca.crt", &start.ca_pem)?),
            ("TMPDIR", data.clone().into()),
            ("SAMKLANG_DATA", data.into()),
        ])
    }

    fn federation_port(&self, start: &ServerStart) -> Result<Port, Problem> {
        match start.federation_port.map(|number| (number, self.state().claimed.remove(&number))) {
            Some((_, Some(port))) => Ok(port),
            Some((number, None)) => Port::this(number),
            None => Port::claim(),
        }
    }
}

#[async_trait]
impl Deployer for ProcessDeployer {
    fn name(&self) -> &'static str {
        "process"
    }

    async fn ground(&self) -> Result<Ground, Problem> {
        Ok(Ground::Loopback)
    }

    fn claim_port(&self) -> Result<Option<u16>, Problem> {
        let port = Port::claim()?;
        let number = port.number();
        self.state().claimed.insert(number, port);
        Ok(Some(number))
    }

    async fn prepare(&self, cast: &Cast, progress: &Progress<'_>) -> Result<(), Problem> {
        let install = &cast.vendor.process()?.install;
        let kept = |name: &str| {
            KEPT.contains(&name)
                || KEPT_TO_INSTALL.contains(&name)
                || name.to_ascii_uppercase().starts_with("PIP_")
        };
        let mut command = self.command(install, cast, kept)?;
        let cache = self.cache(cast)?;
        fs::create_dir_all(&cache).map_err(|error| not_writable(&cache, &error))?;
        command.env("TMPDIR", env::temp_dir());
        script::run(command, INSTALL, progress).await.map_err(|failure| {
            let (vendor, version) = (&cast.vendor.title, &cast.version);
            let what =
                message!("process.install-failed", vendor = vendor, version = version, how = failure.how);
            Problem::engine(what).with_detail(failure.lines)
        })
    }

    async fn start(&self, start: ServerStart) -> Result<Arc<dyn Listening>, Problem> {
        let cast = &start.cast;
        let program = &cast.vendor.process()?.start;
        let Estate { home, log, ports } = self.estate(&start)?;
        let environment = self.furnish(&start, &home)?;
        let mut command = self.command(program, cast, |name| KEPT.contains(&name))?;
        command
            .envs(environment)
            .env("SAMKLANG_CLIENT_PORT", ports[0].number().to_string())
            .env("SAMKLANG_FEDERATION_PORT", ports[1].number().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| self.failed(cast, program, &error.to_string()))?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let group = group.ok_or_else(|| self.failed(cast, program, "no process id"))?;
        let copies = [
            child.stdout.take().map(|output| tokio::spawn(copy(output, Arc::clone(&log)))),
            child.stderr.take().map(|output| tokio::spawn(copy(output, Arc::clone(&log)))),
        ];
        let server = Arc::new(ProcessServer {
            group,
            title: cast.vendor.title.clone(),
            addresses: [&ports[0], &ports[1]]
                .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port.number()))),
            log: log.path().to_owned(),
            _ports: ports,
            child: tokio::sync::Mutex::new(child),
            copies: Mutex::new(copies.into_iter().flatten().collect()),
            stopped: AtomicBool::new(false),
        });
        self.state().servers.push(Arc::clone(&server));
        Ok(server)
    }

    async fn clear(&self) -> Result<(), Problem> {
        let servers = std::mem::take(&mut self.state().servers);
        // All servers are stopped at the same time: each may need its full grace period.
        let stopped = futures_util::future::join_all(servers.iter().map(|server| server.stop())).await;
        let left = stopped.into_iter().find_map(Result::err);
        // A server may have started a process that left its group. The marks show which server it belongs to.
        let mark = [("SAMKLANG_RUN", self.run.id()), ("SAMKLANG_GROUND", self.ground.as_str())];
        let stray = processes::kill_all(|environment| environment.has_all(&mark)).await;
        self.state().claimed.clear();
        self.state().estates.clear();
        match (left, stray.left.as_slice()) {
            (Some(problem), _) => Err(problem),
            (None, []) => Ok(()),
            (None, left) => {
                Err(Problem::engine(message!("process.not-ended", processes = processes::list(left))))
            }
        }
    }

    async fn clear_at_once(&self) -> Result<(), Problem> {
        self.state().servers.iter().for_each(|server| server.kill());
        self.clear().await
    }
}

/// A server that runs as a process, or did run.
#[derive(Debug)]
struct ProcessServer {
    group: Pid,
    title: String,
    /// The addresses for clients and federation.
    addresses: [SocketAddr; 2],
    log: PathBuf,
    _ports: Arc<[Port; 2]>,
    child: tokio::sync::Mutex<Child>,
    copies: Mutex<Vec<JoinHandle<()>>>,
    stopped: AtomicBool,
}

impl ProcessServer {
    fn signal(&self, signal: Signal) {
        // The group may be gone already, and that is the goal.
        let _ = killpg(self.group, signal);
    }

    /// Kills it at once. A stopped server gets no signal: another process may have its number by now.
    fn kill(&self) {
        if !self.stopped.load(Ordering::SeqCst) {
            self.signal(Signal::SIGKILL);
        }
    }

    async fn group_ends(&self, bound: Duration) -> bool {
        let mut child = self.child.lock().await;
        let ended = waiting::until_send(bound, || {
            // The child has to be reaped, or it stays in its group as a zombie.
            let reaped = matches!(child.try_wait(), Ok(Some(_)) | Err(_));
            ready((reaped && !processes::group_lives(self.group)).then_some(()))
        });
        ended.await.is_ok()
    }
}

impl Drop for ProcessServer {
    fn drop(&mut self) {
        // Tokio kills only the child. The processes that the child started are in its group.
        if self.child.get_mut().try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal(Signal::SIGKILL);
        }
    }
}

impl Listening for ProcessServer {
    fn client(&self) -> SocketAddr {
        self.addresses[0]
    }

    fn federation(&self) -> SocketAddr {
        self.addresses[1]
    }

    fn source(&self) -> Option<IpAddr> {
        None
    }
}

#[async_trait]
impl Running for ProcessServer {
    fn image(&self) -> Option<String> {
        None
    }

    fn log(&self) -> Option<PathBuf> {
        Some(self.log.clone())
    }

    async fn ended(&self) -> Result<Option<String>, Problem> {
        match self.child.lock().await.try_wait() {
            Ok(status) => Ok(status.map(script::ending)),
            Err(error) => Ok(Some(error.to_string())),
        }
    }

    async fn cpu(&self) -> Option<Duration> {
        processes::cpu_of(self.group)
    }

    async fn stop(&self) -> Result<(), Problem> {
        // A group that has ended gets no signal: another process may have its number by now.
        if self.stopped.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.signal(Signal::SIGTERM);
        if !self.group_ends(GRACE).await {
            self.signal(Signal::SIGKILL);
            if !self.group_ends(GONE).await {
                let process = format!("{} ({})", self.group, self.title);
                return Err(Problem::engine(message!("process.not-ended", processes = process)));
            }
        }
        self.stopped.store(true, Ordering::SeqCst);
        let copies = std::mem::take(&mut *self.copies.lock().unwrap_or_else(PoisonError::into_inner));
        for copy in copies {
            // A process that still holds the other end has left the group. A sweep kills it later.
            let abort = copy.abort_handle();
            if waiting::within(Duration::from_secs(1), copy).await.is_err() {
                abort.abort();
            }
        }
        Ok(())
    }
}

async fn copy(mut output: impl AsyncRead + Unpin, log: Arc<Log>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(length @ 1..) = output.read(&mut buffer).await {
        log.write(&buffer[..length]);
    }
}

#[cfg(test)]
mod tests;
