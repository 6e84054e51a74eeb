//! Rules for the whole repository, which a reviewer would otherwise have to look after.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "house_rules/sources.rs"]
mod sources;

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use samklang_reference::Fault;
use samklang_runner::{
    scenario::{FLOW, ScenarioKind},
    selftest::exceptions::Exceptions,
    suite::{REQUIREMENT_COLUMNS, kill_matrix::KillMatrix, table},
};
use samklang_verdict::{Catalogue, CheckId};

use self::sources::{Source, below, literals, messages, project};

/// The crates of the workspace. Each may use those before it in its row.
const ROWS: [&[&str]; 2] = [
    &[
        "harness/verdict",
        "harness/matrix",
        "harness/reference",
        "harness/wire",
        "harness/prober",
        "harness/drivers",
        "harness/deploy",
        "harness/stage",
        "harness/actors",
        "harness/runner",
        "suites",
        "harness/samklang",
    ],
    &["harness/verdict", "reports", "harness/samklang"],
];

/// The sources of the crates, without their tests.
fn sources() -> Vec<Source> {
    ROWS.concat()
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .flat_map(|name| sources::read(&project().join(name).join("src")))
        .collect()
}

#[track_caller]
fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn every_message_has_a_text_with_its_arguments() {
    let texts: Vec<_> = Catalogue::english().keys().collect();
    let mut wrong = Vec::new();
    let mut count = 0;
    for source in sources() {
        for (key, arguments) in messages(&source.text) {
            count += 1;
            let Some((_, places)) = texts.iter().find(|(known, _)| *known == key) else {
                wrong.push(format!("{}: {key} has no text", source.name));
                continue;
            };
            let arguments: BTreeSet<_> = arguments.iter().map(String::as_str).collect();
            let places: BTreeSet<_> = places.iter().copied().collect();
            if arguments != places {
                wrong.push(format!(
                    "{}: {key} has the arguments {arguments:?}, and its text names {places:?}",
                    source.name
                ));
            }
        }
        for key in sources::labels(&source.text) {
            // The labels of the reports leave out their common prefix.
            let known = |key: &str| texts.iter().any(|(known, _)| *known == key);
            if !known(&key) && !known(&format!("report.{key}")) {
                wrong.push(format!("{}: the label {key} has no text", source.name));
            }
        }
    }
    assert!(count > 100, "only {count} messages were found");
    assert_none("messages", &wrong);
}

#[test]
fn every_text_is_used() {
    // The conformance test is a program of its own, with texts of its own.
    let trials = fs::read_to_string(project().join("harness/samklang/tests/conformance.rs")).unwrap();
    let mut written = literals(&trials);
    written.extend(sources().iter().flat_map(|source| literals(&source.text)));
    let written: BTreeSet<_> = written.into_iter().collect();
    // `mark.{}` stands for every key below `mark`. The prefix `report` alone would stand for too many.
    let made = written.iter().filter_map(|text| text.split_once(".{").map(|(head, _)| head));
    let made: Vec<_> = made.filter(|head| *head != "report").collect();
    let used = |key: &str| {
        // The code chooses a plural form by the last part of the key.
        let forms = [key, key.rsplit_once('.').map_or(key, |(form, _)| form)];
        forms.iter().any(|form| written.contains(*form))
            || made.iter().any(|head| key.strip_prefix(head).is_some_and(|rest| rest.starts_with('.')))
    };
    let dead = |key: &&str| !used(key) && !key.strip_prefix("report.").is_some_and(used);
    let dead: Vec<_> =
        Catalogue::english().keys().map(|(key, _)| key).filter(dead).map(str::to_owned).collect();
    assert_none("texts that nothing uses", &dead);
}

#[test]
fn the_suite_has_no_flaws() {
    let suite = samklang_suites::suite(project()).unwrap();
    assert_none("flaws of the suite", &suite.flaws().unwrap());
}

#[test]
fn the_engine_names_no_vendor() {
    let mut names = Vec::new();
    for shelf in ["docker", "fixtures/vendors"] {
        let folders =
            fs::read_dir(project().join(shelf)).unwrap().flatten().filter(|entry| entry.path().is_dir());
        // The homeserver inside the program is not a product: its name is that of a crate.
        let is_product = |entry: &fs::DirEntry| {
            let descriptor = fs::read_to_string(entry.path().join("vendor.toml")).unwrap_or_default();
            !descriptor.lines().any(|line| line == "[embedded]")
        };
        let products = folders.filter(is_product);
        names.extend(products.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    }
    assert!(names.len() >= 3, "{names:?}");
    let mut found = Vec::new();
    // The help texts of the program name vendors as examples.
    let is_engine = |source: &&Source| {
        source.name.starts_with("harness/") && !source.name.starts_with("harness/samklang/")
    };
    for source in sources().iter().filter(is_engine) {
        for (number, line) in source.text.lines().enumerate() {
            let line = line.to_lowercase();
            let named = names.iter().filter(|name| line.contains(name.as_str()));
            found.extend(named.map(|name| format!("{}:{}: {name}", source.name, number + 1)));
        }
    }
    assert_none("vendors named by the engine", &found);
}

#[test]
fn arrows_between_crates_point_one_way() {
    let mut wrong = Vec::new();
    for folder in ROWS.concat().iter().collect::<BTreeSet<_>>() {
        let manifest = fs::read_to_string(project().join(folder).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let allowed: BTreeSet<_> = ROWS
            .iter()
            .filter_map(|row| Some(&row[..row.iter().position(|name| name == folder)?]))
            .flatten()
            .map(|name| format!("samklang-{}", name.trim_start_matches("harness/")))
            .collect();
        let tables =
            ["dependencies", "build-dependencies"].iter().filter_map(|name| manifest.get(*name)?.as_table());
        let used = tables.flat_map(|table| table.keys()).filter(|name| name.starts_with("samklang-"));
        wrong
            .extend(used.filter(|name| !allowed.contains(*name)).map(|name| format!("{folder} uses {name}")));
    }
    assert_none("arrows", &wrong);
}

#[test]
fn each_of_these_crates_has_one_door() {
    for name in ["testcontainers", "libtest_mimic", "insta"] {
        let (import, path) = (format!("use {name}::"), format!("{name}::"));
        let uses = |source: &&Source| source.text.contains(&import) || source.text.contains(&path);
        let found: Vec<_> = sources().iter().filter(uses).map(|source| source.name.clone()).collect();
        assert_eq!(found.len(), 1, "{name} is imported by {found:?}");
    }
}

#[test]
fn the_stored_schema_is_the_one_that_the_program_prints() {
    let kinds: [(&[&str], _); 2] = [(&["schema"], "result"), (&["schema", "--matrix"], "matrix")];
    for (arguments, kind) in kinds {
        let printed = Command::new(env!("CARGO_BIN_EXE_samklang")).args(arguments).output().unwrap();
        let file = format!("reports/schema/samklang-{kind}-1.json");
        let stored = fs::read(project().join(&file)).unwrap();
        let hint = format!("write it anew: samklang {} >{file}", arguments.join(" "));
        assert!(printed.status.success() && printed.stdout == stored, "{hint}");
    }
}

#[test]
fn no_file_is_tied_to_a_machine_or_a_registry() {
    // The names are put together here, so that this file does not hold them itself.
    let hosts =
        [["crates", "io"], ["pypi", "org"], ["pythonhosted", "org"], ["npmjs", "org"], ["golang", "org"]];
    let mut words: Vec<_> = hosts.iter().map(|host| host.join(".")).collect();
    words.extend(["root", "home", "work", "Users"].map(|folder| format!("/{folder}/")));
    let mut found = Vec::new();
    for path in below(project()) {
        // The lock file names its registry as Cargo does.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        if path.file_name() == Some("Cargo.lock".as_ref()) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let held = words.iter().filter(|word| line.contains(word.as_str()));
            found.extend(held.map(|word| format!("{}:{}: {word}", name(&path), number + 1)));
        }
    }
    assert_none("hosts and paths", &found);
}

fn name(path: &Path) -> String {
    path.strip_prefix(project()).unwrap_or(path).display().to_string()
}

#[test]
fn the_changelog_names_every_scenario() {
    let changelog = fs::read_to_string(project().join("CHANGELOG.md")).unwrap();
    let named = |id: &str| changelog.contains(&format!("* `{id}`: "));
    let ids = samklang_suites::scenarios().into_iter().map(|scenario| scenario.id.to_owned());
    let missing: Vec<_> = ids.filter(|id| !named(id)).collect();
    assert_none("scenarios that the changelog does not name", &missing);
}

#[test]
fn the_homeserver_inside_the_program_has_its_version() {
    let vendor = samklang::setting::shelf(project(), &[]).load("reference").unwrap();
    assert!(vendor.is_embedded());
    assert_eq!(vendor.default_version, env!("CARGO_PKG_VERSION"));
}

/// Each fault breaks a requirement, or a section of the specification that no single requirement covers.
#[test]
fn every_fault_breaks_something_that_is_specified() {
    let suite = samklang_suites::suite(project()).unwrap();
    let ids: BTreeSet<_> = suite.requirements.ids().collect();
    let is_known = |broken: &str| ids.contains(broken) || broken.starts_with("content/");
    let unknown: Vec<_> =
        Fault::all().into_iter().filter(|fault| !is_known(fault.requirement())).map(Fault::name).collect();
    assert!(unknown.is_empty(), "faults that break no requirement: {unknown:?}");
}

/// The kill matrix and the exceptions name only checks of this suite and faults of this program. `samklang selftest` finds
/// out whether what they say is true.
#[test]
fn the_kill_matrix_names_only_known_checks_and_faults() {
    let suites = project().join("suites");
    let matrix = KillMatrix::read(&suites.join(samklang_suites::KILL_MATRIX)).unwrap();
    let exceptions = Exceptions::read(&suites.join("kill-exceptions.toml")).unwrap();
    let suite = samklang_suites::suite(project()).unwrap();
    let checks: BTreeSet<_> = suite.check_ids().into_iter().map(|id| id.to_string()).collect();
    let faults: BTreeSet<_> = Fault::all().into_iter().map(Fault::name).collect();
    let named: Vec<_> = matrix.kills().map(|kill| (&kill.check, &kill.fault)).collect();
    assert!(named.len() > 1_000, "{} kills", named.len());
    let strange =
        named.iter().filter(|(check, fault)| !checks.contains(check.as_str()) || !faults.contains(*fault));
    assert_none(
        "kills of an unknown check or by an unknown fault",
        &strange.map(|it| format!("{it:?}")).collect::<Vec<_>>(),
    );
    let unproven =
        exceptions.unproven.keys().map(|check| check.to_string()).filter(|id| !checks.contains(id));
    let survivors = exceptions.survivors.keys().filter(|fault| !faults.contains(*fault)).cloned();
    assert_none("exceptions for an unknown check or fault", &unproven.chain(survivors).collect::<Vec<_>>());
}

/// A fault proves each check, or the check is among the exceptions with a reason.
#[test]
fn every_check_is_proven_or_excused() {
    let suites = project().join("suites");
    let matrix = KillMatrix::read(&suites.join(samklang_suites::KILL_MATRIX)).unwrap();
    let exceptions = Exceptions::read(&suites.join("kill-exceptions.toml")).unwrap();
    let suite = samklang_suites::suite(project()).unwrap();
    // A passive scenario has no flow of its own that could fail.
    let passive = suite.scenarios.iter().filter(|scenario| scenario.kind == ScenarioKind::Passive);
    let flows: BTreeSet<_> = passive.map(|scenario| format!("{}/{FLOW}", scenario.id)).collect();
    let is_open = |id: &CheckId| matrix.proofs_of(id).next().is_none() && !flows.contains(id.as_str());
    let excused = |id: &CheckId| exceptions.unproven.contains_key(id);
    let without: Vec<_> = suite
        .check_ids()
        .into_iter()
        .filter(|id| is_open(id) && !excused(id))
        .map(|id| id.to_string())
        .collect();
    assert_none("checks that no fault proves, without a reason", &without);
}

/// Each requirement that only recorded traffic can show has a check, or a reason why it has none.
#[test]
fn every_passive_requirement_has_a_check_or_a_reason() {
    let text = |name: &str| fs::read_to_string(project().join("suites/requirements").join(name)).unwrap();
    let rows = table::rows(&text("requirements.tsv"), REQUIREMENT_COLUMNS).unwrap();
    let passive: BTreeSet<_> = rows
        .into_iter()
        .map(|row| row.columns)
        .filter(|[_, _, _, _, _, how_observable, ..]| how_observable.starts_with("passive"))
        .map(|[id, ..]| id)
        .collect();
    assert_eq!(passive.len(), 93);
    let checked: BTreeSet<_> = samklang_suites::scenarios()
        .into_iter()
        .flat_map(|scenario| scenario.all_checks().flat_map(|(_, _, requirements)| requirements))
        .map(|id| (*id).to_owned())
        .collect();
    let without_check = table::rows(&text("without-check.tsv"), ["id", "reason"]).unwrap();
    let without: Vec<_> = without_check.iter().filter(|row| row.columns[1].is_empty()).collect();
    assert!(without.is_empty(), "rows without a reason: {without:?}");
    let excused: BTreeSet<_> = without_check.into_iter().map(|row| row.columns[0].clone()).collect();
    let left = |ids: &BTreeSet<String>| passive.difference(ids).cloned().collect::<BTreeSet<_>>();
    assert_eq!(left(&checked), excused, "rows without a check, and those that have a reason");
}
