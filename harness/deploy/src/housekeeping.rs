//! What a run leaves on the machine while it lives, and how it is found when the run died.
//!
//! A run has a folder below the state root with a `lock` file; it lives exactly as long as somebody holds that lock,
//! which the kernel ends with the process, however that ends. Everything else a run makes carries its id and its owner:
//! containers and networks as labels, processes as environment. The owner is this machine together with this state
//! root, so that a sweep on a shared engine touches nobody else's.

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

/// The label and the environment variable that say which run something belongs to, and which owner.
pub(crate) const RUN_LABEL: &str = "samklang.run";
pub(crate) const OWNER_LABEL: &str = "samklang.owner";
pub(crate) const GROUND_LABEL: &str = "samklang.ground";
pub(crate) const RUN_MARK: &str = "SAMKLANG_RUN";
pub(crate) const OWNER_MARK: &str = "SAMKLANG_OWNER";

/// How long another run may take to make its folder.
const TURN: Duration = Duration::from_secs(10);
const LOCK: &str = "lock";

/// Where Samklang keeps what outlives a run, and the folders of the runs that live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRoot {
    path: PathBuf,
    owner: String,
}

impl StateRoot {
    /// `SAMKLANG_HOME`, else `samklang` in the user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`).
    ///
    /// # Errors
    /// When the environment names no place, or the folder cannot be made.
    pub fn by_environment() -> Result<Self, Problem> {
        let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = || folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
        let path = folder("SAMKLANG_HOME").or_else(|| Some(cache()?.join("samklang")));
        Self::at(&path.ok_or_else(|| Problem::configuration(message!("housekeeping.no-home")))?)
    }

    /// The state root at `path`, made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made.
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

    /// The owner that everything made from this state root carries: 16 hexadecimal digits.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    fn runs(&self) -> PathBuf {
        self.path.join("runs")
    }

    /// Waits for the turn to make, or to look through, the runs' folders. Between the making of a folder and the taking
    /// of its lock a run would look dead.
    async fn turn(&self) -> Result<File, Problem> {
        let path = self.runs().join(".turn");
        let file = open_lock(&path).map_err(|error| not_writable(&path, &error))?;
        let taken = waiting::until_send(TURN, || ready(file.try_lock().is_ok().then_some(()))).await;
        match taken {
            Ok(()) => Ok(file),
            Err(_) => Err(Problem::configuration(message!("housekeeping.no-turn", path = path.display()))),
        }
    }

    /// Whether that run lives: whether somebody holds its lock. A lock that was free is given, so that nobody else
    /// sweeps the same run at the same time.
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
    /// It lives, or there is no telling.
    No,
    /// It is, and this keeps others from sweeping it.
    Held(File),
    /// It is, and has no lock file (any more).
    WithoutLock,
}

/// Which run something belongs to; cheap to clone.
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
    /// The run's id: when it began in UTC, and four random letters, `20261124T034512-k3f9`.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// The owner, see [`StateRoot::owner`].
    pub fn owner(&self) -> &str {
        &self.inner.owner
    }

    /// The run's own folder, gone after the run.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// The folder for what vendors install, which outlives the run.
    pub(crate) fn vendors(&self) -> &Path {
        &self.inner.vendors
    }

    /// A name for what one deployer makes, unique on the engine.
    pub(crate) fn new_ground(&self) -> String {
        format!("samklang-{}-{}", self.inner.id, letters(4))
    }

    /// Labels for what an engine holds of this run.
    pub(crate) fn labels(&self, ground: &str) -> BTreeMap<String, String> {
        let labels = [(RUN_LABEL, self.id()), (OWNER_LABEL, self.owner()), (GROUND_LABEL, ground)];
        labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Environment for the processes of this run.
    pub(crate) fn marks(&self) -> [(&'static str, &str); 2] {
        [(RUN_MARK, self.id()), (OWNER_MARK, self.owner())]
    }
}

/// The folder of a run that lives: as long as this is held, no sweep touches what the run made.
#[derive(Debug)]
pub struct RunFolder {
    mark: RunMark,
    _lock: File,
}

impl RunFolder {
    /// Begins a run.
    ///
    /// # Errors
    /// When the folder cannot be made.
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

    /// What its things are marked with.
    pub fn mark(&self) -> &RunMark {
        &self.mark
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.mark.folder()
    }

    /// Ends the run: removes its folder with all that is in it. Servers have to be gone by then.
    ///
    /// # Errors
    /// When something of it cannot be removed. The lock is given up all the same, so the next sweep tries again.
    pub fn close(self) -> Result<(), Problem> {
        fs::remove_dir_all(self.path()).map_err(|error| not_removed(self.path(), &error))
    }
}

/// An id for a run: when it begins, in UTC, and four letters that make it unlike all others.
pub fn run_id() -> String {
    let now = Timestamp::now().to_zoned(TimeZone::UTC);
    format!("{}-{}", now.strftime("%Y%m%dT%H%M%S"), letters(4))
}

fn letters(count: usize) -> String {
    const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
    (0..count).map(|_| char::from(ALPHABET[fastrand::usize(..ALPHABET.len())])).collect()
}

/// Ids come back from labels and environments, where others can write, and become parts of paths.
fn is_run_id(text: &str) -> bool {
    let (time, rest) = text.split_once('-').unwrap_or_default();
    time.len() == 15
        && time.chars().all(|c| c.is_ascii_digit() || c == 'T')
        && rest.len() == 4
        && rest.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// Private to the user: keys and databases lie below.
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
