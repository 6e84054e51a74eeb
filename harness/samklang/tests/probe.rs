//! Runs `samklang probe` against servers on loopback that answer well, badly, or not at all.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::Command,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use samklang_matrix::{KeyPublication, SigningKey, endpoints};
use samklang_wire::{
    certificates::{Authority, AuthorityKey},
    dns::DnsResponder,
    waiting::within,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use self::common::{PROGRAM, ProgramEnd, furnish};

const KEYS: &str = endpoints::SERVER_KEYS.template;
const VERSION: &str = endpoints::VERSION.template;
const WELL_KNOWN: &str = endpoints::WELL_KNOWN.template;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The answer of a server to a request.
#[derive(Clone)]
enum Act {
    /// Sends these bytes.
    Say(String),
    /// Sends a body without end.
    Flood,
    /// Keeps the connection open and sends nothing.
    Hang,
}

fn ok(body: impl std::fmt::Display) -> Act {
    status("200 OK", &body.to_string())
}

fn status(line: &str, body: &str) -> Act {
    Act::Say(format!("HTTP/1.1 {line}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// The key document of `name`, valid until `ms` milliseconds from now, which may be negative.
fn keys(name: &str, ms: i64) -> Value {
    let key = SigningKey::from_seed(&[7; 32], "1").unwrap();
    KeyPublication::new(name, now_ms().saturating_add_signed(ms)).current(&key).build()
}

/// Servers, their certificate authority, and a name server without service records. They end with the test.
struct ProbedServers {
    authority: Arc<Authority>,
    dns: DnsResponder,
    folder: PathBuf,
    routes: Vec<String>,
}

impl ProbedServers {
    async fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("samklang-probe-{:016x}", fastrand::u64(..)));
        fs::create_dir_all(&folder).unwrap();
        let authority = Arc::new(Authority::new(AuthorityKey::Ecdsa).unwrap());
        fs::write(folder.join("ca.pem"), authority.ca_pem()).unwrap();
        let dns = DnsResponder::open((Ipv4Addr::LOCALHOST, 0).into(), Ipv4Addr::LOCALHOST).await.unwrap();
        Self { authority, dns, folder, routes: vec![] }
    }

    /// A server that is found at `at` (`a.test:8448`), with a certificate for `host`.
    async fn serve(&mut self, at: &str, host: &str, acts: impl IntoIterator<Item = (&'static str, Act)>) {
        let leaf = self.authority.issue(host).unwrap();
        let chain = vec![CertificateDer::from_pem_slice(leaf.cert_pem.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key);
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        self.route(at, listener.local_addr().unwrap());
        let acts: Arc<BTreeMap<_, _>> = Arc::new(acts.into_iter().collect());
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(answer(acceptor.clone(), tcp, Arc::clone(&acts)));
            }
        });
    }

    fn route(&mut self, at: &str, to: SocketAddr) {
        self.routes.push(format!("--connect-to={at}={to}"));
    }

    /// Nothing answers at `at`.
    async fn serve_nothing(&mut self, at: &str) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        self.route(at, listener.local_addr().unwrap());
    }

    async fn probe(&self, name: &str, more: &[&str]) -> ProgramEnd {
        let mut command = Command::new(PROGRAM);
        furnish(&mut command);
        command.args(["probe", name, "--timeout=1"]).args(&self.routes).args(more);
        command.arg(format!("--dns={}", self.dns.address()));
        if !more.iter().any(|argument| argument.starts_with("--ca")) {
            command.arg("--ca").arg(self.folder.join("ca.pem"));
        }
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true);
        // Each step may take a second, and there are at most ten.
        let output = within(Duration::from_secs(60), command.output()).await.expect("an end").unwrap();
        ProgramEnd::of(&output)
    }

    /// Probes a server at `a.test:8448` that is all well except for these answers.
    async fn probe_with(acts: impl IntoIterator<Item = (&'static str, Act)>) -> ProgramEnd {
        let mut servers = Self::new().await;
        servers.serve_nothing("a.test:443").await;
        servers.serve("a.test:8448", "a.test", well("a.test").into_iter().chain(acts)).await;
        servers.probe("a.test", &[]).await
    }
}

impl Drop for ProbedServers {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn well(name: &str) -> Vec<(&'static str, Act)> {
    let version = json!({"server": {"name": "Acme", "version": "2.4.0"}});
    vec![(KEYS, ok(keys(name, 2 * 86_400_000))), (VERSION, ok(version))]
}

async fn answer(acceptor: TlsAcceptor, tcp: TcpStream, acts: Arc<BTreeMap<&'static str, Act>>) {
    let Ok(mut tls) = acceptor.accept(tcp).await else { return };
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        let mut buffer = [0; 4096];
        match tls.read(&mut buffer).await {
            Ok(length) if length > 0 => read.extend_from_slice(&buffer[..length]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&read).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    match acts.get(path).cloned().unwrap_or_else(|| status("404 Not Found", "{}")) {
        Act::Say(bytes) => {
            let _ = tls.write_all(bytes.as_bytes()).await;
            let _ = tls.shutdown().await;
        }
        Act::Flood => {
            let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
            while tls.write_all(chunk.as_bytes()).await.is_ok() {}
        }
        Act::Hang => std::future::pending().await,
    }
}

#[tokio::test]
async fn a_good_server_is_all_well() {
    let ended = ProbedServers::probe_with([]).await;
    let lines = [
        "note    well-known       There is no delegation by /.well-known/matrix/server: ",
        "note    service-records  a.test has no service records, so it is looked for at port 8448.",
        "ok      connection       a.test:8448 takes connections, at 127.0.0.1:",
        "ok      certificate      The certificate is good for a.test. It names a.test and is valid from 20",
        "ok      keys             The key document is signed by its own keys. It holds ed25519:1 and is valid until 20",
        "ok      version          The server says that it is Acme 2.4.0.",
        "a.test: all well.",
    ];
    ended.assert(0, &lines);
}

#[tokio::test]
async fn a_key_document_that_does_not_prove_itself_is_wrong() {
    let mut changed = keys("a.test", 1_000_000_000);
    changed["valid_until_ts"] = json!(now_ms() + DAY_MS);
    let unsigned = {
        let mut document = keys("a.test", 1_000_000_000);
        document["signatures"] = json!({});
        document
    };
    for (act, words) in [
        (ok(keys("b.test", 1_000_000_000)), r#"is not valid: it is for "b.test", not for "a.test""#),
        (ok(changed), "is not valid: its signature does not verify: ed25519:1"),
        (ok(unsigned), "is not valid: its signature does not verify: no listed key signed it"),
        (ok(keys("a.test", -1000)), "The key document was valid until 20"),
        (ok("<html>"), "BAD     keys             The answer is no JSON: "),
        (ok("{}"), "is not valid: field `server_name` is missing or has the wrong type"),
        (ok("["), "The answer is no JSON: "),
        (status("404 Not Found", "{}"), "BAD     keys             The server answers with HTTP 404."),
        (
            Act::Say("SSH-2.0-OpenSSH\r\n\r\n".to_owned()),
            "BAD     keys             There is no answer to judge: ",
        ),
    ] {
        let ended = ProbedServers::probe_with([(KEYS, act)]).await;
        ended.assert(1, &[words, "ok      version", "a.test: something is wrong with the server."]);
    }
}

#[tokio::test]
async fn an_answer_out_of_bounds_is_unknown() {
    for (act, words) in [
        (Act::Hang, "UNKNOWN keys             There is no answer to judge: no whole answer within 1s."),
        (Act::Flood, "UNKNOWN keys             There is no answer to judge: the body was cut off after "),
        (
            Act::Say("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_owned()),
            "UNKNOWN keys             There is no answer to judge: a body of 99999999999 bytes was announced",
        ),
    ] {
        let ended = ProbedServers::probe_with([(KEYS, act)]).await;
        ended.assert(2, &[words, "a.test: some of it is not known."]);
    }
}

#[tokio::test]
async fn a_key_document_with_a_short_validity_is_a_note() {
    ProbedServers::probe_with([(KEYS, ok(keys("a.test", 60_000)))])
        .await
        .assert(0, &["note    keys", "for an hour at least"]);
}

#[tokio::test]
async fn a_version_has_to_be_json_and_cannot_steer_the_terminal() {
    let odd = json!({"server": {"name": "A\u{1b}[2J\nok", "version": "\u{202e}1"}});
    let ended = ProbedServers::probe_with([(VERSION, ok(odd))]).await;
    ended.assert(0, &[r"The server says that it is A\u{1b}[2J\nok \u{202e}1."]);
    ProbedServers::probe_with([(VERSION, ok("no"))]).await.assert(1, &["BAD     version"]);
    ProbedServers::probe_with([(VERSION, ok("{}"))]).await.assert(0, &["note    version"]);
}

#[tokio::test]
async fn a_certificate_for_another_name_or_by_an_unknown_authority_is_wrong() {
    let mut servers = ProbedServers::new().await;
    servers.serve_nothing("a.test:443").await;
    servers.serve("a.test:8448", "b.test", well("a.test")).await;
    let ended = servers.probe("a.test", &[]).await;
    ended.assert(1, &["not good for a.test: it is for other names. It names b.test and", "ok      keys"]);

    let mut servers = ProbedServers::new().await;
    servers.serve("a.test:8448", "a.test", well("a.test:8448")).await;
    let stranger = Authority::new(AuthorityKey::Ecdsa).unwrap();
    let file = servers.folder.join("other.pem");
    fs::write(&file, stranger.ca_pem()).unwrap();
    let ended = servers.probe("a.test:8448", &[&format!("--ca={}", file.display())]).await;
    ended.assert(1, &["not good for a.test: nobody who is trusted here signed it"]);
    servers.probe("a.test:8448", &[]).await.assert(0, &["a.test:8448: all well."]);
}

#[tokio::test]
async fn a_well_known_file_delegates_also_by_a_redirect() {
    let mut servers = ProbedServers::new().await;
    let there = ok(json!({"m.server": "matrix.a.test:9000"}));
    servers.serve("a.test:443", "a.test", [(WELL_KNOWN, there.clone())]).await;
    let moved = "HTTP/1.1 301 Moved\r\nLocation: https://www.b.test/m\r\nContent-Length: 0\r\n\r\n";
    servers.serve("b.test:443", "b.test", [(WELL_KNOWN, Act::Say(moved.to_owned()))]).await;
    servers.serve("www.b.test:443", "www.b.test", [("/m", there)]).await;
    servers.serve("matrix.a.test:9000", "matrix.a.test", well("a.test")).await;
    let words =
        ["ok      well-known       a.test delegates to matrix.a.test:9000.", "good for matrix.a.test."];
    servers.probe("a.test", &[]).await.assert(0, &words);
    let words = ["b.test delegates to matrix.a.test:9000.", r#"it is for "a.test", not for "b.test""#];
    servers.probe("b.test", &[]).await.assert(1, &words);
}

#[tokio::test]
async fn a_well_known_file_that_other_servers_ignore_is_reported() {
    let round = "HTTP/1.1 302 Found\r\nLocation: /.well-known/matrix/server\r\nContent-Length: 0\r\n\r\n";
    for (host, act, code, words) in [
        ("a.test", ok(json!({"m.server": "a b"})), 1, r#"names "a b", which is no server name"#),
        ("a.test", ok(json!({"m.server": "a.test:99999"})), 1, "which is no server name"),
        ("a.test", ok(json!({"m.server": 7})), 1, "names 7, which is no server name"),
        ("b.test", ok(json!({"m.server": "c.test:1"})), 1, "does not prove to be the right one"),
        ("a.test", ok("<html>"), 0, "note    well-known"),
        ("a.test", Act::Flood, 0, "note    well-known"),
        ("a.test", Act::Hang, 0, "note    well-known"),
        ("a.test", Act::Say(round.to_owned()), 0, "more than 5 redirects"),
    ] {
        let mut servers = ProbedServers::new().await;
        servers.serve("a.test:443", host, [(WELL_KNOWN, act)]).await;
        servers.serve("a.test:8448", "a.test", well("a.test")).await;
        servers.probe("a.test", &[]).await.assert(code, &[words, "ok      keys"]);
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_cannot_be_judged() {
    let mut servers = ProbedServers::new().await;
    servers.serve_nothing("a.test:8448").await;
    servers.probe("a.test:8448", &[]).await.assert(2, &["UNKNOWN connection       a.test:8448 could not be"]);

    // A listener that does not speak TLS.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut servers = ProbedServers::new().await;
    servers.route("a.test:8448", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = tcp.read(&mut [0; 1000]).await;
        }
    });
    servers.probe("a.test:8448", &[]).await.assert(1, &["BAD     connection", "no TLS with 127.0.0.1:"]);
}

#[tokio::test]
async fn the_json_output_has_the_same_findings() {
    let mut servers = ProbedServers::new().await;
    servers.serve("a.test:8448", "a.test", well("b.test")).await;
    let ended = servers.probe("a.test:8448", &["--json"]).await;
    let printed: Value = serde_json::from_str(&ended.text).unwrap();
    assert_eq!(ended.code, 1);
    assert_eq!((&printed["server_name"], &printed["worst"]), (&json!("a.test:8448"), &json!("bad")));
    let marks: Vec<_> =
        printed["findings"].as_array().unwrap().iter().map(|one| [&one["check"], &one["mark"]]).collect();
    let marks = json!(marks);
    assert_eq!(
        marks,
        json!([["connection", "good"], ["certificate", "good"], ["keys", "bad"], ["version", "good"]])
    );
    assert_eq!(printed["findings"][2]["message"]["key"], "probe.keys-bad");
}

#[tokio::test]
async fn wrong_arguments_are_a_usage_error() {
    let servers = ProbedServers::new().await;
    servers.probe("https://a.test/", &[]).await.assert(64, &["https://a.test/ is not a server name."]);
    servers
        .probe("a.test", &["--ca=nowhere.pem"])
        .await
        .assert(64, &["The authorities in nowhere.pem cannot be used"]);
    fs::write(servers.folder.join("none.pem"), "nothing").unwrap();
    let none = format!("--ca={}", servers.folder.join("none.pem").display());
    servers.probe("a.test", &[&none]).await.assert(64, &["it holds no certificate"]);
    servers.probe("a.test", &["--timeout=0"]).await.assert(64, &[]);
}
