//! A server whose answers are huge, endless, slow, or not JSON.

use std::time::Duration;

use crate::{
    common::ProgramEnd,
    workplace::{Usage, Workplace},
};

/// The most memory that reading them may take. A body of 1 GB does not fit, nor does JSON that grows to it when parsed.
const MOST_MB: u64 = 600;
/// A run ends within this time, whatever the server sends.
const LONGEST: Duration = Duration::from_secs(60);

/// Asserts that every check is inconclusive, or a fail that blames the server that answered.
fn assert_never_passed(place: &Workplace, (ended, usage): &(ProgramEnd, Usage)) {
    assert!(usage.peak_mb > 0 && usage.peak_mb < MOST_MB, "{} MB\n{}", usage.peak_mb, ended.text);
    assert!(usage.took < LONGEST, "{:?}", usage.took);
    for check in place.result()["checks"].as_array().unwrap() {
        match check["verdict"].as_str().unwrap() {
            "inconclusive" => {}
            "fail" => assert_eq!(check["blame"]["role"], "a", "{check}"),
            other => panic!("{other}: {check}"),
        }
    }
    place.assert_nothing_left();
}

pub(crate) fn at_versions(shape: &str) {
    let place = Workplace::new(3);
    place.hasty();
    let mood = format!("hasty@{shape}-at-versions");
    let ended = place.start(place.play(&mood, &["--deploy", "process"])).ends_with_usage();
    let why = match shape {
        "huge" | "endless" => "at last: ",
        "drip" => "no complete answer within 5 s",
        "wide" => "the body is longer than 8 MiB",
        _ => "the body is not JSON",
    };
    ended.0.assert(2, &["Luckless in role", "did not become ready within 4 s", why]);
    assert_never_passed(&place, &ended);
}

pub(crate) fn at_register(shape: &str) {
    let place = Workplace::new(3);
    let ended = place.run_with_usage(&format!("{shape}-at-register"));
    match shape {
        "huge" | "endless" => {
            ended.0.assert(2, &["alice's register got no complete answer", "larger than 64 MiB"])
        }
        "wide" => ended.0.assert(
            1,
            &["alice's register does not have the form that the API promises", "longer than 8 MiB"],
        ),
        _ => ended.0.assert(
            1,
            &["alice's register does not have the form that the API promises", "not JSON", "Fault of A"],
        ),
    };
    assert_never_passed(&place, &ended);
}

pub(crate) fn at_sync(shape: &str) {
    // A busy machine needs longer to read up to the limit.
    let seconds = if matches!(shape, "huge" | "endless") { 10 } else { 2 };
    let place = Workplace::new(seconds);
    let ended = place.run_with_usage(&format!("{shape}-at-sync"));
    match shape {
        "huge" | "endless" => {
            ended.0.assert(2, &["alice's sync got no complete answer", "larger than 64 MiB"])
        }
        // The server may need longer than the bound to send it.
        "wide" if ended.0.code == 2 => {
            ended.0.assert(2, &["A did not answer a single sync of alice's within 2 s"])
        }
        _ => ended.0.assert(1, &["alice's sync does not have the form that the API promises", "Fault of A"]),
    };
    assert_never_passed(&place, &ended);
}
