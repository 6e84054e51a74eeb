//! The container engine, which the tests ask without the program, and a proxy in front of it.

use std::{
    fs,
    io::{Read, Write},
    net::{IpAddr, Shutdown, TcpListener},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use samklang_deploy::engine::Engine;
use serde_json::Value;

/// The engine's socket; `None` if it does not listen on one.
fn socket() -> Option<PathBuf> {
    Engine::address_by_environment().strip_prefix("unix://").map(PathBuf::from)
}

/// The reason if no container can be run here.
pub(crate) fn absent() -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Engine::connect()).err().map(|problem| problem.to_string())
}

/// Sends a request to the engine; `None` if none answers.
pub(crate) fn ask(method: &str, path: &str, body: &str) -> Option<Value> {
    let mut stream = UnixStream::connect(socket()?).ok()?;
    let length = body.len();
    let head = "HTTP/1.0\r\nHost: engine\r\nContent-Type: application/json";
    write!(stream, "{method} {path} {head}\r\nContent-Length: {length}\r\n\r\n{body}").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some(serde_json::from_str(body).unwrap_or_default())
}

/// The number of `containers` or `networks` with that owner; 0 if no engine answers.
pub(crate) fn count(things: &str, owner: &str) -> usize {
    of_label(things, "samklang.owner", owner).len()
}

/// The `containers` or `networks` with that label.
pub(crate) fn of_label(things: &str, label: &str, value: &str) -> Vec<Value> {
    let path = if things == "containers" { "/containers/json?all=1" } else { "/networks" };
    let all = ask("GET", path, "").unwrap_or_default();
    let all = all.as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|one| one["Labels"][label] == value).collect()
}

/// A container without a label of the program.
pub(crate) struct Bystander(String);

impl Bystander {
    pub(crate) fn new(image: &str) -> Self {
        let body = format!(r#"{{"Image":"{image}","Cmd":["true"]}}"#);
        let answer = ask("POST", "/containers/create", &body).unwrap();
        Self(answer["Id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned())
    }

    pub(crate) fn is_there(&self) -> bool {
        ask("GET", &format!("/containers/{}/json", self.0), "").is_some_and(|one| one["Id"] == self.0)
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        ask("DELETE", &format!("/containers/{}", self.0), "");
    }
}

/// A socket in front of the engine's, behind which the engine can die.
pub(crate) struct Proxy {
    path: PathBuf,
    /// Both ends of every connection; `None` once the engine is dead.
    ends: Arc<Mutex<Option<Vec<UnixStream>>>>,
}

impl Proxy {
    pub(crate) fn new(folder: &Path) -> Self {
        Self::with(folder, || {})
    }

    /// Takes `port` on the gateway of each network of `owner` before the program learns that the network exists.
    pub(crate) fn taking_port(folder: &Path, owner: &str, port: u16) -> Self {
        let owner = owner.to_owned();
        let taken = Mutex::new(Vec::new());
        Self::with(folder, move || {
            for network in of_label("networks", "samklang.owner", &owner) {
                let gateway = network["IPAM"]["Config"][0]["Gateway"].as_str();
                let Some(gateway) = gateway.and_then(|text| text.parse::<IpAddr>().ok()) else { continue };
                // It is taken already by an earlier call, or by a listener on all addresses.
                let Ok(listener) = TcpListener::bind((gateway, port)) else { continue };
                taken.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
            }
        })
    }

    /// Calls `before` before each part of a response is passed on.
    fn with(folder: &Path, before: impl Fn() + Send + Sync + 'static) -> Self {
        let before: Arc<dyn Fn() + Send + Sync> = Arc::new(before);
        let path = folder.join("engine.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let ends = Arc::new(Mutex::new(Some(Vec::new())));
        let shared = Arc::clone(&ends);
        std::thread::spawn(move || {
            for guest in listener.incoming().flatten() {
                let mut ends = shared.lock().unwrap_or_else(PoisonError::into_inner);
                let (Some(ends), Some(host)) = (ends.as_mut(), connect()) else { continue };
                let ends_of = || (guest.try_clone().unwrap(), host.try_clone().unwrap());
                let ((from_guest, to_host), (to_guest, from_host)) = (ends_of(), ends_of());
                let before = Arc::clone(&before);
                std::thread::spawn(move || relay(from_guest, to_host, &|| {}));
                std::thread::spawn(move || relay(from_host, to_guest, &*before));
                ends.extend([guest, host]);
            }
        });
        Self { path, ends }
    }

    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// From here on the engine does not answer, and open connections are cut.
    pub(crate) fn die(&self) {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner).take();
        for end in ends.into_iter().flatten() {
            let _ = end.shutdown(Shutdown::Both);
        }
        fs::remove_file(&self.path).unwrap();
    }
}

/// Passes on what arrives until either end is closed.
fn relay(mut from: UnixStream, mut to: UnixStream, before: &dyn Fn()) {
    let mut part = [0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut part) {
        before();
        if to.write_all(&part[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn connect() -> Option<UnixStream> {
    UnixStream::connect(socket()?).ok()
}
