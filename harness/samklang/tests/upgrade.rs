//! `samklang run --upgrade-to`, with the homeserver inside this program.

#![expect(clippy::unwrap_used, reason = "a test may panic; clippy knows only functions marked as tests")]

mod common;

use std::{fs, path::Path, process::Command};

use samklang_suites::BUILT_FROM;
use serde_json::Value;

use self::common::{PROGRAM, ProgramEnd, furnish};

const UPGRADE: &str = "federation.upgraded-in-mid-room";

/// Runs the program; gives its end and its result.
fn run(name: &str, more: &[&str]) -> (ProgramEnd, Value) {
    let output = std::env::temp_dir().join(format!("samklang-upgrade-{name}-{:016x}", fastrand::u64(..)));
    let mut command = Command::new(PROGRAM);
    furnish(&mut command);
    command.current_dir(BUILT_FROM).args(["run", "--format", "plain", "--no-proposals", "--vendors"]);
    command.arg(Path::new(BUILT_FROM).join("fixtures/vendors"));
    command.args(["-s", UPGRADE]).args(more).arg("-o").arg(&output);
    let end = ProgramEnd::of(&command.output().unwrap());
    let result = fs::read(output.join("result.json")).ok();
    let result = result.map(|text| serde_json::from_slice(&text).unwrap()).unwrap_or_default();
    let _ = fs::remove_dir_all(&output);
    (end, result)
}

fn verdicts(result: &Value, of: &str) -> Vec<Value> {
    let checks = result["checks"].as_array().into_iter().flatten();
    let own = checks.filter(|check| check["id"].as_str().is_some_and(|id| id.starts_with(of)));
    own.map(|check| check["verdict"].clone()).collect()
}

#[test]
fn the_result_has_both_versions() {
    let (end, result) = run("both", &["reference", "--upgrade-to", "0.1.0+later"]);
    let all = verdicts(&result, UPGRADE);
    assert!(all.len() == 10 && all.iter().all(|verdict| verdict == "pass"), "{}", end.text);
    let [upgraded, other] = [&result["participants"][0], &result["participants"][1]];
    assert_eq!((&upgraded["version"], &upgraded["answered_version"]), (&"0.1.0".into(), &"0.1.0".into()));
    assert_eq!(upgraded["upgrade"]["version"], "0.1.0+later");
    assert_eq!(upgraded["upgrade"]["answered_version"], "0.1.0+later");
    assert!(other["upgrade"].is_null());
}

#[test]
fn an_upgrade_needs_a_newer_version() {
    let (_, result) = run("none", &["reference"]);
    let all = verdicts(&result, UPGRADE);
    assert!(all.len() == 10 && all.iter().all(|verdict| verdict == "not_applicable"), "{all:?}");
    for version in ["0.1.0", "0.0.9", "0.1.0+"] {
        let (end, result) = run("refused", &["reference", "--upgrade-to", version]);
        end.assert(64, &[]);
        assert!(result.is_null(), "{version}: {}", end.text);
    }
}

/// A failed scenario is played again on the version that it failed on.
#[test]
fn an_upgrade_comes_after_the_repeated_plays() {
    let more = ["mistaken", "--vs", "reference", "-s", "rooms", "--upgrade-to", "1.1"];
    let (ProgramEnd { text: printed, .. }, result) = run("again", &more);
    let place = |text: &str| printed.find(text).unwrap_or_else(|| panic!("no {text:?} in {printed}"));
    assert!(place("again, alone: ") < place(UPGRADE), "{printed}");
    assert_eq!(result["participants"][0]["upgrade"]["version"], "1.1");
    assert_eq!(result["counts"]["flaky"], 0, "{printed}");
}
