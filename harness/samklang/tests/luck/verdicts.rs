//! The output for a check that differs from its expectation, with and without a recorded deviation. Played on real
//! servers, since only they show anything that could differ.

use std::fs;

use crate::{
    common::ProgramEnd,
    workplace::{Workplace, replace},
};

const CHECK: &str = "rooms.invite-rejected/rejection-shown";
/// A word of the expectation of that check, and the word that replaces it.
const WORD: (&str, &str) = ("\"leave\"", "\"banished\"");

/// A folder in which that word of the expectation is replaced.
fn with_a_word_changed() -> Workplace {
    let place = Workplace::new(30).with_lasting_home();
    let stored = place.root().join("suites/expectations/rooms/invite-rejected/rejection-shown.snap");
    replace(&stored, WORD.0, WORD.1);
    place
}

fn run(place: &Workplace, records: &[(&str, &str, &str)]) -> ProgramEnd {
    let record = |(check, reason, expires): &(&str, &str, &str)| {
        format!(
            "[[deviation]]\ncheck = \"{check}\"\nreason = \"{reason}\"\nowner = \"the vendor\"\nbecause = \"It differs.\"\n\
             issue = \"tracker#1\"\nexpires = \"{expires}\"\n"
        )
    };
    let file = place.root().join("docker/synapse/deviations.toml");
    fs::write(file, records.iter().map(record).collect::<String>()).unwrap();
    place.start(place.play("synapse", &["--deploy", "process", "--no-proposals"])).ends_after_installation()
}

/// The same mismatch without a recorded deviation, and with deviations that cover it, have expired, name another reason,
/// or are stale since their check passes.
pub(crate) fn a_changed_expectation() {
    let place = with_a_word_changed();
    let ended = run(&place, &[]);
    let words = [
        "1 of 3 checks failed",
        "differs from the stored expectation",
        "expectation.differs",
        "SS-LEAVE-001",
        "Look at: x",
    ];
    ended.assert(1, &words);
    let file = |name: &str| fs::read_to_string(place.output().join(name)).unwrap();
    let (html, junit) = (file("report.html"), file("junit.xml"));
    for (text, name) in [(&ended.text, "terminal"), (&html, "report.html"), (&junit, "junit.xml")] {
        for word in ["banished", "leave", "expected", "actual"] {
            assert!(text.contains(word), "{word:?} is not in {name}:\n{}", ended.text);
        }
    }
    assert!(html.contains(
        "The inviting user and the invited user are shown the same leave event of the invited user."
    ));
    place.assert_nothing_left();

    let covering = (CHECK, "expectation.differs", "2999-12-31");
    run(&place, &[covering])
        .assert(0, &["federate as recorded: 2 of 3 checks passed", "1 failed as the recorded"]);
    let expired = run(&place, &[(CHECK, "expectation.differs", "2001-01-01")]);
    expired.assert(3, &["1 recorded deviation no longer holds", "It differs."]);
    run(&place, &[(CHECK, "client.refused", "2999-12-31")])
        .assert(3, &["1 recorded deviation no longer holds"]);
    let stale = ("rooms.invite-rejected/flow", "client.refused", "2999-12-31");
    run(&place, &[covering, stale]).assert(3, &["1 recorded deviation no longer holds"]);
    place.assert_nothing_left();
}

/// A file of deviations that cannot be used is reported before anything is started.
pub(crate) fn unusable_records() {
    let place = Workplace::new(3);
    let folder = place.hasty();
    let cases = [
        ("[[deviation]]\ncheck = 7\n", "line 2"),
        (
            "[[deviation]]\ncheck = \"rooms.no-such/flow\"\nreason = \"client.refused\"\nowner = \"x\"\nbecause = \"x\"\n\
          issue = \"x\"\nexpires = \"2999-12-31\"\n",
            "the suite has no check rooms.no-such/flow",
        ),
        ("deviation = \"none\"", "deviation"),
    ];
    for (text, word) in cases {
        fs::write(folder.join("deviations.toml"), text).unwrap();
        let ended = place.start(place.play("hasty", &["--deploy", "process"])).ends();
        ended
            .assert(64, &["hasty/deviations.toml cannot be used", word, "owner, because, issue and expires"]);
    }
    assert!(!place.output().exists());
    place.assert_nothing_left();
}
