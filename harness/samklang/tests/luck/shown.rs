//! The commands for a failed run: show a recorded play, play it again, send a request again.

use std::fs;

use serde_json::Value;

use crate::workplace::{Workplace, project};

/// The check that fails when no user can register.
const FLOW: &str = "rooms.invite-rejected/flow";

/// A folder with a run whose flow failed, and the number of the exchange that shows it.
fn failed() -> (Workplace, String) {
    let place = Workplace::new(3);
    place.run("html-at-register").assert(1, &[]);
    let result = place.result();
    let checks = result["checks"].as_array().unwrap();
    let flow = checks.iter().find(|check| check["id"] == FLOW).unwrap();
    let id = flow["evidence"][0].as_u64().unwrap();
    (place, format!("x{id}"))
}

pub(crate) fn failed_play() {
    let (place, id) = failed();
    let scenario = "rooms.invite-rejected";
    let telling = format!("► {id} ");
    let words =
        ["Fault of A", &telling, "POST /_matrix/client/v3/register", "◄ flow", "that are not JSON: <"];
    for name in [scenario, FLOW, "rooms.invite-rejected::v11::host-a"] {
        place.samklang(&["show", name, "--run", "out"]).assert(0, &words);
    }
    let full = ["Request", "Answer", "content-type: ", "password", "<redacted>", "Transcript: out/evidence/"];
    let number = id.trim_start_matches('x');
    for name in [vec![&id[..]], vec![number], vec![scenario, number]] {
        let shown = [vec!["show"], name, vec!["--run", "out/result.json"]].concat();
        place.samklang(&shown).assert(0, &full);
    }
    let curl = place.samklang(&["curl", &id, "--run", "out"]);
    curl.assert(
        0,
        &["are gone", "\ncurl ", "-X 'POST'", "\"$CLIENT_API\"'/_matrix/client/v3/register", "\"$SECRET\""],
    );
    assert!(!curl.text.contains("<redacted>"), "{}", curl.text);

    // Without --run it shows the newest run below samklang-out.
    place.samklang(&["show", scenario]).assert(64, &["There is no result of a run below samklang-out"]);
    fs::create_dir(place.path.join("samklang-out")).unwrap();
    fs::rename(place.output(), place.path.join("samklang-out/one")).unwrap();
    place.samklang(&["show", scenario]).assert(0, &words);
    place.assert_nothing_left();
}

pub(crate) fn not_recorded() {
    let (place, id) = failed();
    let show = |name: &str| place.samklang(&["show", name, "--run", "out"]);
    show("rooms.invite-rejectd")
        .assert(64, &["has nothing that is called", "Nearest are: rooms.invite-rejected"]);
    show("messages.typing").assert(64, &["did not play messages.typing", "samklang run"]);
    show("rooms.invite-rejected::v12::host-a")
        .assert(64, &["no such play", "It has: rooms.invite-rejected::v11::host-a"]);
    show("x999999").assert(64, &["have no exchange x999999"]);
    place
        .samklang(&["curl", "seventeen", "--run", "out"])
        .assert(64, &["seventeen is not the number of an exchange"]);
    place.samklang(&["repro", &id, "--run", "out"]).assert(64, &["is an exchange"]);
    place.samklang(&["show", FLOW, "--run", "nowhere"]).assert(64, &["nowhere/result.json cannot be read"]);
    fs::remove_dir_all(place.output().join("evidence")).unwrap();
    show(FLOW)
        .assert(64, &["The transcript evidence/rooms.invite-rejected__v11__host-a.jsonl", "cannot be read"]);
    show(&id).assert(64, &["have no exchange"]);
    place.assert_nothing_left();
}

pub(crate) fn played_afresh() {
    let (place, _) = failed();
    let before = place.result();
    let mut command =
        place.command(&["repro", FLOW, "--run", "out", "--format", "plain", "--output", "again"]);
    command.arg("--vendors").arg(project().join("fixtures/vendors"));
    let words =
        ["1 to play", "Fault of A", "► x", "◄ flow", "Transcript: again/evidence/", "Logs: again/logs/a.log"];
    place.start(command).ends().assert(1, &words);
    let after: Value =
        serde_json::from_slice(&fs::read(place.path.join("again/result.json")).unwrap()).unwrap();
    for pointer in [
        "/participants/0/vendor",
        "/participants/0/version",
        "/participants/1/version",
        "/run/deployer",
        "/run/seed",
    ] {
        assert_eq!(before.pointer(pointer).unwrap(), after.pointer(pointer).unwrap(), "{pointer}");
    }
    assert_ne!(before["run"]["id"], after["run"]["id"]);
    place.assert_nothing_left();
}
