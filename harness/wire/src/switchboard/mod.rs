//! The one TLS door that all federation traffic of a stage passes. It terminates TLS with the stage's own certificates,
//! records each request with its response, applies network faults, and routes by name to the real server or to one
//! inside the process. If all servers are inside the process, nothing listens, and all else is the same.
//!
//! All traffic is hostile: bodies, heads, times and connections are bounded. An exchange that exceeds a bound is cut
//! off on both sides and recorded as broken. Other traffic is passed on unchanged, except for the headers that concern
//! one connection only.

mod client;
mod directory;
mod door;
mod doors;
mod entry;
mod exchange;
mod fault;
mod ground;
mod inside;
mod line;
mod pool;
mod tap;
mod tasks;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustls::{ClientConfig, pki_types::ServerName};
use samklang_verdict::{Party, Problem, Role, message};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_rustls::TlsConnector;

pub use self::{
    client::FederationClient,
    doors::{Doors, Naming},
    fault::{Effect, NetworkFault, NetworkFaultGuard, RoutedRequest},
    ground::Ground,
    pool::{IncompleteBody, gather, words},
};
use self::{
    directory::{NameDirectory, Route, Service},
    door::ServedNames,
    fault::NetworkFaults,
    inside::Inside,
    pool::{ConnectionOptions, Pool},
    tasks::Tasks,
};
use crate::{certificates::Authority, recorder::Recorder};

/// The maximum number of connections that the door serves at a time. Each peer and each server that it meets keep a
/// connection to one another, and a run has hundreds of peers.
const CONNECTIONS: usize = 4_000;

/// How many connections the door may serve. Each takes two file descriptors, and a third of all descriptors is left for
/// other uses. The process asks for as many as it may have.
fn connections() -> usize {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1_024, 1_024));
    let wanted = hard.min(3 * CONNECTIONS as u64);
    let raised = soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok();
    let files = if raised { wanted } else { soft };
    usize::try_from(files / 3).unwrap_or(CONNECTIONS).min(CONNECTIONS)
}

/// A homeserver inside the process.
#[async_trait]
pub trait PeerService: Send + Sync {
    /// Answers a request. Its URI is path and query as sent; its extensions hold the [`ExchangeId`] under which it is
    /// recorded and the [`Party`] that sent it.
    ///
    /// [`ExchangeId`]: samklang_verdict::ExchangeId
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes>;
}

/// The address and name of a server that is not part of the run.
#[derive(Clone)]
pub struct TargetAddress {
    /// Where its TLS listener is.
    pub address: SocketAddr,
    /// The name that its certificate must be good for.
    pub name: ServerName<'static>,
    /// The `Host` header by which it is addressed (server-server API, resolving server names).
    pub host: HeaderValue,
    /// The TLS settings that decide whether its certificate is trusted.
    pub tls: ClientConfig,
}

/// The server or peer behind a name.
#[derive(Clone)]
pub enum Upstream {
    /// A server of the constellation.
    Server {
        /// Its role.
        role: Role,
        /// The address of its own TLS listener. Its certificate must be signed by the stage's authority, for its name.
        address: SocketAddr,
        /// The source address of its own requests, if this distinguishes it from the other servers.
        source: Option<IpAddr>,
    },
    /// A server that already runs and is not part of the run.
    Target {
        /// Its role.
        role: Role,
        /// The address of its TLS listener and the names to use there.
        place: Box<TargetAddress>,
    },
    /// A server of the constellation inside the process. Its own requests go through a client of
    /// [`Switchboard::client`].
    Embedded {
        /// Its role.
        role: Role,
        /// The service that answers.
        service: Arc<dyn PeerService>,
    },
    /// A peer.
    Peer(Arc<dyn PeerService>),
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server { role, address, .. } => write!(f, "Server({role} at {address})"),
            Self::Target { role, place } => write!(f, "Target({role} at {})", place.address),
            Self::Embedded { role, .. } => write!(f, "Embedded({role})"),
            Self::Peer(_) => f.write_str("Peer"),
        }
    }
}

/// The bounds of the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwitchboardSettings {
    /// The port that all names of a container network share (server-server API, "Resolving server names").
    pub port: u16,
    /// The port at which servers request `.well-known` (server-server API, "Resolving server names", step 3). If the
    /// door cannot listen there, the connection is refused instead of answered, and the server goes on.
    pub https_port: u16,
    /// The largest body of a request or of a response, in bytes.
    pub body: usize,
    /// The bound on an exchange, from the request's head to the response's end.
    pub exchange: Duration,
    /// The bound on making a connection, TLS included.
    pub connecting: Duration,
}

impl Default for SwitchboardSettings {
    fn default() -> Self {
        Self {
            port: 8448,
            https_port: 443,
            body: 64 * 1024 * 1024,
            exchange: Duration::from_secs(120),
            connecting: Duration::from_secs(10),
        }
    }
}

/// The switchboard of one stage. Dropping it shuts the door; [`Switchboard::close`] also waits for that.
pub struct Switchboard {
    shared: Arc<Shared>,
    ground: Ground,
    door: Option<SocketAddr>,
    upstream: ConnectionOptions,
}

/// The data that every connection needs.
struct Shared {
    directory: NameDirectory,
    recorder: Recorder,
    faults: Arc<NetworkFaults>,
    settings: SwitchboardSettings,
    authority: Arc<Authority>,
    connections: Arc<Semaphore>,
    tasks: Arc<Tasks>,
}

impl fmt::Debug for Switchboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Switchboard")
            .field("ground", &self.ground)
            .field("door", &self.door)
            .finish_non_exhaustive()
    }
}

impl Switchboard {
    /// Opens the door on `ground`.
    ///
    /// # Errors
    /// Fails if its port is taken or the door cannot listen there.
    pub async fn open(
        ground: Ground,
        authority: Arc<Authority>,
        recorder: Recorder,
    ) -> Result<Self, Problem> {
        Self::open_with(ground, authority, recorder, SwitchboardSettings::default()).await
    }

    /// Opens the door with the bounds in `settings`.
    ///
    /// # Errors
    /// As [`Switchboard::open`].
    pub async fn open_with(
        ground: Ground,
        authority: Arc<Authority>,
        recorder: Recorder,
        settings: SwitchboardSettings,
    ) -> Result<Self, Problem> {
        let tasks = Arc::new(Tasks::new());
        let own = client::road(authority.client_config()?, Arc::clone(&tasks), &settings);
        let upstream = ConnectionOptions { again: true, ..own };
        let shared = Arc::new(Shared {
            directory: NameDirectory::default(),
            recorder,
            faults: Arc::default(),
            settings,
            authority,
            connections: Arc::new(Semaphore::new(connections())),
            tasks,
        });
        let door = match &ground {
            Ground::Network { gateway } => {
                let (listener, address) = bind(SocketAddr::from((*gateway, settings.port))).await?;
                door::open(&shared, listener, ServedNames::All { port: None }, None)?;
                if let Ok((listener, _)) = bind(SocketAddr::from((*gateway, settings.https_port))).await {
                    door::open(&shared, listener, ServedNames::All { port: None }, None)?;
                }
                Some(address)
            }
            Ground::Around(Doors { naming: Naming::Zone { listen, port, .. }, certificate, .. }) => {
                let (listener, address) = bind(*listen).await?;
                door::open(&shared, listener, ServedNames::All { port: Some(*port) }, certificate.clone())?;
                Some(address)
            }
            Ground::Around(_) | Ground::Loopback | Ground::Memory => None,
        };
        tracing::debug!(?door, "switchboard opens");
        Ok(Self { shared, ground, door, upstream })
    }

    /// The address of the one listener for all names of a container network or of a zone. `None` on loopback, where
    /// each name has a listener of its own, and in memory.
    pub fn door(&self) -> Option<SocketAddr> {
        self.door
    }

    /// Makes a server name of this stage. It is `<label>.test` on a container network and in memory. On loopback it is
    /// `127.0.0.1:<port>`, and the door listens on that port from now on. Around a server, [`Naming`] decides. Requests
    /// to the name get 502 until something is connected to it.
    ///
    /// # Errors
    /// Fails if `label` is not a DNS label or is taken, or if no port is free.
    pub async fn reserve(&self, label: &str) -> Result<String, Problem> {
        let is_label = (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-');
        if !is_label {
            return Err(Problem::harness(message!("switchboard.bad-name", name = label)));
        }
        let (name, certificate) = match &self.ground {
            Ground::Network { .. } | Ground::Memory => (Some(format!("{label}.test")), None),
            Ground::Loopback => (None, None),
            Ground::Around(doors) => (doors.name(label), doors.certificate.clone()),
        };
        if let Some(name) = name {
            self.adopt(&name)?;
            return Ok(name);
        }
        let (listener, address) = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let name = address.to_string();
        self.adopt(&name)?;
        door::open(&self.shared, listener, ServedNames::One(name.clone()), certificate)?;
        Ok(name)
    }

    /// Adds a server name that exists already. Requests to it get 502 until something is connected to it.
    ///
    /// # Errors
    /// Fails if the stage has the name already.
    pub fn adopt(&self, name: &str) -> Result<(), Problem> {
        self.shared.directory.reserve(name)
    }

    /// The mark that differs in each run, for servers that remember earlier runs.
    pub fn mark(&self) -> Option<&str> {
        match &self.ground {
            Ground::Around(doors) => Some(&doors.mark),
            Ground::Network { .. } | Ground::Loopback | Ground::Memory => None,
        }
    }

    /// Lets `upstream` answer for `name`, in place of any earlier one.
    ///
    /// # Errors
    /// Fails if `name` was not reserved.
    pub fn connect(&self, name: &str, upstream: Upstream) -> Result<(), Problem> {
        let route = match upstream {
            Upstream::Server { role, address, source } => {
                let pool = Pool::new(self.upstream.clone(), name, address)?;
                Route { party: Party::Server { role }, service: Service::Server(Arc::new(pool)), source }
            }
            Upstream::Target { role, place } => {
                let TargetAddress { address, name, host, tls } = *place;
                let road =
                    ConnectionOptions { tls: TlsConnector::from(Arc::new(tls)), ..self.upstream.clone() };
                let pool = Pool::to(road, name, address).addressed_as(host).with_patience();
                Route {
                    party: Party::Server { role },
                    service: Service::Server(Arc::new(pool)),
                    source: None,
                }
            }
            Upstream::Embedded { role, service } => {
                Route { party: Party::Server { role }, service: Service::Within(service), source: None }
            }
            Upstream::Peer(peer) => {
                let party = Party::Peer { name: name.to_owned() };
                Route { party, service: Service::Within(peer), source: None }
            }
        };
        self.shared.directory.set(name, Some(route))
    }

    /// Disconnects `name`: requests to it get 502, as after [`Switchboard::reserve`].
    ///
    /// # Errors
    /// Fails if `name` was not reserved.
    pub fn disconnect(&self, name: &str) -> Result<(), Problem> {
        self.shared.directory.set(name, None)
    }

    /// Puts a network fault in force until the guard is dropped. If several faults match a request, the oldest decides.
    pub fn fault(&self, fault: NetworkFault) -> NetworkFaultGuard {
        self.shared.faults.add(fault)
    }

    /// A client whose requests go through the switchboard and are recorded as those of `party`.
    pub fn client(&self, party: Party) -> FederationClient {
        if matches!(self.ground, Ground::Memory | Ground::Around(_)) {
            return FederationClient::inside(Inside { shared: Arc::clone(&self.shared), party });
        }
        let token: String = std::iter::repeat_with(fastrand::alphanumeric).take(32).collect();
        self.shared.directory.admit(token.clone(), party);
        let door = self.door;
        // On a container network every name leads to the door, which refuses names that are not of the stage.
        let addresses = move |name: &str| door.or_else(|| name.parse().ok());
        let road = ConnectionOptions { again: false, ..self.upstream.clone() };
        FederationClient::through(road, Box::new(addresses), token)
    }

    /// Shuts the door. When this returns, no listener and no connection is left, and exchanges that were under way are
    /// recorded as broken.
    pub async fn close(&self) {
        self.shared.directory.empty();
        self.shared.tasks.close().await;
    }
}

impl Drop for Switchboard {
    fn drop(&mut self) {
        // Servers inside the process hold clients of this switchboard, and the switchboard holds the servers.
        self.shared.directory.empty();
        self.shared.tasks.abort();
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Problem> {
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => Problem::configuration(message!(
            "switchboard.port-taken",
            address = address.ip(),
            port = address.port()
        )),
        _ => Problem::engine(message!("switchboard.not-opened", address = address, detail = error)),
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}
