//! Runs of the program that compare the declarations of a vendor with its running server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use samklang_suites::BUILT_FROM;
use serde_json::Value;

use self::common::{PROGRAM, ProgramEnd, furnish};

/// A verdict with its reason, and the value that its message names.
type JudgedCheck = (String, Value, Value);

/// Plays the scenarios about declarations. Gives the end of the program, and the verdict of each check by its id.
fn play(vendor: &str) -> (ProgramEnd, BTreeMap<String, JudgedCheck>) {
    let folder = std::env::temp_dir().join(format!("samklang-declared-{:016x}", fastrand::u64(..)));
    let mut command = Command::new(PROGRAM);
    furnish(&mut command);
    command.args(["run", vendor]);
    for about in ["versions", "features"] {
        for held in ["as", "beyond"] {
            command.arg("-s").arg(format!("rooms.{about}-{held}-declared"));
        }
    }
    command.args(["--no-proposals", "--format=plain", "--output"]).arg(&folder);
    command.arg("--vendors").arg(Path::new(BUILT_FROM).join("fixtures/vendors"));
    let end = ProgramEnd::of(&command.output().unwrap());
    let result = fs::read_to_string(folder.join("result.json")).expect(&end.text);
    let _ = fs::remove_dir_all(&folder);
    let result: Value = serde_json::from_str(&result).unwrap();
    let judged = |check: &Value| {
        let verdict = check["verdict"].as_str().unwrap().to_owned();
        let arguments = &check["message"]["args"];
        let named = ["versions", "features", "answer"].map(|key| &arguments[key]);
        let named = named.into_iter().find(|it| !it.is_null()).cloned().unwrap_or_default();
        (check["id"].as_str().unwrap().to_owned(), (verdict, check["reason"].clone(), named))
    };
    (end, result["checks"].as_array().unwrap().iter().map(judged).collect())
}

#[test]
fn false_and_missing_declarations_fail() {
    let (end, checks) = play("boastful");
    end.assert(1, &[]);
    for (check, reason, named) in [
        ("rooms.versions-as-declared/made", "rooms.declared_not_made", "2 (400 M_UNSUPPORTED_ROOM_VERSION)"),
        ("rooms.versions-as-declared/offered", "rooms.declared_not_offered", "2"),
        ("rooms.versions-beyond-declared/declared", "rooms.offered_not_declared", "10"),
        ("rooms.features-as-declared/threads", "rooms.feature_not_served", "404 M_UNRECOGNIZED"),
        ("rooms.features-beyond-declared/declared", "rooms.feature_not_declared", "spaces"),
    ] {
        assert_eq!(checks[check], ("fail".to_owned(), reason.into(), named.into()), "{checks:?}");
    }
    let fails = checks.values().filter(|(kind, ..)| kind == "fail").count();
    assert_eq!((fails, checks["rooms.features-as-declared/spaces"].0.as_str()), (5, "not_applicable"));
}

#[test]
fn true_declarations_pass() {
    let (end, checks) = play("twin");
    end.assert(0, &[]);
    assert_eq!(checks.len(), 23);
    let others = checks.iter().filter(|(_, (kind, ..))| kind != "pass").map(|(check, _)| check.as_str());
    // This vendor declares everything, so no feature can be undeclared.
    assert_eq!(others.collect::<Vec<_>>(), ["rooms.features-beyond-declared/declared"]);
}
