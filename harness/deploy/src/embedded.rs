//! Servers inside this program. They need nothing of the machine: no listeners, no files, no certificates of their own.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use samklang_reference::{Fault, Homeserver};
use samklang_verdict::{Problem, Role, message};

use super::{Cast, Deployer, Listening, Progress, Running, ServerStart};
use samklang_drivers::http::ClientService;
use samklang_wire::switchboard::{FederationClient, Ground, PeerService};

/// A server inside this program.
#[async_trait]
pub trait Embedded: Send + Sync {
    /// Answers a request of another server. The request is as [`PeerService::answer`] gets it.
    ///
    /// [`PeerService::answer`]: samklang_wire::switchboard::PeerService::answer
    async fn federation(&self, request: Request<Bytes>) -> Response<Bytes>;
    /// Answers a request of a client. The request's URI is path and query.
    async fn client(&self, request: Request<Bytes>) -> Response<Bytes>;
    /// Ends the server's own activity.
    fn shut(&self) {}
    /// Returns the server that continues with the storage of this one, which was shut. It presents itself as `cast`
    /// says. It reaches other servers through `way`.
    ///
    /// # Errors
    /// Fails if no server can continue from this one.
    fn renewed(&self, cast: &Cast, _way: FederationClient) -> Result<Arc<dyn Embedded>, Problem> {
        Err(Problem::harness(message!("stage.no-successor", role = cast.role)))
    }
}

struct EmbeddedHomeserver {
    server: Arc<Homeserver>,
}

#[async_trait]
impl Embedded for EmbeddedHomeserver {
    async fn federation(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.server.federation(&request).await
    }

    async fn client(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.server.client(&request).await
    }

    fn shut(&self) {
        self.server.shut();
    }

    fn renewed(&self, cast: &Cast, way: FederationClient) -> Result<Arc<dyn Embedded>, Problem> {
        let server = self.server.restarted(Box::new(way)).map_err(|error| {
            Problem::harness(message!("stage.no-peer", name = self.server.name(), error = error))
        })?;
        server.present_as(&cast.vendor.title, &cast.version);
        Ok(Arc::new(EmbeddedHomeserver { server }))
    }
}

/// The homeserver named `name` as the vendor of `cast`, with this fault or none.
///
/// # Errors
/// Fails if the signing key cannot be made.
pub fn homeserver(
    cast: &Cast,
    name: &str,
    way: FederationClient,
    fault: Option<Fault>,
) -> Result<Arc<dyn Embedded>, Problem> {
    let server = Homeserver::new(name, Box::new(way), fault)
        .map_err(|error| Problem::harness(message!("stage.no-peer", name = name, error = error)))?;
    // Several descriptors may describe it, and servers with different casts may give different responses.
    server.present_as(&cast.vendor.title, &cast.version);
    Ok(Arc::new(EmbeddedHomeserver { server }))
}

/// A server inside this program, in the form that the switchboard uses.
pub struct Federating(pub Arc<dyn Embedded>);

#[async_trait]
impl PeerService for Federating {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.0.federation(request).await
    }
}

/// A server inside this program, in the form that its clients use.
pub struct Serving(pub Arc<dyn Embedded>);

#[async_trait]
impl ClientService for Serving {
    async fn client(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.0.client(request).await
    }
}

/// A server inside this program, as a running server until it is shut.
pub struct InProcess(pub Arc<dyn Embedded>);

#[async_trait]
impl Running for InProcess {
    async fn stop(&self) -> Result<(), Problem> {
        self.0.shut();
        Ok(())
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        self.0.shut();
    }
}

/// A deployer for casts in which all servers are inside this program.
#[derive(Debug, Clone, Copy, Default)]
pub struct EmbeddedDeployer {
    fault: Option<Fault>,
}

impl EmbeddedDeployer {
    /// A deployer whose server in role A has this fault. All other servers are as their descriptors say.
    pub fn new(fault: Option<Fault>) -> Self {
        Self { fault }
    }
}

#[async_trait]
impl Deployer for EmbeddedDeployer {
    fn name(&self) -> &'static str {
        "embedded"
    }

    async fn ground(&self) -> Result<Ground, Problem> {
        Ok(Ground::Memory)
    }

    async fn prepare(&self, _: &Cast, _: &Progress<'_>) -> Result<(), Problem> {
        Ok(())
    }

    fn claim_port(&self) -> Result<Option<u16>, Problem> {
        Ok(None)
    }

    async fn start(&self, start: ServerStart) -> Result<Arc<dyn Listening>, Problem> {
        Err(start.cast.vendor.cannot_run_as(self.name()))
    }

    fn embed(&self, cast: &Cast, name: &str, way: FederationClient) -> Result<Arc<dyn Embedded>, Problem> {
        let fault = self.fault.filter(|_| cast.role == Role::A).or(cast.vendor.fault());
        homeserver(cast, name, way, fault)
    }

    async fn clear(&self) -> Result<(), Problem> {
        Ok(())
    }
}
