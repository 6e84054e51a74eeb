//! Requests to a server's client API: bounded, recorded, with secrets taken out of the record. They go over HTTP, or to a
//! server inside this program.

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

/// No answer of a client API may be larger.
pub const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// No answer that is read as JSON may be larger: read, it takes some thirty times its length in memory.
pub const LARGEST_JSON: usize = 8 * 1024 * 1024;
/// How long a call may take, a long poll's own waiting apart.
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

/// Where a server's API is to be found, for all who call it: a server may go and come back. Who calls while it is away
/// waits.
#[derive(Debug, Clone)]
pub struct Whereabouts(watch::Sender<ApiPlace>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ApiPlace {
    /// Where it has been from the beginning.
    Home,
    Away,
    /// At another address than from the beginning.
    At(SocketAddr),
}

impl Default for Whereabouts {
    fn default() -> Self {
        Self(watch::Sender::new(ApiPlace::Home))
    }
}

impl Whereabouts {
    /// The server goes.
    pub fn leave(&self) {
        self.0.send_replace(ApiPlace::Away);
    }

    /// The server is back: at `address`, or where it was from the beginning.
    pub fn come_back(&self, address: Option<SocketAddr>) {
        self.0.send_replace(address.map_or(ApiPlace::Home, ApiPlace::At));
    }

    /// Waits until the server is there; its address, where that is not the one from the beginning.
    async fn found(&self) -> Option<SocketAddr> {
        let mut place = self.0.subscribe();
        match place.wait_for(|place| *place != ApiPlace::Away).await.as_deref() {
            Ok(ApiPlace::At(address)) => Some(*address),
            _ => None,
        }
    }
}

/// How a server is dealt with that goes on running when the run has ended.
#[derive(Debug, Clone, Default)]
struct Manners {
    /// Whether a call that comes too often is made again when the server says.
    patient: bool,
    /// What is in no answer that is read or recorded, whatever the server echoes.
    secrets: Arc<Vec<Secret>>,
}

/// How a request gets to the server.
#[derive(Clone)]
enum ApiRoute {
    Http(reqwest::Client),
    Inside(Arc<dyn ClientService>),
}

/// The client API of a server inside this program.
#[async_trait]
pub trait ClientService: Send + Sync {
    /// Answers what a client asks. The request's URI is path and query.
    async fn client(&self, request: ::http::Request<Bytes>) -> ::http::Response<Bytes>;
}

/// A complete answer.
#[derive(Debug)]
pub struct ApiResponse {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The exchange that shows it.
    pub exchange: ExchangeId,
}

impl ApiResponse {
    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON. Nesting is bounded by the parser.
    ///
    /// # Errors
    /// When it is not JSON, or longer than [`LARGEST_JSON`].
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
    /// When the HTTP library refuses its set-up.
    pub fn new(base: String, to: Party, recorder: Recorder) -> Result<Self, reqwest::Error> {
        Ok(Self::over(web_client(no_tls())?, base, to, recorder))
    }

    /// A client of an API that belongs to somebody else: `tls` says whom to believe, and what it answers is relieved of
    /// `secrets`. Where it wants fewer calls, they wait.
    ///
    /// # Errors
    /// When the HTTP library refuses its set-up.
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

    /// A client of the API of a server inside this program, which is called `name`.
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

    /// Where the server is, for whoever has it go and come back.
    pub fn whereabouts(&self) -> Whereabouts {
        self.whereabouts.clone()
    }

    /// The API's address, as it was from the beginning.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request with a JSON body or none, by the holder of `token` or by nobody.
    ///
    /// # Errors
    /// [`CallError::Malformed`] when it cannot even be put together.
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

    /// Sends `request` for `from` and records the exchange. The answer must be complete within `bound`.
    ///
    /// # Errors
    /// [`CallError::Broken`] when no complete answer came.
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

    /// As [`Self::call`], and turns a status other than 2xx into a refusal.
    ///
    /// # Errors
    /// When there is no complete answer, or it is a refusal.
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

/// The same place at another address.
fn moved(uri: &::http::Uri, address: SocketAddr) -> Result<::http::Uri, String> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    format!("http://{address}{path}").parse().map_err(|error| format!("{address}: {error}"))
}

impl Manners {
    /// The text without secrets.
    fn relieved(&self, text: Vec<u8>) -> Vec<u8> {
        self.secrets.iter().fold(text, |text, secret| without(text, secret.expose().as_bytes()))
    }
}

/// The text with [`REDACTED`](recorder::REDACTED) in every place of `secret`.
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

/// How long the server that answers so wants the caller to wait.
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

/// Headers in order; bytes that are no text are replaced.
fn listed(headers: &::http::HeaderMap) -> Vec<(String, String)> {
    let text = |value: &::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// The client API is plain HTTP; the library still wants a TLS set-up, which trusts nobody.
fn no_tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    #[expect(clippy::expect_used, reason = "the provider's own defaults always fit each other")]
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// An error with its causes in one line; the outermost alone seldom says what happened.
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
