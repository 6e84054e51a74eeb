//! What is declared of a vendor is held against its running server, by the real program in a throw-away folder.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use samklang_suites::BUILT_FROM;
use serde_json::Value;

/// Plays the scenarios about declarations; the exit code, and each check's verdict with its reason and what it names.
fn play(vendor: &str) -> (i32, BTreeMap<String, (String, Value, Value)>) {
    let folder = std::env::temp_dir().join(format!("samklang-declared-{:016x}", fastrand::u64(..)));
    let mut command = Command::new(env!("CARGO_BIN_EXE_samklang"));
    command.args(["run", vendor]);
    for about in ["versions", "features"] {
        for held in ["as", "beyond"] {
            command.arg("-s").arg(format!("rooms.{about}-{held}-declared"));
        }
    }
    command.args(["--no-proposals", "--format=plain", "--output"]).arg(&folder);
    command.arg("--vendors").arg(Path::new(BUILT_FROM).join("fixtures/vendors"));
    command.env("SAMKLANG_ROOT", BUILT_FROM).env_remove("SAMKLANG_VENDORS");
    for name in ["INSTA_UPDATE", "INSTA_FORCE_PASS", "INSTA_FORCE_UPDATE"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let result = fs::read_to_string(folder.join("result.json")).expect(&text);
    let _ = fs::remove_dir_all(&folder);
    let result: Value = serde_json::from_str(&result).unwrap();
    let came_to = |check: &Value| {
        let kind = check["verdict"].as_str().unwrap().to_owned();
        let (reason, told) = (&check["reason"], &check["message"]["args"]);
        let told =
            ["versions", "features", "answer"].map(|key| &told[key]).into_iter().find(|it| !it.is_null());
        let told = told.cloned().unwrap_or_default();
        (check["id"].as_str().unwrap().to_owned(), (kind, reason.clone(), told))
    };
    let checks = result["checks"].as_array().unwrap().iter().map(came_to).collect();
    (output.status.code().unwrap(), checks)
}

#[test]
fn what_is_declared_and_not_so_fails_and_what_is_so_and_not_declared_is_found() {
    let (code, checks) = play("boastful");
    assert_eq!(code, 1, "{checks:?}");
    for (check, reason, told) in [
        ("rooms.versions-as-declared/made", "rooms.declared_not_made", "2 (400 M_UNSUPPORTED_ROOM_VERSION)"),
        ("rooms.versions-as-declared/offered", "rooms.declared_not_offered", "2"),
        ("rooms.versions-beyond-declared/declared", "rooms.offered_not_declared", "10"),
        ("rooms.features-as-declared/threads", "rooms.feature_not_served", "404 M_UNRECOGNIZED"),
        ("rooms.features-beyond-declared/declared", "rooms.feature_not_declared", "spaces"),
    ] {
        assert_eq!(checks[check], ("fail".to_owned(), reason.into(), told.into()), "{checks:?}");
    }
    let fails = checks.values().filter(|(kind, ..)| kind == "fail").count();
    assert_eq!((fails, checks["rooms.features-as-declared/spaces"].0.as_str()), (5, "not_applicable"));
}

#[test]
fn who_declares_what_is_so_passes() {
    let (code, checks) = play("twin");
    assert_eq!(code, 0, "{checks:?}");
    assert_eq!(checks.len(), 23);
    let others = checks.iter().filter(|(_, (kind, ..))| kind != "pass").map(|(check, _)| check.as_str());
    // Nothing is left that could be there and not declared.
    assert_eq!(others.collect::<Vec<_>>(), ["rooms.features-beyond-declared/declared"]);
}
