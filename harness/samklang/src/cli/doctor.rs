//! `samklang doctor`: checks whether this machine can run everything. Each finding is one sentence with its remedy.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use samklang_deploy::{engine::Engine, housekeeping::StateRoot, vendor::VendorShelf};
use samklang_runner::suite::project_root;
use samklang_verdict::{Catalogue, Message, Problem, exit, message};

use super::{CommandResult, args::DoctorArgs, print, runtime};
use crate::setting::adapter_made_is_known;

/// The finding about one thing.
enum DoctorFinding {
    /// It is as it should be.
    Good(Message),
    /// Something is missing that not every run needs.
    Hint(Message),
    /// No run can work.
    Bad(Message),
}

/// Looks at everything and prints the findings. The exit code is 64 when something keeps every run from working.
pub(super) fn doctor(args: &DoctorArgs) -> CommandResult {
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
            DoctorFinding::Good(message) => ("doctor.good", message),
            DoctorFinding::Hint(message) => ("doctor.hint", message),
            DoctorFinding::Bad(message) => {
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

fn look_at_engine(engine: Result<Engine, Problem>) -> DoctorFinding {
    match engine {
        Ok(engine) => DoctorFinding::Good(message!(
            "doctor.engine",
            version = engine.version(),
            address = engine.address()
        )),
        Err(problem) => DoctorFinding::Hint(problem.message),
    }
}

/// Only the process deployer needs Python, so it is a must only where there is no engine.
fn look_at_python(has_engine: bool) -> DoctorFinding {
    let answer =
        Command::new("python3").args(["-c", "import venv, sys; print(sys.version.split()[0])"]).output();
    match answer {
        Ok(output) if output.status.success() => DoctorFinding::Good(message!(
            "doctor.python",
            version = String::from_utf8_lossy(&output.stdout).trim()
        )),
        _ if has_engine => DoctorFinding::Hint(message!("doctor.no-python")),
        _ => DoctorFinding::Bad(message!("doctor.no-python")),
    }
}

/// The switchboard listens on port 8448 of a network's own address, which conflicts with a listener on all addresses.
fn look_at_ports() -> DoctorFinding {
    match TcpListener::bind(("0.0.0.0", 8448)) {
        Ok(_) => DoctorFinding::Good(message!("doctor.port", port = 8448)),
        Err(error) => DoctorFinding::Hint(message!("doctor.port-taken", port = 8448, error = error)),
    }
}

/// The server names of a run end in `.test`, which must not resolve to anything outside.
fn look_at_names() -> DoctorFinding {
    use std::net::ToSocketAddrs;
    match ("samklang-doctor.test", 8448).to_socket_addrs().map(|mut found| found.next()) {
        Ok(Some(address)) => DoctorFinding::Hint(message!("doctor.names", address = address.ip())),
        _ => DoctorFinding::Good(message!("doctor.names-clear")),
    }
}

fn look_at_disk() -> DoctorFinding {
    const NEEDED_MB: u64 = 2048;
    let state = match StateRoot::by_environment() {
        Ok(state) => state,
        Err(problem) => return DoctorFinding::Bad(problem.message),
    };
    match free_mb(state.path()) {
        Some(free) if free < NEEDED_MB => DoctorFinding::Bad(message!(
            "doctor.disk-full",
            path = state.path().display(),
            free = free,
            needed = NEEDED_MB
        )),
        Some(free) => {
            DoctorFinding::Good(message!("doctor.disk", path = state.path().display(), free = free))
        }
        None => DoctorFinding::Hint(message!("doctor.disk-unknown", path = state.path().display())),
    }
}

fn free_mb(path: &Path) -> Option<u64> {
    let output = Command::new("df").args(["--output=avail", "-B1M"]).arg(path).output().ok()?;
    String::from_utf8_lossy(&output.stdout).lines().nth(1)?.trim().parse().ok()
}

/// The servers use this machine's clock, and a certificate that is made now has to be valid for them.
fn look_at_clock() -> DoctorFinding {
    let built = std::env::current_exe().and_then(|path| path.metadata()).and_then(|meta| meta.modified());
    match built {
        Ok(built) if built > SystemTime::now() => DoctorFinding::Bad(message!("doctor.clock-behind")),
        _ => DoctorFinding::Good(message!("doctor.clock", now = jiff::Timestamp::now())),
    }
}

fn look_at_vendors(args: &DoctorArgs) -> Vec<DoctorFinding> {
    let root = match project_root(samklang_suites::BUILT_FROM) {
        Ok(root) => root,
        Err(problem) => return vec![DoctorFinding::Bad(problem.message)],
    };
    let shelf = crate::setting::shelf(&root, &args.vendors);
    let names = match shelf.names() {
        Ok(names) => names,
        Err(problem) => return vec![DoctorFinding::Bad(problem.message)],
    };
    let suite = match samklang_suites::suite(&root) {
        Ok(suite) => suite,
        Err(problem) => return vec![DoctorFinding::Bad(problem.message)],
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
                DoctorFinding::Good(message!("doctor.vendor", title = title, version = version))
            }
            Err(blocked) => DoctorFinding::Hint(blocked.message),
        },
        Err(problem) => DoctorFinding::Bad(problem.message),
    };
    let is_empty =
        |folder: &&PathBuf| VendorShelf::new([(*folder).clone()]).names().is_ok_and(|names| names.is_empty());
    let empty = args.vendors.iter().filter(is_empty);
    let empty =
        empty.map(|folder| DoctorFinding::Hint(message!("doctor.no-vendor", folder = folder.display())));
    names.iter().map(look).chain(empty).collect()
}
