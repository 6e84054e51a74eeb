//! Requests to a server's client API. They are bounded in time and size and are recorded without secrets. They go over
//! HTTP or to a server inside this program.

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use samklang_verdict::{Body, Exchange, ExchangeId, Party, Wire};
use tokio::sync::watch;

use super::{ApiRefusal, CallError};
use samklang_wire::{
    certificates::Secret,
    patience::{self, AGAIN},
    recorder::{self, Recorder},
    waiting::let_pass,
};

/// The largest response of a client API.
pub const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// The largest response that is parsed as JSON: parsed, it takes some thirty times its length in memory.
pub const LARGEST_JSON: usize = 8 * 1024 * 1024;
/// The time limit of a call, apart from the wait of a long poll.
pub const CALL_BOUND: Duration = Duration::from_secs(60);

/// A client API at its address.
#[derive(Clone)]
pub struct ApiClient {
    way: ApiRoute,
    base: String,
    to: Party,
    recorder: Recorder,
    largest: usize,
    manners: Manners,
    whereabouts: Whereabouts,
}

/// The current address of a server's API, shared by all its callers. A server may stop and come back; callers wait
/// meanwhile.
#[derive(Debug, Clone)]
pub struct Whereabouts(watch::Sender<ApiPlace>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ApiPlace {
    /// At its first address.
    Home,
    Away,
    /// At another address than its first.
    At(SocketAddr),
}

impl Default for Whereabouts {
    fn default() -> Self {
        Self(watch::Sender::new(ApiPlace::Home))
    }
}

impl Whereabouts {
    /// The server stops.
    pub fn leave(&self) {
        self.0.send_replace(ApiPlace::Away);
    }

    /// The server is back, at `address` or at its first address.
    pub fn come_back(&self, address: Option<SocketAddr>) {
        self.0.send_replace(address.map_or(ApiPlace::Home, ApiPlace::At));
    }

    /// Waits until the server is there; returns its address if it is not the first one.
    async fn found(&self) -> Option<SocketAddr> {
        let mut place = self.0.subscribe();
        match place.wait_for(|place| *place != ApiPlace::Away).await.as_deref() {
            Ok(ApiPlace::At(address)) => Some(*address),
            _ => None,
        }
    }
}

/// How calls treat a server that goes on running after the run.
#[derive(Debug, Clone, Default)]
struct Manners {
    /// Whether a rate-limited call is repeated after the pause that the server names.
    patient: bool,
    /// The secrets that are removed from every response before it is read or recorded, since a server may echo them.
    secrets: Arc<Vec<Secret>>,
}

/// The way by which a request reaches the server.
#[derive(Clone)]
enum ApiRoute {
    Http(reqwest::Client),
    Inside(Arc<dyn ClientService>),
}

/// The client API of a server inside this program.
#[async_trait]
pub trait ClientService: Send + Sync {
    /// Answers a client request. The request's URI holds only path and query.
    async fn client(&self, request: ::http::Request<Bytes>) -> ::http::Response<Bytes>;
}

/// A complete response.
#[derive(Debug)]
pub struct ApiResponse {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The exchange.
    pub exchange: ExchangeId,
}

impl ApiResponse {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON. The parser bounds the nesting.
    ///
    /// # Errors
    /// When the body is not JSON, or is longer than [`LARGEST_JSON`].
    pub fn json(&self) -> Result<serde_json::Value, CallError> {
        let malformed = |what: String| CallError::Malformed { what, exchange: self.exchange };
        if self.body.len() > LARGEST_JSON {
            return Err(malformed(format!("the body is longer than {} MiB", LARGEST_JSON / (1024 * 1024))));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| malformed(format!("the body is not JSON that can be read: {error}")))
    }
}

impl ApiClient {
    /// A client of the API at `base` (`http://host:port`), which belongs to the server `to`.
    ///
    /// # Errors
    /// When the HTTP library rejects its configuration.
    pub fn new(base: String, to: Party, recorder: Recorder) -> Result<Self, reqwest::Error> {
        Ok(Self::over(web_client(no_tls())?, base, to, recorder))
    }

    /// A client of an API that does not belong to the run: `tls` says which certificates it trusts, and `secrets` are
    /// removed from the responses. A rate-limited call waits.
    ///
    /// # Errors
    /// When the HTTP library rejects its configuration.
    pub fn elsewhere(
        base: String,
        to: Party,
        recorder: Recorder,
        tls: rustls::ClientConfig,
        secrets: Vec<Secret>,
    ) -> Result<Self, reqwest::Error> {
        let manners = Manners { patient: true, secrets: Arc::new(secrets) };
        Ok(Self { manners, ..Self::over(web_client(tls)?, base, to, recorder) })
    }

    fn over(http: reqwest::Client, base: String, to: Party, recorder: Recorder) -> Self {
        let (manners, whereabouts) = Default::default();
        Self { way: ApiRoute::Http(http), base, to, recorder, largest: LARGEST_ANSWER, manners, whereabouts }
    }

    /// A client of the API of a server inside this program; `name` is the server's name.
    pub fn inside(server: Arc<dyn ClientService>, name: &str, to: Party, recorder: Recorder) -> Self {
        let base = format!("http://{name}");
        let (manners, whereabouts) = Default::default();
        Self {
            way: ApiRoute::Inside(server),
            base,
            to,
            recorder,
            largest: LARGEST_ANSWER,
            manners,
            whereabouts,
        }
    }

    /// The shared address of the server, for the code that stops it and brings it back.
    pub fn whereabouts(&self) -> Whereabouts {
        self.whereabouts.clone()
    }

    /// The API's first address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request with an optional JSON body and an optional access token.
    ///
    /// # Errors
    /// [`CallError::Malformed`] when the request cannot be built.
    pub fn json_request(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&serde_json::Value>,
    ) -> Result<::http::Request<Vec<u8>>, CallError> {
        let mut request = ::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        request
            .body(body)
            .map_err(|error| CallError::Malformed { what: error.to_string(), exchange: ExchangeId(0) })
    }

    /// Sends `request` for `from` and records the exchange. The response must be complete within `bound`.
    ///
    /// # Errors
    /// [`CallError::Broken`] when no complete response came.
    pub async fn call(
        &self,
        from: Party,
        request: ::http::Request<Vec<u8>>,
        bound: Duration,
    ) -> Result<ApiResponse, CallError> {
        if !self.manners.patient {
            return self.call_once(from, request, bound).await;
        }
        let mut reply = self.call_once(from.clone(), request.clone(), bound).await?;
        for _ in 0..AGAIN {
            let Some(pause) = has_to_wait(&reply) else { return Ok(reply) };
            let_pass(pause).await;
            reply = self.call_once(from.clone(), request.clone(), bound).await?;
        }
        match has_to_wait(&reply) {
            Some(_) => {
                let what = format!("the server wants fewer calls, also after {AGAIN} pauses");
                Err(CallError::Broken { what, exchange: reply.exchange })
            }
            None => Ok(reply),
        }
    }

    async fn call_once(
        &self,
        from: Party,
        request: ::http::Request<Vec<u8>>,
        bound: Duration,
    ) -> Result<ApiResponse, CallError> {
        let begun = self.recorder.begin();
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let mut exchange = Exchange {
            id: begun.id,
            wire: Wire::Client,
            at_us: begun.at_us,
            took_us: 0,
            from,
            to: self.to.clone(),
            method: parts.method.to_string(),
            path: recorder::redact_path(&path).into_owned(),
            request_headers: recorder::redact_headers(&listed(&parts.headers)),
            request_body: Body::of(&recorder::redact_json_body(&path, &body)),
            status: None,
            response_headers: Vec::new(),
            response_body: Body::Empty,
            broken: None,
            fault: None,
        };
        let request = ::http::Request::from_parts(parts, body);
        let answering = self.answer(request, &mut exchange);
        let outcome = samklang_wire::waiting::within(bound, answering)
            .await
            .unwrap_or_else(|_| Err(format!("no complete answer within {} s", bound.as_secs())));
        exchange.took_us = begun.took_us();
        let id = exchange.id;
        let status = exchange.status;
        match outcome {
            Ok(body) => {
                let body = self.manners.relieved(body);
                exchange.response_body = Body::of(&recorder::redact_json_body(&path, &body));
                let headers = exchange.response_headers.clone();
                self.recorder.finish(exchange);
                Ok(ApiResponse { status: status.unwrap_or(0), headers, body, exchange: id })
            }
            Err(what) => {
                exchange.broken = Some(what.clone());
                self.recorder.finish(exchange);
                Err(CallError::Broken { what, exchange: id })
            }
        }
    }

    async fn answer(
        &self,
        mut request: ::http::Request<Vec<u8>>,
        exchange: &mut Exchange,
    ) -> Result<Vec<u8>, String> {
        if let Some(address) = self.whereabouts.found().await {
            *request.uri_mut() = moved(request.uri(), address)?;
        }
        match &self.way {
            ApiRoute::Http(http) => self.answer_over_http(http, request, exchange).await,
            ApiRoute::Inside(server) => self.answer_inside(server.as_ref(), request, exchange).await,
        }
    }

    async fn answer_over_http(
        &self,
        http: &reqwest::Client,
        request: ::http::Request<Vec<u8>>,
        exchange: &mut Exchange,
    ) -> Result<Vec<u8>, String> {
        let request = reqwest::Request::try_from(request).map_err(|error| plain(&error))?;
        let response = http.execute(request).await.map_err(|error| plain(&error))?;
        exchange.status = Some(response.status().as_u16());
        exchange.response_headers = recorder::redact_headers(&listed(response.headers()));
        for (_, value) in &mut exchange.response_headers {
            let relieved = self.manners.relieved(std::mem::take(value).into_bytes());
            *value = String::from_utf8_lossy(&relieved).into_owned();
        }
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| plain(&error))?;
            self.hold(body.len() + chunk.len())?;
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn answer_inside(
        &self,
        server: &dyn ClientService,
        mut request: ::http::Request<Vec<u8>>,
        exchange: &mut Exchange,
    ) -> Result<Vec<u8>, String> {
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map(::http::Uri::from).unwrap_or_default();
        let answering = AssertUnwindSafe(server.client(request.map(Bytes::from))).catch_unwind();
        let response = answering.await.map_err(|_| "the server panicked".to_owned())?;
        exchange.status = Some(response.status().as_u16());
        exchange.response_headers = recorder::redact_headers(&listed(response.headers()));
        self.hold(response.body().len())?;
        Ok(response.into_body().into())
    }

    fn hold(&self, length: usize) -> Result<(), String> {
        if length <= self.largest {
            return Ok(());
        }
        Err(format!("the body is larger than {} MiB", self.largest / (1024 * 1024)))
    }

    /// As [`Self::call`], but a status other than 2xx is an error.
    ///
    /// # Errors
    /// When there is no complete response, or the server refuses.
    pub async fn call_well(
        &self,
        from: Party,
        request: ::http::Request<Vec<u8>>,
        bound: Duration,
    ) -> Result<ApiResponse, CallError> {
        let reply = self.call(from, request, bound).await?;
        if (200..300).contains(&reply.status) {
            return Ok(reply);
        }
        let body = reply.json().unwrap_or_default();
        let text = |key: &str| body[key].as_str().unwrap_or_default().chars().take(500).collect();
        Err(CallError::Refused(ApiRefusal {
            status: reply.status,
            errcode: text("errcode"),
            error: text("error"),
            exchange: reply.exchange,
        }))
    }
}

/// The same path at another address.
fn moved(uri: &::http::Uri, address: SocketAddr) -> Result<::http::Uri, String> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    format!("http://{address}{path}").parse().map_err(|error| format!("{address}: {error}"))
}

impl Manners {
    /// The text without the secrets.
    fn relieved(&self, text: Vec<u8>) -> Vec<u8> {
        self.secrets.iter().fold(text, |text, secret| without(text, secret.expose().as_bytes()))
    }
}

/// The text with [`REDACTED`](recorder::REDACTED) in place of every `secret`.
pub fn without(text: Vec<u8>, secret: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut rest = text.as_slice();
    while let Some(place) = rest.windows(secret.len().max(1)).position(|window| window == secret) {
        kept.extend_from_slice(&rest[..place]);
        kept.extend_from_slice(recorder::REDACTED.as_bytes());
        rest = &rest[place + secret.len()..];
    }
    if kept.is_empty() {
        return text;
    }
    kept.extend_from_slice(rest);
    kept
}

/// The pause that a rate-limit response asks for.
fn has_to_wait(reply: &ApiResponse) -> Option<Duration> {
    patience::pause(reply.status, &reply.body, reply.header("retry-after"))
}

fn web_client(tls: rustls::ClientConfig) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .tcp_nodelay(true)
        .build()
}

/// The headers in order; bytes that are not UTF-8 are replaced.
fn listed(headers: &::http::HeaderMap) -> Vec<(String, String)> {
    let text = |value: &::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// The client API is plain HTTP, but the library needs a TLS configuration; this one trusts no certificate.
fn no_tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    #[expect(clippy::expect_used, reason = "the provider's own defaults always fit each other")]
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// An error with its causes in one line; the outermost error alone seldom says what happened.
fn plain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
