//! Requests of the harness itself, of its peers and of servers inside the process. They pass the switchboard like the
//! requests of any server.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use rustls::ClientConfig;
use samklang_reference::{NoResponse, ServerResponse, Transport};
use samklang_verdict::{ExchangeId, Problem};
use tokio_rustls::TlsConnector;

use super::{
    SwitchboardSettings,
    entry::listed,
    inside::Inside,
    pool::{ConnectionOptions, Pool},
    tasks::{Tasks, lock},
};
use crate::certificates::{Authority, Secret};

/// Tells the door which caller within the harness sends a request. The door removes this header.
pub(super) const TOKEN: HeaderName = HeaderName::from_static("x-samklang-caller");
/// Tells such a caller the ID of the exchange.
pub(super) const EXCHANGE: HeaderName = HeaderName::from_static("x-samklang-exchange");
/// Tells such a caller that the server sent no response and the door answers in its place. The value is the reason.
pub(super) const BROKEN: HeaderName = HeaderName::from_static("x-samklang-broken");

/// Gives the address of a server name.
type Addresses = dyn Fn(&str) -> Option<SocketAddr> + Send + Sync;

/// A client of the federation API. It trusts the stage's authority alone, follows no redirect, uses no proxy and bounds
/// every response. It sends its input byte for byte, so that a scenario can send an invalid request.
pub struct FederationClient {
    way: ClientRoute,
}

/// The way that requests travel.
enum ClientRoute {
    /// Over connections, to the door or to the servers themselves.
    Wire(Box<Wired>),
    /// Inside the process, without connections.
    Inside(Inside),
}

struct Wired {
    road: ConnectionOptions,
    addresses: Box<Addresses>,
    token: Option<Secret>,
    pools: Mutex<BTreeMap<String, Arc<Pool>>>,
}

impl fmt::Debug for FederationClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("FederationClient");
        match &self.way {
            ClientRoute::Wire(wired) => shown.field("pools", &lock(&wired.pools).keys()),
            ClientRoute::Inside(inside) => shown.field("party", &inside.party),
        };
        shown.finish_non_exhaustive()
    }
}

impl FederationClient {
    /// A client for a stage without a switchboard. `addresses` holds the address of each server name. A name that is an
    /// address itself needs no entry.
    ///
    /// # Errors
    /// As [`Authority::client_config`].
    pub fn direct(authority: &Authority, addresses: BTreeMap<String, SocketAddr>) -> Result<Self, Problem> {
        let settings = SwitchboardSettings::default();
        let road = road(authority.client_config()?, Arc::new(Tasks::new()), &settings);
        let addresses = move |name: &str| addresses.get(name).copied().or_else(|| name.parse().ok());
        Ok(Self::wired(road, Box::new(addresses), None))
    }

    pub(super) fn through(road: ConnectionOptions, addresses: Box<Addresses>, token: String) -> Self {
        Self::wired(road, addresses, Some(Secret::new(token)))
    }

    pub(super) fn inside(inside: Inside) -> Self {
        Self { way: ClientRoute::Inside(inside) }
    }

    fn wired(road: ConnectionOptions, addresses: Box<Addresses>, token: Option<Secret>) -> Self {
        Self { way: ClientRoute::Wire(Box::new(Wired { road, addresses, token, pools: Mutex::default() })) }
    }
}

impl Wired {
    fn pool(&self, server_name: &str) -> Result<Arc<Pool>, NoResponse> {
        let mut pools = lock(&self.pools);
        if let Some(pool) = pools.get(server_name) {
            return Ok(Arc::clone(pool));
        }
        let address = (self.addresses)(server_name)
            .ok_or_else(|| NoResponse::new(format!("{server_name} is no name of this run")))?;
        let pool = Pool::new(self.road.clone(), server_name, address)
            .map_err(|problem| NoResponse::new(problem.to_string()))?;
        Ok(Arc::clone(pools.entry(server_name.to_owned()).or_insert(Arc::new(pool))))
    }

    async fn send(
        &self,
        server_name: &str,
        mut request: Request<Bytes>,
    ) -> Result<ServerResponse, NoResponse> {
        if let Some(token) = &self.token
            && let Ok(token) = HeaderValue::from_str(token.expose())
        {
            request.headers_mut().insert(TOKEN, token);
        }
        let pool = self.pool(server_name)?;
        let mut whole = pool.send(request).await.map_err(|broken| NoResponse::new(broken.why))?;

        let text = |value: HeaderValue| value.to_str().map(str::to_owned).ok();
        // Only the door may set these headers. Without a door they are ordinary headers of a server.
        let mut said = |name| self.token.as_ref().and(whole.parts.headers.remove(name)).and_then(text);
        let exchange = said(EXCHANGE).and_then(|id| id.parse().ok()).map(ExchangeId);
        if let Some(why) = said(BROKEN) {
            return Err(NoResponse { why, exchange });
        }
        let headers = listed(&whole.parts.headers);
        Ok(ServerResponse { status: whole.parts.status.as_u16(), headers, body: whole.body, exchange })
    }
}

#[async_trait]
impl Transport for FederationClient {
    /// A `Host` among `headers` replaces the right one. If a request cannot be sent exactly as given, it is not sent at
    /// all.
    async fn request(
        &self,
        method: &str,
        server_name: &str,
        target: &str,
        headers: &[(String, String)],
        body: Bytes,
    ) -> Result<ServerResponse, NoResponse> {
        let mut request = Request::builder().method(method).uri(target);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header(header::HOST, server_name);
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request =
            request.body(body).map_err(|error| NoResponse::new(format!("no such request: {error}")))?;
        // `http::Uri` drops everything after a `#`. The client refuses such a path, because it would send something
        // else.
        let sent = request.uri().to_string();
        if sent != target {
            return Err(NoResponse::new(format!("no such request: {target} cannot be sent as it stands")));
        }
        match &self.way {
            ClientRoute::Wire(wired) => wired.send(server_name, request).await,
            ClientRoute::Inside(inside) => inside.send(server_name, request).await,
        }
    }

    fn hang_up(&self) {
        if let ClientRoute::Wire(wired) = &self.way {
            lock(&wired.pools).clear();
        }
    }
}

/// The connection options for the harness's own requests. Such a request is never sent twice.
pub(super) fn road(
    tls: ClientConfig,
    tasks: Arc<Tasks>,
    settings: &SwitchboardSettings,
) -> ConnectionOptions {
    let tls = TlsConnector::from(Arc::new(tls));
    ConnectionOptions { tls, tasks, connecting: settings.connecting, body: settings.body, again: false }
}
