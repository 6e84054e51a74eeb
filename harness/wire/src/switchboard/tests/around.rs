//! Tests around a server that is not part of the run: the stage finds it at its address, and it finds the names of the
//! stage at their doors.

use std::{net::Ipv4Addr, sync::Arc};

use bytes::Bytes;
use http::HeaderValue;
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    sign::CertifiedKey,
};
use samklang_reference::Transport as _;
use samklang_verdict::{Party, Role};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    super::{Doors, Naming, SwitchboardSettings, TargetAddress, Upstream},
    stand::{Echo, LONG, OK, Reply, Server, Stand, get},
};
use crate::{
    certificates::{Authority, AuthorityKey},
    switchboard::Ground,
    waiting::within,
};

const A: Party = Party::Server { role: Role::A };

/// Doors that present a certificate of another authority for `host`.
fn doors(naming: Naming, theirs: &Authority, host: &str) -> Ground {
    let leaf = theirs.issue(host).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(leaf.cert_pem.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes()).unwrap();
    let certified = CertifiedKey::from_der(chain, key, &ring::default_provider()).unwrap();
    Ground::Around(Doors { naming, certificate: Some(Arc::new(certified)), mark: "k4".to_owned() })
}

/// A server with an authority of its own. It is called `matrix.test` and is found as `fed.test:443`.
async fn adopted(stand: &Stand, theirs: &Arc<Authority>, reply: Reply) -> Server {
    let server = Server::start(theirs, "fed.test", reply).await;
    let Upstream::Server { address, .. } = server.upstream(Role::A) else { panic!("not a server") };
    let place = Box::new(TargetAddress {
        address,
        name: ServerName::try_from("fed.test").unwrap(),
        host: HeaderValue::from_static("fed.test:443"),
        tls: theirs.client_config().unwrap(),
    });
    stand.switchboard.adopt("matrix.test").unwrap();
    stand.switchboard.connect("matrix.test", Upstream::Target { role: Role::A, place }).unwrap();
    server
}

#[tokio::test]
async fn below_a_domain_all_names_lead_to_one_door_and_include_its_port() {
    let theirs = Arc::new(Authority::new(AuthorityKey::Ecdsa).unwrap());
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let naming = Naming::Zone { listen, zone: "peers.test".to_owned(), port: 8449 };
    let stand = Stand::on(doors(naming, &theirs, "*.peers.test"), SwitchboardSettings::default()).await;
    let server = adopted(&stand, &theirs, Reply::Once(OK)).await;
    let name = stand.switchboard.reserve("mallory-17").await.unwrap();
    assert_eq!(name, "mallory-17-k4.peers.test:8449");
    stand.switchboard.connect(&name, Upstream::Peer(Arc::new(Echo))).unwrap();

    let tls = TlsConnector::from(Arc::new(theirs.client_config().unwrap()));
    let door = stand.switchboard.door().unwrap();
    let ask = async |host: &'static str| {
        let tcp = TcpStream::connect(door).await?;
        let mut tls = tls.connect(ServerName::try_from(host).unwrap(), tcp).await?;
        let signed = "\r\nAuthorization: X-Matrix origin=matrix.test,sig=x\r\n\r\n";
        tls.write_all(get(&name, "/x").replace("\r\n\r\n", signed).as_bytes()).await?;
        let mut answer = Vec::new();
        within(LONG, tls.read_to_end(&mut answer)).await.expect("the connection ends")?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = ask("mallory-17-k4.peers.test").await.unwrap();
    assert!(answer.contains(&format!("GET /x Some({A:?})")), "{answer}");
    let exchange = stand.exchange(1).await;
    assert_eq!((&exchange.from, &exchange.to), (&A, &Party::Peer { name: name.clone() }));
    // The certificate would be valid for this name, but it belongs to another run.
    assert!(ask("mallory-17-k3.peers.test").await.is_err());

    // Peers use the server's name, and their requests carry the `Host` that the server expects.
    let client = stand.switchboard.client(Party::Peer { name: name.clone() });
    let answer = client.request("GET", "matrix.test", "/v", &[], Bytes::new()).await.unwrap();
    let exchange = stand.exchange(answer.exchange.unwrap().0).await;
    assert_eq!((&exchange.from, &exchange.to, exchange.status), (&Party::Peer { name }, &A, Some(200)));
    assert!(server.requests().concat().contains("host: fed.test:443\r\n"), "{:?}", server.requests());
}

#[tokio::test]
async fn on_loopback_each_name_has_a_door_of_its_own() {
    let theirs = Arc::new(Authority::new(AuthorityKey::Ecdsa).unwrap());
    let stand =
        Stand::on(doors(Naming::Loopback, &theirs, "127.0.0.1"), SwitchboardSettings::default()).await;
    let _server = adopted(&stand, &theirs, Reply::Once(OK)).await;
    let mut names = Vec::new();
    for label in ["b", "mallory-17"] {
        let name = stand.switchboard.reserve(label).await.unwrap();
        stand.switchboard.connect(&name, Upstream::Peer(Arc::new(Echo))).unwrap();
        names.push(name);
    }
    assert_eq!((stand.switchboard.door(), stand.switchboard.mark()), (None, Some("k4")));
    let tls = TlsConnector::from(Arc::new(theirs.client_config().unwrap()));
    for name in &names {
        let host = ServerName::try_from("127.0.0.1").unwrap();
        let mut tls = tls.connect(host, TcpStream::connect(name).await.unwrap()).await.unwrap();
        tls.write_all(get(name, "/keys").as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(LONG, tls.read_to_string(&mut answer)).await.expect("the connection ends").unwrap();
        // Only one server can have sent the unsigned request.
        assert!(answer.contains(&format!("GET /keys Some({A:?})")), "{answer}");
    }
}

#[tokio::test]
async fn a_rate_limited_request_is_repeated_later() {
    const BUSY: &str = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 22\r\n\r\n{\"retry_after_ms\":600}";
    let theirs = Arc::new(Authority::new(AuthorityKey::Ecdsa).unwrap());
    let stand =
        Stand::on(doors(Naming::Loopback, &theirs, "127.0.0.1"), SwitchboardSettings::default()).await;
    let server = adopted(&stand, &theirs, Reply::AtFirst(BUSY, OK)).await;
    let client = stand.switchboard.client(Party::Harness);
    let body = Bytes::from_static(b"{}");
    let answer = client.request("PUT", "matrix.test", "/v", &[], body).await.unwrap();
    // Each attempt is recorded, and the caller gets the last response.
    assert_eq!((answer.status, answer.exchange.unwrap().0), (200, 2));
    let [first, second] = [stand.exchange(1).await, stand.exchange(2).await];
    assert_eq!((first.status, second.status, &first.broken), (Some(429), Some(200), &None));
    assert!(second.at_us - first.at_us >= 600_000, "{first:?} {second:?}");
    assert_eq!((&first.request_body, server.requests().len()), (&second.request_body, 2));
}
