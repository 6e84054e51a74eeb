//! Matrices of homeservers inside the program, by the real program in throw-away folders. One of the vendors makes a
//! mistake and has an attack for a name.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use samklang_suites::BUILT_FROM;
use serde_json::Value;

/// A folder that goes with the test.
struct Place(PathBuf);

struct Ended {
    code: i32,
    text: String,
}

impl Place {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("samklang-matrix-{:016x}", fastrand::u64(..)));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn samklang(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_samklang"));
        command.args(arguments).current_dir(&self.0).env("NO_COLOR", "1").env("SAMKLANG_ROOT", BUILT_FROM);
        command.env("SAMKLANG_VENDORS", Path::new(BUILT_FROM).join("fixtures/vendors"));
        for name in ["INSTA_UPDATE", "INSTA_FORCE_PASS", "INSTA_FORCE_UPDATE"] {
            command.env_remove(name);
        }
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        Ended { code: output.status.code().unwrap(), text }
    }

    /// Plays a few scenarios between `vendors`.
    fn matrix(&self, vendors: &[&str], more: &[&str]) -> Ended {
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

    /// Which run a pair's result is of.
    fn run_of(&self, matrix: &str, pair: &str) -> String {
        self.json(&format!("{matrix}/pairs/{pair}/result.json"))["run"]["id"].as_str().unwrap().to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Ended {
    #[track_caller]
    fn assert(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, code, "{}", self.text);
        for word in words {
            assert!(self.text.contains(word), "{word:?} is not in:\n{}", self.text);
        }
        self
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

/// A result without what differs from one play to the next: ids and times, the keys that servers make, and what is hashed
/// or counted of files that hold them.
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
        // The texts of a verdict name events, which are called by a hash over a time.
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
fn shards_that_are_merged_give_the_file_of_one_process() {
    let place = Place::new();
    place.matrix(&ALL, &["-o", "whole"]).assert(1, &["pair 6/6", "mistaken@1.0 is to blame for"]);
    for shard in ["1/2", "2/2"] {
        let name = format!("part-{}", &shard[..1]);
        place.matrix(&ALL, &["-o", &name, "--shard", shard]).assert(1, &["pair 3/3", "This is shard"]);
    }
    place.samklang(&["merge", "part-2", "part-1", "-o", "merged"]).assert(1, &["is to blame for"]);
    assert!(place.read("whole/matrix.json") == place.read("merged/matrix.json"));
    place
        .matrix(&ALL, &["-o", "at-once", "--at-once", "3"])
        .assert(1, &["is to blame for", "twin@1.0 × twin@1.0: [", "pair 6/6"]);
    assert!(place.read("whole/matrix.json") == place.read("at-once/matrix.json"));
    for pair in PAIRS {
        let result = |matrix: &str| timeless(place.json(&format!("{matrix}/pairs/{pair}/result.json")));
        assert_eq!(result("whole"), result("merged"), "{pair}");
        assert!(place.0.join("merged/pairs").join(pair).join("evidence/stage.jsonl").is_file());
    }
    let matrix = place.json("whole/matrix.json");
    let findings = matrix["findings"].as_array().unwrap();
    assert!(!findings.is_empty());
    for finding in findings {
        assert_eq!((&finding["origin"], &finding["vendor"]), (&"vendor".into(), &"mistaken@1.0".into()));
        assert_eq!(finding["pairs"].as_array().unwrap().len(), 3, "with every peer");
    }
    // What changed from nothing to nothing; and one shard is not the whole.
    place.samklang(&["diff", "whole", "merged"]).assert(0, &["Nothing changed."]);
    place.samklang(&["diff", "whole", "part-1"]).assert(2, &["checks are gone"]);
    place.samklang(&["merge", "part-1", "-o", "half"]).assert(1, &["3 pairs have no result."]);
    // A page in which a server's name is an attack.
    let page = place.read("whole/report.html");
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)&lt;/script&gt; 1.0"));
    for pair in PAIRS {
        assert!(page.contains(&format!("href=\"pairs/{pair}/report.html")), "{pair}");
    }
}

#[test]
fn a_matrix_goes_on_where_it_stopped() {
    let place = Place::new();
    place.matrix(&["reference", "twin"], &["-o", "m"]).assert(0, &["all federate"]);
    let runs = |pairs: &[&str]| pairs.iter().map(|pair| place.run_of("m", pair)).collect::<Vec<_>>();
    let old = runs(&PAIRS[3..]);
    // Over what is there nothing is written unless it is to go on.
    place.matrix(&["reference"], &["-o", "m"]).assert(64, &["holds a matrix already", "--resume"]);
    // One half-written, one whose transcript was lost, and a vendor more.
    let result = place.0.join("m/pairs").join(PAIRS[4]).join("result.json");
    let bytes = fs::read(&result).unwrap();
    fs::write(&result, &bytes[..bytes.len() / 2]).unwrap();
    fs::remove_file(place.0.join("m/pairs").join(PAIRS[5]).join("evidence/stage.jsonl")).unwrap();
    fs::write(place.0.join("m/pairs").join(PAIRS[4]).join("evidence/left.jsonl"), "").unwrap();
    place.matrix(&ALL, &["--resume", "m"]).assert(1, &["reference@0.1.0 with reference@0.1.0 has a whole"]);
    let new = runs(&PAIRS[3..]);
    assert_eq!(old[0], new[0], "what is whole is not played again");
    assert!(old[1] != new[1] && old[2] != new[2], "what is not whole is");
    assert!(!place.0.join("m/pairs").join(PAIRS[4]).join("evidence/left.jsonl").exists());
    assert_eq!(place.json("m/matrix.json")["pairs"].as_array().unwrap().len(), 6);
    // Nothing is left to play.
    let before = place.read("m/matrix.json");
    let again = place.matrix(&ALL, &["--resume", "m"]);
    again.assert(1, &["mistaken@1.0 with mistaken@1.0 has a whole"]);
    assert!(!again.text.contains("stage up"), "{}", again.text);
    assert_eq!(place.read("m/matrix.json"), before);
    // What was asked for otherwise is another matrix.
    let other = place.matrix(&["twin"], &["--resume", "m", "-s", "rooms.public-join"]);
    other.assert(0, &["stage up"]);
}

#[test]
fn what_got_worse_decides_on_the_code_of_a_comparison() {
    let place = Place::new();
    place.matrix(&["twin"], &["-o", "good"]).assert(0, &[]);
    place
        .matrix(&["reference", "twin"], &["-o", "more", "--previous", "good"])
        .assert(0, &["checks are new"]);
    assert!(place.read("more/report.html").contains("id=\"h-changes\">Changes"));
    place.samklang(&["diff", "good", "more"]).assert(0, &["checks are new", "reference with twin"]);
    place.samklang(&["diff", "more", "good"]).assert(2, &["checks are gone"]);
    let pair = |matrix: &str, name: &str| format!("{matrix}/pairs/{name}--{name}");
    place.matrix(&["mistaken"], &["-o", "bad"]).assert(1, &[]);
    let (good, bad) = (pair("good", "twin@1.0"), pair("bad", "mistaken@1.0"));
    let worse = place.samklang(&["diff", &good, &bad]);
    worse.assert(1, &["new fail", "pass → fail client.refused"]);
    place.samklang(&["diff", &bad, &good]).assert(0, &["fails are fixed", "fail client.refused → pass"]);
    let json = place.samklang(&["diff", &good, &format!("{bad}/result.json"), "--json"]);
    let changes: Vec<Value> = serde_json::from_str(&json.assert(1, &[]).text).unwrap();
    assert!(changes.iter().any(|change| change["kind"] == "new_fail" && change["exit_code"] == 1));
    place.samklang(&["diff", "good", &bad]).assert(64, &["a matrix with a matrix"]);
    place.samklang(&["diff", "good", "nowhere"]).assert(64, &["cannot be read"]);
    let report = place.samklang(&["report", "more/matrix.json", "--previous", "good"]);
    report.assert(0, &["all federate", "checks are new"]);
}

#[test]
fn what_cannot_be_a_matrix_is_refused_before_anything_is_played() {
    let place = Place::new();
    place.matrix(&["twin", "twin@1.0"], &["-o", "m"]).assert(64, &["twin@1.0 is named twice"]);
    place.matrix(&["twin", "twim"], &["-o", "m"]).assert(64, &["no vendor called", "twin"]);
    place.matrix(&["twin", "reference@7"], &["-o", "m"]).assert(64, &["is no version of reference"]);
    place.matrix(&["twin"], &["-o", "m", "--shard", "2/1"]).assert(64, &["1/N to N/N"]);
    place.matrix(&["twin"], &["-o", "m", "--shard", "2/2"]).assert(64, &["The shard is empty"]);
    place.matrix(&["twin"], &["-o", "m", "--previous", "nowhere"]).assert(64, &["nowhere", "cannot be read"]);
    place.matrix(&["twin"], &["-o", "m", "--direct"]).assert(64, &["switchboard"]);
    place.matrix(&["twin"], &["-o", "m", "-s", "rooms.no-such"]).assert(64, &["called rooms.no-such"]);
    place.matrix(&[], &["-o", "m"]).assert(64, &["VENDOR"]);
    assert!(!place.0.join("m").exists());
    place.matrix(&["twin"], &["-o", "one"]).assert(0, &[]);
    place.matrix(&["reference"], &["-o", "other"]).assert(0, &[]);
    place.samklang(&["merge", "one", "other", "-o", "m"]).assert(64, &["are not parts of one matrix"]);
    place.samklang(&["merge", "one", "-o", "other"]).assert(64, &["holds a matrix already"]);
    // A result that somebody has touched.
    let result = place.0.join("one/pairs/twin@1.0--twin@1.0/result.json");
    let text = fs::read_to_string(&result).unwrap();
    fs::write(&result, text.replacen("\"verdict\":\"pass\"", "\"verdict\":\"not_run\"", 1)).unwrap();
    let touched = place.samklang(&["merge", "one", "-o", "m"]);
    touched.assert(64, &["result.json"]);
    fs::write(&result, text.replacen("\"disposition\":\"as_expected\"", "\"disposition\":\"flaky\"", 1))
        .unwrap();
    place
        .samklang(&["report", "one/matrix.json"])
        .assert(64, &["is not the result that the matrix was made of"]);
    assert!(!place.0.join("m").exists());
}
