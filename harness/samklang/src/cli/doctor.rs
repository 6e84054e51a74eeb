//! `samklang doctor`: can this machine run everything? Each finding is one sentence with its remedy.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use samklang_runner::suite::project_root;
use samklang_stage::{deploy::engine::Engine, housekeeping::StateRoot, vendor::VendorShelf};
use samklang_verdict::{Catalogue, Message, Problem, exit, message};

use super::{Done, args::DoctorArgs, print, runtime};
use crate::setting::adapter_made_is_known;

/// What a look at one thing came to.
enum Finding {
    /// It is as it should be.
    Good(Message),
    /// Something is missing that only one way of running needs.
    Hint(Message),
    /// Nothing can be run.
    Bad(Message),
}

/// Looks at everything and says what it found; 64 when something keeps every run from working.
pub(super) fn doctor(args: &DoctorArgs) -> Done {
    let runtime = runtime()?;
    let engine = runtime.block_on(Engine::connect());
    let has_engine = engine.is_ok();
    let mut findings = vec![
        look_at_engine(engine),
        look_at_python(has_engine),
        look_at_ports(),
        look_at_names(),
        look_at_disk(),
        look_at_clock(),
    ];
    findings.extend(look_at_vendors(args));
    let mut text = String::new();
    let mut code = exit::AS_EXPECTED;
    for finding in &findings {
        let (mark, message) = match finding {
            Finding::Good(message) => ("doctor.good", message),
            Finding::Hint(message) => ("doctor.hint", message),
            Finding::Bad(message) => {
                code = exit::USAGE;
                ("doctor.bad", message)
            }
        };
        let mark = Catalogue::english().label(mark);
        text.push_str(&format!("{mark:<6}{}\n", Catalogue::english().render(message).in_one_line()));
    }
    print(&text)?;
    Ok(code)
}

fn look_at_engine(engine: Result<Engine, Problem>) -> Finding {
    match engine {
        Ok(engine) => {
            Finding::Good(message!("doctor.engine", version = engine.version(), address = engine.address()))
        }
        Err(problem) => Finding::Hint(problem.message),
    }
}

/// Only the process deployer needs it, so without an engine nothing works without it.
fn look_at_python(has_engine: bool) -> Finding {
    let answer =
        Command::new("python3").args(["-c", "import venv, sys; print(sys.version.split()[0])"]).output();
    match answer {
        Ok(output) if output.status.success() => {
            Finding::Good(message!("doctor.python", version = String::from_utf8_lossy(&output.stdout).trim()))
        }
        _ if has_engine => Finding::Hint(message!("doctor.no-python")),
        _ => Finding::Bad(message!("doctor.no-python")),
    }
}

/// The switchboard listens on 8448 of a network's own address, which a listener on all addresses would take.
fn look_at_ports() -> Finding {
    match TcpListener::bind(("0.0.0.0", 8448)) {
        Ok(_) => Finding::Good(message!("doctor.port", port = 8448)),
        Err(error) => Finding::Hint(message!("doctor.port-taken", port = 8448, error = error)),
    }
}

/// Names of a run end in `.test`, which must not resolve to anything outside.
fn look_at_names() -> Finding {
    use std::net::ToSocketAddrs;
    match ("samklang-doctor.test", 8448).to_socket_addrs().map(|mut found| found.next()) {
        Ok(Some(address)) => Finding::Hint(message!("doctor.names", address = address.ip())),
        _ => Finding::Good(message!("doctor.names-clear")),
    }
}

fn look_at_disk() -> Finding {
    const NEEDED_MB: u64 = 2048;
    let state = match StateRoot::by_environment() {
        Ok(state) => state,
        Err(problem) => return Finding::Bad(problem.message),
    };
    match free_mb(state.path()) {
        Some(free) if free < NEEDED_MB => Finding::Bad(message!(
            "doctor.disk-full",
            path = state.path().display(),
            free = free,
            needed = NEEDED_MB
        )),
        Some(free) => Finding::Good(message!("doctor.disk", path = state.path().display(), free = free)),
        None => Finding::Hint(message!("doctor.disk-unknown", path = state.path().display())),
    }
}

fn free_mb(path: &Path) -> Option<u64> {
    let output = Command::new("df").args(["--output=avail", "-B1M"]).arg(path).output().ok()?;
    String::from_utf8_lossy(&output.stdout).lines().nth(1)?.trim().parse().ok()
}

/// A certificate made now must be valid for the servers, whose clock is this machine's.
fn look_at_clock() -> Finding {
    let built = std::env::current_exe().and_then(|path| path.metadata()).and_then(|meta| meta.modified());
    match built {
        Ok(built) if built > SystemTime::now() => Finding::Bad(message!("doctor.clock-behind")),
        _ => Finding::Good(message!("doctor.clock", now = jiff::Timestamp::now())),
    }
}

fn look_at_vendors(args: &DoctorArgs) -> Vec<Finding> {
    let root = match project_root(samklang_suites::BUILT_FROM) {
        Ok(root) => root,
        Err(problem) => return vec![Finding::Bad(problem.message)],
    };
    let shelf = crate::setting::shelf(&root, &args.vendors);
    let names = match shelf.names() {
        Ok(names) => names,
        Err(problem) => return vec![Finding::Bad(problem.message)],
    };
    let suite = match samklang_suites::suite(&root) {
        Ok(suite) => suite,
        Err(problem) => return vec![Finding::Bad(problem.message)],
    };
    let checked = |name: &String| {
        let vendor = shelf.load(name)?;
        adapter_made_is_known(&suite, &vendor)?;
        Ok::<_, Problem>(vendor)
    };
    let look = |name: &String| match checked(name) {
        Ok(vendor) => match vendor.is_not_blocked() {
            Ok(()) => {
                let (title, version) = (vendor.title, vendor.default_version);
                Finding::Good(message!("doctor.vendor", title = title, version = version))
            }
            Err(blocked) => Finding::Hint(blocked.message),
        },
        Err(problem) => Finding::Bad(problem.message),
    };
    let is_empty =
        |folder: &&PathBuf| VendorShelf::new([(*folder).clone()]).names().is_ok_and(|names| names.is_empty());
    let empty = args.vendors.iter().filter(is_empty);
    let empty = empty.map(|folder| Finding::Hint(message!("doctor.no-vendor", folder = folder.display())));
    names.iter().map(look).chain(empty).collect()
}
