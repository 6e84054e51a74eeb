//! The container engine, asked past the program, and a way to it that can be cut.

use std::{
    fs,
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use samklang_deploy::engine::Engine;
use serde_json::Value;

/// The engine's socket; none where it listens elsewhere.
fn socket() -> Option<PathBuf> {
    Engine::address_by_environment().strip_prefix("unix://").map(PathBuf::from)
}

/// Why no container can be run here, if none can.
pub(crate) fn absent() -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Engine::connect()).err().map(|problem| problem.to_string())
}

/// Asks the engine; `None` where none answers.
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

/// How many `containers` or `networks` carry that owner; 0 where no engine answers.
pub(crate) fn count(things: &str, owner: &str) -> usize {
    of_label(things, "samklang.owner", owner).len()
}

/// Those that carry the label.
pub(crate) fn of_label(things: &str, label: &str, value: &str) -> Vec<Value> {
    let path = if things == "containers" { "/containers/json?all=1" } else { "/networks" };
    let all = ask("GET", path, "").unwrap_or_default();
    let all = all.as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|one| one["Labels"][label] == value).collect()
}

/// A container without any label of ours.
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
    /// Every connection's ends; none once the engine is dead.
    ends: Arc<Mutex<Option<Vec<UnixStream>>>>,
}

impl Proxy {
    pub(crate) fn new(folder: &Path) -> Self {
        let path = folder.join("engine.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let ends = Arc::new(Mutex::new(Some(Vec::new())));
        let shared = Arc::clone(&ends);
        std::thread::spawn(move || {
            for guest in listener.incoming().flatten() {
                let mut ends = shared.lock().unwrap_or_else(PoisonError::into_inner);
                let (Some(ends), Some(host)) = (ends.as_mut(), connect()) else { continue };
                for (from, to) in [(&guest, &host), (&host, &guest)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Write);
                    });
                }
                ends.extend([guest, host]);
            }
        });
        Self { path, ends }
    }

    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// From here on nobody answers, and whoever was being answered is cut off.
    pub(crate) fn die(&self) {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner).take();
        for end in ends.into_iter().flatten() {
            let _ = end.shutdown(Shutdown::Both);
        }
        fs::remove_file(&self.path).unwrap();
    }
}

fn connect() -> Option<UnixStream> {
    UnixStream::connect(socket()?).ok()
}
