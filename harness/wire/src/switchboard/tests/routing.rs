//! Tests of traffic that passes the door as it should.

use samklang_reference::Transport as _;
use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use samklang_verdict::{Body, Party, Role};
use tokio::net::TcpStream;

use super::{
    super::{Effect, NetworkFault, PeerService, Switchboard, SwitchboardSettings, Upstream},
    stand::{Echo, OK, Stand, get},
};
use crate::{recorder::Recorder, switchboard::Ground, waiting::within};

const A: Party = Party::Server { role: Role::A };
const B: Party = Party::Server { role: Role::B };
const NETWORK: Ground = Ground::Network { gateway: std::net::Ipv4Addr::LOCALHOST };

#[tokio::test]
async fn requests_are_routed_by_sni_and_passed_on_byte_for_byte() {
    let stand = Stand::network().await;
    let (a, server_a) = stand.server(Role::A, OK).await;
    let (b, server_b) = stand.server(Role::B, OK).await;
    assert_eq!((a.as_str(), b.as_str()), ("a.test", "b.test"));

    let path = "/_matrix/federation/v1/send/%21r%3aA/%2F..//./{x}?q=%20&&a=+%C3%A5&é";
    let head =
        "Host: b.test\r\nX-Odd-CASE: v\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nAccept-Encoding: gzip";
    let answer = stand
        .send(&b, &format!("PUT {path} HTTP/1.1\r\n{head}\r\nContent-Length: 9\r\n\r\n{{\"a\" :1}}\n"))
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n{}"), "{answer}");
    assert!(answer.contains("X-Odd-CASE: v\r\n") && !answer.to_lowercase().contains("date:"), "{answer}");

    let [request] = <[String; 1]>::try_from(server_b.requests()).unwrap();
    assert!(request.starts_with(&format!("PUT {path} HTTP/1.1\r\n")), "{request}");
    assert!(request.contains("X-Odd-CASE: v\r\n") && request.ends_with("\r\n\r\n{\"a\" :1}\n"), "{request}");
    assert!(!request.to_lowercase().contains("x-hop") && !request.contains("Connection"), "{request}");
    assert!(!request.contains("gzip"), "{request}");
    assert_eq!(server_a.requests(), [""; 0]);

    let exchange = stand.exchange(1).await;
    assert_eq!((exchange.path.as_str(), exchange.status, &exchange.to), (path, Some(200), &B));
    assert_eq!(exchange.request_body, Body::of(b"{\"a\" :1}\n"));
    assert_eq!(exchange.response_body, Body::of(b"{}"));
    assert!(exchange.request_headers.contains(&("x-odd-case".into(), "v".into())));
    assert!(exchange.request_headers.contains(&("accept-encoding".into(), "gzip".into())));
    assert!(exchange.broken.is_none() && exchange.took_us > 0);
}

#[tokio::test]
async fn on_loopback_the_listener_names_the_receiver_and_the_signature_the_sender() {
    let stand = Stand::on(Ground::Loopback, SwitchboardSettings::default()).await;
    let (a, server_a) = stand.server(Role::A, OK).await;
    let (b, server_b) = stand.server(Role::B, OK).await;
    stand.send(&a, &get(&a, "/key")).await.unwrap();
    assert_eq!((server_a.requests().len(), server_b.requests().len()), (1, 0));
    // With two servers, an unsigned request to A comes from B.
    assert_eq!((&stand.exchange(1).await.from, &stand.exchange(1).await.to), (&B, &A));

    let signed = |origin: &str| {
        let value = format!("X-Matrix key=\"ed25519:1\", origin=\"{origin}\",sig=\"s\"");
        get(&b, "/signed").replace("\r\n\r\n", &format!("\r\nAuthorization: {value}\r\n\r\n"))
    };
    stand.send(&b, &signed(&a)).await.unwrap();
    stand.send(&b, &signed("evil.test")).await.unwrap();
    assert_eq!(stand.exchange(2).await.from, A);
    assert_eq!(stand.exchange(3).await.from, Party::Stranger { name: "evil.test".into() });

    // The sender is uncertain while a server may still come up, and also with three servers.
    let c = stand.switchboard.reserve("c").await.unwrap();
    stand.send(&a, &get(&a, "/key")).await.unwrap();
    let stranger = Party::Stranger { name: "127.0.0.1".into() };
    assert_eq!(stand.exchange(4).await.from, stranger);
    stand.switchboard.connect(&c, server_b.upstream(Role::C)).unwrap();
    stand.send(&a, &get(&a, "/key")).await.unwrap();
    assert_eq!(stand.exchange(5).await.from, stranger);
    // An earlier request on the same connection shows its sender.
    let pipelined = format!("{}{}", signed(&a).replace("Connection: close\r\n", ""), get(&b, "/key"));
    stand.send(&b, &pipelined).await.unwrap();
    assert_eq!((&*stand.exchange(7).await.path, &stand.exchange(7).await.from), ("/key", &A));
}

#[tokio::test]
async fn senders_are_known_by_their_address_if_servers_have_one() {
    let stand = Stand::network().await;
    let (a, server) = stand.server(Role::A, OK).await;
    let Upstream::Server { role, address, .. } = server.upstream(Role::A) else { panic!("not a server") };
    let source = Some("127.0.0.1".parse().unwrap());
    stand.switchboard.connect(&a, Upstream::Server { role, address, source }).unwrap();
    let (b, _server) = stand.server(Role::B, OK).await;
    let claim = get(&b, "/x").replace("\r\n\r\n", "\r\nAuthorization: X-Matrix origin=b.test,sig=x\r\n\r\n");
    stand.send(&b, &claim).await.unwrap();
    assert_eq!(stand.exchange(1).await.from, A);
}

#[tokio::test]
async fn requests_of_the_harness_and_to_peers_pass_like_those_of_any_server() {
    for ground in [NETWORK, Ground::Loopback, Ground::Memory] {
        let stand = Stand::on(
            ground,
            SwitchboardSettings { port: 0, https_port: 0, ..SwitchboardSettings::default() },
        )
        .await;
        let name = stand.switchboard.reserve("mallory-17").await.unwrap();
        stand.switchboard.connect(&name, Upstream::Peer(Arc::new(Echo))).unwrap();
        let (a, server) = stand.server(Role::A, OK).await;
        let eve = Party::Peer { name: "eve.test".into() };
        let client = stand.switchboard.client(eve.clone());
        let body = Bytes::from_static(b"hi");
        let answer = client.request("PUT", &name, "/%21?a=%2f", &[], body.clone()).await.unwrap();
        let id = answer.exchange.unwrap();
        assert_eq!(answer.body, format!("PUT /%21?a=%2f Some({eve:?}) Some({id:?}) b\"hi\""));
        let exchange = stand.exchange(id.0).await;
        assert_eq!((&exchange.from, &exchange.to), (&eve, &Party::Peer { name: name.clone() }));
        assert!(exchange.request_headers.contains(&("host".into(), name.clone())));
        assert!(!format!("{exchange:?}").contains("x-samklang"));

        let headers = [("X-Own".to_owned(), "1".to_owned())];
        let answer =
            stand.switchboard.client(Party::Harness).request("GET", &a, "/v", &headers, Bytes::new()).await;
        assert_eq!(stand.exchange(answer.unwrap().exchange.unwrap().0).await.from, Party::Harness);
        let seen = server.requests().concat();
        assert!(seen.contains("x-own: 1") && !seen.contains("x-samklang"), "{seen}");

        stand.switchboard.disconnect(&a).unwrap();
        let none = client.request("GET", &a, "/v", &[], Bytes::new()).await.unwrap_err();
        assert!(none.why.contains("no server is up") && none.exchange.is_some(), "{none:?}");
        let none = client.request("GET", &name, "/panic", &[], Bytes::new()).await.unwrap_err();
        assert_eq!(none.why, "the server panicked");
        assert!(
            client.request("GET", &a, "/cut#off", &[], Bytes::new()).await.unwrap_err().exchange.is_none()
        );
    }
}

/// To the other servers, a server inside the process behaves like any server.
#[tokio::test]
async fn a_server_within_the_process_plays_a_role_on_every_ground() {
    for ground in [NETWORK, Ground::Loopback, Ground::Memory] {
        let stand = Stand::on(
            ground.clone(),
            SwitchboardSettings { port: 0, https_port: 0, ..SwitchboardSettings::default() },
        )
        .await;
        let name = stand.switchboard.reserve("a").await.unwrap();
        let service: Arc<dyn PeerService> = Arc::new(Echo);
        let alive = Arc::downgrade(&service);
        stand.switchboard.connect(&name, Upstream::Embedded { role: Role::A, service }).unwrap();
        let (b, _server) = stand.server(Role::B, OK).await;
        let (own, other) = (stand.switchboard.client(A), stand.switchboard.client(Party::Harness));
        let asked = own.request("GET", &b, "/v", &[], Bytes::new()).await.unwrap().exchange.unwrap();
        let asked = stand.exchange(asked.0).await;
        assert_eq!((&asked.from, &asked.to, asked.status), (&A, &B, Some(200)));
        let answered = other.request("PUT", &name, "/v", &[], Bytes::from_static(b"{}")).await.unwrap();
        let answered = stand.exchange(answered.exchange.unwrap().0).await;
        assert_eq!((&answered.from, &answered.to), (&Party::Harness, &A));
        let headers: Vec<_> = answered.request_headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(headers, ["host", "content-length"]);
        stand.switchboard.close().await;
        assert!(alive.upgrade().is_none(), "{ground:?}");
    }
}

#[tokio::test]
async fn failed_requests_from_inside_the_process_are_recorded() {
    let stand =
        Stand::on(Ground::Memory, SwitchboardSettings { body: 10, ..SwitchboardSettings::default() }).await;
    let (a, server) = stand.server(Role::A, OK).await;
    let client = stand.switchboard.client(B);
    let ask = async |name: &str, headers: &[(&str, &str)], body: &'static [u8]| {
        let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        client.request("PUT", name, "/x", &headers, Bytes::from_static(body)).await
    };
    let stranger = ask("else.test", &[], b"{}").await.unwrap_err();
    let stranger = stand.exchange(stranger.exchange.unwrap().0).await;
    assert_eq!((&stranger.from, &stranger.to), (&B, &Party::Stranger { name: "else.test".into() }));
    assert!(stranger.broken.as_ref().unwrap().contains("no name of this run"), "{stranger:?}");
    let large = ask(&a, &[], b"{\"a\":123456}").await.unwrap_err();
    assert!(large.why.contains("12 bytes"), "{large:?}");
    assert_eq!(stand.exchange(large.exchange.unwrap().0).await.to, A);
    assert_eq!(
        ask(&a, &[("Host", "b.test")], b"{}").await.unwrap_err().why,
        "Host says b.test, and the connection was made to a.test"
    );
    assert!(server.requests().is_empty());
    assert_eq!(ask("A.test:8448", &[], b"{}").await.unwrap().status, 200);
}

#[tokio::test]
async fn network_faults_apply_to_matching_requests_while_in_force() {
    for ground in [NETWORK, Ground::Memory] {
        faults_hit(
            Stand::on(
                ground,
                SwitchboardSettings { port: 0, https_port: 0, ..SwitchboardSettings::default() },
            )
            .await,
        )
        .await;
    }
}

async fn faults_hit(stand: Stand) {
    let (a, server) = stand.server(Role::A, OK).await;
    let client = stand.switchboard.client(Party::Harness);
    let ask = async |path: &str| client.request("GET", &a, path, &[], Bytes::new()).await;

    let cut = NetworkFault::on_all(Effect::Cut).to(A).when(|asked| asked.path.starts_with("/send/"));
    let guard = stand.switchboard.fault(cut);
    let other = stand.switchboard.fault(NetworkFault::on_all(Effect::Cut).from(B));
    assert!(ask("/other").await.is_ok());
    assert!(ask("/send/1").await.is_err());
    assert!(ask("/other").await.is_ok());
    assert_eq!((guard.hits(), other.hits(), server.requests().len()), (1, 0, 2));
    let exchange = stand.exchange(2).await;
    assert_eq!((exchange.fault.as_deref(), exchange.status), (Some("connection reset"), None));
    drop(guard);
    assert!(ask("/send/1").await.is_ok());

    let refuse = stand.switchboard.fault(NetworkFault::on_all(Effect::Refuse(StatusCode::BAD_GATEWAY)));
    assert_eq!(ask("/x").await.unwrap().status, 502);
    drop(refuse);
    let span = Duration::from_millis(60);
    let delay = stand.switchboard.fault(NetworkFault::on_all(Effect::Delay(span)));
    let delayed = ask("/late").await.unwrap().exchange.unwrap();
    assert!(u128::from(stand.exchange(delayed.0).await.took_us) >= span.as_micros());
    drop(delay);

    let before = server.requests().len();
    let _twice = stand.switchboard.fault(NetworkFault::on_all(Effect::Duplicate));
    let first = ask("/twice").await.unwrap().exchange.unwrap();
    assert_eq!(server.requests().len(), before + 2);
    let [one, two] = [stand.exchange(first.0).await, stand.exchange(first.0 + 1).await];
    assert_eq!((&one.path, one.status, &one.fault), (&two.path, two.status, &two.fault));
}

#[tokio::test]
async fn a_taken_port_is_a_problem_and_closing_frees_the_port() {
    let stand = Stand::network().await;
    let (a, _server) = stand.server(Role::A, OK).await;
    let door = stand.switchboard.door().unwrap();
    let settings = SwitchboardSettings { port: door.port(), ..SwitchboardSettings::default() };
    let again = async || {
        Switchboard::open_with(NETWORK, Arc::clone(&stand.authority), Recorder::new(), settings).await
    };
    let problem = again().await.unwrap_err();
    assert_eq!(problem.message.key, "switchboard.port-taken");
    assert!(problem.to_string().contains(&door.port().to_string()), "{problem}");
    assert_eq!(stand.switchboard.reserve("a").await.unwrap_err().message.key, "switchboard.name-taken");
    assert_eq!(stand.switchboard.reserve("A_").await.unwrap_err().message.key, "switchboard.bad-name");

    let open = stand.connect(&a).await.unwrap();
    stand.switchboard.close().await;
    assert!(TcpStream::connect(door).await.is_err());
    let ended = async {
        let mut open = open;
        tokio::io::AsyncReadExt::read(&mut open, &mut [0]).await
    };
    assert!(!matches!(within(super::stand::LONG, ended).await.unwrap(), Ok(1..)));
    assert!(again().await.is_ok());
}
