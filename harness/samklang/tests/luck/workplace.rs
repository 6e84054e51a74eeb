//! A temporary folder to run the program in, and the assertion that the program leaves nothing behind.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use samklang_deploy::housekeeping::StateRoot;
use samklang_wire::waiting;
use serde_json::Value;

use crate::{
    common::{PROGRAM, ProgramEnd, furnish},
    engine,
};

/// The bound of every run in these trials, even on a busy machine, apart from an installation. A run that takes longer
/// hangs.
pub(crate) const BOUND: Duration = Duration::from_secs(90);
/// How long an installation of a server may take: as long as the program itself waits for it.
const INSTALLATION_BOUND: Duration = Duration::from_secs(600);
/// The arguments for one play of the scenario that the trials play.
pub(crate) const PLAY: [&str; 6] = ["-s", "rooms.invite-rejected", "--room-version", "11", "--host", "a"];
/// The number of checks of that scenario, with `flow`, which every scenario has.
pub(crate) const CHECKS: usize = 3;
/// The summary of that play if the flow failed and the other checks therefore have no verdict.
pub(crate) fn only_the_flow_failed() -> String {
    format!("1 fail · {} inconclusive", CHECKS - 1)
}

/// The folder of the project.
pub(crate) fn project() -> &'static Path {
    Path::new(samklang_suites::BUILT_FROM)
}

/// Waits until `probe` gives something, for at most `bound`.
pub(crate) fn until<T>(bound: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(waiting::until(bound, async || probe())).ok()
}

/// A folder with its own state root, its own copy of the project's data and its own temporary files.
pub(crate) struct Workplace {
    pub(crate) path: PathBuf,
    home: PathBuf,
}

/// What a run of the program needed.
pub(crate) struct Usage {
    pub(crate) took: Duration,
    /// The most memory that it had at a time, in MiB.
    pub(crate) peak_mb: u64,
}

/// The program while it runs.
pub(crate) struct RunningProgram {
    child: Child,
    begun: Instant,
    files: [PathBuf; 2],
    peak_mb: u64,
}

impl Workplace {
    /// A new folder, whose profile has this bound for deliveries.
    pub(crate) fn new(delivery_seconds: u32) -> Self {
        let path = std::env::temp_dir().join(format!("samklang-luck-{:016x}", fastrand::u64(..)));
        for folder in ["tmp", "vendors"] {
            fs::create_dir_all(path.join(folder)).unwrap();
        }
        let data = ["suites/profiles", "suites/requirements", "suites/expectations", "docker"];
        for folder in data {
            copy(&project().join(folder), &path.join("root").join(folder));
        }
        let proofs = Path::new("suites").join(samklang_suites::KILL_MATRIX);
        fs::copy(project().join(&proofs), path.join("root").join(&proofs)).unwrap();
        accept_proposals(&path.join("root/suites/expectations"));
        let home = path.join("home");
        let place = Self { path, home };
        let profile = place.root().join("suites/profiles/esam.toml");
        replace(&profile, "delivery_seconds = 30", &format!("delivery_seconds = {delivery_seconds}"));
        place
    }

    /// The same folder with a state root that is kept after the test, since it takes long to install real servers. Only
    /// these tests use it: an installation is tied to its path, and is made anew where two programs disagree about it.
    pub(crate) fn with_lasting_home(mut self) -> Self {
        self.home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("luck-home");
        self
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path.join("root")
    }

    pub(crate) fn output(&self) -> PathBuf {
        self.path.join("out")
    }

    /// A copy of the vendor `luckless`, named `hasty`, whose servers have to be ready within four seconds.
    pub(crate) fn hasty(&self) -> PathBuf {
        let folder = self.path.join("vendors/hasty");
        copy(&project().join("fixtures/vendors/luckless"), &folder);
        let descriptor = folder.join("vendor.toml");
        replace(&descriptor, "name = \"luckless\"", "name = \"hasty\"");
        replace(&descriptor, "seconds = 20", "seconds = 4");
        folder
    }

    /// The program with these arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        self.furnish(&mut command);
        command.args(arguments);
        command
    }

    /// Makes a command use this folder.
    pub(crate) fn furnish(&self, command: &mut Command) {
        furnish(command);
        command.current_dir(&self.path).env("TMPDIR", self.path.join("tmp"));
        command.env("SAMKLANG_HOME", &self.home).env("SAMKLANG_ROOT", self.root());
    }

    /// `samklang run` with one play of one scenario.
    pub(crate) fn play(&self, vendor: &str, more: &[&str]) -> Command {
        self.play_into("out", vendor, more)
    }

    /// As [`Self::play`], with the folder for its files.
    pub(crate) fn play_into(&self, output: &str, vendor: &str, more: &[&str]) -> Command {
        let (fixtures, own) = (project().join("fixtures/vendors"), self.path.join("vendors"));
        let mut command = self.command(&["run", vendor, "--format", "plain", "--output", output]);
        command.args(PLAY).arg("--vendors").arg(fixtures).arg("--vendors").arg(own).args(more);
        command
    }

    /// Runs the vendor `luckless` in this mood as processes.
    pub(crate) fn run(&self, mood: &str) -> ProgramEnd {
        self.start(self.play(&format!("luckless@{mood}"), &["--deploy", "process"])).ends()
    }

    /// As [`Self::run`], and measures what the program needed.
    pub(crate) fn run_with_usage(&self, mood: &str) -> (ProgramEnd, Usage) {
        self.start(self.play(&format!("luckless@{mood}"), &["--deploy", "process"])).ends_with_usage()
    }

    /// Runs `samklang` with these arguments.
    pub(crate) fn samklang(&self, arguments: &[&str]) -> ProgramEnd {
        self.start(self.command(arguments)).ends()
    }

    pub(crate) fn start(&self, mut command: Command) -> RunningProgram {
        let number = fastrand::u64(..);
        let files = ["stdout", "stderr"].map(|name| self.path.join(format!("{name}-{number:016x}")));
        let [out, err] = [&files[0], &files[1]].map(|path| File::create(path).unwrap());
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap();
        RunningProgram { child, begun: Instant::now(), files, peak_mb: 0 }
    }

    /// The result of the run, which has to be whole and to fit the schema.
    pub(crate) fn result(&self) -> Value {
        let text = fs::read(self.output().join("result.json")).expect("a result.json");
        let result = serde_json::from_slice(&text).expect("a whole result.json");
        validate(&result);
        result
    }

    /// The owner mark of everything that runs in this folder make.
    pub(crate) fn owner(&self) -> String {
        StateRoot::at(&self.home).unwrap().owner().to_owned()
    }

    /// The live processes that runs in this folder have started.
    pub(crate) fn processes(&self) -> Vec<i32> {
        marked(&format!("SAMKLANG_OWNER={}", self.owner()))
    }

    /// The names of the folders of runs.
    pub(crate) fn runs(&self) -> Vec<String> {
        let names = fs::read_dir(self.home.join("runs")).into_iter().flatten().flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name != ".turn").collect()
    }

    /// Asserts that nothing of the runs is left: no process, no container, no network, no folder of a run, no temporary
    /// file, no half-written file.
    pub(crate) fn assert_nothing_left(&self) {
        assert_eq!(self.processes(), [0; 0], "processes");
        assert_eq!(self.runs(), [""; 0], "folders of runs");
        let names = |path: PathBuf| -> Vec<String> {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names(self.path.join("tmp")), [""; 0], "temporary files");
        let torn = names(self.output()).into_iter().filter(|name| name.contains("part"));
        assert_eq!(torn.collect::<Vec<_>>(), [""; 0], "half-written files");
        assert_eq!(engine::count("containers", &self.owner()), 0, "containers");
        assert_eq!(engine::count("networks", &self.owner()), 0, "networks");
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A failed trial may have left something behind.
            let _ = self.command(&["sweep"]).stdin(Stdio::null()).output();
        }
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl RunningProgram {
    /// The text that it has printed so far.
    pub(crate) fn text(&self) -> String {
        self.files.iter().map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()).collect()
    }

    /// Waits until it prints `words`.
    #[track_caller]
    pub(crate) fn says(&mut self, words: &str) -> &mut Self {
        let text = until(BOUND, || {
            let text = self.text();
            let over = matches!(self.child.try_wait(), Ok(Some(_)));
            (over || text.contains(words)).then_some(text)
        });
        let text = text.unwrap_or_else(|| self.text());
        assert!(text.contains(words), "{words:?} was not printed:\n{text}");
        self
    }

    pub(crate) fn signal(&mut self, signal: Signal) -> &mut Self {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
        self
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ends(self) -> ProgramEnd {
        self.ends_with_usage().0
    }

    /// Waits for its end, and measures what it needed.
    #[track_caller]
    pub(crate) fn ends_with_usage(self) -> (ProgramEnd, Usage) {
        self.ends_with_usage_within(BOUND)
    }

    /// Waits for the end of a program that may have to install a server first.
    #[track_caller]
    pub(crate) fn ends_after_installation(self) -> ProgramEnd {
        self.ends_with_usage_within(INSTALLATION_BOUND + BOUND).0
    }

    #[track_caller]
    fn ends_with_usage_within(mut self, bound: Duration) -> (ProgramEnd, Usage) {
        let status = until(bound, || {
            self.peak_mb = self.peak_mb.max(peak_mb(self.child.id()));
            self.child.try_wait().unwrap()
        });
        let status = status.unwrap_or_else(|| panic!("no end within {bound:?}:\n{}", self.text()));
        let usage = Usage { took: self.begun.elapsed(), peak_mb: self.peak_mb };
        let [stdout, stderr] = self.files.each_ref().map(|path| fs::read(path).unwrap());
        (ProgramEnd::of(&Output { status, stdout, stderr }), usage)
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asserts that a result fits the published schema.
fn validate(result: &Value) {
    const NAME: &str = "https://samklang.invalid/result";
    let schema = fs::read(project().join("reports/schema/samklang-result-1.json")).unwrap();
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource(NAME, serde_json::from_slice(&schema).unwrap()).unwrap();
    let index = compiler.compile(NAME, &mut schemas).unwrap();
    if let Err(error) = schemas.validate(result, index) {
        panic!("the result is not as its schema says: {error:#}");
    }
}

/// Stores the proposals of runs where no expectation is stored yet.
fn accept_proposals(folder: &Path) {
    for path in fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            accept_proposals(&path);
        } else if path.extension().is_some_and(|extension| extension == "new") {
            let stored = path.with_extension("");
            if !stored.exists() {
                fs::rename(path, stored).unwrap();
            }
        }
    }
}

fn peak_mb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
}

/// The processes that have `mark` (`NAME=value`) in their environment.
pub(crate) fn marked(mark: &str) -> Vec<i32> {
    let marked = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|pair| pair == mark.as_bytes())
    };
    let pids = fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(marked).collect()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if let Err(error) = fs::copy(entry.path(), &target) {
            // Somebody who works on the project may remove a file meanwhile.
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{}", entry.path().display());
        }
    }
}

/// Replaces a text in a file, which has to contain it.
pub(crate) fn replace(path: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(old), "{old:?} is not in {}", path.display());
    fs::write(path, text.replace(old, new)).unwrap();
}
