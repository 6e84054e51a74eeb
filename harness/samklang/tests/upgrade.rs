//! `samklang run --upgrade-to`, with the homeserver inside this program.

#![expect(clippy::unwrap_used, reason = "a test may panic; clippy knows only functions marked as tests")]

use std::{fs, path::PathBuf, process::Command};

use serde_json::Value;

const UPGRADE: &str = "federation.upgraded-in-mid-room";

/// What a run came to: its exit code, what it told, and its result.
fn run(name: &str, more: &[&str]) -> (i32, String, Value) {
    let output = std::env::temp_dir().join(format!("samklang-upgrade-{name}-{:016x}", fastrand::u64(..)));
    let vendors = PathBuf::from(samklang_suites::BUILT_FROM).join("fixtures/vendors");
    let mut command = Command::new(env!("CARGO_BIN_EXE_samklang"));
    command.current_dir(samklang_suites::BUILT_FROM).args(["run", "--format", "plain", "--no-proposals"]);
    command.arg("--vendors").arg(vendors).args(["-s", UPGRADE]).args(more).arg("-o").arg(&output);
    let ended = command.output().unwrap();
    let told = [ended.stdout, ended.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    let result = fs::read(output.join("result.json")).ok();
    let result = result.map(|text| serde_json::from_slice(&text).unwrap()).unwrap_or_default();
    let _ = fs::remove_dir_all(&output);
    (ended.status.code().unwrap(), told, result)
}

fn verdicts(result: &Value, of: &str) -> Vec<Value> {
    let checks = result["checks"].as_array().into_iter().flatten();
    let own = checks.filter(|check| check["id"].as_str().is_some_and(|id| id.starts_with(of)));
    own.map(|check| check["verdict"].clone()).collect()
}

#[test]
fn the_result_tells_both_versions() {
    let (_, told, result) = run("both", &["reference", "--upgrade-to", "0.1.0+later"]);
    let all = verdicts(&result, UPGRADE);
    assert!(all.len() == 10 && all.iter().all(|verdict| verdict == "pass"), "{told}");
    let [upgraded, other] = [&result["participants"][0], &result["participants"][1]];
    assert_eq!((&upgraded["version"], &upgraded["answered_version"]), (&"0.1.0".into(), &"0.1.0".into()));
    assert_eq!(upgraded["upgrade"]["version"], "0.1.0+later");
    assert_eq!(upgraded["upgrade"]["answered_version"], "0.1.0+later");
    assert!(other["upgrade"].is_null());
}

#[test]
fn without_a_newer_version_it_does_not_apply_and_no_other_one_will_do() {
    let (_, _, result) = run("none", &["reference"]);
    let all = verdicts(&result, UPGRADE);
    assert!(all.len() == 10 && all.iter().all(|verdict| verdict == "not_applicable"), "{all:?}");
    for version in ["0.1.0", "0.0.9", "0.1.0+"] {
        let (code, told, result) = run("refused", &["reference", "--upgrade-to", version]);
        assert_eq!((code, result.is_null()), (64, true), "{version}: {told}");
    }
}

/// A fail is played again on the version that it failed on.
#[test]
fn an_upgrade_waits_until_what_failed_was_played_again() {
    let more = ["mistaken", "--vs", "reference", "-s", "rooms", "--upgrade-to", "1.1"];
    let (_, told, result) = run("again", &more);
    let place = |text: &str| told.find(text).unwrap_or_else(|| panic!("no {text:?} in {told}"));
    assert!(place("again, alone: ") < place(UPGRADE), "{told}");
    assert_eq!(result["participants"][0]["upgrade"]["version"], "1.1");
    assert_eq!(result["counts"]["flaky"], 0, "{told}");
}
