//! Tests of traffic that must not pass, and of its record.

use samklang_reference::Transport as _;
use std::time::Duration;

use bytes::Bytes;
use samklang_verdict::{Body, Party, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    super::SwitchboardSettings,
    stand::{LONG, OK, Reply, Server, Stand, get},
};
use crate::{switchboard::Ground, waiting::within};

/// A stage with low bounds. A server that answers with `reply` plays A.
async fn small(host: &str, reply: Reply) -> (Stand, Server) {
    let (exchange, connecting) = (Duration::from_millis(300), Duration::from_secs(10));
    let settings = SwitchboardSettings { port: 0, https_port: 0, body: 10_000, exchange, connecting };
    let stand = Stand::on(Ground::Network { gateway: std::net::Ipv4Addr::LOCALHOST }, settings).await;
    let name = stand.switchboard.reserve("a").await.unwrap();
    let server = Server::start(&stand.authority, host, reply).await;
    stand.switchboard.connect(&name, server.upstream(Role::A)).unwrap();
    (stand, server)
}

#[tokio::test]
async fn a_request_for_another_name_is_misdirected() {
    let stand = Stand::network().await;
    let (a, server) = stand.server(Role::A, OK).await;
    let (_b, server_b) = stand.server(Role::B, OK).await;
    for (id, host) in [(1, "b.test"), (2, "matrix.org"), (3, "a.test:1")] {
        let answer = stand.send(&a, &get(host, "/x")).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 421 "), "{host}: {answer}");
        let exchange = stand.exchange(id).await;
        assert_eq!((&exchange.to, exchange.status), (&Party::Stranger { name: host.into() }, Some(421)));
        assert!(exchange.broken.as_ref().is_some_and(|why| why.contains(host)));
    }
    let none = stand.send(&a, "GET /x HTTP/1.1\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(none.starts_with("HTTP/1.1 400 "), "{none}");
    assert!(stand.send(&a, &get("A.test", "/x")).await.unwrap().starts_with("HTTP/1.1 200 "));
    assert_eq!((server.requests().len(), server_b.requests().len()), (1, 0));
}

#[tokio::test]
async fn a_path_that_the_parser_would_cut_is_refused_and_recorded_in_full() {
    let stand = Stand::network().await;
    let (a, server) = stand.server(Role::A, OK).await;
    let path = "/query/directory?room_alias=#sports:a.test";
    assert!(stand.send(&a, &get(&a, path)).await.unwrap().starts_with("HTTP/1.1 400 "));
    assert_eq!(stand.exchange(1).await.path, path);
    assert!(stand.send(&a, &get(&a, "/a b<c>")).await.unwrap().starts_with("HTTP/1.1 400 "));
    let exchange = stand.exchange(2).await;
    assert_eq!((exchange.method.as_str(), exchange.path.as_str(), exchange.status), ("GET", "/a b<c>", None));
    assert!(exchange.broken.as_ref().is_some_and(|why| why.contains("not a request")));
    assert_eq!(server.requests(), [""; 0]);
}

#[tokio::test]
async fn an_unknown_name_gets_no_certificate() {
    let stand = Stand::network().await;
    let error = stand.send("c.test", &get("c.test", "/x")).await.unwrap_err();
    assert!(error.to_string().contains("AccessDenied"), "{error}");
    let exchange = stand.exchange(1).await;
    assert_eq!(exchange.to, Party::Stranger { name: "c.test".into() });
    assert!(exchange.broken.as_ref().is_some_and(|why| why.contains("no name of this run")));

    let loopback = Stand::on(Ground::Loopback, SwitchboardSettings::default()).await;
    let (name, _server) = loopback.server(Role::A, OK).await;
    let client =
        tokio_rustls::TlsConnector::from(std::sync::Arc::new(loopback.authority.client_config().unwrap()));
    let tcp = tokio::net::TcpStream::connect(&name).await.unwrap();
    assert!(client.connect("localhost".try_into().unwrap(), tcp).await.is_err());
    assert_eq!(loopback.exchange(1).await.to, Party::Stranger { name: "localhost".into() });
}

#[tokio::test]
async fn a_server_with_the_certificate_of_another_name_gets_no_request() {
    let (stand, server) = small("other.test", Reply::Once(OK)).await;
    let answer = stand.send("a.test", &get("a.test", "/x")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("certificate"), "{answer}");
    let exchange = stand.exchange(1).await;
    assert_eq!(exchange.status, None);
    assert!(exchange.broken.as_ref().is_some_and(|why| why.contains("not valid for name")), "{exchange:?}");
    assert_eq!(server.requests(), [""; 0]);
}

#[tokio::test]
async fn an_endless_response_is_cut_off_on_both_sides() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (stand, _server) = small("a.test", Reply::Endless(head)).await;
    assert!(!stand.send("a.test", &get("a.test", "/x")).await.is_ok_and(|answer| !answer.is_empty()));
    let exchange = stand.exchange(1).await;
    assert_eq!((exchange.status, exchange.response_body.text().map(str::len)), (Some(200), Some(10_000)));
    assert!(exchange.broken.as_ref().is_some_and(|why| why.contains("cut off after 10000 bytes")));
}

#[tokio::test]
async fn a_request_that_is_too_large_is_cut_off() {
    let (stand, server) = small("a.test", Reply::Once(OK)).await;
    let head = "PUT /x HTTP/1.1\r\nHost: a.test\r\n";
    let announced = format!("{head}Content-Length: 10001\r\n\r\n");
    let chunked =
        format!("{head}Transfer-Encoding: chunked\r\n\r\n3000\r\n{}\r\n0\r\n\r\n", "x".repeat(0x3000));
    for (id, request) in [(1, announced), (2, chunked)] {
        assert!(!stand.send("a.test", &request).await.is_ok_and(|answer| !answer.is_empty()));
        let exchange = stand.exchange(id).await;
        assert!(
            exchange
                .broken
                .as_ref()
                .is_some_and(|why| why.contains("at most 10000") || why.contains("10000 bytes"))
        );
        assert!(
            matches!(&exchange.request_body, Body::Empty)
                || exchange.request_body.text().unwrap().len() == 10_000
        );
    }
    assert_eq!(server.requests(), [""; 0]);
}

#[tokio::test]
async fn silence_and_slow_bodies_end_at_the_bound() {
    let (stand, _server) = small("a.test", Reply::Silence).await;
    let answer = stand.send("a.test", &get("a.test", "/x")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    let exchange = stand.exchange(1).await;
    assert!(exchange.status.is_none() && exchange.took_us >= 300_000, "{exchange:?}");
    assert!(exchange.broken.as_ref().is_some_and(|why| why.contains("within 300ms")));

    let mut tls = stand.connect("a.test").await.unwrap();
    tls.write_all(b"PUT /slow HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nx").await.unwrap();
    assert!(stand.exchange(2).await.broken.as_ref().is_some_and(|why| why.contains("within 300ms")));
    let mut rest = Vec::new();
    let _ = within(LONG, tls.read_to_end(&mut rest)).await.expect("the connection ends");
    assert!(rest.starts_with(b"HTTP/1.1 504 "));
}

#[tokio::test]
async fn responses_that_break_off_or_have_a_wrong_length_are_recorded_as_broken() {
    for (reply, status, words) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", Some(200), "broke off"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{", Some(200), "99999 bytes was announced"),
        ("<html>", None, "invalid HTTP"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            None,
            "switched protocols",
        ),
        ("", None, "peer closed connection without sending TLS close_notify"),
    ] {
        let (stand, server) = small("a.test", Reply::ThenClose(reply)).await;
        let client = stand.switchboard.client(Party::Harness);
        assert!(client.request("GET", "a.test", "/x", &[], Bytes::new()).await.is_err());
        let exchange = stand.exchange(1).await;
        let why = exchange.broken.clone().unwrap_or_default();
        assert!(exchange.status == status && why.contains(words), "{reply:?}: {exchange:?}");
        assert_eq!((stand.recorder.len(), server.requests().len()), (1, 1));
    }
}

#[tokio::test]
async fn the_door_connects_again_to_a_server_that_closes_after_each_response() {
    let (stand, server) = small("a.test", Reply::ThenClose(OK)).await;
    let client = stand.switchboard.client(Party::Harness);
    for _ in 0..20 {
        assert_eq!(client.request("PUT", "a.test", "/x", &[], Bytes::new()).await.unwrap().status, 200);
    }
    assert_eq!(server.requests().len(), 20);
}

#[tokio::test]
async fn an_exchange_whose_sender_goes_away_is_recorded() {
    let settings = SwitchboardSettings { port: 0, https_port: 0, ..SwitchboardSettings::default() };
    let stand = Stand::on(Ground::Network { gateway: std::net::Ipv4Addr::LOCALHOST }, settings).await;
    let name = stand.switchboard.reserve("a").await.unwrap();
    let server = Server::start(&stand.authority, "a.test", Reply::Silence).await;
    stand.switchboard.connect(&name, server.upstream(Role::A)).unwrap();
    let mut tls = stand.connect("a.test").await.unwrap();
    tls.write_all(get("a.test", "/gone").as_bytes()).await.unwrap();
    let arrived = crate::waiting::until(LONG, async || (server.requests().len() == 1).then_some(()));
    arrived.await.unwrap();
    drop(tls);
    let exchange = stand.exchange(1).await;
    assert!(exchange.broken.as_ref().is_some_and(|why| why.contains("went away")), "{exchange:?}");
}
