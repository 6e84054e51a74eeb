//! A server that answers with what nobody should have to read.

use std::time::Duration;

use crate::place::{Ended, Place};

/// The most memory that reading them may take. A body of 1 GB does not fit in, nor does JSON that swells to it.
const MOST_MB: u64 = 600;
/// A run ends within this time, whatever the server sends.
const LONGEST: Duration = Duration::from_secs(60);

/// Every check is without a verdict, or a fail whose blame lies with the server that answered so.
fn assert_never_passed(place: &Place, ended: &Ended) {
    assert!(ended.peak_mb > 0 && ended.peak_mb < MOST_MB, "{} MB\n{}", ended.peak_mb, ended.text);
    assert!(ended.took < LONGEST, "{:?}", ended.took);
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
    let place = Place::new(3);
    place.hasty();
    let mood = format!("hasty@{shape}-at-versions");
    let ended = place.start(place.play(&mood, &["--deploy", "process"])).ends();
    let why = match shape {
        "huge" | "endless" => "at last: ",
        "drip" => "no complete answer within 5 s",
        "wide" => "the body is longer than 8 MiB",
        _ => "the body is not JSON",
    };
    ended.assert(2, &["Luckless in role", "did not become ready within 4 s", why]);
    assert_never_passed(&place, &ended);
}

pub(crate) fn at_register(shape: &str) {
    let place = Place::new(3);
    let ended = place.run(&format!("{shape}-at-register"));
    match shape {
        "huge" | "endless" => {
            ended.assert(2, &["alice's register got no complete answer", "larger than 64 MiB"])
        }
        "wide" => ended.assert(1, &["alice's register is not what the API promises", "longer than 8 MiB"]),
        _ => ended.assert(1, &["alice's register is not what the API promises", "not JSON", "Fault of A"]),
    };
    assert_never_passed(&place, &ended);
}

pub(crate) fn at_sync(shape: &str) {
    // To read up to the limit takes a busy machine longer than the others' bound.
    let seconds = if matches!(shape, "huge" | "endless") { 10 } else { 2 };
    let place = Place::new(seconds);
    let ended = place.run(&format!("{shape}-at-sync"));
    match shape {
        "huge" | "endless" => ended.assert(2, &["alice's sync got no complete answer", "larger than 64 MiB"]),
        // Sending it takes that server longer than the bound.
        "wide" if ended.code == 2 => {
            ended.assert(2, &["A did not answer a single sync of alice's within 2 s"])
        }
        _ => ended.assert(1, &["alice's sync is not what the API promises", "Fault of A"]),
    };
    assert_never_passed(&place, &ended);
}
