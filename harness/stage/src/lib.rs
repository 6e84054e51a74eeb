//! A stage is a running constellation: servers, their names, the switchboard between them, and the record of what they
//! say.

mod renewal;
mod up;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use samklang_reference::Peer;
use samklang_verdict::{Class, Party, Problem, Role, message};

pub use self::renewal::Renewed;
use self::{renewal::Renewal, up::log_tail};
use samklang_deploy::{Cast, Running, TargetTerms};
use samklang_drivers::Driver;
use samklang_wire::{
    certificates::{Authority, AuthorityKey},
    dns::DnsResponder,
    recorder::Recorder,
    switchboard::{FederationClient, NetworkFault, NetworkFaultGuard, PeerService, Switchboard, Upstream},
    waiting,
};

/// How long servers that go on running may take to be left as they were found.
const TIDYING: Duration = Duration::from_secs(60);

/// A running constellation: servers, the switchboard between them, and the record of all they say.
pub struct Stage {
    servers: BTreeMap<Role, Arc<StageServer>>,
    /// What the servers need that a newer version takes over from.
    renewals: BTreeMap<Role, Renewal>,
    recorder: Recorder,
    switchboard: Option<Switchboard>,
    federation: FederationClient,
    /// Answers for the stage's names until the stage is gone.
    _dns: Option<DnsResponder>,
    /// How many names of peers were given out.
    names: AtomicU64,
    peers: Mutex<Vec<Arc<Peer>>>,
}

/// A server of the constellation.
pub struct StageServer {
    /// Its role.
    pub role: Role,
    /// Its server name.
    pub name: String,
    /// What it was cast as.
    pub cast: Cast,
    /// How users act there.
    pub driver: Arc<dyn Driver>,
    /// What it answered about itself when the stage came up.
    pub identity: ServerIdentity,
    /// Whether it was handed the key of the stage's certificate authority.
    pub holds_ca_key: bool,
    /// What the deployer started.
    pub running: Arc<dyn Running>,
}

/// What a server says of itself: proof of who is on the stage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerIdentity {
    /// `server.name` of `/_matrix/federation/v1/version`.
    pub name: Option<String>,
    /// `server.version` of `/_matrix/federation/v1/version`.
    pub version: Option<String>,
    /// The keys of `/_matrix/key/v2/server`, by id, their document's signature verified.
    pub verify_keys: BTreeMap<String, String>,
}

/// Where the logs of the servers lie that were started, also of those that never became ready.
#[derive(Debug, Default)]
pub struct Logs(Mutex<BTreeMap<Role, PathBuf>>);

impl Logs {
    fn note(&self, role: Role, log: PathBuf) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(role, log);
    }

    /// Each role's log.
    pub fn all(&self) -> BTreeMap<Role, PathBuf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl StageServer {
    /// The running server itself.
    pub fn running(&self) -> &dyn Running {
        self.running.as_ref()
    }
}

struct Answering(Arc<Peer>);

#[async_trait::async_trait]
impl PeerService for Answering {
    async fn answer(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        self.0.answer(&request).await
    }
}

impl Stage {
    /// A stage whose servers are in this process already, without a switchboard.
    ///
    /// # Errors
    /// When no certificate authority can be made.
    pub fn embedded(servers: Vec<StageServer>, recorder: Recorder) -> Result<Self, Problem> {
        let authority = Authority::new(AuthorityKey::Ecdsa)?;
        let federation = FederationClient::direct(&authority, BTreeMap::new())?;
        let servers = servers.into_iter().map(|server| (server.role, Arc::new(server))).collect();
        let peers = Mutex::default();
        let (names, renewals) = (AtomicU64::new(0), BTreeMap::new());
        Ok(Self { servers, renewals, recorder, switchboard: None, federation, _dns: None, names, peers })
    }

    /// The server in this role.
    pub fn server(&self, role: Role) -> Option<Arc<StageServer>> {
        self.servers.get(&role).cloned()
    }

    /// All servers, by role.
    pub fn servers(&self) -> impl Iterator<Item = &Arc<StageServer>> {
        self.servers.values()
    }

    /// The record of all exchanges.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Whether federation passes through the switchboard.
    pub fn has_switchboard(&self) -> bool {
        self.switchboard.is_some()
    }

    /// Asks servers over federation, unsigned, as the harness.
    pub fn federation(&self) -> &FederationClient {
        &self.federation
    }

    /// Bends the network until the guard is dropped; `None` without the switchboard.
    pub fn fault(&self, fault: NetworkFault) -> Option<NetworkFaultGuard> {
        self.switchboard.as_ref().map(|switchboard| switchboard.fault(fault))
    }

    /// A homeserver of the harness's own, with a name that no other peer has; `None` without the switchboard.
    ///
    /// # Errors
    /// When no name or key can be made.
    pub async fn peer(&self, label: &str) -> Result<Option<Arc<Peer>>, Problem> {
        let Some(switchboard) = &self.switchboard else { return Ok(None) };
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        let name = switchboard.reserve(&format!("{label}-{number}")).await?;
        let way = Box::new(switchboard.client(Party::Peer { name: name.clone() }));
        let key = switchboard.mark().map_or_else(|| "peer".to_owned(), |mark| format!("peer_{mark}"));
        let peer = Peer::with_key(&name, &key, way)
            .map_err(|error| Problem::harness(message!("stage.no-peer", name = name, error = error)))?;
        let peer = Arc::new(peer);
        switchboard.connect(&name, Upstream::Peer(Arc::new(Answering(Arc::clone(&peer)))))?;
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&peer));
        Ok(Some(peer))
    }

    /// On which terms a server takes part that is not the run's own; none where all are.
    pub fn terms(&self) -> Option<&TargetTerms> {
        self.servers.values().find_map(|server| server.cast.target.as_ref())
    }

    /// All peers that scenarios made so far.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first server that is not running any more, with how it ended; for the class of the problem, an engine that
    /// does not answer is told from a server that has ended.
    pub async fn casualty(&self) -> Option<Problem> {
        for server in self.servers.values() {
            match server.running.ended().await {
                Ok(None) => {}
                Ok(Some(how)) => {
                    let text = message!(
                        "stage.server-ended",
                        vendor = server.cast.vendor.title,
                        role = server.role,
                        how = how
                    );
                    return Some(
                        Problem::new(Class::Subject, text).with_detail(log_tail(server.running.as_ref())),
                    );
                }
                Err(problem) => return Some(problem),
            }
        }
        None
    }

    /// Shuts listeners and the servers inside this program; the deployer removes the others.
    pub async fn down(&self) {
        tracing::info!("stage goes down");
        for server in self.servers.values() {
            // Before the doors are shut, so that others hear of it.
            let _ = waiting::within(TIDYING, server.driver.tidy()).await;
        }
        for server in self.servers.values().filter(|server| server.cast.vendor.is_embedded()) {
            // Nothing of theirs can be left behind.
            let _ = server.running.stop().await;
        }
        if let Some(switchboard) = &self.switchboard {
            switchboard.close().await;
        }
    }
}
