//! The things that a run leaves on the machine while it lives, and how a later run finds them if this run died.
//!
//! A run has a folder below the state root with a `lock` file. The run lives exactly as long as a process holds that
//! lock; the kernel releases the lock when the process ends, in any way. Everything else that a run makes carries its
//! ID and its owner: containers and networks as labels, processes as environment. The owner is this machine together
//! with this state root, so that a sweep on a shared engine does not touch the things of other owners.

pub mod processes;
mod sweep;

use std::{
    collections::BTreeMap,
    env,
    fs::{self, DirBuilder, File, TryLockError},
    future::ready,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use samklang_verdict::{Problem, message};
use sha2::{Digest, Sha256};

pub use self::sweep::{SweepReport, sweep};
use samklang_wire::waiting;

/// The labels and environment variables that mark the things of a run: the run's ID, its owner and the ground.
pub(crate) const RUN_LABEL: &str = "samklang.run";
pub(crate) const OWNER_LABEL: &str = "samklang.owner";
pub(crate) const GROUND_LABEL: &str = "samklang.ground";
pub(crate) const RUN_MARK: &str = "SAMKLANG_RUN";
pub(crate) const OWNER_MARK: &str = "SAMKLANG_OWNER";

/// The bound on another run's turn to make its folder.
const TURN: Duration = Duration::from_secs(10);
const LOCK: &str = "lock";

/// The folder where Samklang keeps data that outlives a run, and the folders of the runs that live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRoot {
    path: PathBuf,
    owner: String,
}

impl StateRoot {
    /// `SAMKLANG_HOME`, else `samklang` in the user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`).
    ///
    /// # Errors
    /// Fails if the environment names no place, or if the folder cannot be made.
    pub fn by_environment() -> Result<Self, Problem> {
        let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = || folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
        let path = folder("SAMKLANG_HOME").or_else(|| Some(cache()?.join("samklang")));
        Self::at(&path.ok_or_else(|| Problem::configuration(message!("housekeeping.no-home")))?)
    }

    /// The state root at `path`. The folder is made if it is missing.
    ///
    /// # Errors
    /// Fails if the folder cannot be made.
    pub fn at(path: &Path) -> Result<Self, Problem> {
        let made = make_folder(&path.join("runs")).and_then(|()| path.canonicalize());
        let path = made.map_err(|error| not_writable(path, &error))?;
        let machine =
            ["/etc/machine-id", "/proc/sys/kernel/hostname"].map(|file| fs::read(file).unwrap_or_default());
        let mut digest = Sha256::new();
        for part in [machine[0].as_slice(), &machine[1], path.as_os_str().as_encoded_bytes()] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let owner = hex::encode(&digest.finalize()[..8]);
        Ok(Self { path, owner })
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The owner of everything made from this state root: 16 hexadecimal digits.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    fn runs(&self) -> PathBuf {
        self.path.join("runs")
    }

    /// Waits for its turn to make, or to look through, the runs' folders. Without turns, a run would look dead between
    /// making its folder and locking it.
    async fn turn(&self) -> Result<File, Problem> {
        let path = self.runs().join(".turn");
        let file = open_lock(&path).map_err(|error| not_writable(&path, &error))?;
        let taken = waiting::until_send(TURN, || ready(file.try_lock().is_ok().then_some(()))).await;
        match taken {
            Ok(()) => Ok(file),
            Err(_) => Err(Problem::configuration(message!("housekeeping.no-turn", path = path.display()))),
        }
    }

    /// Whether that run is dead: no process holds its lock. The lock of a dead run is returned, so that no other sweep
    /// handles the same run at the same time.
    fn hold_if_dead(&self, run: &str) -> Dead {
        let folder = self.runs().join(run);
        if !is_run_id(run) {
            return Dead::No;
        }
        match File::options().read(true).write(true).open(folder.join(LOCK)) {
            Ok(lock) => match lock.try_lock() {
                Ok(()) => Dead::Held(lock),
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => Dead::No,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Dead::WithoutLock,
            Err(_) => Dead::No,
        }
    }
}

/// Whether a run is dead.
enum Dead {
    /// It lives, or its state is unknown.
    No,
    /// It is dead, and this lock keeps other sweeps away from it.
    Held(File),
    /// It is dead and has no lock file (any more).
    WithoutLock,
}

/// The run that something belongs to. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct RunMark {
    inner: Arc<RunIdentity>,
}

#[derive(Debug)]
struct RunIdentity {
    id: String,
    owner: String,
    folder: PathBuf,
    vendors: PathBuf,
}

impl RunMark {
    /// The run's ID: its start in UTC, and four random letters, `20261124T034512-k3f9`.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// The owner, see [`StateRoot::owner`].
    pub fn owner(&self) -> &str {
        &self.inner.owner
    }

    /// The run's own folder. It is removed after the run.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// The folder for the vendors' installations, which outlives the run.
    pub(crate) fn vendors(&self) -> &Path {
        &self.inner.vendors
    }

    /// A name for the things of one deployer, unique on the engine.
    pub(crate) fn new_ground(&self) -> String {
        format!("samklang-{}-{}", self.inner.id, letters(4))
    }

    /// Labels for the things of this run that an engine holds.
    pub(crate) fn labels(&self, ground: &str) -> BTreeMap<String, String> {
        let labels = [(RUN_LABEL, self.id()), (OWNER_LABEL, self.owner()), (GROUND_LABEL, ground)];
        labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Environment for the processes of this run.
    pub(crate) fn marks(&self) -> [(&'static str, &str); 2] {
        [(RUN_MARK, self.id()), (OWNER_MARK, self.owner())]
    }
}

/// The folder of a run that lives. While this is held, no sweep touches the run's things.
#[derive(Debug)]
pub struct RunFolder {
    mark: RunMark,
    _lock: File,
}

impl RunFolder {
    /// Begins a run.
    ///
    /// # Errors
    /// Fails if the folder cannot be made.
    pub async fn create(root: &StateRoot) -> Result<Self, Problem> {
        let _turn = root.turn().await?;
        let id = run_id();
        let folder = root.runs().join(&id);
        let lock = make_folder(&folder).and_then(|()| open_lock(&folder.join(LOCK))).and_then(|lock| {
            lock.lock()?;
            Ok(lock)
        });
        let lock = lock.map_err(|error| not_writable(&folder, &error))?;
        let (owner, vendors) = (root.owner.clone(), root.path.join("vendors"));
        Ok(Self {
            mark: RunMark { inner: Arc::new(RunIdentity { id, owner, folder, vendors }) },
            _lock: lock,
        })
    }

    /// The mark of everything that the run makes.
    pub fn mark(&self) -> &RunMark {
        &self.mark
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.mark.folder()
    }

    /// Ends the run: removes its folder with all its content. Its servers must be gone by then.
    ///
    /// # Errors
    /// Fails if something in it cannot be removed. The lock is released anyway, so the next sweep tries again.
    pub fn close(self) -> Result<(), Problem> {
        fs::remove_dir_all(self.path()).map_err(|error| not_removed(self.path(), &error))
    }
}

/// A run's ID: its start in UTC, and four letters that make it unique.
pub fn run_id() -> String {
    let now = Timestamp::now().to_zoned(TimeZone::UTC);
    format!("{}-{}", now.strftime("%Y%m%dT%H%M%S"), letters(4))
}

fn letters(count: usize) -> String {
    const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
    (0..count).map(|_| char::from(ALPHABET[fastrand::usize(..ALPHABET.len())])).collect()
}

/// Whether `text` is a run ID. IDs come back from labels and environments, which others can write, and become parts of
/// paths.
fn is_run_id(text: &str) -> bool {
    let (time, rest) = text.split_once('-').unwrap_or_default();
    time.len() == 15
        && time.chars().all(|c| c.is_ascii_digit() || c == 'T')
        && rest.len() == 4
        && rest.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// Makes a folder that is private to the user, since keys and databases are below it.
fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn open_lock(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

fn not_writable(path: &Path, error: &io::Error) -> Problem {
    Problem::configuration(message!("housekeeping.not-writable", path = path.display(), reason = error))
}

fn not_removed(path: &Path, error: &io::Error) -> Problem {
    Problem::configuration(message!("housekeeping.not-removed", path = path.display(), reason = error))
}

#[cfg(test)]
mod tests;
