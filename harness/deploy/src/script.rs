//! Runs a preparing script (a vendor's `install`, or the one that makes the base image), passes its lines on, and
//! bounds it.

use std::{
    collections::VecDeque, os::unix::process::ExitStatusExt, process::ExitStatus, process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::Command,
    sync::mpsc,
};

use super::Progress;
use samklang_wire::waiting;

/// The number of last lines that are kept for a failure.
pub(super) const LAST_LINES: usize = 20;
/// The length at which a line is cut. A script may write anything.
const LINE_BYTES: usize = 2000;

/// The failure of a script.
#[derive(Debug)]
pub(super) struct ScriptFailure {
    /// The reason in a few words: `exit status 1`, `no end within 600 s`.
    pub(super) how: String,
    /// The end of its output.
    pub(super) lines: Vec<String>,
}

/// The last lines of an output.
#[derive(Debug, Default)]
pub(super) struct Tail(VecDeque<String>);

impl Tail {
    /// Adds a line.
    pub(super) fn push(&mut self, line: &str) {
        if self.0.len() == LAST_LINES {
            self.0.pop_front();
        }
        self.0.push_back(line.chars().take(LINE_BYTES).collect());
    }

    /// The lines, oldest first.
    pub(super) fn into_lines(self) -> Vec<String> {
        self.0.into()
    }
}

/// The way a process ended, in a few words.
pub(super) fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown ending".to_owned(),
    }
}

/// Kills the script's whole group if the harness stops waiting for it, for any reason.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // An empty group is just as good.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

/// Runs `command` to its end, for at most `bound`. Lines of its standard output go to `progress` as they arrive. It
/// leaves no process of the script's group running.
pub(super) async fn run(
    mut command: Command,
    bound: Duration,
    progress: &Progress<'_>,
) -> Result<(), ScriptFailure> {
    let failed = |how: String| ScriptFailure { how, lines: Vec::new() };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
    let (lines, mut heard) = mpsc::channel(64);
    if let Some(output) = child.stdout.take() {
        tokio::spawn(listen(output, true, lines.clone()));
    }
    if let Some(output) = child.stderr.take() {
        tokio::spawn(listen(output, false, lines.clone()));
    }
    drop(lines);
    let mut tail = Tail::default();
    let whole = async {
        let mut status = None;
        loop {
            tokio::select! {
                line = heard.recv() => match line {
                    Some((line, told)) => {
                        tail.push(&line);
                        if told {
                            progress(&line);
                        }
                    }
                    None => break,
                },
                ended = child.wait(), if status.is_none() => {
                    status = Some(ended);
                    // A process that the script left behind would hold its pipes open.
                    drop(Group(group.0));
                }
            }
        }
        match status {
            Some(status) => status,
            None => child.wait().await,
        }
    };
    let how = match waiting::within(bound, whole).await {
        Ok(Ok(status)) if status.success() => return Ok(()),
        Ok(Ok(status)) => ending(status),
        Ok(Err(error)) => error.to_string(),
        Err(passed) => format!("no end within {} s", passed.bound.as_secs()),
    };
    Err(ScriptFailure { how, lines: tail.into_lines() })
}

async fn listen(output: impl AsyncRead + Unpin, told: bool, lines: mpsc::Sender<(String, bool)>) {
    let mut output = BufReader::new(output);
    loop {
        let mut line = Vec::new();
        // A line without an end arrives in pieces, so that it does not fill the memory.
        match (&mut output).take(LINE_BYTES as u64).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if lines.send((line, told)).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn shell(text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        command
    }

    #[tokio::test]
    async fn standard_output_is_progress_and_a_failure_keeps_the_last_lines_of_both() {
        let heard = Mutex::new(Vec::new());
        let script = shell("echo one; echo two; echo hidden >&2; exit 3");
        let progress = |line: &str| heard.lock().unwrap().push(line.to_owned());
        let failure = run(script, Duration::from_secs(10), &progress).await.unwrap_err();
        assert_eq!(failure.how, "exit status 3");
        assert!(failure.lines.contains(&"hidden".to_owned()) && failure.lines.contains(&"two".to_owned()));
        assert_eq!(*heard.lock().unwrap(), ["one", "two"]);
    }

    #[tokio::test]
    async fn only_the_last_lines_are_kept() {
        let failure = run(shell("seq 100; exit 1"), Duration::from_secs(10), &|_| {}).await.unwrap_err();
        assert_eq!(failure.lines.len(), LAST_LINES);
        assert_eq!(failure.lines.last().map(String::as_str), Some("100"));
    }

    #[tokio::test]
    async fn a_script_without_an_end_is_killed_with_the_processes_it_started() {
        let mark = format!("{}.5", fastrand::u32(100_000..200_000));
        let script = shell(&format!("sleep {mark} & sleep {mark}"));
        let failure = run(script, Duration::from_millis(300), &|_| {}).await.unwrap_err();
        assert!(failure.how.contains("no end within"), "{}", failure.how);
        let sleeping = || {
            let lines = std::fs::read_dir("/proc").unwrap().flatten();
            lines
                .filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok())
                .any(|line| line.contains(&mark))
        };
        let gone = waiting::until(Duration::from_secs(5), async || (!sleeping()).then_some(()));
        assert!(gone.await.is_ok());
    }

    #[tokio::test]
    async fn processes_that_a_script_leaves_behind_do_not_delay_the_run() {
        let started = std::time::Instant::now();
        run(shell("sleep 30 & echo done"), Duration::from_secs(20), &|_| {}).await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}
