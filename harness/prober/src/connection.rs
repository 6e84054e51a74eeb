//! One connection, one request, one response, each within its bound.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::{
    CertificateError, ClientConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName},
};
use samklang_verdict::{Problem, message};
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{ProbeFinding, ProbeMark, ProbeSettings, certificate, discovery::Destination};
use samklang_wire::{
    switchboard::{gather, words},
    waiting::within,
};

/// The largest body that is read, in bytes. Key documents have a few hundred.
const LARGEST: usize = 512 * 1024;

/// The reason why there is no response.
#[derive(Debug)]
pub(super) struct ProbeFailure {
    /// [`ProbeMark::Bad`] if the server sent something wrong, [`ProbeMark::Unknown`] if it sent nothing.
    pub(super) mark: ProbeMark,
    pub(super) why: String,
}

impl ProbeFailure {
    pub(super) fn unknown(why: impl Into<String>) -> Self {
        Self { mark: ProbeMark::Unknown, why: why.into() }
    }

    fn bad(why: impl Into<String>) -> Self {
        Self { mark: ProbeMark::Bad, why: why.into() }
    }
}

/// A response.
#[derive(Debug)]
pub(super) struct ProbeResponse {
    pub(super) status: u16,
    /// The `Location` header, if there is one.
    pub(super) location: Option<String>,
    pub(super) body: Bytes,
}

/// Connects to servers.
pub(super) struct Prober<'a> {
    pub(super) settings: &'a ProbeSettings,
    provider: Arc<CryptoProvider>,
    tls: TlsConnector,
}

impl<'a> Prober<'a> {
    pub(super) fn new(settings: &'a ProbeSettings) -> Result<Self, Problem> {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Problem::harness(message!("certificates.failed", detail = error)))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(certificate::Witness(Arc::clone(&provider))))
            .with_no_client_auth();
        Ok(Self { settings, provider, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Judges the certificate that was presented for `host`.
    pub(super) fn judge_certificate(&self, host: &str, chain: &[CertificateDer<'static>]) -> ProbeFinding {
        certificate::judge(host, chain, &self.settings.roots, &self.provider)
    }

    /// Connects to the first address of `place` that answers.
    pub(super) async fn connect(&self, place: &Destination) -> Result<ProbeConnection, ProbeFailure> {
        let bound = self.settings.bound;
        let addresses = within(bound, self.addresses(place))
            .await
            .map_err(|_| ProbeFailure::unknown(format!("no address within {bound:?}")))??;
        let mut trouble = ProbeFailure::unknown("the name has no address");
        // A server with more addresses can be reached at one of these.
        for address in addresses.into_iter().take(4) {
            let connected = within(bound, self.connect_to(address, place)).await;
            match connected.unwrap_or_else(|_| {
                Err(ProbeFailure::unknown(format!("{address} did not answer within {bound:?}")))
            }) {
                Ok(connection) => return Ok(connection),
                Err(next) => trouble = next,
            }
        }
        Err(trouble)
    }

    async fn addresses(&self, place: &Destination) -> Result<Vec<SocketAddr>, ProbeFailure> {
        if let Some(&address) = self.settings.routes.get(&place.dialled()) {
            return Ok(vec![address]);
        }
        let found = tokio::net::lookup_host((place.dial.as_str(), place.port)).await;
        found.map(Iterator::collect).map_err(|error| ProbeFailure::unknown(error.to_string()))
    }

    async fn connect_to(
        &self,
        address: SocketAddr,
        place: &Destination,
    ) -> Result<ProbeConnection, ProbeFailure> {
        let name = ServerName::try_from(place.certified_for.clone())
            .map_err(|error| ProbeFailure::bad(format!("{}: {error}", place.certified_for)))?;
        let tcp = TcpStream::connect(address)
            .await
            .map_err(|error| ProbeFailure::unknown(format!("{address}: {error}")))?;
        let tls = self.tls.connect(name, tcp).await.map_err(|error| no_tls(address, &error))?;
        let chain = tls.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
        let (requests, driver) = http1::handshake(TokioIo::new(tls))
            .await
            .map_err(|error| ProbeFailure::unknown(words(&error)))?;
        Ok(ProbeConnection { address, chain, requests, driver: drive(driver), bound: self.settings.bound })
    }
}

/// The server is to blame if it does not speak TLS or breaks the rules of TLS. A connection that ends may be the fault
/// of either side, and two sides without a common cipher may both be right.
fn no_tls(address: SocketAddr, error: &io::Error) -> ProbeFailure {
    let why = format!("no TLS with {address}: {error}");
    let rustls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match rustls {
        Some(
            rustls::Error::InvalidMessage(_)
            | rustls::Error::PeerMisbehaved(_)
            | rustls::Error::InvalidCertificate(CertificateError::BadSignature | CertificateError::BadEncoding),
        ) => ProbeFailure::bad(why),
        _ => ProbeFailure::unknown(why),
    }
}

fn drive(driver: http1::Connection<TokioIo<TlsStream<TcpStream>>, Full<Bytes>>) -> JoinHandle<()> {
    tokio::spawn(async move {
        // The request that an error concerns gets that error too.
        let _ = driver.await;
    })
}

/// An open connection.
pub(super) struct ProbeConnection {
    pub(super) address: SocketAddr,
    /// The certificates that the server presented, its own first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    requests: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    bound: Duration,
}

impl Drop for ProbeConnection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl ProbeConnection {
    /// Requests `path` with `host` in the `Host` header.
    pub(super) async fn get(mut self, host: &str, path: &str) -> Result<ProbeResponse, ProbeFailure> {
        let bound = self.bound;
        let request = Request::get(path)
            .header(header::HOST, host)
            .header(header::USER_AGENT, concat!("samklang/", env!("CARGO_PKG_VERSION")))
            .body(Full::default())
            .map_err(|error| ProbeFailure::bad(format!("no such request: {error}")))?;
        let answer = within(bound, async {
            let answer = self.requests.send_request(request).await.map_err(|error| broken(&error))?;
            let (parts, body) = answer.into_parts();
            let body = gather(body, LARGEST).await.map_err(|excess| ProbeFailure::unknown(excess.why))?;
            let location = parts.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
            Ok(ProbeResponse { status: parts.status.as_u16(), location: location.map(str::to_owned), body })
        });
        answer
            .await
            .unwrap_or_else(|_| Err(ProbeFailure::unknown(format!("no whole answer within {bound:?}"))))
    }
}

/// The server is to blame if it does not speak HTTP.
fn broken(error: &hyper::Error) -> ProbeFailure {
    let why = words(error);
    if error.is_parse() { ProbeFailure::bad(why) } else { ProbeFailure::unknown(why) }
}
