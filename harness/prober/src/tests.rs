//! Tests that need no server. `harness/samklang/tests/probe.rs` runs the program against servers, good and bad.

use std::{
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use hickory_resolver::proto::{
    op::{self, MessageType, ResponseCode},
    rr::{Name, RData, Record, rdata::SRV},
};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{crypto::ring, pki_types::CertificateDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};

use super::{certificate::judge, *};

/// An authority, and a certificate that it signed for `name`, valid through these years.
fn certified(name: &str, years: [i32; 2]) -> (Certificate, Certificate) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    [params.not_before, params.not_after] = years.map(|year| date_time_ymd(year, 1, 1));
    let leaf = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
    (root, leaf)
}

fn trusting(root: &Certificate) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).unwrap();
    roots
}

fn judged(host: &str, leaf: &Certificate, root: &Certificate) -> (ProbeMark, String) {
    let chain: Vec<CertificateDer<'static>> = vec![leaf.der().clone()];
    let finding = judge(host, &chain, &trusting(root), &Arc::new(ring::default_provider()));
    (finding.mark, finding.message.to_string())
}

#[test]
fn a_certificate_is_valid_for_its_names_in_its_time_and_from_a_trusted_issuer() {
    let (root, leaf) = certified("a.test", [2020, 4000]);
    let (stranger, _) = certified("b.test", [2020, 4000]);
    let years = "It names a.test and is valid from 2020-01-01T00:00:00Z until 4000-01-01T00:00:00Z.";
    let (mark, text) = judged("a.test", &leaf, &root);
    assert_eq!((mark, text), (ProbeMark::Good, format!("The certificate is good for a.test. {years}")));
    for (host, root, why) in [
        ("b.test", &root, "it is for other names"),
        ("127.0.0.1", &root, "it is for other names"),
        ("a.test", &stranger, "nobody who is trusted here signed it"),
    ] {
        let (mark, text) = judged(host, &leaf, root);
        assert_eq!(mark, ProbeMark::Bad);
        assert_eq!(text, format!("The certificate is not good for {host}: {why}. {years}"));
    }
    for (years, why) in [([2001, 2002], "it has expired"), ([4000, 4001], "it is not valid yet")] {
        let (root, leaf) = certified("a.test", years);
        let (mark, text) = judged("a.test", &leaf, &root);
        assert_eq!(mark, ProbeMark::Bad);
        let [from, until] = years.map(|year| format!("{year}-01-01T00:00:00Z"));
        assert!(text.contains(why) && text.contains(&from) && text.contains(&until), "{text}");
    }
}

#[test]
fn a_certificate_may_be_for_an_address_and_odd_bytes_are_judged_bad() {
    let (root, leaf) = certified("127.0.0.1", [2020, 4000]);
    let (mark, text) = judged("127.0.0.1", &leaf, &root);
    assert!(mark == ProbeMark::Good && text.contains("It names 127.0.0.1 and"), "{text}");
    let provider = Arc::new(ring::default_provider());
    for chain in [vec![], vec![CertificateDer::from(vec![0x30, 0xff])], vec![CertificateDer::from(vec![])]] {
        assert_eq!(judge("a.test", &chain, &trusting(&root), &provider).mark, ProbeMark::Bad);
    }
}

/// Answers queries, one after the other, with this code and these records. A forged response comes before each one.
async fn name_server(code: ResponseCode, records: &'static [(u16, u16, &'static str, u16)]) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, asker)) = socket.recv_from(&mut buffer).await {
            let mut answer = op::Message::from_vec(&buffer[..length]).unwrap();
            let name = answer.queries()[0].name().clone();
            let id = answer.id();
            answer.set_message_type(MessageType::Response).set_response_code(ResponseCode::NXDomain);
            answer.set_id(id.wrapping_add(1));
            socket.send_to(&answer.to_vec().unwrap(), asker).await.unwrap();
            answer.set_id(id).set_response_code(code);
            for &(priority, weight, target, port) in records {
                let record = SRV::new(priority, weight, port, Name::from_str(target).unwrap());
                answer.add_answer(Record::from_rdata(name.clone(), 5, RData::SRV(record)));
            }
            socket.send_to(&answer.to_vec().unwrap(), asker).await.unwrap();
            socket.send_to(b"odd", asker).await.unwrap();
        }
    });
    address
}

/// A name server whose records do not fit into a UDP response. It sends them over TCP.
async fn name_server_with_long_answers() -> SocketAddr {
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        let (length, asker) = udp.recv_from(&mut buffer).await.unwrap();
        let mut answer = op::Message::from_vec(&buffer[..length]).unwrap();
        answer.set_message_type(MessageType::Response).set_truncated(true);
        udp.send_to(&answer.to_vec().unwrap(), asker).await.unwrap();

        let (mut stream, _) = tcp.accept().await.unwrap();
        let length = stream.read_u16().await.unwrap();
        stream.read_exact(&mut buffer[..usize::from(length)]).await.unwrap();
        let mut answer = op::Message::from_vec(&buffer[..usize::from(length)]).unwrap();
        answer.set_message_type(MessageType::Response);
        let name = answer.queries()[0].name().clone();
        for port in 1..=100 {
            let record = SRV::new(port, 0, port, Name::from_str("a.test.").unwrap());
            answer.add_answer(Record::from_rdata(name.clone(), 5, RData::SRV(record)));
        }
        let answer = answer.to_vec().unwrap();
        stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
        stream.write_all(&answer).await.unwrap();
        let _ = stream.read_u16().await;
    });
    address
}

fn settings(name_server: SocketAddr) -> ProbeSettings {
    ProbeSettings {
        roots: RootCertStore::empty(),
        routes: BTreeMap::new(),
        name_server: Some(name_server),
        bound: Duration::from_millis(500),
    }
}

#[tokio::test]
async fn service_records_come_in_their_order() {
    let records = &[(10, 0, "late.test.", 1), (5, 1, "light.test.", 2), (5, 9, "heavy.test.", 3)];
    let server = name_server(ResponseCode::NoError, records).await;
    let found = service_records::look_up("_matrix-fed._tcp.a.test", &settings(server)).await.unwrap();
    let found: Vec<_> = found.iter().map(|record| (record.target.as_str(), record.port)).collect();
    assert_eq!(found, [("heavy.test", 3), ("light.test", 2), ("late.test", 1)]);
}

#[tokio::test]
async fn a_response_that_is_too_long_for_udp_is_fetched_over_tcp() {
    let settings = settings(name_server_with_long_answers().await);
    let found = service_records::look_up("_matrix-fed._tcp.a.test", &settings).await.unwrap();
    assert_eq!(found.iter().map(|record| record.port).collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_name_without_records_differs_from_a_failing_name_server() {
    let none = settings(name_server(ResponseCode::NXDomain, &[]).await);
    assert_eq!(service_records::look_up("_matrix._tcp.a.test", &none).await.unwrap(), []);
    let failing = settings(name_server(ResponseCode::ServFail, &[]).await);
    assert_eq!(
        service_records::look_up("_matrix._tcp.a.test", &failing).await.unwrap_err().mark,
        ProbeMark::Unknown
    );
    let mute = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mute = settings(mute.local_addr().unwrap());
    assert_eq!(
        service_records::look_up("_matrix._tcp.a.test", &mute).await.unwrap_err().mark,
        ProbeMark::Unknown
    );
}

/// The name decides which host the certificate has to be valid for; the target of a record does not matter.
#[tokio::test]
async fn records_give_the_address_and_the_name_gives_the_certificate_host() {
    let server = name_server(ResponseCode::NoError, &[(0, 0, "far.test.", 7)]).await;
    let mut settings = settings(server);
    let nobody = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    settings.routes = BTreeMap::from([("a.test:443".to_owned(), nobody)]);
    let prober = connection::Prober::new(&settings).unwrap();
    let (places, findings) = discovery::discover("a.test", &prober).await;
    let [place] = places.as_slice() else { panic!("{places:?}") };
    assert_eq!(place.dialled(), "far.test:7");
    assert_eq!((place.certified_for.as_str(), place.host.as_str()), ("a.test", "a.test"));
    let marks: Vec<_> = findings.iter().map(|finding| (finding.check, finding.mark)).collect();
    assert_eq!(marks, [("well-known", ProbeMark::Note), ("service-records", ProbeMark::Good)]);
}

#[tokio::test]
async fn names_with_a_port_or_an_address_need_no_look_up() {
    let settings = settings((Ipv4Addr::LOCALHOST, 9).into());
    let prober = connection::Prober::new(&settings).unwrap();
    for (name, dialled, certified_for) in [
        ("a.test:8000", "a.test:8000", "a.test"),
        ("127.0.0.1", "127.0.0.1:8448", "127.0.0.1"),
        ("127.0.0.1:1", "127.0.0.1:1", "127.0.0.1"),
        ("[::1]", "[::1]:8448", "::1"),
        ("[::1]:1", "[::1]:1", "::1"),
    ] {
        let (places, findings) = discovery::discover(name, &prober).await;
        assert!(findings.is_empty(), "{findings:?}");
        assert_eq!(
            (places[0].dialled().as_str(), places[0].certified_for.as_str()),
            (dialled, certified_for)
        );
        assert_eq!(places[0].host, name);
    }
    for bad in ["", "a.test:99999", "a b", "@a:b.test", "https://a.test"] {
        assert!(probe(bad, &settings).await.is_err(), "{bad}");
    }
}

#[test]
fn a_servers_text_fits_on_a_line_and_does_not_affect_a_terminal() {
    assert_eq!(said("a\u{1b}[31m\nb\u{202e}\"c\" åäö"), "a\\u{1b}[31m\\nb\\u{202e}\"c\" åäö");
    assert_eq!(said("x".repeat(1000)).chars().count(), 301);
    assert_eq!(moment(u64::MAX), format!("{} s after 1970", u64::MAX));
}
