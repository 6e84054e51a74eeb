//! Output folders and state roots that cannot be written.

use std::{fs, process::Command};

use nix::unistd::geteuid;

use crate::{
    common::{PROGRAM, ProgramEnd},
    workplace::{CHECKS, PLAY, Workplace, only_the_flow_failed, project},
};

/// The reason if no file system can be mounted here.
pub(crate) fn no_mounts() -> Option<String> {
    let tried = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) if geteuid().is_root() => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Ok(_) => Some("only root mounts a file system".to_owned()),
        Err(error) => Some(format!("unshare: {error}")),
    }
}

pub(crate) fn output_below_a_file() {
    let place = Workplace::new(3);
    fs::write(place.path.join("file"), "").unwrap();
    let mut command = place.command(&["run", "luckless@well", "--deploy", "process", "--output", "file/out"]);
    command.arg("--vendors").arg(project().join("fixtures/vendors"));
    let ended = place.start(command).ends();
    ended.assert(64, &["The output folder file/out cannot be written", "Not a directory", "--output"]);
    assert!(!ended.text.contains("fetching"), "nothing should have been started:\n{}", ended.text);
    place.assert_nothing_left();
}

pub(crate) fn home_below_a_file() {
    let place = Workplace::new(3);
    fs::write(place.path.join("file"), "").unwrap();
    let mut command = place.play("luckless@well", &["--deploy", "process"]);
    let ended = place
        .start({
            command.env("SAMKLANG_HOME", place.path.join("file/home"));
            command
        })
        .ends();
    ended.assert(64, &["file/home cannot be written", "SAMKLANG_HOME"]);
    place.assert_nothing_left();
}

/// Plays with an output folder on a file system of its own, mounted with `options`. Its files are copied to `seen`
/// afterwards.
fn play_on(place: &Workplace, options: &str, prepare: &str) -> ProgramEnd {
    let script = format!(
        "mkdir -p out seen && mount -t tmpfs -o {options} tmpfs out && {prepare} || exit 99\n\
         \"$@\"; code=$?\n\
         cp -r out/. seen/; exit $code"
    );
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &script, "sh", PROGRAM, "run", "luckless@well"]);
    command
        .args(["--deploy", "process", "--output", "out", "--format", "plain", "--no-proposals"])
        .args(PLAY);
    command.arg("--vendors").arg(project().join("fixtures/vendors"));
    place.furnish(&mut command);
    place.start(command).ends()
}

pub(crate) fn read_only_output() {
    let place = Workplace::new(1);
    let ended = play_on(&place, "ro", "true");
    ended.assert(64, &["The output folder out cannot be written", "Read-only file system", "--output"]);
    place.assert_nothing_left();
}

/// A disk that is full from the beginning, and disks that fill up with evidence or with the result.
pub(crate) fn full_disk() {
    let place = Workplace::new(1);
    let ended = play_on(&place, "size=8k", "head -c 8192 /dev/zero >out/other");
    ended.assert(64, &["The output folder out cannot be written", "No space left on device"]);
    for size in ["8k", "16k", "48k"] {
        let place = Workplace::new(1);
        let ended = play_on(&place, &format!("size={size}"), "true");
        let words = [
            "cannot be written",
            "No space left on device",
            &format!("1 of {CHECKS} checks failed"),
            &only_the_flow_failed(),
        ];
        ended.assert(70, &words);
        let seen = place.path.join("seen");
        if let Ok(result) = fs::read(seen.join("result.json")) {
            serde_json::from_slice::<serde_json::Value>(&result).expect("a whole result.json or none");
        }
        let names = fs::read_dir(&seen).unwrap().flatten().map(|entry| entry.file_name());
        assert!(names.into_iter().all(|name| !name.to_string_lossy().contains("part")), "half-written files");
        place.assert_nothing_left();
    }
}
