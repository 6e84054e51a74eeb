//! A stage is a running constellation: servers, their names, the switchboard between them, and the record of their
//! exchanges.

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

/// The time limit for undoing the changes to servers that go on running after the run.
const TIDYING: Duration = Duration::from_secs(60);

/// A running constellation: servers, the switchboard between them, and the record of their exchanges.
pub struct Stage {
    servers: BTreeMap<Role, Arc<StageServer>>,
    /// The renewals of the servers that a newer version replaces.
    renewals: BTreeMap<Role, Renewal>,
    recorder: Recorder,
    switchboard: Option<Switchboard>,
    federation: FederationClient,
    /// Answers look-ups of the stage's names as long as the stage exists.
    _dns: Option<DnsResponder>,
    /// The number of peer names that were given out.
    names: AtomicU64,
    peers: Mutex<Vec<Arc<Peer>>>,
}

/// A server of the constellation.
pub struct StageServer {
    /// Its role.
    pub role: Role,
    /// Its server name.
    pub name: String,
    /// The cast that it was started from.
    pub cast: Cast,
    /// The driver for its users.
    pub driver: Arc<dyn Driver>,
    /// The identity that it returned when the stage came up.
    pub identity: ServerIdentity,
    /// Whether it got the key of the stage's certificate authority.
    pub holds_ca_key: bool,
    /// The running server that the deployer started.
    pub running: Arc<dyn Running>,
}

/// A server's own answers about its identity. They prove which server runs on the stage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerIdentity {
    /// `server.name` of `/_matrix/federation/v1/version`.
    pub name: Option<String>,
    /// `server.version` of `/_matrix/federation/v1/version`.
    pub version: Option<String>,
    /// The keys of `/_matrix/key/v2/server`, by id; the document's signature is verified.
    pub verify_keys: BTreeMap<String, String>,
}

/// The paths of the servers' logs, also of servers that never became ready.
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
    /// A stage without a switchboard, whose servers already run in this process.
    ///
    /// # Errors
    /// When no certificate authority can be created.
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

    /// All servers, ordered by role.
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

    /// The harness's federation client; its requests are unsigned.
    pub fn federation(&self) -> &FederationClient {
        &self.federation
    }

    /// Injects a network fault until the guard is dropped; `None` without the switchboard.
    pub fn fault(&self, fault: NetworkFault) -> Option<NetworkFaultGuard> {
        self.switchboard.as_ref().map(|switchboard| switchboard.fault(fault))
    }

    /// Creates a peer with a unique name; `None` without the switchboard.
    ///
    /// # Errors
    /// When no name or key can be created.
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

    /// The terms of a target, a server that does not belong to the run; `None` if the run started all servers.
    pub fn terms(&self) -> Option<&TargetTerms> {
        self.servers.values().find_map(|server| server.cast.target.as_ref())
    }

    /// All peers that scenarios have created so far.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The problem of the first server that has ended, with how it ended. An engine that does not answer is a problem
    /// of another class.
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

    /// Shuts the listeners and the servers inside this program; the deployer removes the other servers.
    pub async fn down(&self) {
        tracing::info!("stage goes down");
        for server in self.servers.values() {
            // The listeners are still open, so that other servers get the users' leaves.
            let _ = waiting::within(TIDYING, server.driver.tidy()).await;
        }
        for server in self.servers.values().filter(|server| server.cast.vendor.is_embedded()) {
            // These servers leave nothing behind, so an error does not matter.
            let _ = server.running.stop().await;
        }
        if let Some(switchboard) = &self.switchboard {
            switchboard.close().await;
        }
    }
}
