//! Finds processes by the marks in their environment, and ends them. Linux only: elsewhere it finds none.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    future::ready,
    os::unix::fs::MetadataExt,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::{Pid, SysconfVar, getpid, getuid, sysconf},
};

use samklang_wire::waiting;

/// The bound on the end of killed processes.
const GONE: Duration = Duration::from_secs(5);

/// The environment that a process was started with.
#[derive(Debug)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The value of a variable.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether all these variables have these values.
    pub fn has_all(&self, variables: &[(&str, &str)]) -> bool {
        variables.iter().all(|(name, value)| self.value(name) == Some(value))
    }
}

/// The result of killing processes.
#[derive(Debug, Default)]
pub struct Killed {
    /// How many are gone.
    pub gone: usize,
    /// Those that are still there, with their command lines.
    pub left: Vec<(i32, String)>,
}

/// Kills each process of this user whose environment `belongs`, with the group that it leads, until it finds none.
pub async fn kill_all(belongs: impl Fn(&Environment) -> bool) -> Killed {
    let mut seen = BTreeSet::<i32>::new();
    // A process may have started another between the look and the kill, so it repeats until a look finds none.
    let ended = waiting::until_send(GONE, || {
        let found = find(&belongs);
        for pid in &found {
            // Either may be gone already, which is just as good.
            if group_of(*pid) == Some(*pid) {
                let _ = killpg(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        seen.extend(&found);
        ready(found.is_empty().then_some(()))
    });
    let left = match ended.await {
        Ok(()) => Vec::new(),
        Err(_) => find(&belongs).into_iter().map(|pid| (pid, command_line(pid))).collect(),
    };
    Killed { gone: seen.len().saturating_sub(left.len()), left }
}

/// The processes in one line: `4711 (python3 -m server), …`.
pub fn list(processes: &[(i32, String)]) -> String {
    processes.iter().map(|(pid, line)| format!("{pid} ({line})")).collect::<Vec<_>>().join(", ")
}

/// Whether the group has a process that is not a zombie.
pub(crate) fn group_lives(group: Pid) -> bool {
    all().any(|pid| group_of(pid) == Some(group.as_raw()) && state_of(pid).is_some_and(|state| state != 'Z'))
}

/// Processor time that the group's processes, and the children they reaped, have used so far.
pub(crate) fn cpu_of(group: Pid) -> Option<Duration> {
    // Fields 14 to 17 of the file: user and system time of the process and of the children it has reaped.
    const TIMES: std::ops::Range<usize> = 11..15;
    let per_second = u64::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok().filter(|&ticks| ticks > 0)?;
    let of =
        |pid| -> Option<u64> { fields(pid)?.get(TIMES)?.iter().map(|field| field.parse::<u64>().ok()).sum() };
    let members = all().filter(|&pid| group_of(pid) == Some(group.as_raw()));
    let ticks: u64 = members.filter_map(of).sum();
    Some(Duration::from_millis(ticks.saturating_mul(1000) / per_second))
}

fn find(belongs: &impl Fn(&Environment) -> bool) -> Vec<i32> {
    let (this, user) = (getpid().as_raw(), getuid().as_raw());
    let ours = |pid: &i32| {
        *pid != this
            && fs::metadata(format!("/proc/{pid}")).is_ok_and(|metadata| metadata.uid() == user)
            && state_of(*pid).is_some_and(|state| state != 'Z')
            && environment(*pid).is_some_and(|environment| belongs(&environment))
    };
    all().filter(ours).collect()
}

fn all() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn environment(pid: i32) -> Option<Environment> {
    let raw = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let pairs =
        raw.split(|byte| *byte == 0).filter_map(|pair| std::str::from_utf8(pair).ok()?.split_once('='));
    Some(Environment(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
}

/// The fields of `/proc/<pid>/stat` after the command's name. The name may contain any character.
fn fields(pid: i32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

fn state_of(pid: i32) -> Option<char> {
    fields(pid)?.first()?.chars().next()
}

fn group_of(pid: i32) -> Option<i32> {
    fields(pid)?.get(2)?.parse().ok()
}

fn command_line(pid: i32) -> String {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&raw).replace('\0', " ").trim_end().to_owned()
}
