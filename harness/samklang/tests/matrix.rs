//! Vendor matrices of homeservers inside the program. One of the vendors has a fault, and a name that is an attack.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use samklang_suites::BUILT_FROM;
use serde_json::Value;

use self::common::{PROGRAM, ProgramEnd, furnish};

/// A folder for the files of a test, which is removed with it.
struct MatrixTest(PathBuf);

impl MatrixTest {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("samklang-matrix-{:016x}", fastrand::u64(..)));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn samklang(&self, arguments: &[&str]) -> ProgramEnd {
        let mut command = Command::new(PROGRAM);
        furnish(&mut command);
        command.args(arguments).current_dir(&self.0);
        command.env("SAMKLANG_VENDORS", Path::new(BUILT_FROM).join("fixtures/vendors"));
        ProgramEnd::of(&command.output().unwrap())
    }

    /// Plays a few scenarios between `vendors`.
    fn matrix(&self, vendors: &[&str], more: &[&str]) -> ProgramEnd {
        const PLAY: [&str; 8] = [
            "-s",
            "rooms.invite-rejected",
            "-s",
            "rooms.invite-accepted",
            "--room-version",
            "12",
            "--no-proposals",
            "--format=plain",
        ];
        self.samklang(&[&["matrix"], vendors, &PLAY, more].concat())
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.join(path)).unwrap()
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.read(path)).unwrap()
    }

    /// The id of the run that a pair's result comes from.
    fn run_of(&self, matrix: &str, pair: &str) -> String {
        self.json(&format!("{matrix}/pairs/{pair}/result.json"))["run"]["id"].as_str().unwrap().to_owned()
    }
}

impl Drop for MatrixTest {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const ALL: [&str; 3] = ["reference", "twin", "mistaken"];
const PAIRS: [&str; 6] = [
    "mistaken@1.0--mistaken@1.0",
    "mistaken@1.0--reference@0.1.0",
    "mistaken@1.0--twin@1.0",
    "reference@0.1.0--reference@0.1.0",
    "reference@0.1.0--twin@1.0",
    "twin@1.0--twin@1.0",
];

/// A result without the values that differ from one run to the next: ids, times, signing keys, and the hashes and sizes
/// of files that hold them.
fn timeless(mut result: Value) -> Value {
    let take = |value: &mut Value, keys: &[&str]| {
        for key in keys {
            value.as_object_mut().unwrap().remove(*key);
        }
    };
    take(&mut result["run"], &["id", "started", "ended", "duration_ms", "phases_ms"]);
    for participant in result["participants"].as_array_mut().unwrap() {
        take(participant, &["verify_keys"]);
    }
    for check in result["checks"].as_array_mut().unwrap() {
        // The texts of a verdict name event ids, which are hashes over content with a time.
        take(check, &["duration_ms", "message", "actual", "observations", "evidence"]);
        if !check["blame"].is_null() {
            take(&mut check["blame"], &["because"]);
        }
    }
    for file in result["evidence"].as_array_mut().unwrap() {
        take(file, &["sha256", "bytes"]);
    }
    result
}

#[test]
fn merged_shards_give_the_same_file_as_one_process() {
    let test = MatrixTest::new();
    test.matrix(&ALL, &["-o", "whole"]).assert(1, &["pair 6/6", "mistaken@1.0 is to blame for"]);
    for shard in ["1/2", "2/2"] {
        let name = format!("part-{}", &shard[..1]);
        test.matrix(&ALL, &["-o", &name, "--shard", shard]).assert(1, &["pair 3/3", "This is shard"]);
    }
    test.samklang(&["merge", "part-2", "part-1", "-o", "merged"]).assert(1, &["is to blame for"]);
    assert!(test.read("whole/matrix.json") == test.read("merged/matrix.json"));
    test.matrix(&ALL, &["-o", "at-once", "--at-once", "3"])
        .assert(1, &["is to blame for", "twin@1.0 × twin@1.0: [", "pair 6/6"]);
    assert!(test.read("whole/matrix.json") == test.read("at-once/matrix.json"));
    for pair in PAIRS {
        let result = |matrix: &str| timeless(test.json(&format!("{matrix}/pairs/{pair}/result.json")));
        assert_eq!(result("whole"), result("merged"), "{pair}");
        assert!(test.0.join("merged/pairs").join(pair).join("evidence/stage.jsonl").is_file());
    }
    let matrix = test.json("whole/matrix.json");
    let findings = matrix["findings"].as_array().unwrap();
    assert!(!findings.is_empty());
    for finding in findings {
        assert_eq!((&finding["origin"], &finding["vendor"]), (&"vendor".into(), &"mistaken@1.0".into()));
        assert_eq!(finding["pairs"].as_array().unwrap().len(), 3, "with every peer");
    }
    // The same matrix twice has no changes, and one shard lacks the checks of the other.
    test.samklang(&["diff", "whole", "merged"]).assert(0, &["Nothing changed."]);
    test.samklang(&["diff", "whole", "part-1"]).assert(2, &["checks are gone"]);
    test.samklang(&["merge", "part-1", "-o", "half"]).assert(1, &["3 pairs have no result."]);
    // The page escapes a server's name that is an attack.
    let page = test.read("whole/report.html");
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)&lt;/script&gt; 1.0"));
    for pair in PAIRS {
        assert!(page.contains(&format!("href=\"pairs/{pair}/report.html")), "{pair}");
    }
}

#[test]
fn a_resumed_matrix_plays_only_what_has_no_whole_result() {
    let test = MatrixTest::new();
    test.matrix(&["reference", "twin"], &["-o", "m"]).assert(0, &["all federate"]);
    let runs = |pairs: &[&str]| pairs.iter().map(|pair| test.run_of("m", pair)).collect::<Vec<_>>();
    let old = runs(&PAIRS[3..]);
    // A matrix is not overwritten; it only goes on with --resume.
    test.matrix(&["reference"], &["-o", "m"]).assert(64, &["holds a matrix already", "--resume"]);
    // One result is torn, one has lost a transcript, and there is one more vendor.
    let result = test.0.join("m/pairs").join(PAIRS[4]).join("result.json");
    let bytes = fs::read(&result).unwrap();
    fs::write(&result, &bytes[..bytes.len() / 2]).unwrap();
    fs::remove_file(test.0.join("m/pairs").join(PAIRS[5]).join("evidence/stage.jsonl")).unwrap();
    fs::write(test.0.join("m/pairs").join(PAIRS[4]).join("evidence/left.jsonl"), "").unwrap();
    test.matrix(&ALL, &["--resume", "m"]).assert(1, &["reference@0.1.0 with reference@0.1.0 has a whole"]);
    let new = runs(&PAIRS[3..]);
    assert_eq!(old[0], new[0], "a pair with a whole result is not played again");
    assert!(old[1] != new[1] && old[2] != new[2], "a pair without a whole result is played again");
    assert!(!test.0.join("m/pairs").join(PAIRS[4]).join("evidence/left.jsonl").exists());
    assert_eq!(test.json("m/matrix.json")["pairs"].as_array().unwrap().len(), 6);
    // Nothing is left to play.
    let before = test.read("m/matrix.json");
    let again = test.matrix(&ALL, &["--resume", "m"]);
    again.assert(1, &["mistaken@1.0 with mistaken@1.0 has a whole"]);
    assert!(!again.text.contains("stage up"), "{}", again.text);
    assert_eq!(test.read("m/matrix.json"), before);
    // With another selection no result counts as whole.
    let other = test.matrix(&["twin"], &["--resume", "m", "-s", "rooms.public-join"]);
    other.assert(0, &["stage up"]);
}

#[test]
fn the_exit_code_of_a_comparison_depends_on_what_got_worse() {
    let test = MatrixTest::new();
    test.matrix(&["twin"], &["-o", "good"]).assert(0, &[]);
    test.matrix(&["reference", "twin"], &["-o", "more", "--previous", "good"]).assert(0, &["checks are new"]);
    assert!(test.read("more/report.html").contains("id=\"h-changes\">Changes"));
    test.samklang(&["diff", "good", "more"]).assert(0, &["checks are new", "reference with twin"]);
    test.samklang(&["diff", "more", "good"]).assert(2, &["checks are gone"]);
    let pair = |matrix: &str, name: &str| format!("{matrix}/pairs/{name}--{name}");
    test.matrix(&["mistaken"], &["-o", "bad"]).assert(1, &[]);
    let (good, bad) = (pair("good", "twin@1.0"), pair("bad", "mistaken@1.0"));
    let worse = test.samklang(&["diff", &good, &bad]);
    worse.assert(1, &["new fail", "pass → fail client.refused"]);
    test.samklang(&["diff", &bad, &good]).assert(0, &["fails are fixed", "fail client.refused → pass"]);
    let json = test.samklang(&["diff", &good, &format!("{bad}/result.json"), "--json"]);
    let changes: Vec<Value> = serde_json::from_str(&json.assert(1, &[]).text).unwrap();
    assert!(changes.iter().any(|change| change["kind"] == "new_fail" && change["exit_code"] == 1));
    test.samklang(&["diff", "good", &bad]).assert(64, &["a matrix with a matrix"]);
    test.samklang(&["diff", "good", "nowhere"]).assert(64, &["cannot be read"]);
    let report = test.samklang(&["report", "more/matrix.json", "--previous", "good"]);
    report.assert(0, &["all federate", "checks are new"]);
}

#[test]
fn wrong_arguments_of_a_matrix_are_refused_before_anything_is_played() {
    let test = MatrixTest::new();
    test.matrix(&["twin", "twin@1.0"], &["-o", "m"]).assert(64, &["twin@1.0 is named twice"]);
    test.matrix(&["twin", "twim"], &["-o", "m"]).assert(64, &["no vendor called", "twin"]);
    test.matrix(&["twin", "reference@7"], &["-o", "m"]).assert(64, &["is not a version of reference"]);
    test.matrix(&["twin"], &["-o", "m", "--shard", "2/1"]).assert(64, &["1/N to N/N"]);
    test.matrix(&["twin"], &["-o", "m", "--shard", "2/2"]).assert(64, &["The shard is empty"]);
    test.matrix(&["twin"], &["-o", "m", "--previous", "nowhere"]).assert(64, &["nowhere", "cannot be read"]);
    test.matrix(&["twin"], &["-o", "m", "--direct"]).assert(64, &["switchboard"]);
    test.matrix(&["twin"], &["-o", "m", "-s", "rooms.no-such"]).assert(64, &["called rooms.no-such"]);
    test.matrix(&[], &["-o", "m"]).assert(64, &["VENDOR"]);
    assert!(!test.0.join("m").exists());
    test.matrix(&["twin"], &["-o", "one"]).assert(0, &[]);
    test.matrix(&["reference"], &["-o", "other"]).assert(0, &[]);
    test.samklang(&["merge", "one", "other", "-o", "m"]).assert(64, &["are not parts of one matrix"]);
    test.samklang(&["merge", "one", "-o", "other"]).assert(64, &["holds a matrix already"]);
    // A result that was changed by hand.
    let result = test.0.join("one/pairs/twin@1.0--twin@1.0/result.json");
    let text = fs::read_to_string(&result).unwrap();
    fs::write(&result, text.replacen("\"verdict\":\"pass\"", "\"verdict\":\"not_run\"", 1)).unwrap();
    let touched = test.samklang(&["merge", "one", "-o", "m"]);
    touched.assert(64, &["result.json"]);
    fs::write(&result, text.replacen("\"disposition\":\"as_expected\"", "\"disposition\":\"flaky\"", 1))
        .unwrap();
    test.samklang(&["report", "one/matrix.json"])
        .assert(64, &["is not the result that the matrix was made of"]);
    assert!(!test.0.join("m").exists());
}
