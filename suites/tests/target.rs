//! `samklang run --target`, by the real program, at a homeserver that runs already: the reference, served on loopback by
//! this test under a certificate authority that nobody else has.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use samklang_runner::{
    event::{Event, Observer},
    order::Order,
    plan::Selection,
    run,
    scenario::Need,
};
use samklang_stage::{
    certificates::{Authority, AuthorityKey},
    deploy::{
        Cast, Ground, Terms,
        embedded::{Embedded, EmbeddedDeployer, homeserver},
    },
    recorder::Recorder,
    switchboard::{PeerService, Switchboard, Upstream},
    vendor::VendorShelf,
    waiting::{runtime_of_its_own_time, within},
};
use samklang_suites::{BUILT_FROM, setting};
use samklang_verdict::{Party, Role, Verdict, exit};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// A homeserver on loopback, and a folder; both go with the test.
struct Place {
    folder: PathBuf,
    /// Serves its federation API.
    switchboard: Switchboard,
    server: Arc<dyn Embedded>,
    name: String,
    client: SocketAddr,
}

struct Ended {
    code: i32,
    text: String,
    result: Value,
}

struct Federation(Arc<dyn Embedded>);

#[async_trait]
impl PeerService for Federation {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.0.federation(request).await
    }
}

impl Place {
    /// A server that is told of by `docker/reference`, with `users` users.
    async fn new(users: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("samklang-target-{:016x}", fastrand::u64(..)));
        fs::create_dir_all(&folder).unwrap();
        let authority = Arc::new(Authority::new(AuthorityKey::Ecdsa).unwrap());
        fs::write(folder.join("ca.pem"), authority.ca_pem()).unwrap();
        let switchboard =
            Switchboard::open(Ground::Loopback, Arc::clone(&authority), Recorder::new()).await.unwrap();
        let name = switchboard.reserve("a").await.unwrap();
        let server = reference(&name, &switchboard);
        let service = Arc::new(Federation(Arc::clone(&server)));
        switchboard.connect(&name, Upstream::Embedded { role: Role::A, service }).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let client = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Arc::clone(&server)));
        let place = Self { folder, switchboard, server, name, client };
        let leaf = authority.issue("127.0.0.1").unwrap();
        place.write("cert.pem", &leaf.cert_pem, 0o644);
        place.write("key.pem", &leaf.key_pem, 0o600);
        let mut lines = "# accounts of a test\n".to_owned();
        for (number, user) in users.iter().enumerate() {
            let token = place.register(user).await;
            // With the user's id and without it.
            lines += &if number % 2 == 0 { token } else { format!("@{user}:{} {token}", place.name) };
            lines.push('\n');
        }
        place.write("tokens", &lines, 0o600);
        place
    }

    /// A further server under the same authority, and where its federation API is.
    async fn other_server(&self) -> String {
        let name = self.switchboard.reserve("b").await.unwrap();
        let service = Arc::new(Federation(reference(&name, &self.switchboard)));
        self.switchboard.connect(&name, Upstream::Embedded { role: Role::B, service }).unwrap();
        name
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    async fn ask(&self, method: &str, path: &str, token: &str, body: &Value) -> Value {
        let request = Request::builder()
            .method(method)
            .uri(format!("/_matrix/client/v3/{path}"))
            .header("authorization", format!("Bearer {token}"))
            .body(Bytes::from(body.to_string()))
            .unwrap();
        serde_json::from_slice(self.server.client(request).await.body()).unwrap()
    }

    async fn register(&self, user: &str) -> String {
        let auth = json!({"type": "m.login.dummy"});
        let body = json!({"username": user, "password": "p", "auth": auth});
        let first = self.ask("POST", "register", "", &body).await;
        let mut body = body;
        body["auth"]["session"] = first["session"].clone();
        let answer = if first["access_token"].is_string() {
            first
        } else {
            self.ask("POST", "register", "", &body).await
        };
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// What names the server rightly, and all that belongs to it.
    fn right(&self) -> Vec<String> {
        let mut arguments = vec![format!("--target=http://{}", self.client)];
        for (option, file) in
            [("token-file", "tokens"), ("ca", "ca.pem"), ("certificate", "cert.pem"), ("key", "key.pem")]
        {
            arguments.push(format!("--{option}={}", self.path(file)));
        }
        arguments
    }

    /// As [`Self::right`], with these in place of arguments of the same name; an empty one takes it away.
    fn but(&self, others: &[&str]) -> Vec<String> {
        let mut arguments = self.right();
        for other in others {
            let (name, value) = other.split_once('=').unwrap();
            arguments.retain(|argument| !argument.starts_with(&format!("{name}=")));
            if !value.is_empty() {
                arguments.push((*other).to_owned());
            }
        }
        arguments
    }

    async fn run(&self, vendor: Option<&str>, arguments: &[String], more: &[&str]) -> Ended {
        let output = self.folder.join(format!("out-{:08x}", fastrand::u32(..)));
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_samklang"));
        command.arg("run").args(vendor).args(arguments).args(more);
        command.args(["--no-proposals", "--format=plain", "--output"]).arg(&output);
        command.current_dir(&self.folder).stdin(Stdio::null()).kill_on_drop(true);
        command.env("NO_COLOR", "1").env("SAMKLANG_ROOT", BUILT_FROM).env_remove("SAMKLANG_VENDORS");
        for name in ["INSTA_UPDATE", "INSTA_FORCE_PASS", "INSTA_FORCE_UPDATE"] {
            command.env_remove(name);
        }
        let ended = within(Duration::from_secs(240), command.output()).await.expect("an end").unwrap();
        let text = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        let result = fs::read_to_string(output.join("result.json")).unwrap_or_default();
        let result = serde_json::from_str(&result).unwrap_or_default();
        Ended { code: ended.status.code().unwrap(), text, result }
    }

    /// Every file below the folder, but for those in which the secrets are meant to be.
    fn written(&self) -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.parent() != Some(&self.folder) {
                    found.push((
                        path.clone(),
                        String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned(),
                    ));
                }
            }
        }
        found
    }

    fn tokens(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("tokens")).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.server.shut();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Ended {
    #[track_caller]
    fn assert(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, code, "{}", self.text);
        for word in words {
            assert!(self.text.contains(word), "{word:?} is not in:\n{}", self.text);
        }
        self
    }

    /// How many checks came to each verdict.
    fn count(&self, verdict: &str) -> usize {
        self.checks(verdict).count()
    }

    fn checks<'a>(&'a self, verdict: &'a str) -> impl Iterator<Item = &'a Value> {
        let all = self.result["checks"].as_array().into_iter().flatten();
        all.filter(move |check| check["verdict"] == verdict)
    }
}

/// Serves the client API of `server`, one request a connection.
async fn serve(listener: TcpListener, server: Arc<dyn Embedded>) {
    while let Ok((tcp, _)) = listener.accept().await {
        tokio::spawn(serve_one(tcp, Arc::clone(&server)));
    }
}

async fn serve_one(mut tcp: TcpStream, server: Arc<dyn Embedded>) -> Option<()> {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        let mut part = [0; 4096];
        let read = tcp.read(&mut part).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
            bytes.drain(..end + 4);
            let lower = head.to_ascii_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
            break (head, length.map_or(Some(0), |length| length.trim().parse().ok())?);
        }
    };
    while bytes.len() < length {
        let mut part = [0; 65_536];
        let read = tcp.read(&mut part).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
    }
    let mut lines = head.lines();
    let line: Vec<_> = lines.next()?.split(' ').collect();
    let mut request = Request::builder().method(*line.first()?).uri(*line.get(1)?);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        request = request.header(name, value.trim());
    }
    let answer = server.client(request.body(Bytes::from(bytes)).ok()?).await;
    let mut text = format!("HTTP/1.1 {}\r\nconnection: close\r\n", answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "content-length") {
        text += &format!("{name}: {}\r\n", value.to_str().ok()?);
    }
    text += &format!("content-length: {}\r\n\r\n", answer.body().len());
    tcp.write_all(&[text.as_bytes(), answer.body()].concat()).await.ok()
}

/// The reference as `docker/reference` describes it.
fn reference(name: &str, switchboard: &Switchboard) -> Arc<dyn Embedded> {
    let vendor = VendorShelf::new([Path::new(BUILT_FROM).join("docker")]).load("reference").unwrap();
    let version = vendor.default_version.clone();
    let cast = Cast { role: Role::A, vendor: Arc::new(vendor), version, image: None, target: None };
    homeserver(&cast, name, switchboard.client(Party::Server { role: Role::A }), None).unwrap()
}

const FIVE: [&str; 5] = ["anna", "bertil", "cecilia", "david", "erik"];

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_runs_already_is_judged_and_left_as_it_was_found() {
    let place = Place::new(&FIVE).await;
    let anna = place.tokens().remove(0);
    let id = format!("@anna:{}", place.name);
    place.ask("PUT", &format!("profile/{id}/displayname"), &anna, &json!({"displayname": "Anna"})).await;
    let own = place.ask("POST", "createRoom", &anna, &json!({})).await["room_id"].clone();

    let more =
        ["-s", "rooms", "-s", "federation.gap-filled", "-s", "events", "-s", "wire", "--room-version=11"];
    let ended = place.run(Some("reference"), &place.right(), &more).await;
    ended.assert(0, &["runs already and is on loopback; 5 users"]);
    assert!(ended.count("pass") > 300, "{}", ended.text);
    for verdict in ["fail", "inconclusive", "error", "not_run"] {
        assert_eq!(ended.count(verdict), 0, "{}", ended.text);
    }
    // Nobody is certified by a server of one's own.
    assert_eq!(ended.result["outcome"], "not_proven");
    assert_eq!(ended.result["run"]["deployer"], "target");
    let subject = &ended.result["participants"][0];
    assert_eq!((&subject["server_name"], &subject["subject"]), (&json!(place.name), &json!(true)));

    // What is not played says why.
    let because = |key: &str| {
        let not_played = ended.checks("not_applicable").filter(|check| check["message"]["key"] == key);
        not_played.count()
    };
    assert!(because("plan.not-to-be-disturbed") > 0, "{}", ended.text);
    assert_eq!((because("plan.no-consent"), because("judging.no-further-user")), (0, 0));

    // Neither the rooms nor the names of plays are left, and what was there is.
    let rooms = place.ask("GET", "joined_rooms", &anna, &json!({})).await;
    assert_eq!(rooms["joined_rooms"], json!([own]));
    let profile = place.ask("GET", &format!("profile/{id}"), &anna, &json!({})).await;
    assert_eq!(profile["displayname"], "Anna");

    let (tokens, written) = (place.tokens(), place.written());
    assert!(written.len() > 20);
    for token in tokens {
        assert!(!ended.text.contains(&token));
        for (path, text) in &written {
            assert!(!text.contains(&token), "{}", path.display());
        }
    }
    assert!(place.switchboard.door().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_more_users_than_there_are_does_not_apply() {
    let place = Place::new(&FIVE[..2]).await;
    let more = ["-s", "events.no-state-reset", "-s", "rooms.invite-accepted", "--room-version=12"];
    let ended = place.run(Some("reference"), &place.right(), &more).await;
    ended.assert(0, &["2 users"]);
    let short: Vec<_> = ended.checks("not_applicable").collect();
    assert!(!short.is_empty(), "{}", ended.text);
    assert!(
        short.iter().all(|check| check["id"].as_str().unwrap().starts_with("events.no-state-reset/")),
        "{short:?}"
    );
    assert!(short.iter().all(|check| check["message"]["key"] == "judging.no-further-user"), "{short:?}");
    assert!(ended.count("pass") > 2);
}

struct Deaf;

impl Observer for Deaf {
    fn hear(&self, _: &Event) {}
}

/// A server that is not on loopback cannot be had in a test; what its terms keep from it is the same inside the program.
#[test]
fn without_consent_no_peer_meets_the_server_and_nothing_disturbs_it() {
    let root = Path::new(BUILT_FROM);
    let mut suite = samklang_suites::suite(root).unwrap();
    suite.expectations = suite.expectations.without_proposals();
    let mut casts = setting::casts(&setting::shelf(root, &[]), Some("reference"), None, None).unwrap();
    casts[0].target = Some(Terms { server_name: "a.test".to_owned(), hostile: false });
    let output = std::env::temp_dir().join(format!("samklang-terms-{:016x}", fastrand::u64(..)));
    let selection = Selection { room_versions: vec!["12".to_owned()], ..Selection::default() };
    let order = Order {
        id: "terms".to_owned(),
        casts,
        subjects: vec![Role::A],
        selection,
        direct: false,
        side_by_side: 6,
        seed: 1,
        output: output.clone(),
        deployer_line: String::new(),
        deviations: BTreeMap::new(),
        today: "2026-01-01".to_owned(),
    };
    let suite = Arc::new(suite);
    let (_, stop) = watch::channel(false);
    let deployer = EmbeddedDeployer::default();
    let runtime = runtime_of_its_own_time().unwrap();
    let result = runtime.block_on(run::run(&order, Arc::clone(&suite), &deployer, &Deaf, stop)).unwrap();
    let evidence = fs::read_dir(output.join("evidence")).unwrap().flatten();
    let exchanges: String = evidence.map(|file| fs::read_to_string(file.path()).unwrap()).collect();
    let _ = fs::remove_dir_all(&output);
    assert!(exchanges.lines().count() > 1_000);
    assert!(exchanges.contains(r#""kind":"server""#) && !exchanges.contains(r#""kind":"peer""#));

    let mut kept_away = 0;
    for check in &result.checks {
        let scenario = suite.scenarios.iter().find(|one| one.id == check.id.scenario()).unwrap();
        let disturbs = scenario.needs.iter().any(|need| matches!(need, Need::WholeStage | Need::LastOfAll));
        if scenario.is_hostile() {
            kept_away += 1;
            assert!(
                matches!(&check.verdict, Verdict::NotRun { message } if message.key == "plan.no-consent")
            );
        } else if disturbs {
            let key = "plan.not-to-be-disturbed";
            assert!(matches!(&check.verdict, Verdict::NotApplicable { message } if message.key == key));
        } else {
            assert!(!matches!(check.verdict, Verdict::Fail(_) | Verdict::Error { .. }), "{check:?}");
        }
    }
    assert!(kept_away > 100, "{kept_away}");
    assert!(result.counts.pass > 100, "{:?}", result.counts);
    assert_eq!(result.exit_code, exit::NOT_PROVEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_played_is_refused_before_anything_is() {
    let place = Place::new(&FIVE[..2]).await;
    let refused = async |others: &[&str], words: &[&str]| {
        let ended = place.run(None, &place.but(others), &["-s", "rooms.invite-accepted"]).await;
        ended.assert(64, words);
        assert!(ended.result.is_null());
        for token in place.tokens() {
            assert!(!ended.text.contains(&token), "{}", ended.text);
        }
    };
    refused(&["--token-file="], &["--token-file"]).await;
    refused(&["--token-file=nowhere"], &["nowhere cannot be read"]).await;
    refused(&["--target=http://127.0.0.1:1"], &["No client API answers", "Look whether"]).await;
    refused(&["--target=https://user@a.test"], &["is no address of a client API"]).await;
    refused(&["--target=ftp://127.0.0.1"], &["is no address of a client API"]).await;
    refused(&["--server-name=other.test"], &["no user of other.test", "--server-name"]).await;
    // Who answers in its place has a certificate for the same host, and other keys.
    let other = place.other_server().await;
    let detour = format!("--connect-to={}={other}", place.name);
    refused(&[&detour], &["does not prove to be it", "--connect-to"]).await;
    // Without --ca only what this machine trusts is believed.
    refused(&["--ca="], &["Other servers do not trust", "nobody who is trusted here signed it", "--ca"])
        .await;
    refused(&["--key=cert.pem"], &["holds secrets", "chmod 600"]).await;
    refused(&["--certificate=ca.pem"], &["ca.pem cannot be presented"]).await;
    refused(&["--key="], &["--key"]).await;
    refused(&["--listen=127.0.0.1:8448"], &["--name"]).await;

    let tokens = place.tokens();
    let wrong = |text: &str, mode: u32| place.write("wrong", text, mode);
    wrong("one-token\n", 0o600);
    refused(&["--token-file=wrong"], &["holds 1 access tokens", "2 to 50"]).await;
    wrong(&format!("{}\nno-such-token\n", tokens[0]), 0o600);
    refused(&["--token-file=wrong"], &["does not take the token on line 2", "M_UNKNOWN_TOKEN"]).await;
    wrong(&tokens.join("\n"), 0o644);
    refused(&["--token-file=wrong"], &["can be read by others", "mode 644", "chmod 600"]).await;
    wrong(&format!("@bertil:{} {}\n{}\n", place.name, tokens[0], tokens[1]), 0o600);
    refused(&["--token-file=wrong"], &["line 1", "is said to be @bertil", "is @anna"]).await;

    let consent = |server: &str, until: &str| {
        wrong(&format!("server = {server:?}\nby = \"Åsa\"\nuntil = {until:?}\n"), 0o644);
    };
    consent(&place.name, "2020-12-31");
    refused(&["--consent=wrong"], &["held until 2020-12-31"]).await;
    consent("other.test", "2999-12-31");
    refused(&["--consent=wrong"], &["is for other.test and not for"]).await;

    let ended = place.run(Some("rocketchat"), &place.right(), &[]).await;
    ended.assert(64, &["no Matrix client API"]);
    let ended = place.run(None, &place.right(), &["--vs=synapse"]).await;
    ended.assert(64, &["has to be brought up"]);
    let ended = place.run(None, &place.right(), &["--direct"]).await;
    ended.assert(64, &["--direct"]);
}
