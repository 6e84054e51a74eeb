//! Bad input: names that do not exist, and malformed files.

use std::fs;

use serde_json::{Value, json};

use crate::workplace::{Workplace, copy, project, replace};

pub(crate) fn malformed_descriptors() {
    let place = Workplace::new(3);
    let folder = place.path.join("vendors/crooked");
    // The changed text, its replacement, and a part of the error.
    let cases = [
        ("seconds = 20", "seconds = \"two\"", "invalid type: string \"two\", expected u32"),
        ("seconds = 20", "seconds = 0", "expected 1 to 600 seconds"),
        ("title = \"Luckless\"", "titel = \"Luckless\"", "unknown field `titel`, expected one of"),
        ("title = \"Luckless\"\n", "", "missing field `title`"),
        ("pids = 100", "pids = ", "expected"),
        ("dockerfile = \"Dockerfile\"", "dockerfile = \"Containerfile\"", "in the vendor's folder"),
        ("install = \"install\"", "install = \"../../install\"", "in the vendor's folder"),
        ("capabilities = []", "capabilities = [\"SYS_ADMIN\"]", "expected one of AUDIT_WRITE"),
        ("default_version = \"well\"", "default_version = \"1\"", "fits `versions.pattern`"),
    ];
    for (old, new, problem) in cases {
        let _ = fs::remove_dir_all(&folder);
        copy(&project().join("fixtures/vendors/luckless"), &folder);
        let file = folder.join("vendor.toml");
        replace(&file, "name = \"luckless\"", "name = \"crooked\"");
        replace(&file, old, new);
        let text = fs::read_to_string(&file).unwrap();
        // A missing field has no line of its own.
        let line = if new.is_empty() { 1 } else { text[..text.find(new).unwrap()].matches('\n').count() + 1 };
        let ended = place.start(place.play("crooked", &["--deploy", "process"])).ends();
        let place = format!("{}, line {line}: ", file.canonicalize().unwrap().display());
        ended.assert(64, &[&place, problem, "docker/CONTRACT.md", "(configuration)"]);
    }
    assert!(!place.output().exists());
    place.assert_nothing_left();
}

pub(crate) fn unknown_names() {
    let place = Workplace::new(3);
    let play = |vendor: &str, more: &[&str]| {
        let mut command = place.command(&["run", vendor, "--deploy", "process", "--output", "out"]);
        command.arg("--vendors").arg(project().join("fixtures/vendors")).args(more);
        place.start(command).ends()
    };
    play("lukless", &[]).assert(64, &["no vendor called \"lukless\"", "Did you mean: luckless?"]);
    play("well/../luckless", &[]).assert(64, &["no vendor called"]);
    play("luckless", &["--vs", "nobody-of-that-name"]).assert(64, &["no vendor called", "luckless"]);
    play("luckless@1.0", &[]).assert(64, &["\"1.0\" is not a version of luckless", "look like well"]);
    play("luckless@../../etc", &[]).assert(64, &["is not a version of luckless"]);
    let misspelt = play("luckless", &["-s", "rooms.invite-acepted"]);
    misspelt.assert(
        64,
        &["Nothing in the suite is called rooms.invite-acepted", "Nearest are: rooms.invite-accepted"],
    );
    play("luckless", &["-s", "invite"]).assert(64, &["called invite", "Nearest are: ", "rooms.invite-"]);
    play("luckless", &["-s", "FC-9999"]).assert(64, &["called FC-9999", "FC-"]);
    play("luckless", &["-s", "xyzzy"]).assert(64, &["called xyzzy", "Nearest are: ", "rooms"]);
    let version = play("luckless", &["--room-version", "99"]);
    version.assert(64, &["does not play room version 99", "10, 11, 12"]);
    play("reference", &["--direct"]).assert(64, &["reaches other servers only through the switchboard"]);
    play("reference", &["--image", "acme"]).assert(64, &["runs inside this program and not from an image"]);
    let fault = place.start(place.command(&["selftest", "--fault", "signature-uncheked"])).ends();
    fault.assert(64, &["No fault is called signature-uncheked", "signature-unchecked"]);
    play("luckless", &["--host", "z"]).assert(64, &["--host", "a or b"]);
    play("luckless", &["--no-such-flag"]).assert(64, &["--no-such-flag"]);
    assert!(!place.output().exists());
    place.assert_nothing_left();
}

pub(crate) fn empty_selections_and_the_list() {
    let place = Workplace::new(3);
    let missing = place.samklang(&["list", "inv1te"]);
    missing.assert(64, &["Nothing in the suite is called inv1te", "Nearest are: ", "rooms"]);
    place.samklang(&["explain", "RM-04x"]).assert(64, &["called RM-04x", "RM-04"]);
    let listed = place.samklang(&["list", "--json"]);
    let scenarios: Vec<Value> = serde_json::from_str(&listed.assert(0, &[]).text).unwrap();
    assert!(!scenarios.is_empty());
    for scenario in &scenarios {
        for key in ["id", "title", "area", "kind"] {
            assert!(scenario[key].as_str().is_some_and(|text| !text.is_empty()), "{key} in {scenario}");
        }
        for key in ["catalogue", "requirements", "room_versions", "needs"] {
            assert!(scenario[key].is_array(), "{key} in {scenario}");
        }
    }
    let one = place.samklang(&["list", "--json", "RM-04"]);
    let one: Vec<Value> = serde_json::from_str(&one.assert(0, &[]).text).unwrap();
    assert!(!one.is_empty() && one.len() < scenarios.len().max(2), "{one:?}");
    // A scenario that is selected in a room version that it does not have.
    let bounded = scenarios.iter().find_map(|scenario| {
        let versions = scenario["room_versions"].as_array()?;
        let other = ["10", "11", "12"].into_iter().find(|&version| !versions.contains(&json!(version)))?;
        Some((scenario["id"].as_str()?.to_owned(), other))
    });
    if let Some((id, version)) = bounded {
        let mut command = place.command(&["run", "luckless", "-s", &id, "--room-version", version]);
        command.args(["--deploy", "process", "--vendors"]).arg(project().join("fixtures/vendors"));
        place.start(command).ends().assert(64, &["The selection is empty"]);
    }
    place.assert_nothing_left();
}

pub(crate) fn foreign_result_files() {
    let place = Workplace::new(3);
    let file = place.path.join("result.json");
    let report = || place.samklang(&["report", "result.json"]);
    report().assert(64, &["The result file result.json cannot be read"]);
    fs::write(&file, json!({"schema": "samklang-result/9", "checks": []}).to_string()).unwrap();
    report().assert(
        64,
        &["is of schema samklang-result/9", "reads samklang-result/1", "the Samklang that wrote it"],
    );
    let deep = format!("{{\"schema\":{}", "[".repeat(100_000));
    let cases: [(&[u8], &str); 6] = [
        (b"", "EOF"),
        (b"<html>", "expected value"),
        (b"\xff\xfe\x00garbage", "expected value"),
        (b"{\"schema\":\"samklang-result/1\"}", "missing field"),
        (b"[]", "schema none"),
        (deep.as_bytes(), "recursion limit"),
    ];
    for (bytes, word) in cases {
        fs::write(&file, bytes).unwrap();
        report().assert(64, &["The result file result.json", word]);
    }
    place.samklang(&["report", "root"]).assert(64, &["The result file root cannot be read"]);
    assert!(!place.path.join("report.html").exists());
    place.assert_nothing_left();
}

pub(crate) fn forced_updates() {
    let place = Workplace::new(3);
    for (name, value) in [("INSTA_UPDATE", "always"), ("INSTA_UPDATE", "unseen"), ("INSTA_FORCE_PASS", "1")] {
        let mut command = place.play("luckless", &["--deploy", "process"]);
        let setting = format!("{name}={value}");
        let ended = place
            .start({
                command.env(name, value);
                command
            })
            .ends();
        ended.assert(64, &["does not start with", &setting, "samklang review"]);
    }
    assert!(!place.output().exists());
    place.assert_nothing_left();
}
