//! Brings a constellation up.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use bytes::Bytes;
use samklang_matrix::{
    KeyDocument,
    endpoints::{SERVER_KEYS, VERSION, client},
};
use samklang_reference::Transport as _;
use samklang_verdict::{Class, Party, Problem, Role, message};

use super::{Logs, ServerIdentity, Stage, StageServer, renewal::Renewal};
use samklang_deploy::{
    Cast, Deployer, Listening, Progress, Running, ServerStart, Storage,
    embedded::{Federating, InProcess, Serving},
    target::{Standing, Target},
    vendor::ClientApi,
};
use samklang_drivers::{
    CallError, Driver,
    accounts::{AccountDriver, TargetAccount},
    chat_rest::ChatRestDriver,
    http::{ApiClient, CALL_BOUND},
    matrix::MatrixDriver,
    protocol::ProtocolDriver,
};
use samklang_wire::{
    certificates::{Authority, AuthorityKey},
    dns::DnsResponder,
    recorder::Recorder,
    switchboard::{FederationClient, Ground, Switchboard, Upstream},
    waiting,
};

/// The number of log lines shown for a server that does not come up.
const LOG_LINES: usize = 25;
/// The time limit of one request to a server that is coming up.
const READY_QUESTION: Duration = Duration::from_secs(5);

/// The stage's names and their addresses, before its servers run.
struct StageNames {
    switchboard: Option<Switchboard>,
    dns: Option<DnsResponder>,
    names: BTreeMap<Role, (String, Option<u16>)>,
    hosts: Vec<(String, Ipv4Addr)>,
}

/// A started server and the ways to reach it.
struct Started<'a> {
    cast: &'a Cast,
    name: String,
    holds_ca_key: bool,
    running: Arc<dyn Running>,
    api: ApiClient,
    upstream: Upstream,
    /// Its users, if the driver cannot register users there.
    accounts: Option<Vec<TargetAccount>>,
    /// The means to replace it by a newer version, if one is to.
    renewal: Option<Renewal>,
}

/// The values that every server is started with.
struct Starting<'a> {
    deployer: &'a Arc<dyn Deployer>,
    authority: &'a Authority,
    recorder: &'a Recorder,
    names: &'a StageNames,
    logs: &'a Logs,
}

impl Stage {
    /// Starts `casts` with `deployer`. [`Deployer::clear`] removes everything that was created, also after an error.
    ///
    /// # Errors
    /// When the ground cannot be laid, or a server cannot be obtained, does not start or does not become ready. The
    /// detail then holds the end of its log, and `logs` holds the path of the whole log.
    pub async fn up(
        deployer: &Arc<dyn Deployer>,
        casts: &[Cast],
        direct: bool,
        progress: &Progress<'_>,
        logs: &Logs,
    ) -> Result<Self, Problem> {
        tracing::info!(deployer = deployer.name(), servers = casts.len(), direct, "stage comes up");
        prepare(deployer.as_ref(), casts, progress).await?;
        let ground = deployer.ground().await?;
        let needs_key = casts.iter().any(|cast| needs_ca_key(deployer.as_ref(), cast));
        let key = if needs_key { AuthorityKey::Rsa } else { AuthorityKey::Ecdsa };
        let authority = Arc::new(Authority::new(key)?);
        let recorder = Recorder::new();
        let roles: Vec<_> = casts.iter().map(|cast| cast.role).collect();
        let names = name_all(deployer.as_ref(), ground, direct, &authority, &recorder, &roles).await?;
        let starting = Starting { deployer, authority: &authority, recorder: &recorder, names: &names, logs };
        let started = casts.iter().map(|cast| starting.start(cast));
        let started = futures_util::future::try_join_all(started).await?;
        let mut addresses = BTreeMap::new();
        for Started { name, upstream, .. } in &started {
            if let Some(switchboard) = &names.switchboard {
                switchboard.connect(name, upstream.clone())?;
            } else if let Upstream::Server { address, .. } = upstream {
                addresses.insert(name.clone(), *address);
                if let (Some(dns), IpAddr::V4(ip)) = (&names.dns, address.ip()) {
                    dns.set(name, ip);
                }
            }
        }
        let federation = match &names.switchboard {
            Some(switchboard) => switchboard.client(Party::Harness),
            None => FederationClient::direct(&authority, addresses)?,
        };
        let ready = started.into_iter().map(|started| ready(started, &federation));
        let (mut servers, mut renewals) = (BTreeMap::new(), BTreeMap::new());
        for (server, renewal) in futures_util::future::try_join_all(ready).await? {
            renewals.extend(renewal.map(|renewal| (server.role, renewal)));
            servers.insert(server.role, Arc::new(server));
        }
        let StageNames { switchboard, dns, .. } = names;
        let (names, peers) = (AtomicU64::new(0), Mutex::default());
        Ok(Self { servers, renewals, recorder, switchboard, federation, _dns: dns, names, peers })
    }
}

/// Prepares the images of all servers outside this program, each once, and of the newer versions that replace them.
async fn prepare(deployer: &dyn Deployer, casts: &[Cast], progress: &Progress<'_>) -> Result<(), Problem> {
    for (place, cast) in casts.iter().enumerate() {
        let same = |earlier: &Cast| {
            earlier.vendor.name == cast.vendor.name
                && earlier.version == cast.version
                && earlier.image == cast.image
        };
        if !cast.vendor.is_embedded() && !casts[..place].iter().any(same) {
            deployer.prepare(cast, progress).await?;
        }
        if let Some(newer) = cast.newer().filter(|newer| !newer.vendor.is_embedded()) {
            deployer.prepare(&newer, progress).await.map_err(|problem| {
                let (vendor, version) = (&newer.vendor.title, &newer.version);
                let why = problem.message;
                let text = message!("stage.no-newer-version", vendor = vendor, version = version, why = why);
                Problem::configuration(text).with_detail(problem.detail)
            })?;
        }
    }
    Ok(())
}

fn needs_ca_key(deployer: &dyn Deployer, cast: &Cast) -> bool {
    deployer.name() == "container" && cast.vendor.container().is_ok_and(|spec| spec.needs_ca_key)
}

impl Starting<'_> {
    async fn start<'a>(&self, cast: &'a Cast) -> Result<Started<'a>, Problem> {
        if let Some(target) = self.deployer.target(cast.role) {
            return self.lead_to(cast, target);
        }
        match &self.names.switchboard {
            Some(switchboard) if cast.vendor.is_embedded() => self.embed(cast, switchboard),
            _ => self.deploy(cast).await,
        }
    }

    fn embed<'a>(&self, cast: &'a Cast, switchboard: &Switchboard) -> Result<Started<'a>, Problem> {
        let role = cast.role;
        let (name, _) = self.names.names[&role].clone();
        let server = self.deployer.embed(cast, &name, switchboard.client(Party::Server { role }))?;
        let (server, renewal) = match &cast.upgrade_to {
            Some(_) => {
                let (server, renewal) = Renewal::of_embedded(cast, server);
                (server, Some(renewal))
            }
            None => (server, None),
        };
        let api = ApiClient::inside(
            Arc::new(Serving(Arc::clone(&server))),
            &name,
            Party::Server { role },
            self.recorder.clone(),
        );
        let running: Arc<dyn Running> = Arc::new(InProcess(Arc::clone(&server)));
        let upstream = Upstream::Embedded { role, service: Arc::new(Federating(server)) };
        let renewal = renewal.map(|renewal| renewal.called_at(api.whereabouts(), upstream.clone()));
        Ok(Started { cast, name, holds_ca_key: false, running, api, upstream, accounts: None, renewal })
    }

    /// The route to a server that already runs.
    fn lead_to<'a>(&self, cast: &'a Cast, target: &Target) -> Result<Started<'a>, Problem> {
        let role = cast.role;
        let api = target.client_api(role, self.recorder.clone())?;
        let upstream = Upstream::Target { role, place: Box::new(target.place()?) };
        let name = target.server_name().to_owned();
        let accounts = Some(target.accounts());
        let running = Arc::new(Standing);
        Ok(Started { cast, name, holds_ca_key: false, running, api, upstream, accounts, renewal: None })
    }

    async fn deploy<'a>(&self, cast: &'a Cast) -> Result<Started<'a>, Problem> {
        let (name, federation_port) = self.names.names[&cast.role].clone();
        let holds_ca_key = needs_ca_key(self.deployer.as_ref(), cast);
        let start = ServerStart {
            cast: cast.clone(),
            leaf: self.authority.issue(host_part(&name))?,
            ca_pem: self.authority.ca_pem(),
            ca_key_pem: self
                .authority
                .ca_key_pkcs1_pem()
                .filter(|_| holds_ca_key)
                .map(|key| key.expose().to_owned()),
            names: self.names.hosts.clone(),
            federation_port,
            server_name: name.clone(),
            storage: if cast.upgrade_to.is_some() { Storage::Kept } else { Storage::Own },
        };
        tracing::info!(role = ?cast.role, name, vendor = cast.vendor.name, version = cast.version, "server starts");
        let running = self.deployer.start(start.clone()).await?;
        if let Some(log) = running.log() {
            self.logs.note(cast.role, log);
        }
        let api = client_api(cast, running.as_ref(), self.recorder)?;
        let upstream = upstream(cast.role, running.as_ref());
        let renewal = cast.upgrade_to.as_ref().map(|_| {
            let (renewal, now) = Renewal::of_deployed(Arc::clone(self.deployer), start, Arc::clone(&running));
            (renewal.called_at(api.whereabouts(), upstream.clone()), now)
        });
        let (renewal, running) = match renewal {
            Some((renewal, now)) => (Some(renewal), now),
            None => (None, running as Arc<dyn Running>),
        };
        Ok(Started { cast, name, holds_ca_key, running, api, upstream, accounts: None, renewal })
    }
}

/// The route to a server with listeners of its own.
pub(super) fn upstream(role: Role, running: &dyn Listening) -> Upstream {
    Upstream::Server { role, address: running.federation(), source: running.source() }
}

/// A server name without its port.
fn host_part(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(host, _)| host)
}

async fn name_all(
    deployer: &dyn Deployer,
    ground: Ground,
    direct: bool,
    authority: &Arc<Authority>,
    recorder: &Recorder,
    roles: &[Role],
) -> Result<StageNames, Problem> {
    let mut names = BTreeMap::new();
    if direct {
        for &role in roles {
            let port = deployer.claim_port()?;
            let name = match port {
                Some(port) => format!("127.0.0.1:{port}"),
                None => format!("{}.test", role.as_str()),
            };
            names.insert(role, (name, port));
        }
        // The engine's resolver knows the containers by name. Other look-ups of servers, above all SRV records, also
        // need an answer at once.
        let dns = match ground {
            Ground::Network { gateway } => open_dns(gateway).await,
            Ground::Loopback | Ground::Memory | Ground::Around(_) => None,
        };
        return Ok(StageNames { switchboard: None, dns, names, hosts: vec![] });
    }
    let switchboard = Switchboard::open(ground.clone(), Arc::clone(authority), recorder.clone()).await?;
    for &role in roles {
        let name = match deployer.target(role) {
            Some(target) => {
                switchboard.adopt(target.server_name())?;
                target.server_name().to_owned()
            }
            None => switchboard.reserve(role.as_str()).await?,
        };
        names.insert(role, (name, None));
    }
    let Ground::Network { gateway } = ground else {
        return Ok(StageNames { switchboard: Some(switchboard), dns: None, names, hosts: vec![] });
    };
    // Hosts entries help if port 53 cannot be bound, and if an engine's resolver asks no server outside.
    let hosts = names.values().map(|(name, _)| (name.clone(), gateway)).collect();
    Ok(StageNames { switchboard: Some(switchboard), dns: open_dns(gateway).await, names, hosts })
}

/// If port 53 cannot be bound, the stage goes on: names then stand in hosts files, and look-ups may take longer.
async fn open_dns(gateway: Ipv4Addr) -> Option<DnsResponder> {
    DnsResponder::open(SocketAddr::from((gateway, 53)), gateway).await.ok()
}

async fn ready(
    started: Started<'_>,
    federation: &FederationClient,
) -> Result<(StageServer, Option<Renewal>), Problem> {
    let Started { cast, name, holds_ca_key, running, api, accounts, renewal, .. } = started;
    is_up(cast, &name, running.as_ref(), &api, federation).await?;
    tracing::info!(role = ?cast.role, name, "server is ready");
    let identity = identify(&name, federation).await;
    let driver: Arc<dyn Driver> = match (cast.vendor.client_api, accounts) {
        (_, Some(accounts)) => Arc::new(AccountDriver::new(api, accounts)),
        (ClientApi::Matrix, None) => Arc::new(MatrixDriver::new(api)),
        (ClientApi::Driver, None) => Arc::new(ProtocolDriver::new(api)),
        (ClientApi::ChatRest, None) => Arc::new(ChatRestDriver::new(api, &name)),
    };
    let server =
        StageServer { role: cast.role, name, cast: cast.clone(), driver, identity, holds_ca_key, running };
    Ok((server, renewal))
}

/// Waits until a started server is ready.
pub(super) async fn is_up(
    cast: &Cast,
    name: &str,
    running: &dyn Running,
    api: &ApiClient,
    federation: &FederationClient,
) -> Result<(), Problem> {
    let last = Mutex::new(String::new());
    let note = |why| *last.lock().unwrap_or_else(PoisonError::into_inner) = why;
    let answers = || async {
        match running.ended().await {
            Ok(None) => {}
            Ok(Some(how)) => {
                // Only a stopped server has certainly written its whole log. That it ended is known already.
                let _ = running.stop().await;
                let text =
                    message!("stage.ended-at-start", vendor = cast.vendor.title, role = cast.role, how = how);
                return Some(Err(Problem::new(Class::Subject, text).with_detail(log_tail(running))));
            }
            Err(problem) => return Some(Err(problem)),
        }
        let asked = match cast.vendor.client_api {
            ClientApi::Matrix => is_ready(api).await,
            ClientApi::Driver | ClientApi::ChatRest => federates(name, federation).await,
        };
        asked.map_err(note).ok().map(Ok)
    };
    match waiting::until_send(cast.vendor.ready, answers).await {
        Ok(ready) => ready,
        Err(passed) => {
            let text = message!(
                "stage.never-ready",
                vendor = cast.vendor.title,
                role = cast.role,
                seconds = passed.bound.as_secs(),
                address = api.base(),
                last = last.into_inner().unwrap_or_else(PoisonError::into_inner)
            );
            Err(Problem::new(Class::Subject, text).with_detail(log_tail(running)))
        }
    }
}

pub(super) fn client_api(
    cast: &Cast,
    running: &dyn Listening,
    recorder: &Recorder,
) -> Result<ApiClient, Problem> {
    let base = format!("http://{}", running.client());
    let to = Party::Server { role: cast.role };
    ApiClient::new(base, to, recorder.clone())
        .map_err(|error| Problem::harness(message!("stage.no-client", error = error)))
}

/// A server is ready if it answers `/versions` with JSON that lists versions; otherwise it may still be starting. The
/// error says in a few words what it answered.
async fn is_ready(api: &ApiClient) -> Result<(), String> {
    let request = http::Request::get(format!("{}{}", api.base(), client::VERSIONS.template)).body(Vec::new());
    let request = request.map_err(|error| error.to_string())?;
    let bound = READY_QUESTION.min(CALL_BOUND);
    let in_words = |error: CallError| match error {
        CallError::Malformed { what, .. } | CallError::Broken { what, .. } => what,
        other => format!("{other:?}"),
    };
    let reply = api.call(Party::Harness, request, bound).await.map_err(in_words)?;
    if reply.status != 200 {
        return Err(format!("the status was {}", reply.status));
    }
    if reply.json().map_err(in_words)?["versions"].is_array() {
        Ok(())
    } else {
        Err("the answer names no versions".to_owned())
    }
}

/// A server without the Matrix client API is ready if it answers `/version` of the federation API.
async fn federates(name: &str, federation: &FederationClient) -> Result<(), String> {
    let path = VERSION.template;
    match federation.request("GET", name, path, &[], Bytes::new()).await {
        Ok(answer) if answer.status == 200 => Ok(()),
        Ok(answer) => Err(format!("the status of {path} was {}", answer.status)),
        Err(error) => Err(format!("{path}: {error}")),
    }
}

/// Reads the server's identity. Missing or invalid values stay empty.
pub(super) async fn identify(name: &str, federation: &FederationClient) -> ServerIdentity {
    let version = told(name, federation, VERSION.template).await.unwrap_or_default();
    let keys = told(name, federation, SERVER_KEYS.template).await.unwrap_or_default();
    let text = |key: &str| version["server"][key].as_str().map(|text| text.chars().take(200).collect());
    let verify_keys =
        KeyDocument::verify(&keys, name).map(|document| document.verify_keys).unwrap_or_default();
    ServerIdentity { name: text("name"), version: text("version"), verify_keys }
}

async fn told(name: &str, federation: &FederationClient, path: &str) -> Option<serde_json::Value> {
    let answer = federation.request("GET", name, path, &[], Bytes::new()).await.ok()?;
    (answer.status == 200).then(|| serde_json::from_slice(&answer.body).ok()).flatten()
}

/// The last lines of a server's log, for people.
pub(super) fn log_tail(running: &dyn Running) -> Vec<String> {
    let text = running.log().and_then(|log| std::fs::read(log).ok()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().map(|line| line.chars().take(400).collect::<String>()).collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].to_vec()
}
