//! Helpers of the tests: a server and a client that send given bytes, and a peer.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use rustls::pki_types::ServerName;
use samklang_verdict::{Exchange, ExchangeId, Role};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::super::{PeerService, Switchboard, SwitchboardSettings, Upstream, tasks::Tasks};
use crate::{
    certificates::{Authority, AuthorityKey, StageResolver},
    recorder::Recorder,
    switchboard::Ground,
    waiting::within,
};

pub(super) const LONG: Duration = Duration::from_secs(20);
pub(super) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Odd-CASE: v\r\n\r\n{}";

/// An empty stage.
pub(super) struct Stand {
    pub(super) authority: Arc<Authority>,
    pub(super) recorder: Recorder,
    pub(super) switchboard: Switchboard,
}

impl Stand {
    pub(super) async fn network() -> Self {
        let gateway = Ipv4Addr::LOCALHOST;
        Self::on(
            Ground::Network { gateway },
            SwitchboardSettings { port: 0, https_port: 0, ..SwitchboardSettings::default() },
        )
        .await
    }

    pub(super) async fn on(ground: Ground, settings: SwitchboardSettings) -> Self {
        let authority = Arc::new(Authority::new(AuthorityKey::Ecdsa).unwrap());
        let recorder = Recorder::new();
        let switchboard =
            Switchboard::open_with(ground, Arc::clone(&authority), recorder.clone(), settings).await.unwrap();
        Self { authority, recorder, switchboard }
    }

    /// Reserves a name and connects a server that answers each request with `reply`.
    pub(super) async fn server(&self, role: Role, reply: &'static str) -> (String, Server) {
        let name = self.switchboard.reserve(role.as_str()).await.unwrap();
        let host = crate::certificates::host_of(&name).to_owned();
        let server = Server::start(&self.authority, &host, Reply::Once(reply)).await;
        self.switchboard.connect(&name, server.upstream(role)).unwrap();
        (name, server)
    }

    /// Sends `request` to `name` over a connection of its own, and returns the bytes that arrived before the connection
    /// ended.
    pub(super) async fn send(&self, name: &str, request: &str) -> io::Result<String> {
        let mut tls = self.connect(name).await?;
        tls.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        within(LONG, tls.read_to_end(&mut answer)).await.expect("the connection ends")?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    pub(super) async fn connect(&self, name: &str) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let door = self.switchboard.door().unwrap_or_else(|| name.parse().unwrap());
        let host = ServerName::try_from(crate::certificates::host_of(name).to_owned()).unwrap();
        let tls = TlsConnector::from(Arc::new(self.authority.client_config().unwrap()));
        tls.connect(host, TcpStream::connect(door).await?).await
    }

    /// The exchange with this id, once it is finished.
    pub(super) async fn exchange(&self, id: u64) -> Arc<Exchange> {
        self.recorder.await_exchange(LONG, ExchangeId(id), |x| x.id.0 == id).await.expect("a record")
    }
}

/// `GET path` for `host`. The connection ends after the response.
pub(super) fn get(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

#[derive(Clone, Copy)]
pub(super) enum Reply {
    /// These bytes.
    Once(&'static str),
    /// The first bytes as response to the first request, the other bytes to all others.
    AtFirst(&'static str, &'static str),
    /// These bytes, then the connection ends without a TLS close.
    ThenClose(&'static str),
    /// These bytes, then chunk after chunk.
    Endless(&'static str),
    /// Nothing, for ever.
    Silence,
}

/// A TLS server that keeps the requests that it gets.
pub(super) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: Arc<Tasks>,
}

impl Server {
    pub(super) async fn start(authority: &Arc<Authority>, host: &str, reply: Reply) -> Self {
        let resolver = StageResolver::new(Arc::clone(authority), |_| false, Some(host.to_owned()));
        let by_name = StageResolver::new(Arc::clone(authority), |_| true, Some(host.to_owned()));
        // It presents the certificate of `host` for every requested name.
        let wrong = host.starts_with("other");
        let resolver: Arc<dyn rustls::server::ResolvesServerCert> =
            if wrong { Arc::new(Always(resolver)) } else { Arc::new(by_name) };
        let acceptor = TlsAcceptor::from(Arc::new(authority.server_config(resolver).unwrap()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let tasks = Arc::new(Tasks::new());
        let (kept, spawner) = (Arc::clone(&requests), Arc::downgrade(&tasks));
        tasks.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, kept) = (acceptor.clone(), Arc::clone(&kept));
                let Some(tasks) = spawner.upgrade() else { return };
                tasks.spawn(async move {
                    let _ = answer(acceptor, tcp, reply, kept).await;
                });
            }
        });
        Self { address, requests, _tasks: tasks }
    }

    pub(super) fn upstream(&self, role: Role) -> Upstream {
        Upstream::Server { role, address: self.address, source: None }
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// A resolver that treats every client as one that names no host.
#[derive(Debug)]
struct Always(StageResolver);

impl rustls::server::ResolvesServerCert for Always {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
        self.0.unnamed()
    }
}

async fn answer(
    acceptor: TlsAcceptor,
    tcp: TcpStream,
    reply: Reply,
    kept: Arc<Mutex<Vec<String>>>,
) -> io::Result<()> {
    let mut tls = acceptor.accept(tcp).await?;
    let mut read = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let length = tls.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        read.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let announced = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        if body.len() < announced.unwrap_or(0) {
            continue;
        }
        let count = {
            let mut kept = kept.lock().unwrap();
            kept.push(text);
            kept.len()
        };
        read.clear();
        match reply {
            Reply::AtFirst(bytes, _) if count == 1 => tls.write_all(bytes.as_bytes()).await?,
            Reply::Once(bytes) | Reply::AtFirst(_, bytes) => tls.write_all(bytes.as_bytes()).await?,
            Reply::ThenClose(bytes) => {
                tls.write_all(bytes.as_bytes()).await?;
                tls.flush().await?;
                return Ok(());
            }
            Reply::Endless(bytes) => {
                tls.write_all(bytes.as_bytes()).await?;
                let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
                loop {
                    tls.write_all(chunk.as_bytes()).await?;
                }
            }
            Reply::Silence => {}
        }
        tls.flush().await?;
    }
}

/// A peer whose response repeats the request and its sender.
pub(super) struct Echo;

#[async_trait]
impl PeerService for Echo {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        assert_ne!(request.uri(), "/panic");
        let from = request.extensions().get::<samklang_verdict::Party>();
        let id = request.extensions().get::<ExchangeId>();
        Response::new(
            format!("{} {} {from:?} {id:?} {:?}", request.method(), request.uri(), request.body()).into(),
        )
    }
}
