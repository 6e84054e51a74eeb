//! The reports of hand-made runs, compared with what a reader has to rely on.

#![expect(clippy::unwrap_used, reason = "a test may panic; clippy knows only functions marked as tests")]

#[path = "../common/mod.rs"]
mod common;
mod hostile;
mod junit;
mod matrix;
mod show;

use std::collections::BTreeSet;

use common::{check, fail, good, mixed, run_of};
use samklang_reports::{Colour, FILES, Reports, transcripts_in, write_all};
use samklang_verdict::*;

/// The reports, in the order of [`FILES`], and the closing text.
struct Made {
    html: String,
    junit: String,
    markdown: String,
    closing: String,
}

fn made(result: &ResultFile) -> Made {
    let transcripts = |_: &str| Some(common::transcript());
    let reports = Reports::new(result, &transcripts, Catalogue::english());
    Made {
        html: reports.html(),
        junit: reports.junit().unwrap(),
        markdown: reports.markdown(),
        closing: reports.closing(Colour::Never),
    }
}

fn all(made: &Made) -> [&str; 4] {
    [&made.html, &made.junit, &made.markdown, &made.closing]
}

fn assert_in_order(text: &str, parts: &[&str]) {
    let mut from = 0;
    for part in parts {
        let at = text[from..]
            .find(part)
            .unwrap_or_else(|| panic!("{part:?} is not after {:?}", &text[..from.min(80)]));
        from += at + part.len();
    }
}

fn headline(result: &ResultFile) -> String {
    made(result).closing.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn the_first_sentence_is_the_outcome() {
    let two = "Synapse 1.163.2 and Synapse 1.163.2";
    assert_eq!(headline(&good()), format!("{two} federate: 18 of 18 checks passed."));
    assert_eq!(headline(&run_of(vec![])), format!("Nothing was judged, so nothing is proven about {two}."));

    let failing = |blame: &[Option<Role>]| {
        let mut checks = good().checks;
        for (i, role) in blame.iter().enumerate() {
            checks.push(check(
                &format!("rooms.x/c{i}"),
                "T.",
                "11",
                Role::A,
                fail("a.b", *role, "m", "", ""),
            ));
        }
        headline(&run_of(checks))
    };
    let b = "B (Synapse 1.163.2)";
    assert_eq!(failing(&[Some(Role::B)]), format!("{two}: 1 of 19 checks failed, the fault of {b}."));
    assert_eq!(failing(&[Some(Role::B); 2]), format!("{two}: 2 of 20 checks failed, both the fault of {b}."));
    assert_eq!(failing(&[Some(Role::B); 3]), format!("{two}: 3 of 21 checks failed, all the fault of {b}."));
    assert_eq!(
        failing(&[Some(Role::B), Some(Role::B), Some(Role::A), None]),
        format!(
            "{two}: 4 of 22 checks failed, 1 the fault of A (Synapse 1.163.2), 2 the fault of {b} and 1 undecided."
        )
    );

    let mut deviating = good().checks;
    let mut known = check("rooms.x/c", "T.", "11", Role::A, fail("a.b", Some(Role::B), "m", "", ""));
    known.disposition = Disposition::Deviation;
    deviating.push(known);
    assert_eq!(
        headline(&run_of(deviating)),
        format!(
            "{two} federate as recorded: 18 of 19 checks passed, and 1 failed as the recorded deviations say."
        )
    );
}

/// The headline says "they federate" only if every check was judged.
#[test]
fn an_unjudged_check_never_reads_as_a_pass() {
    let mut stopped = good();
    stopped.run.termination = Termination::Interrupted;
    stopped.settle();
    let mut broken = good();
    broken.problems.push(Problem::engine(Message::new("x")));
    broken.settle();
    let mut late = good().checks;
    late.push(check("rooms.x/c", "T.", "11", Role::A, Verdict::NotRun { message: Message::new("x") }));
    let mut flaky = good().checks;
    flaky[0].disposition = Disposition::Flaky;
    let mut stale = good().checks;
    stale[0].disposition = Disposition::DeviationStale;
    let mut unproven = good().checks;
    unproven.iter_mut().for_each(|check| check.disposition = Disposition::Unproven);
    for (name, result) in [
        ("stopped", stopped),
        ("broken", broken),
        ("late", run_of(late)),
        ("flaky", run_of(flaky)),
        ("stale", run_of(stale)),
        ("unproven", run_of(unproven)),
    ] {
        let made = made(&result);
        for text in all(&made) {
            assert!(!text.contains("federate:"), "{name}");
        }
        assert!(!made.html.contains("class=\"top good\""), "{name}");
        let red = made.junit.contains("<error") || made.junit.contains("<failure") || name == "late";
        assert!(red, "{name}: {}", made.junit);
    }
}

#[test]
fn the_page_starts_with_the_outcome_and_ends_with_details() {
    let html = made(&mixed()).html;
    assert_in_order(
        &html,
        &[
            "<h1>",
            "5 of 32 checks failed",
            "</h1>",
            // The first screen: what failed, whose fault, where to look.
            "href=\"#f1\"",
            "shown the room's name".replace('\'', "&#39;").as_str(),
            "fault of B",
            "rooms.invite-accepted/stripped-state",
            "id=\"facts\"",
            "Synapse 1.163.2",
            "2026-11-24 22:58 UTC",
            "2 min 41 s",
            mixed().digest.as_str(),
            "id=\"problems\"",
            "The server b.test ended by itself.",
            "id=\"failures\"",
            "id=\"f1\"",
            "SS-INV-004",
            "https://spec.matrix.org/latest/server-server-api/#inviting-to-a-room",
            "samklang run synapse@1.163.2 --scenario rooms.invite-accepted",
            "x17",
            "id=\"f2\"",
            "id=\"unjudged\"",
            "The engine went away.",
            "blocked by messages.redaction/body-gone",
            "Typing is shown",
            "id=\"deviations\"",
            "remove the deviation",
            "tracker#1",
            "id=\"everything\"",
            "host A",
            "<a href=#f1>✗ fail B</a>",
            "id=\"legend\"",
        ],
    );
    assert!(html.contains(
        "<del>− unsigned.invite_room_state: present\n</del><ins>+ unsigned.invite_room_state: absent\n</ins>"
    ));
    let good = made(&good()).html;
    for section in ["problems", "failures", "unjudged", "deviations"] {
        assert!(!good.contains(&format!("#{section}\"")), "{section}");
    }
}

/// Four plays with one cause are one thing to fix.
#[test]
fn plays_with_one_cause_are_one_group() {
    let made = made(&mixed());
    assert!(made.html.contains("room version 11 and 12, host A and B"));
    assert_eq!(made.closing.matches("rooms.invite-accepted/stripped-state").count(), 1);
    assert_eq!(made.junit.matches("rooms.invite-accepted/stripped-state::v").count(), 4);
    assert!(made.junit.contains("name=\"rooms.invite-accepted/stripped-state::v11::host-a\""));
}

#[test]
fn headings_are_in_order_and_tables_have_scopes() {
    let html = made(&mixed()).html;
    let levels: Vec<u32> =
        html.match_indices("<h").filter_map(|(at, _)| html[at + 2..].chars().next()?.to_digit(10)).collect();
    assert_eq!(levels.first(), Some(&1));
    assert_eq!(levels.iter().filter(|&&level| level == 1).count(), 1);
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
    assert_eq!(
        html.matches("<th ").count() + html.matches("<th>").count(),
        html.matches(" scope=\"").count()
    );
    assert!(html.contains("<html lang=\"en\">") && html.contains("<main>"));
}

#[test]
fn the_summary_has_the_outcome_counts_and_failures_with_blame() {
    let markdown = made(&mixed()).markdown;
    assert_in_order(
        &markdown,
        &[
            "## ",
            "5 of 32 checks failed",
            "| ✓ pass | 18 |",
            "| ✗ fail | 5 |",
            "### Failures",
            "1. **An invited user",
            "**Fault of B",
            "SS-INV-004",
            "samklang run",
            "```diff",
            "- unsigned.invite_room_state: present",
            "2. **A redacted",
            "**Fault undecided",
        ],
    );
}

#[test]
fn the_closing_text_has_blame_check_play_and_evidence() {
    let result = mixed();
    let transcripts = |_: &str| None;
    let reports = Reports::new(&result, &transcripts, Catalogue::english());
    let plain = reports.closing(Colour::Never);
    assert_in_order(
        &plain,
        &[
            "5 of 32 checks failed",
            "✗ An invited user",
            "rooms.invite-accepted/stripped-state [expectation.differs]",
            "Bob's invite comes without",
            "Fault of B",
            "SS-INV-004",
            "x17, x18",
            "samklang run",
            "18 pass",
        ],
    );
    assert!(!plain.contains('\u{1b}'));
    let wordy =
        run_of(vec![check("rooms.x/c", "T.", "11", Role::A, fail("a.b", None, &"so ".repeat(9000), "", ""))]);
    let wordy = made(&wordy).closing;
    assert!(wordy.contains("so so") && wordy.lines().all(|line| line.chars().count() < 500));
    assert!(plain.lines().all(|line| line.chars().count() < 500));
    let coloured = reports.closing(Colour::Ansi);
    let mut bare = coloured.clone();
    for code in ["\u{1b}[1;31m", "\u{1b}[1;33m", "\u{1b}[1m", "\u{1b}[0m"] {
        bare = bare.replace(code, "");
    }
    assert_ne!(coloured, plain);
    assert_eq!(bare, plain);
}

#[test]
fn the_command_to_play_again_names_the_pair() {
    let mut result = mixed();
    result.participants[1].vendor = "other".into();
    let command = "samklang run synapse@1.163.2 --vs other@1.163.2 --scenario rooms.invite-accepted";
    assert!(made(&result).closing.contains(command));
    // A vendor's name does not lead to a server that is already running.
    result.run.deployer = TARGET.into();
    let command = "samklang repro rooms.invite-accepted/";
    let made = made(&result);
    assert!(made.closing.contains(command) && made.closing.contains("--target URL --token-file FILE"));
}

#[test]
fn an_upgrade_is_shown_with_both_announced_versions() {
    let mut result = mixed();
    let digest = result.digest_of();
    let mut upgrade = Upgrade::to("1.170.0".into());
    result.participants[0].upgrade = Some(upgrade.clone());
    assert_ne!(result.digest_of(), digest);
    let made_without = made(&result);
    for text in [&made_without.html, &made_without.markdown, &made_without.closing] {
        assert!(text.contains("not upgraded to 1.170.0"), "{text}");
    }
    (upgrade.answered_name, upgrade.answered_version) = (Some("Synapse".into()), Some("1.170.1 <b>".into()));
    result.participants[0].upgrade = Some(upgrade);
    let made = made(&result);
    assert!(made.closing.contains("announced Synapse 1.163.2 before, and Synapse 1.170.1 <b> after"));
    assert!(made.closing.contains("--scenario rooms.invite-accepted --upgrade-to 1.170.0"));
    assert!(made.html.contains("1.170.1 &lt;b&gt;") && !made.html.contains("1.170.1 <b>"));
}

/// A missing text is shown as its key, and a missing argument as its name.
#[test]
fn every_text_is_in_the_catalogue_with_its_arguments() {
    let mut other = mixed();
    other.run.direct = true;
    other.run.termination = Termination::Interrupted;
    other.run.selection = vec!["rooms".into()];
    other.participants[0].answered_name = None;
    other.participants[0].answered_version = None;
    let no_one = run_of(vec![]);
    let mut unheard = good();
    unheard.run.termination = Termination::Broken;
    let places: BTreeSet<_> = Catalogue::english().keys().flat_map(|(_, places)| places).collect();
    for result in [good(), mixed(), other, no_one, unheard] {
        let made = made(&result);
        for text in all(&made) {
            let key = text.find("report.").map(|at| text[at..].chars().take(60).collect::<String>());
            assert_eq!(key, None);
            for place in &places {
                assert!(!text.contains(&format!("{{{place}}}")), "{place}");
            }
        }
    }
}

/// The hand-made runs lack rare cases; the test reads their keys from the code.
#[test]
fn every_key_in_the_code_is_in_the_catalogue() {
    let keys: BTreeSet<_> = Catalogue::english().keys().map(|(key, _)| key).collect();
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = 0;
    for folder in [source.clone(), source.join("html"), source.join("show")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let code = std::fs::read_to_string(&path).unwrap();
            for (call, endings) in
                [("label(", &[""] as &[&str]), ("say(", &[""]), ("count(", &[".one", ".many"])]
            {
                for (at, _) in code.match_indices(call) {
                    let rest = code[at + call.len()..].trim_start();
                    let Some(key) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                        continue;
                    };
                    found += 1;
                    for ending in endings {
                        assert!(
                            keys.contains(format!("report.{key}{ending}").as_str()),
                            "{key}{ending} in {path:?}"
                        );
                    }
                }
            }
        }
    }
    assert!(found > 60, "{found}");
}

struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("samklang-reports-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn reports_are_written_beside_their_result() {
    let folder = Folder::new("written");
    let result = mixed();
    std::fs::create_dir(folder.0.join("transcripts")).unwrap();
    let lines = serde_json::to_string(&common::transcript()[0]).unwrap();
    std::fs::write(folder.0.join("transcripts/rooms.invite-accepted.stripped-state.jsonl"), lines).unwrap();
    std::fs::write(folder.0.join("report.html"), "old").unwrap();
    let transcripts = transcripts_in(&folder.0);
    let written = write_all(&folder.0, &Reports::new(&result, &transcripts, Catalogue::english())).unwrap();
    assert_eq!(written, FILES.map(|name| folder.0.join(name)));
    let html = std::fs::read_to_string(folder.0.join("report.html")).unwrap();
    assert!(
        html.contains("/_matrix/federation/v2/invite/") && html.contains("The transcript could not be read.")
    );
    let mut names: Vec<_> =
        std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["junit.xml", "report.html", "summary.md", "transcripts"]);
    // The file is readable, but the path leads out of the folder.
    let inner = transcripts_in(&folder.0.join("transcripts"));
    assert!(inner("rooms.invite-accepted.stripped-state.jsonl").is_some());
    assert!(inner("../transcripts/rooms.invite-accepted.stripped-state.jsonl").is_none());
    assert!(transcripts("../written").is_none() && transcripts("transcripts").is_none());
}

#[test]
fn an_unwritable_path_is_named() {
    let folder = Folder::new("refused");
    std::fs::create_dir(folder.0.join("report.html")).unwrap();
    let result = good();
    let problem = write_all(&folder.0, &Reports::new(&result, &|_| None, Catalogue::english())).unwrap_err();
    assert_eq!(problem.exit_code(), exit::USAGE);
    assert!(problem.to_string().contains("report.html"), "{problem}");
    let left = std::fs::read_dir(&folder.0).unwrap().count();
    assert_eq!(left, 1, "a half-written file stayed");
}
