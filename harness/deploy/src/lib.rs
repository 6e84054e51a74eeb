//! Deployers bring servers up: as containers, as processes on loopback, or inside this program. What they bring up is
//! described by its vendor, and what a run leaves on the machine is found and removed.

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

/// Which server is to play a role.
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
    /// The newer version that takes over in mid-run, where that is asked for.
    pub upgrade_to: Option<String>,
    /// On which terms it takes part, when it is a server that runs already and is not the run's own.
    pub target: Option<TargetTerms>,
}

impl Cast {
    /// The same role as its newer version plays it, where one takes over in mid-run.
    pub fn newer(&self) -> Option<Self> {
        let version = self.upgrade_to.clone()?;
        Some(Self { version, upgrade_to: None, ..self.clone() })
    }
}

/// What becomes of a server's storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// It goes away with the server.
    Own,
    /// It outlives the server, for the one that comes after it in the same role.
    Kept,
    /// It is that of the server that was there before in the same role, and was stopped.
    Found,
}

/// On which terms a server takes part that is not the run's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetTerms {
    /// Its server name.
    pub server_name: String,
    /// Whether peers may meet it that tell lies: it is on loopback, or somebody has consented.
    pub hostile: bool,
}

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct ServerStart {
    /// Who is to play.
    pub cast: Cast,
    /// The server name it shall have: `a.test` or `127.0.0.1:40001`.
    pub server_name: String,
    /// The certificate for that name.
    pub leaf: Leaf,
    /// The stage's root certificate, PEM.
    pub ca_pem: String,
    /// The root's key, PKCS#1 PEM; only for images that declare they need it.
    pub ca_key_pem: Option<String>,
    /// Every name of the stage and the address it resolves to, for engines whose containers cannot ask our DNS.
    pub names: Vec<(String, Ipv4Addr)>,
    /// The port that the server itself must listen on for federation, when the name says so (`--direct` on loopback).
    pub federation_port: Option<u16>,
    /// What becomes of what it stores.
    pub storage: Storage,
}

/// A server that was started; perhaps not ready yet. One of which nothing is said runs on, with no image, log or time of
/// its own.
#[async_trait]
pub trait Running: Send + Sync {
    /// The digest of the image it runs from; only for a container.
    fn image(&self) -> Option<String> {
        None
    }
    /// The file that its output goes to; none inside this program.
    fn log(&self) -> Option<PathBuf> {
        None
    }
    /// `None` while it runs; once it has ended, how (for instance `exit status 3`). To be asked before each attempt to
    /// reach the server: one that ended at once may have no address of its own.
    ///
    /// # Errors
    /// When its engine no longer answers, which says nothing about the server.
    async fn ended(&self) -> Result<Option<String>, Problem> {
        Ok(None)
    }
    /// Processor time it has used so far; none where that cannot be read.
    async fn cpu(&self) -> Option<Duration> {
        None
    }
    /// Stops it, waits until it is gone, and keeps its log.
    ///
    /// # Errors
    /// When it cannot be stopped.
    async fn stop(&self) -> Result<(), Problem>;
}

/// A server with listeners of its own.
pub trait Listening: Running {
    /// Where its client API (or its driver's API) listens, plain HTTP.
    fn client(&self) -> SocketAddr;
    /// Where its federation API listens, HTTPS.
    fn federation(&self) -> SocketAddr;
    /// The address its own requests come from, where that tells it from the others.
    fn source(&self) -> Option<IpAddr>;
}

/// Hears, a line at a time, how a long preparation goes on.
pub type Progress<'a> = dyn Fn(&str) + Send + Sync + 'a;

/// Brings servers up for one run.
#[async_trait]
pub trait Deployer: Send + Sync {
    /// `container`, `process`, `embedded` or `target`.
    fn name(&self) -> &'static str;

    /// Makes what the run's servers stand on. Called once, before any server is started.
    ///
    /// # Errors
    /// When the engine does not answer or refuses.
    async fn ground(&self) -> Result<Ground, Problem>;

    /// Builds or fetches what `cast` runs from; quick when that is there already.
    ///
    /// # Errors
    /// When it cannot be had, with the end of the builder's output; when another version is to take over what it stores,
    /// and nobody says where that lies.
    async fn prepare(&self, cast: &Cast, progress: &Progress<'_>) -> Result<(), Problem>;

    /// A federation port for a server's name to say (`--direct` on loopback), kept free of other runs until that
    /// server is started; none where names need no port.
    ///
    /// # Errors
    /// When no port is free.
    fn claim_port(&self) -> Result<Option<u16>, Problem>;

    /// Starts a server, on what the one before it has stored where [`ServerStart::storage`] says so. It is not ready yet: ask
    /// [`Running::ended`] and its API in turn.
    ///
    /// # Errors
    /// When it cannot be started.
    async fn start(&self, start: ServerStart) -> Result<Arc<dyn Listening>, Problem>;

    /// The server that runs already and plays this role; none where the deployer brings it up.
    fn target(&self, _role: Role) -> Option<&Target> {
        None
    }

    /// Makes the server `name` inside this program, for a cast whose vendor is there. It reaches others by `way`.
    ///
    /// # Errors
    /// When no key can be made.
    fn embed(&self, cast: &Cast, name: &str, way: FederationClient) -> Result<Arc<dyn Embedded>, Problem> {
        embedded::homeserver(cast, name, way, cast.vendor.fault())
    }

    /// Removes everything this deployer made: servers, network, folders of data.
    ///
    /// # Errors
    /// When something is left behind, naming it.
    async fn clear(&self) -> Result<(), Problem>;

    /// As [`Deployer::clear`], for somebody who does not want to wait: servers get no time to end by themselves.
    ///
    /// # Errors
    /// As [`Deployer::clear`].
    async fn clear_at_once(&self) -> Result<(), Problem> {
        self.clear().await
    }
}
