//! Servers as containers on a network of the run's own. Each is confined: it has no route out of that network, a
//! bounded amount of memory, processors and processes, and only the capabilities that the descriptor names.
//!
//! Testcontainers starts them. Everything after that goes by the container's ID through [`Engine`]. The handle of
//! testcontainers removes the container when dropped, panics if that happens outside a runtime, and may take minutes if
//! the engine is gone.

use std::{
    collections::BTreeMap,
    mem::ManuallyDrop,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use samklang_verdict::{Problem, Role, message};
use testcontainers::{
    ContainerRequest, CopyTargetOptions, GenericImage, ImageExt, TestcontainersError,
    bollard::models::{HostConfig, HostConfigLogConfig, Mount, MountType, MountVolumeOptions},
    core::{
        Host,
        client::ClientError,
        logs::{LogFrame, consumer::LogConsumer},
    },
    runners::AsyncRunner,
};
use tokio::sync::{OnceCell, RwLock, oneshot};

use super::{
    Cast, Deployer, Listening, Progress, Running, ServerStart, Storage,
    engine::Engine,
    image,
    log::{self, Log},
};
use crate::{
    housekeeping::{GROUND_LABEL, RunMark},
    vendor::{BesideSpec, ContainerSpec, ImageSource},
};
use samklang_drivers::http::without;
use samklang_wire::{certificates::Secret, switchboard::Ground, waiting};

/// The bound on creating, filling and starting a container.
const START: Duration = Duration::from_secs(60);
/// The bound on work of the engine whose result no caller waits for any more.
const FINISH: Duration = Duration::from_secs(15);
/// The bound on the arrival of the last output after a container has ended.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// The bound on processes and threads of a container beside a server.
const BESIDE_PIDS: i64 = 512;
/// The client API's port in the contract.
const CLIENT: u16 = 8008;
const FEDERATION: u16 = 8448;
/// A placeholder address for a container that ended before the engine reported one. No machine has it (RFC 5737).
const NOWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Starts servers as containers.
#[derive(Debug)]
pub struct ContainerDeployer {
    run: RunMark,
    /// The name of the network, and of everything else that this deployer makes.
    ground: String,
    direct: bool,
    engine: OnceCell<Engine>,
    gateway: OnceCell<Ipv4Addr>,
    /// One build at a time: the second build of the same image then finds the image.
    building: tokio::sync::Mutex<()>,
    started: AtomicU32,
    /// The logs of the servers. A server that comes later in the same role continues its log.
    logs: Mutex<BTreeMap<Role, Arc<Log>>>,
    /// Held for reading while the engine works, see [`ContainerDeployer::wholly`].
    at_work: Arc<RwLock<()>>,
}

impl ContainerDeployer {
    /// A deployer for one stage of a run. It uses the engine that the environment names.
    ///
    /// With `direct`, servers reach one another by their names, which the engine resolves. Otherwise they reach only
    /// the gateway, where the switchboard listens.
    pub fn new(run: RunMark, direct: bool) -> Self {
        let ground = run.new_ground();
        let (engine, gateway, started) = (OnceCell::new(), OnceCell::new(), AtomicU32::new(0));
        let (building, at_work, logs) = (tokio::sync::Mutex::new(()), Arc::default(), Mutex::default());
        Self { run, ground, direct, engine, gateway, building, started, logs, at_work }
    }

    /// Runs `work` to its end even if the caller stops waiting. The engine finishes work that it has begun, so
    /// something that appears after [`Deployer::clear`] looked would stay. `clear` therefore waits for all such work.
    async fn wholly<T: Send + 'static>(
        &self,
        call: &str,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        let at_work = Arc::clone(&self.at_work).read_owned().await;
        let task = tokio::spawn(async move {
            let _at_work = at_work;
            work.await
        });
        match task.await {
            Ok(done) => done,
            Err(error) => Err(self.engine().await?.refused(call, &error.to_string())),
        }
    }

    async fn engine(&self) -> Result<&Engine, Problem> {
        self.engine.get_or_try_init(Engine::connect).await
    }

    fn network_label(&self) -> String {
        format!("{GROUND_LABEL}={}", self.ground)
    }

    /// The request for the container, apart from its image.
    fn request(
        &self,
        image: &str,
        start: &ServerStart,
        name: &str,
        gateway: Ipv4Addr,
    ) -> Result<Request, Problem> {
        let spec = start.cast.vendor.container()?;
        let (repository, tag) = split(image);
        let mut request = GenericImage::new(repository, tag)
            .with_container_name(name)
            .with_hostname(self.hostname(start))
            .with_labels(self.run.labels(&self.ground))
            .with_env_var("SERVER_NAME", &start.server_name)
            .with_security_opt("no-new-privileges")
            .with_cap_drop("ALL")
            .with_startup_timeout(START);
        for name in &spec.secrets {
            request = request.with_env_var(name, std::env::var(name).unwrap_or_default());
        }
        for capability in &spec.capabilities {
            request = request.with_cap_add(capability);
        }
        for (path, content) in files(start, spec)? {
            request = request.with_copy_to(CopyTargetOptions::new(path).with_mode(0o644), content);
        }
        for (name, address) in start.names.iter().filter(|_| !self.direct) {
            request = request.with_host(name, Host::Addr(IpAddr::V4(*address)));
        }
        let (spec, network, volume) = (spec.clone(), self.ground.clone(), self.volume(start)?);
        Ok(request.with_host_config_modifier(move |config| {
            confine(config, &spec, &network, gateway);
            config.mounts = volume.clone().map(|volume| vec![volume]);
        }))
    }

    /// The volume for the server's storage, if the storage outlives the container. The engine fills it with the image's
    /// content at that place.
    fn volume(&self, start: &ServerStart) -> Result<Option<Mount>, Problem> {
        if start.storage == Storage::Own {
            return Ok(None);
        }
        let labels = self.run.labels(&self.ground).into_iter().collect();
        let volume_options = MountVolumeOptions { labels: Some(labels), ..MountVolumeOptions::default() };
        Ok(Some(Mount {
            target: Some(storage_of(&start.cast)?.to_owned()),
            source: Some(format!("{}-{}", self.ground, start.cast.role.as_str())),
            typ: Some(MountType::VOLUME),
            volume_options: Some(volume_options),
            ..Mount::default()
        }))
    }

    /// Starts the containers beside the server whose container has this ID. They share its network namespace.
    async fn start_beside(
        &self,
        beside: &BesideSpec,
        server: &str,
        name: &str,
        log: &Arc<Log>,
    ) -> Result<String, Problem> {
        let (repository, tag) = split(&beside.image);
        let (speaking, _) = oneshot::channel();
        let consumer = Consumer { log: Arc::clone(log), secrets: Vec::new(), _speaking: speaking };
        let (memory, place) = (i64::from(beside.memory_mb) << 20, format!("container:{server}"));
        let request = GenericImage::new(repository, tag)
            .with_container_name(name)
            .with_labels(self.run.labels(&self.ground))
            .with_security_opt("no-new-privileges")
            .with_cap_drop("ALL")
            .with_startup_timeout(START)
            .with_cmd(beside.command.clone())
            .with_host_config_modifier(move |config| {
                config.network_mode = Some(place.clone());
                (config.memory, config.memory_swap) = (Some(memory), Some(memory));
                config.pids_limit = Some(BESIDE_PIDS);
                config.publish_all_ports = Some(false);
            })
            .with_log_consumer(consumer);
        self.launch(request).await
    }

    /// Makes and starts a container and returns its ID.
    async fn launch(&self, request: ContainerRequest<GenericImage>) -> Result<String, Problem> {
        let asked = self.engine().await?.clone();
        let run = async move {
            let started = waiting::within(START, request.start()).await.map_err(|passed| {
                asked.lost("container run", &format!("no answer within {} s", passed.bound.as_secs()))
            })?;
            let handle = ManuallyDrop::new(started.map_err(|error| failed(&asked, &error))?);
            Ok(handle.id().to_owned())
        };
        self.wholly("container run", run).await
    }

    /// A log for a server, or the log of the server before it in the same role.
    fn log(&self, start: &ServerStart, name: &str) -> Result<Arc<Log>, Problem> {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let (role, again) = (start.cast.role, start.storage == Storage::Found);
        if let Some(log) = logs.get(&role).filter(|_| again) {
            return Ok(Arc::clone(log));
        }
        let log = Arc::new(Log::create(&self.run.folder().join(format!("{name}.log")), log::BOUND)?);
        logs.insert(role, Arc::clone(&log));
        Ok(log)
    }

    /// With `direct` this is the server's own name, which the engine makes an alias on the network. Otherwise it is a
    /// name that is not a server name: with an alias, servers could bypass the switchboard.
    fn hostname(&self, start: &ServerStart) -> String {
        let host = start.server_name.split(':').next().unwrap_or_default();
        if self.direct { host.to_owned() } else { format!("server-{}", start.cast.role.as_str()) }
    }
}

#[async_trait]
impl Deployer for ContainerDeployer {
    fn name(&self) -> &'static str {
        "container"
    }

    async fn ground(&self) -> Result<Ground, Problem> {
        let make = async {
            let engine = self.engine().await?.clone();
            let (name, labels, direct) = (self.ground.clone(), self.run.labels(&self.ground), self.direct);
            let made = async move { engine.make_network(&name, &labels, direct).await };
            self.wholly("network create", made).await
        };
        let gateway = *self.gateway.get_or_try_init(|| make).await?;
        Ok(Ground::Network { gateway })
    }

    fn claim_port(&self) -> Result<Option<u16>, Problem> {
        Ok(None)
    }

    async fn prepare(&self, cast: &Cast, progress: &Progress<'_>) -> Result<(), Problem> {
        cast.vendor.is_not_blocked()?;
        if cast.upgrade_to.is_some() {
            storage_of(cast)?;
        }
        for beside in &cast.vendor.container()?.beside {
            image::published(self.engine().await?, &beside.image, progress).await?;
        }
        self.image(cast, progress).await.map(drop)
    }

    async fn start(&self, start: ServerStart) -> Result<Arc<dyn Listening>, Problem> {
        let Ground::Network { gateway } = self.ground().await? else {
            return Err(Problem::harness(message!("engine.no-network")));
        };
        let engine = self.engine().await?;
        let image = self.image(&start.cast, &|_| {}).await?;
        let number = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        let name = format!("{}-{}-{number}", self.ground, start.cast.role.as_str());
        let log = self.log(&start, &name)?;
        let (speaking, silent) = oneshot::channel();
        let spec = start.cast.vendor.container()?;
        let secrets = secrets_of(spec);
        let consumer = Consumer { log: Arc::clone(&log), secrets: secrets.clone(), _speaking: speaking };
        let request = self.request(&image, &start, &name, gateway)?.with_log_consumer(consumer);
        let id = self.launch(request).await?;
        let mut beside = Vec::new();
        for (number, one) in spec.beside.iter().enumerate() {
            beside.push(self.start_beside(one, &id, &format!("{name}-beside-{}", number + 1), &log).await?);
        }
        let seen = engine.look(&id, &self.ground).await?;
        Ok(Arc::new(ContainerServer {
            engine: engine.clone(),
            network: self.ground.clone(),
            address: seen.as_ref().and_then(|seen| seen.address),
            image: seen.and_then(|seen| seen.image),
            id,
            beside,
            log: log.path().to_owned(),
            silent: Mutex::new(Some(silent)),
        }))
    }

    async fn clear(&self) -> Result<(), Problem> {
        // Without an engine, this deployer has made nothing.
        let Some(engine) = self.engine.get() else { return Ok(()) };
        // If that takes too long, everything found is removed anyway, and a sweep finds the rest.
        let _idle = waiting::within(FINISH, self.at_work.write()).await;
        let label = self.network_label();
        for container in engine.containers(&label).await? {
            engine.remove_container(&container.id).await?;
        }
        for network in engine.networks(&label).await? {
            engine.remove_network(&network.id).await?;
        }
        for volume in engine.volumes(&label).await? {
            engine.remove_volume(&volume.id).await?;
        }
        let left =
            [engine.containers(&label).await?, engine.networks(&label).await?, engine.volumes(&label).await?];
        let left = left.concat();
        if left.is_empty() {
            return Ok(());
        }
        let left: Vec<_> = left.into_iter().map(|one| one.id).collect();
        Err(Problem::engine(message!("engine.left-behind", things = left.join(", "))))
    }
}

type Request = ContainerRequest<GenericImage>;

impl ContainerDeployer {
    /// Makes the engine hold the image of `cast`, and returns the image's name.
    async fn image(&self, cast: &Cast, progress: &Progress<'_>) -> Result<String, Problem> {
        let engine = self.engine().await?;
        let _one_at_a_time = self.building.lock().await;
        let name = match (&cast.image, &cast.vendor.container()?.source) {
            (Some(name), _) => image::tagged(name, "latest"),
            (None, ImageSource::Published(name)) => image::tagged(name, &cast.version),
            (None, ImageSource::Dockerfile(file)) => {
                return image::built(engine, &cast.vendor, file, &cast.version, progress).await;
            }
        };
        image::published(engine, &name, progress).await?;
        Ok(name)
    }
}

/// The files that are copied into a container before it starts: those of our contract and those of Complement's.
fn files(start: &ServerStart, spec: &ContainerSpec) -> Result<Vec<(&'static str, Vec<u8>)>, Problem> {
    let mut files = vec![
        ("/samklang/tls/cert.pem", start.leaf.cert_pem.clone().into_bytes()),
        ("/samklang/tls/key.pem", start.leaf.key_pem.clone().into_bytes()),
        ("/samklang/ca.crt", start.ca_pem.clone().into_bytes()),
        ("/complement/ca/ca.crt", start.ca_pem.clone().into_bytes()),
    ];
    if spec.needs_ca_key {
        let key = start.ca_key_pem.as_ref();
        let key = key.ok_or_else(|| {
            Problem::harness(message!("engine.no-ca-key", vendor = start.cast.vendor.title))
        })?;
        files.push(("/complement/ca/ca.key", key.clone().into_bytes()));
    }
    Ok(files)
}

fn confine(config: &mut HostConfig, spec: &ContainerSpec, network: &str, gateway: Ipv4Addr) {
    let memory = i64::from(spec.memory_mb) << 20;
    // This does not use testcontainers' own setting. If the network is missing, that setting makes a network of that
    // name, and not an internal one.
    config.network_mode = Some(network.to_owned());
    config.memory = Some(memory);
    config.memory_swap = Some(memory);
    #[expect(clippy::cast_possible_truncation, reason = "at most 64 processors")]
    let nano_cpus = (spec.cpus * 1e9) as i64;
    config.nano_cpus = Some(nano_cpus);
    config.pids_limit = Some(i64::from(spec.pids));
    // Containers ask this address for names that the engine does not know. With `direct` the query fails at once.
    config.dns = Some(vec![gateway.to_string()]);
    config.publish_all_ports = Some(false);
    let bounds = [("max-size", format!("{}", log::BOUND)), ("max-file", "1".to_owned())];
    config.log_config = Some(HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some(bounds.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
    });
}

fn secrets_of(spec: &ContainerSpec) -> Vec<Secret> {
    let values = spec.secrets.iter().filter_map(|name| std::env::var(name).ok());
    values.filter(|value| !value.is_empty()).map(Secret::new).collect()
}

/// The place in the images of a vendor where their storage is.
fn storage_of(cast: &Cast) -> Result<&str, Problem> {
    let storage = cast.vendor.container()?.storage.as_deref();
    storage.ok_or_else(|| Problem::configuration(message!("vendor.no-storage", vendor = cast.vendor.name)))
}

/// Repository and tag of an image name with a tag.
fn split(image: &str) -> (&str, &str) {
    image.rsplit_once(':').unwrap_or((image, "latest"))
}

fn failed(engine: &Engine, error: &TestcontainersError) -> Problem {
    match error {
        TestcontainersError::Client(
            ClientError::CreateContainer(cause)
            | ClientError::StartContainer(cause)
            | ClientError::InspectContainer(cause)
            | ClientError::UploadToContainerError(cause)
            | ClientError::Init(cause),
        ) => engine.failed("container run", cause),
        other => engine.refused("container run", &other.to_string()),
    }
}

/// Writes a container's output to its log. It is dropped when the output ends, and `_speaking` signals that.
struct Consumer {
    log: Arc<Log>,
    /// The secrets that the server got. They are removed from its output.
    secrets: Vec<Secret>,
    _speaking: oneshot::Sender<()>,
}

impl LogConsumer for Consumer {
    fn accept<'a>(&'a self, record: &'a LogFrame) -> futures_util::future::BoxFuture<'a, ()> {
        let said = record.bytes().to_vec();
        self.log
            .write(&self.secrets.iter().fold(said, |said, secret| without(said, secret.expose().as_bytes())));
        Box::pin(std::future::ready(()))
    }
}

/// A server that runs in a container, or did run.
#[derive(Debug)]
struct ContainerServer {
    engine: Engine,
    id: String,
    network: String,
    address: Option<Ipv4Addr>,
    image: Option<String>,
    /// The containers beside it.
    beside: Vec<String>,
    log: PathBuf,
    /// Resolves when the container's output has ended. The task that stops the container takes it.
    silent: Mutex<Option<oneshot::Receiver<()>>>,
}

impl ContainerServer {
    fn socket(&self, port: u16) -> SocketAddr {
        SocketAddr::from((self.address.unwrap_or(NOWHERE), port))
    }
}

impl Listening for ContainerServer {
    fn client(&self) -> SocketAddr {
        self.socket(CLIENT)
    }

    fn federation(&self) -> SocketAddr {
        self.socket(FEDERATION)
    }

    fn source(&self) -> Option<IpAddr> {
        self.address.map(IpAddr::V4)
    }
}

#[async_trait]
impl Running for ContainerServer {
    fn image(&self) -> Option<String> {
        self.image.clone()
    }

    fn log(&self) -> Option<PathBuf> {
        Some(self.log.clone())
    }

    async fn ended(&self) -> Result<Option<String>, Problem> {
        match self.engine.look(&self.id, &self.network).await? {
            Some(seen) => Ok(seen.ended),
            None => Ok(Some("removed".to_owned())),
        }
    }

    async fn cpu(&self) -> Option<Duration> {
        self.engine.cpu(&self.id).await
    }

    async fn stop(&self) -> Result<(), Problem> {
        self.engine.stop_container(&self.id).await?;
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(silent) = silent {
            // Only the log's last lines depend on it, so a passed bound is not a failure.
            let _ = waiting::within(LAST_WORDS, silent).await;
        }
        for beside in &self.beside {
            self.engine.remove_container(beside).await?;
        }
        self.engine.remove_container(&self.id).await
    }
}
