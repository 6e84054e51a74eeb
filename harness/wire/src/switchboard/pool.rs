//! Connections to one TLS server, kept open between requests.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, StatusCode, header, response};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Body, Incoming},
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use samklang_verdict::{Problem, message};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::tasks::{Tasks, lock};
use crate::{
    certificates::host_of,
    waiting::{let_pass, within},
};

/// A connection that was idle for longer is not used again. Some servers close idle connections after five seconds, and
/// a request that crosses such a close on the wire is lost.
const REST: Duration = Duration::from_secs(4);

/// At most this many idle connections are kept.
const RESTING: usize = 8;

/// The largest head of a response, in bytes.
const LARGEST_HEAD: usize = 128 * 1024;

/// How a pool connects.
#[derive(Clone)]
pub(super) struct ConnectionOptions {
    pub(super) tls: TlsConnector,
    pub(super) tasks: Arc<Tasks>,
    /// The bound on connecting, TLS included.
    pub(super) connecting: Duration,
    /// The largest body, in bytes.
    pub(super) body: usize,
    /// Whether an idempotent request is sent again if a connection that was idle breaks (RFC 9110, section 9.2.2). So
    /// the door adds no failure of its own.
    pub(super) again: bool,
}

/// Connections to the server of one name.
pub(super) struct Pool {
    road: ConnectionOptions,
    address: SocketAddr,
    name: ServerName<'static>,
    host: Option<HeaderValue>,
    patient: bool,
    resting: Arc<Mutex<Vec<(Connection, Instant)>>>,
}

type Connection = SendRequest<Full<Bytes>>;

/// A complete response.
#[derive(Debug)]
pub(super) struct WholeResponse {
    pub(super) parts: response::Parts,
    pub(super) body: Bytes,
}

/// The response was not complete.
#[derive(Debug)]
pub(super) struct BrokenResponse {
    /// The reason, in the words of the network.
    pub(super) why: String,
    /// The part of the response that arrived, if its head arrived.
    pub(super) seen: Option<Box<WholeResponse>>,
}

impl BrokenResponse {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), seen: None }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("address", &self.address)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// Connections to `address`. Its certificate must be valid for the host of `server_name`.
    pub(super) fn new(
        road: ConnectionOptions,
        server_name: &str,
        address: SocketAddr,
    ) -> Result<Self, Problem> {
        let name = ServerName::try_from(host_of(server_name).to_owned())
            .map_err(|_| Problem::configuration(message!("switchboard.bad-name", name = server_name)))?;
        Ok(Self::to(road, name, address))
    }

    /// Connections to `address`. Its certificate must be valid for `name`.
    pub(super) fn to(road: ConnectionOptions, name: ServerName<'static>, address: SocketAddr) -> Self {
        Self { road, address, name, host: None, patient: false, resting: Arc::default() }
    }

    /// Sets this `Host` header on every request.
    pub(super) fn addressed_as(self, host: HeaderValue) -> Self {
        Self { host: Some(host), ..self }
    }

    /// Lets requests wait if the server rate-limits them.
    pub(super) fn with_patience(self) -> Self {
        Self { patient: true, ..self }
    }

    /// Whether requests wait if the server rate-limits them.
    pub(super) fn is_patient(&self) -> bool {
        self.patient
    }

    /// Sends `request`, whose URI is the path alone, and reads the response.
    pub(super) async fn send(&self, mut request: Request<Bytes>) -> Result<WholeResponse, BrokenResponse> {
        if let Some(host) = &self.host {
            request.headers_mut().insert(header::HOST, host.clone());
        }
        let mut fresh = false;
        loop {
            let rested = if fresh { None } else { self.rested().await };
            let reused = rested.is_some();
            let mut connection = match rested {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            match connection.try_send_request(request.clone().map(Full::new)).await {
                Ok(answer) => return self.take_in(answer, connection).await,
                Err(mut error) => {
                    let unsent = error.take_message().is_some();
                    let again = unsent || (self.road.again && is_idempotent(request.method()));
                    if !(reused && again) {
                        return Err(BrokenResponse::new(words(error.error())));
                    }
                    fresh = true;
                }
            }
        }
    }

    async fn take_in(
        &self,
        answer: http::Response<Incoming>,
        connection: Connection,
    ) -> Result<WholeResponse, BrokenResponse> {
        let (parts, body) = answer.into_parts();
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(BrokenResponse::new("the server switched protocols, which nobody asked for"));
        }
        match gather(body, self.road.body).await {
            Ok(body) => {
                let mut resting = lock(&self.resting);
                if !connection.is_closed() && resting.len() < RESTING {
                    resting.push((connection, Instant::now()));
                    self.close_rested();
                }
                Ok(WholeResponse { parts, body })
            }
            Err(IncompleteBody { why, seen }) => {
                Err(BrokenResponse { why, seen: Some(Box::new(WholeResponse { parts, body: seen })) })
            }
        }
    }

    /// Closes connections once they have been idle for too long: they would not be used again, and each takes a place
    /// at the door.
    fn close_rested(&self) {
        let resting = Arc::clone(&self.resting);
        self.road.tasks.spawn(async move {
            let_pass(REST).await;
            lock(&resting).retain(|(_, since)| since.elapsed() < REST);
        });
    }

    async fn rested(&self) -> Option<Connection> {
        loop {
            // The connection with the shortest idle time is the least likely to be closed.
            let (mut connection, since) = lock(&self.resting).pop()?;
            if since.elapsed() < REST
                && within(REST, connection.ready()).await.is_ok_and(|ready| ready.is_ok())
            {
                return Some(connection);
            }
        }
    }

    async fn connect(&self) -> Result<Connection, BrokenResponse> {
        let address = self.address;
        let connecting = async {
            let tcp = TcpStream::connect(address)
                .await
                .map_err(|error| BrokenResponse::new(format!("no connection to {address}: {error}")))?;
            // Best effort: without it, small requests are slower but still correct.
            let _ = tcp.set_nodelay(true);
            let tls = self.road.tls.connect(self.name.clone(), tcp).await;
            let tls = tls.map_err(|error| BrokenResponse::new(format!("no TLS with {address}: {error}")))?;
            let (connection, driver) = http1::Builder::new()
                .preserve_header_case(true)
                .max_buf_size(LARGEST_HEAD)
                .handshake(TokioIo::new(tls))
                .await
                .map_err(|error| BrokenResponse::new(words(&error)))?;
            self.road.tasks.spawn(async move {
                // The request that an error concerns gets that error too.
                let _ = driver.await;
            });
            Ok(connection)
        };
        let bound = self.road.connecting;
        within(bound, connecting).await.unwrap_or_else(|_| {
            Err(BrokenResponse::new(format!("no connection to {address} within {bound:?}")))
        })
    }
}

fn is_idempotent(method: &Method) -> bool {
    method.is_idempotent()
}

/// A body that could not be read in full.
#[derive(Debug)]
pub struct IncompleteBody {
    /// Why, in words.
    pub why: String,
    /// The part that arrived.
    pub seen: Bytes,
}

/// Reads a body of at most `most` bytes.
///
/// # Errors
/// Fails if the body is longer or does not end.
pub async fn gather(mut body: Incoming, most: usize) -> Result<Bytes, IncompleteBody> {
    if body.size_hint().lower() > most as u64 {
        let why = format!(
            "a body of {} bytes was announced; at most {most} are let through",
            body.size_hint().lower()
        );
        return Err(IncompleteBody { why, seen: Bytes::new() });
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) if whole.len() + data.len() > most => {
                let why = format!("the body was cut off after {most} bytes, the most that is let through");
                whole.extend_from_slice(&data[..most - whole.len()]);
                return Err(IncompleteBody { why, seen: whole.freeze() });
            }
            Ok(Ok(data)) => whole.extend_from_slice(&data),
            // Trailers: Matrix has none.
            Ok(Err(_)) => {}
            Err(error) => return Err(IncompleteBody { why: words(&error), seen: whole.freeze() }),
        }
    }
    Ok(whole.freeze())
}

/// An error with its causes, in one line.
pub fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    // Some texts of rustls end with a link to its manual, which does not help a vendor's engineer.
    let plain = |error: &dyn std::error::Error| {
        error.to_string().split(": https://").next().unwrap_or_default().to_owned()
    };
    let mut words: Vec<_> = causes.map(plain).collect();
    words.dedup();
    words.join(": ")
}
