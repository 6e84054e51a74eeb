//! The listeners: TLS, then HTTP/1.1, then [`line`](super::line).

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::HeaderMap;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{ServerConfig, server::Acceptor, sign::CertifiedKey};
use samklang_verdict::{Party, Problem};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::LazyConfigAcceptor;

use super::{
    Shared,
    entry::RecordEntry,
    exchange::{party_of, stranger},
    line::{DoorConnection, handle},
    pool::words,
    tap::{ConnectionNotes, Tap},
};
use crate::{
    certificates::{StageResolver, host_of},
    waiting::{let_pass, within},
};

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 128 * 1024;

/// The pause after a failed accept. Usually the process has run out of file descriptors.
const BREATH: Duration = Duration::from_millis(20);

/// The transcript has this word in place of a method if no request arrived.
const NO_METHOD: &str = "TLS";

/// The names for which a listener answers.
#[derive(Debug, Clone)]
pub(super) enum ServedNames {
    /// This name alone.
    One(String),
    /// All names of the stage. The TLS handshake says which host is meant; names include the port if there is one here.
    All { port: Option<u16> },
}

impl ServedNames {
    /// The name meant by a connection whose handshake asks for `host`, or the empty string if that is unknown.
    fn meant(&self, host: Option<&str>) -> String {
        match (self, host) {
            (Self::One(name), _) => name.clone(),
            (Self::All { port: Some(port) }, Some(host)) => format!("{host}:{port}"),
            (Self::All { port: None }, Some(host)) => host.to_owned(),
            (Self::All { .. }, None) => String::new(),
        }
    }
}

/// Opens the door at `listener`. It presents `certificate`, if given, or certificates of the stage's authority for each
/// name.
pub(super) fn open(
    shared: &Arc<Shared>,
    listener: TcpListener,
    behind: ServedNames,
    certificate: Option<Arc<CertifiedKey>>,
) -> Result<(), Problem> {
    let known = {
        let (shared, behind) = (Arc::downgrade(shared), behind.clone());
        move |host: &str| match &behind {
            ServedNames::One(own) => host == host_of(own),
            all => shared.upgrade().is_some_and(|shared| shared.directory.knows(&all.meant(Some(host)))),
        }
    };
    let unnamed = match &behind {
        ServedNames::One(own) => Some(host_of(own).to_owned()),
        ServedNames::All { .. } => None,
    };
    let resolver = StageResolver::new(Arc::clone(&shared.authority), known, unnamed).presenting(certificate);
    let config = Arc::new(shared.authority.server_config(Arc::new(resolver))?);
    shared.tasks.spawn(listen(Arc::clone(shared), listener, config, behind));
    Ok(())
}

async fn listen(shared: Arc<Shared>, listener: TcpListener, config: Arc<ServerConfig>, behind: ServedNames) {
    loop {
        match listener.accept().await {
            Ok((tcp, remote)) => {
                // The permit is requested only now, so that a name without connections uses none. The semaphore stays
                // open while a listener lives.
                let Ok(permit) = Arc::clone(&shared.connections).acquire_owned().await else { return };
                let connection = serve(Arc::clone(&shared), tcp, remote, Arc::clone(&config), behind.clone());
                shared.tasks.spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(_) => let_pass(BREATH).await,
        }
    }
}

async fn serve(
    shared: Arc<Shared>,
    tcp: TcpStream,
    remote: SocketAddr,
    config: Arc<ServerConfig>,
    behind: ServedNames,
) {
    // Best effort: without it, small responses are slower but still correct.
    let _ = tcp.set_nodelay(true);
    let hello = within(shared.settings.connecting, LazyConfigAcceptor::new(Acceptor::default(), tcp)).await;
    // A client that does not even start a handshake (a probe of the port) is not recorded.
    let Ok(Ok(start)) = hello else { return };
    let asked = start.client_hello().server_name().map(str::to_ascii_lowercase);
    let name = behind.meant(asked.as_deref());
    let known = shared.directory.knows(&name);
    let stream = match within(shared.settings.connecting, start.into_stream(config)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(_)) if !known || asked.as_ref().is_some_and(|asked| asked != host_of(&name)) => {
            let wanted = asked.unwrap_or_else(|| "no name".to_owned());
            let why = format!("TLS handshake refused: {wanted} is no name of this run");
            return record_failure(&shared, remote, stranger(&wanted), "", why);
        }
        Ok(Err(error)) => {
            let why = format!("the TLS handshake failed: {}", words(&error));
            return record_failure(&shared, remote, party_of(&shared, &name), "", why);
        }
        Err(passed) => {
            let why = format!("no TLS handshake within {:?}", passed.bound);
            return record_failure(&shared, remote, party_of(&shared, &name), "", why);
        }
    };

    let heard = Arc::new(ConnectionNotes::new());
    let line = Arc::new(DoorConnection { remote, name, heard: Arc::clone(&heard), sender: Mutex::default() });
    let service = {
        let (shared, line) = (Arc::clone(&shared), Arc::clone(&line));
        service_fn(move |request| handle(Arc::clone(&shared), Arc::clone(&line), request))
    };
    // Scenarios end and leave their peers behind. If servers kept connections to these peers open, they would fill the
    // door.
    let of_peer = matches!(party_of(&shared, &line.name), Party::Peer { .. });
    let served = http1::Builder::new()
        .keep_alive(!of_peer)
        .timer(TokioTimer::new())
        .header_read_timeout(shared.settings.exchange)
        .preserve_header_case(true)
        .auto_date_header(false)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(Tap::new(stream, Arc::clone(&heard))), service)
        .await;
    if let Err(error) = served
        && error.is_parse()
    {
        let (method, target) = heard.take_line().unwrap_or_default();
        let why = format!("not a request of HTTP/1.1: {}", words(&error));
        let to = party_of(&shared, &line.name);
        record_failure(&shared, remote, to, &format!("{method} {target}"), why);
    }
}

/// Records a connection that carried no valid request. `line` is the request line, if there was any.
fn record_failure(shared: &Shared, remote: SocketAddr, to: Party, line: &str, why: String) {
    let (method, path) = line.split_once(' ').unwrap_or((NO_METHOD, ""));
    let from = stranger(&remote.ip());
    let mut entry = RecordEntry::begin(&shared.recorder, method, path, &HeaderMap::new(), from);
    entry.exchange.to = to;
    entry.exchange.broken = Some(why);
}
