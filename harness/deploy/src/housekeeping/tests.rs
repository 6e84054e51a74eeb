use std::process::{Command, Stdio};

use super::*;

/// A state root of its own, removed at the end of the test.
struct Scratch(StateRoot);

impl Scratch {
    fn new() -> Self {
        let path = env::temp_dir().join(format!("samklang-home-{:016x}", fastrand::u64(..)));
        Self(StateRoot::at(&path).unwrap())
    }

    /// A run whose harness was killed: everything is there except the holder of the lock.
    async fn dead_run(&self) -> RunMark {
        let run = RunFolder::create(&self.0).await.unwrap();
        fs::write(run.path().join("server.db"), "data").unwrap();
        run.mark().clone()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0.path());
    }
}

/// A process that carries a run's marks, killed at the end of the test.
struct Sleeper(std::process::Child);

impl Sleeper {
    fn with(marks: &[(&str, &str)]) -> Self {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new("sleep");
        command.arg("300").envs(marks.iter().copied()).stdout(Stdio::null()).process_group(0);
        Self(command.spawn().unwrap())
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_run_has_a_private_folder_that_ends_with_it() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let run = RunFolder::create(&scratch.0).await.unwrap();
    assert!(is_run_id(run.mark().id()), "{}", run.mark().id());
    assert_eq!(fs::metadata(run.path()).unwrap().permissions().mode() & 0o777, 0o700);
    let path = run.path().to_owned();
    run.close().unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn owners_differ_by_state_root_and_stay_the_same() {
    let (one, two) = (Scratch::new(), Scratch::new());
    assert_ne!(one.0.owner(), two.0.owner());
    assert_eq!(one.0.owner(), StateRoot::at(one.0.path()).unwrap().owner());
    assert_eq!(one.0.owner().len(), 16);
}

#[tokio::test]
async fn a_sweep_removes_only_the_things_of_dead_runs() {
    let scratch = Scratch::new();
    let living = RunFolder::create(&scratch.0).await.unwrap();
    let dead = scratch.dead_run().await;
    let foreign = scratch.0.runs().join("notes");
    fs::write(&foreign, "not a run").unwrap();

    let owner = scratch.0.owner();
    let mut of_dead = Sleeper::with(&dead.marks());
    let mut of_living = Sleeper::with(&living.mark().marks());
    let mut of_other = Sleeper::with(&[(RUN_MARK, dead.id()), (OWNER_MARK, "0123456789abcdef")]);
    let mut of_nobody = Sleeper::with(&[(OWNER_MARK, owner)]);
    // A run whose folder is already gone is dead too.
    let mut of_gone = Sleeper::with(&[(RUN_MARK, "20200101T000000-abcd"), (OWNER_MARK, owner)]);

    let report = sweep(&scratch.0, None).await.unwrap();
    assert_eq!(report.left, []);
    assert_eq!((report.processes, report.folders, report.containers), (2, 1, 0));
    let runs: Vec<_> = report.runs.iter().map(String::as_str).collect();
    assert_eq!(runs, ["20200101T000000-abcd", dead.id()]);
    assert!(!of_dead.lives() && !of_gone.lives());
    assert!(of_living.lives() && of_other.lives() && of_nobody.lives());
    assert!(!dead.folder().exists() && living.path().exists() && foreign.exists());

    assert!(sweep(&scratch.0, None).await.unwrap().is_empty());
    living.close().unwrap();
}

#[tokio::test]
async fn a_label_that_is_not_a_run_id_is_never_used_as_a_path() {
    let scratch = Scratch::new();
    for odd in ["../runs", "..", "", "20200101T000000-../x", "x"] {
        assert!(!is_run_id(odd), "{odd}");
        assert!(matches!(scratch.0.hold_if_dead(odd), Dead::No), "{odd}");
    }
}

#[tokio::test]
async fn a_state_root_that_cannot_be_written_is_reported_with_its_path() {
    let problem = StateRoot::at(Path::new("/proc/samklang")).unwrap_err();
    assert!(problem.to_string().contains("/proc/samklang"), "{problem}");
}
