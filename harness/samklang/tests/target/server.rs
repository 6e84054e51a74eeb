//! A homeserver that runs already, and runs of the program with it.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use samklang_deploy::{
    Cast,
    embedded::{Embedded, homeserver},
    vendor::VendorShelf,
};
use samklang_suites::BUILT_FROM;
use samklang_verdict::{Party, Role};
use samklang_wire::{
    certificates::{Authority, AuthorityKey},
    recorder::Recorder,
    switchboard::{Ground, PeerService, Switchboard, Upstream},
    waiting::within,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::common::{PROGRAM, ProgramEnd, furnish};

/// A homeserver on loopback, and a folder for files. Both end with the test.
pub(crate) struct TargetTest {
    folder: PathBuf,
    /// Serves its federation API.
    switchboard: Switchboard,
    server: Arc<dyn Embedded>,
    pub(crate) name: String,
    client: SocketAddr,
}

/// The end of a run with the server, and its result.
pub(crate) struct TargetRun {
    pub(crate) end: ProgramEnd,
    /// `null` where none was written.
    pub(crate) result: Value,
}

struct Federation(Arc<dyn Embedded>);

#[async_trait]
impl PeerService for Federation {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.0.federation(request).await
    }
}

impl TargetTest {
    /// A server as `docker/reference` describes it, with these users.
    pub(crate) async fn new(users: &[&str]) -> Self {
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
        let test = Self { folder, switchboard, server, name, client };
        let leaf = authority.issue("127.0.0.1").unwrap();
        test.write("cert.pem", &leaf.cert_pem, 0o644);
        test.write("key.pem", &leaf.key_pem, 0o600);
        let mut lines = "# accounts of a test\n".to_owned();
        for (number, user) in users.iter().enumerate() {
            let token = test.register(user).await;
            // Every second line has the user's id.
            lines += &if number % 2 == 0 { token } else { format!("@{user}:{} {token}", test.name) };
            lines.push('\n');
        }
        test.write("tokens", &lines, 0o600);
        test
    }

    /// The name and address of a further server, whose certificate has the same authority.
    pub(crate) async fn other_server(&self) -> String {
        let name = self.switchboard.reserve("b").await.unwrap();
        let service = Arc::new(Federation(reference(&name, &self.switchboard)));
        self.switchboard.connect(&name, Upstream::Embedded { role: Role::B, service }).unwrap();
        name
    }

    pub(crate) fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, token: &str, body: &Value) -> Value {
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

    /// The correct arguments for the server.
    pub(crate) fn right(&self) -> Vec<String> {
        let mut arguments = vec![format!("--target=http://{}", self.client)];
        for (option, file) in
            [("token-file", "tokens"), ("ca", "ca.pem"), ("certificate", "cert.pem"), ("key", "key.pem")]
        {
            arguments.push(format!("--{option}={}", self.path(file)));
        }
        arguments
    }

    /// As [`Self::right`], with these instead of the arguments of the same name. An empty value removes the argument.
    pub(crate) fn but(&self, others: &[&str]) -> Vec<String> {
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

    pub(crate) async fn run(&self, vendor: Option<&str>, arguments: &[String], more: &[&str]) -> TargetRun {
        let output = self.folder.join(format!("out-{:08x}", fastrand::u32(..)));
        let mut command = Command::new(PROGRAM);
        furnish(&mut command);
        command.arg("run").args(vendor).args(arguments).args(more);
        command.args(["--no-proposals", "--format=plain", "--output"]).arg(&output).current_dir(&self.folder);
        let mut command = tokio::process::Command::from(command);
        let ended = within(Duration::from_secs(240), command.kill_on_drop(true).output()).await;
        let end = ProgramEnd::of(&ended.expect("an end").unwrap());
        let result = fs::read_to_string(output.join("result.json")).unwrap_or_default();
        TargetRun { end, result: serde_json::from_str(&result).unwrap_or_default() }
    }

    /// Every file below the folder, except those that are meant to hold the secrets.
    pub(crate) fn written(&self) -> Vec<(PathBuf, String)> {
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

    pub(crate) fn tokens(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("tokens")).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect()
    }
}

impl Drop for TargetTest {
    fn drop(&mut self) {
        self.server.shut();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl TargetRun {
    /// The number of checks with this verdict.
    pub(crate) fn count(&self, verdict: &str) -> usize {
        self.checks(verdict).count()
    }

    pub(crate) fn checks<'a>(&'a self, verdict: &'a str) -> impl Iterator<Item = &'a Value> {
        let all = self.result["checks"].as_array().into_iter().flatten();
        all.filter(move |check| check["verdict"] == verdict)
    }
}

/// Serves the client API of `server`, with one request for each connection.
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
    let cast = Cast {
        role: Role::A,
        vendor: Arc::new(vendor),
        version,
        image: None,
        upgrade_to: None,
        target: None,
    };
    homeserver(&cast, name, switchboard.client(Party::Server { role: Role::A }), None).unwrap()
}
