//! `samklang selftest`. Exit codes: 70 when the honest server is not all green; 1 when a check that counts is unproven, a
//! fault survives that is not among the exceptions, an exception is out of date, or the kill matrix differs from what was
//! found.

use std::{
    fmt::{Display, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use samklang_deploy::vendor::nearest;
use samklang_reference::Fault;
use samklang_runner::{
    judging::expectation::forced_update,
    run::evidence::write_whole,
    selftest::{
        CheckState, Selftest, SelftestRun, ServerResults, exceptions::Exceptions, findings::SelftestFindings,
    },
    suite::{
        kill_matrix::{Kill, KillMatrix},
        project_root,
    },
};
use samklang_verdict::{Catalogue, Message, Problem, exit, message};

use super::{CommandResult, args::SelftestArgs, play::OUR_OWN, print};
use crate::setting;

/// The version that the homeserver inside this program answers after an upgrade. It is the same server.
const LATER: &str = concat!(env!("CARGO_PKG_VERSION"), "+later");

/// The file of exceptions in the suite's data.
const EXCEPTIONS: &str = "kill-exceptions.toml";

/// Plays the selftest that `args` describes, and prints its findings about the suite.
pub(super) fn selftest(args: &SelftestArgs) -> CommandResult {
    if let Some(forced) = forced_update() {
        return Err(Problem::configuration(message!("run.forced-update", setting = forced)));
    }
    let root = project_root(samklang_suites::BUILT_FROM)?;
    let mut suite = samklang_suites::suite(&root)?;
    suite.expectations = suite.expectations.without_proposals();
    let exceptions = Exceptions::read(&root.join("suites").join(EXCEPTIONS))?;
    let casts = setting::casts(&setting::shelf(&root, &[]), Some(OUR_OWN), None, None)?;
    let casts = setting::upgraded(casts, Some(LATER))?;
    let faults = faults(&args.faults)?;
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or_else(cores, usize::from);
    let scenarios = args.scenarios.clone();
    let suite = Arc::new(suite);
    let test = Selftest { suite, casts, faults, scenarios, quick: args.quick, jobs, seed: args.seed };
    let ended = AtomicUsize::new(0);
    let played = test.play(&|showing, all| {
        let place = format!("{}/{all}", ended.fetch_add(1, Ordering::Relaxed) + 1);
        // The selftest goes on when nobody reads its output any more.
        let _ = print(&line(showing, &place));
    })?;
    if played.honest.troubles().next().is_some() {
        print(&not_green(&played.honest))?;
        return Ok(exit::HARNESS_ERROR);
    }
    let findings = test.findings(&played, &exceptions);
    print(&summary(&test, &played, &findings))?;
    let sound = if findings.is_sound() { exit::AS_EXPECTED } else { exit::UNEXPECTED_FAIL };
    let matrix = root.join("suites").join(samklang_suites::KILL_MATRIX);
    // A quick selftest only has to find again what is on file. Only a whole one judges new kills.
    let is_as_filed = findings.is_unchanged() || (args.quick && findings.gone.is_empty());
    let matrix_code = match (is_as_filed, args.write) {
        (_, true) => write(&matrix, &test.matrix_after(&played))?,
        (true, false) => exit::AS_EXPECTED,
        (false, false) => {
            super::complain(&Problem::configuration(message!("selftest.changed", path = matrix.display())));
            exit::UNEXPECTED_FAIL
        }
    };
    Ok(exit::worst([sound, matrix_code]))
}

fn faults(names: &[String]) -> Result<Vec<Fault>, Problem> {
    if names.is_empty() {
        return Ok(Fault::all());
    }
    let known: Vec<_> = Fault::all().into_iter().map(Fault::name).collect();
    let named = |name: &String| {
        name.parse().map_err(|_: String| {
            let near = nearest(name, &known).join(", ");
            Problem::configuration(message!("selftest.unknown-fault", name = name, near = near))
        })
    };
    names.iter().map(named).collect()
}

fn write(path: &Path, matrix: &KillMatrix) -> CommandResult {
    write_whole(path, matrix.to_text().as_bytes())?;
    print(&say(&message!("selftest.written", path = path.display())))
}

fn label(key: &str) -> String {
    Catalogue::english().label(key)
}

fn say(message: &Message) -> String {
    Catalogue::english().render(message).in_one_line() + "\n"
}

/// The line about one server.
fn line(showing: &ServerResults, place: &str) -> String {
    let red = showing.seen.iter().filter(|(_, came)| matches!(came, CheckState::Fail(..)));
    let mut red: Vec<_> = red.map(|((check, _), _)| check).collect();
    red.dedup();
    let green = showing.green().count();
    let (name, key, checks) = match showing.fault {
        None => (label("selftest.honest"), "selftest.all-green", green),
        Some(fault) if red.is_empty() => (fault.name(), "selftest.survived", 0),
        Some(fault) => (fault.name(), "selftest.killed", red.len()),
    };
    let outcome = label(key).replace("{checks}", &checks.to_string());
    let seconds = format!("{:.1}", showing.took.as_secs_f64());
    say(&message!("selftest.line", place = place, name = name, came = outcome, seconds = seconds))
}

/// The checks of the honest server that are not green.
fn not_green(honest: &ServerResults) -> String {
    let troubles = honest.troubles().map(|(check, play, came)| {
        let why = match came {
            CheckState::Fail(reason, _) => reason.to_string(),
            CheckState::Unjudged(why) => why.clone(),
            CheckState::Pass | CheckState::NotApplicable => String::new(),
        };
        format!("{check} v{} host {}: {why}", play.room_version, play.host)
    });
    list("selftest.head-honest", troubles)
}

fn summary(test: &Selftest, played: &SelftestRun, findings: &SelftestFindings) -> String {
    let kill = |kill: &Kill| format!("{} {} {}", kill.fault, kill.check, kill.reason);
    let blunt = |(fault, checks): &(String, usize)| {
        say(&message!("selftest.blunt", fault = fault, checks = checks)).trim_end().to_owned()
    };
    let mut scored: Vec<_> = played.honest.green().collect();
    scored.dedup();
    let (scored, faults) = (scored.len(), test.faults.len());
    let summary = message!(
        "selftest.summary",
        proven = scored.saturating_sub(findings.unproven.len() + findings.excused[0]),
        scored = scored,
        noticed = faults.saturating_sub(findings.survivors.len() + findings.excused[1]),
        faults = faults
    );
    [
        list("selftest.head-new", findings.new.iter().map(kill)),
        list("selftest.head-gone", findings.gone.iter().map(kill)),
        list("selftest.head-unproven", &findings.unproven),
        list("selftest.head-survivors", &findings.survivors),
        list("selftest.head-blunt", findings.blunt.iter().map(blunt)),
        list("selftest.head-stale", &findings.stale),
        say(&summary),
    ]
    .concat()
}

/// A heading and its entries; empty without entries.
fn list(heading: &str, entries: impl IntoIterator<Item = impl Display>) -> String {
    let mut text = String::new();
    for entry in entries {
        let _ = writeln!(text, "  {entry}");
    }
    if text.is_empty() { text } else { format!("{}\n{text}\n", label(heading)) }
}
