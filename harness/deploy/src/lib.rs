//! Deployers start servers: as containers, as processes on loopback, or inside this program. A vendor describes its
//! servers. Housekeeping finds and removes the things that a run leaves on the machine.

pub mod container;
pub mod embedded;
pub mod engine;
pub mod housekeeping;
mod image;
mod log;
mod network;
mod ports;
pub mod process;
mod script;
pub mod target;
pub mod vendor;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use samklang_verdict::{Problem, Role};

use self::{embedded::Embedded, target::Target};
use crate::vendor::Vendor;
use samklang_wire::{
    certificates::Leaf,
    switchboard::{FederationClient, Ground},
};

/// The server that plays a role.
#[derive(Debug, Clone)]
pub struct Cast {
    /// The role.
    pub role: Role,
    /// The product.
    pub vendor: Arc<Vendor>,
    /// Its version, as the vendor writes it.
    pub version: String,
    /// A published image to run instead of one built from the vendor's folder.
    pub image: Option<String>,
    /// The newer version that replaces it during the run, if the user asked for that.
    pub upgrade_to: Option<String>,
    /// The terms on which it takes part, if it is a server that already runs and is not part of the run.
    pub target: Option<TargetTerms>,
}

impl Cast {
    /// The same role played by its newer version, if one replaces it during the run.
    pub fn newer(&self) -> Option<Self> {
        let version = self.upgrade_to.clone()?;
        Some(Self { version, upgrade_to: None, ..self.clone() })
    }
}

/// The fate of a server's storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// It is removed with the server.
    Own,
    /// It outlives the server, for the next server in the same role.
    Kept,
    /// It is the storage of the earlier server in the same role, which was stopped.
    Found,
}

/// The terms on which a server takes part that is not part of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetTerms {
    /// Its server name.
    pub server_name: String,
    /// Whether peers that lie may meet it: it is on loopback, or a person has consented.
    pub hostile: bool,
}

/// The input for starting a server.
#[derive(Debug, Clone)]
pub struct ServerStart {
    /// The server and its role.
    pub cast: Cast,
    /// The server name that it gets: `a.test` or `127.0.0.1:40001`.
    pub server_name: String,
    /// The certificate for that name.
    pub leaf: Leaf,
    /// The stage's root certificate, PEM.
    pub ca_pem: String,
    /// The root's key, PKCS#1 PEM, only for images that declare that they need it.
    pub ca_key_pem: Option<String>,
    /// Every name of the stage and the address it resolves to, for engines whose containers cannot ask our DNS.
    pub names: Vec<(String, Ipv4Addr)>,
    /// The port on which the server itself must listen for federation, if its name contains that port (`--direct` on
    /// loopback).
    pub federation_port: Option<u16>,
    /// The fate of its storage.
    pub storage: Storage,
}

/// A server that was started. It may not be ready yet. By default it runs, and has no image, log or processor time of
/// its own.
#[async_trait]
pub trait Running: Send + Sync {
    /// The digest of the image that it runs from, only for a container.
    fn image(&self) -> Option<String> {
        None
    }
    /// The file with its output, or `None` inside this program.
    fn log(&self) -> Option<PathBuf> {
        None
    }
    /// `None` while it runs. Once it has ended, this is how it ended (for instance `exit status 3`). Call this before
    /// each attempt to reach the server: a server that ended at once may have no address of its own.
    ///
    /// # Errors
    /// Fails if its engine no longer answers. That says nothing about the server.
    async fn ended(&self) -> Result<Option<String>, Problem> {
        Ok(None)
    }
    /// Processor time that it has used so far, or `None` if that cannot be read.
    async fn cpu(&self) -> Option<Duration> {
        None
    }
    /// Stops it, waits until it is gone, and keeps its log.
    ///
    /// # Errors
    /// Fails if it cannot be stopped.
    async fn stop(&self) -> Result<(), Problem>;
}

/// A server with listeners of its own.
pub trait Listening: Running {
    /// The address of its client API (or of its driver's API), plain HTTP.
    fn client(&self) -> SocketAddr;
    /// The address of its federation API, HTTPS.
    fn federation(&self) -> SocketAddr;
    /// The source address of its own requests, if this distinguishes it from the other servers.
    fn source(&self) -> Option<IpAddr>;
}

/// A callback that gets the progress of a long preparation, one line at a time.
pub type Progress<'a> = dyn Fn(&str) + Send + Sync + 'a;

/// Starts servers for one run.
#[async_trait]
pub trait Deployer: Send + Sync {
    /// `container`, `process`, `embedded` or `target`.
    fn name(&self) -> &'static str;

    /// Prepares the network or other ground of the run's servers. It is called once, before any server starts.
    ///
    /// # Errors
    /// Fails if the engine does not answer or refuses.
    async fn ground(&self) -> Result<Ground, Problem>;

    /// Builds or fetches the software of `cast`. This is quick if it is there already.
    ///
    /// # Errors
    /// Fails with the end of the builder's output if that does not succeed. It also fails if a newer version is to use
    /// the server's storage and the descriptor does not say where the storage is.
    async fn prepare(&self, cast: &Cast, progress: &Progress<'_>) -> Result<(), Problem>;

    /// A federation port for a server's name (`--direct` on loopback), kept free of other runs until that server is
    /// started. `None` if names need no port.
    ///
    /// # Errors
    /// Fails if no port is free.
    fn claim_port(&self) -> Result<Option<u16>, Problem>;

    /// Starts a server. If [`ServerStart::storage`] says so, it uses the storage of the server before it. The server is
    /// not ready yet: poll [`Running::ended`] and its API in turn.
    ///
    /// # Errors
    /// Fails if it cannot be started.
    async fn start(&self, start: ServerStart) -> Result<Arc<dyn Listening>, Problem>;

    /// The server that already runs and plays this role, or `None` if the deployer starts it.
    fn target(&self, _role: Role) -> Option<&Target> {
        None
    }

    /// Makes the server `name` inside this program, for a cast whose vendor is inside it. It reaches other servers
    /// through `way`.
    ///
    /// # Errors
    /// Fails if the signing key cannot be made.
    fn embed(&self, cast: &Cast, name: &str, way: FederationClient) -> Result<Arc<dyn Embedded>, Problem> {
        embedded::homeserver(cast, name, way, cast.vendor.fault())
    }

    /// Removes everything this deployer made: servers, network, folders of data.
    ///
    /// # Errors
    /// Fails if something is left behind, and names it.
    async fn clear(&self) -> Result<(), Problem>;

    /// As [`Deployer::clear`], for a caller that does not want to wait: servers get no time to end by themselves.
    ///
    /// # Errors
    /// As [`Deployer::clear`].
    async fn clear_at_once(&self) -> Result<(), Problem> {
        self.clear().await
    }
}
