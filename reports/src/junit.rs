//! `junit.xml`. JUnit has fewer states than Samklang: a check that did not pass must never look like a pass.

use std::{collections::BTreeMap, time::Duration};

use quick_junit::{NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};
use samklang_verdict::{CheckResult, Disposition, Fail, Termination, Verdict};

use crate::{
    Reports,
    closing::requirements,
    diff::{self, DiffLine},
    outcome::headline,
    text::{safe_line, safe_text},
    words::{ReportMark, Words},
};

/// The maximum number of fails with text and difference; the others have message and type only, because readers of JUnit files
/// hold the whole file in memory.
const MAX_DETAILED: usize = 1000;

pub(crate) fn report(reports: &Reports<'_>) -> Result<String, SerializeError> {
    let words = reports.words();
    let result = words.result;
    let mut areas: BTreeMap<&str, Vec<&CheckResult>> = BTreeMap::new();
    for check in &result.checks {
        let scenario = check.id.scenario();
        areas.entry(scenario.split_once('.').map_or(scenario, |(area, _)| area)).or_default().push(check);
    }
    let mut report = Report::new("samklang");
    let mut fails = 0;
    report.set_time(Duration::from_millis(result.run.duration_ms));
    for (area, checks) in areas {
        let mut suite = TestSuite::new(area);
        suite.set_time(Duration::from_millis(checks.iter().map(|check| check.duration_ms).sum()));
        suite.add_test_cases(checks.into_iter().map(|check| {
            fails += usize::from(check.verdict.reason().is_some());
            case(words, check, fails <= MAX_DETAILED)
        }));
        report.add_test_suite(suite);
    }
    report.add_test_suite(run(words));
    report.to_string()
}

/// The run itself as a suite of one case, so that an incomplete run is red even if all its checks are green.
fn run(words: Words<'_>) -> TestSuite {
    let result = words.result;
    let mut lines: Vec<_> =
        result.problems.iter().map(|problem| safe_line(&words.line(&problem.message))).collect();
    if result.run.termination != Termination::Complete {
        lines.extend(headline(words).more);
    }
    let judged = result.checks.iter().any(CheckResult::is_judged);
    let status = if lines.is_empty() && judged {
        TestCaseStatus::success()
    } else {
        let first = headline(words).first;
        non_success(NonSuccessKind::Error, "run", &first, &lines.join("\n"))
    };
    let mut case = TestCase::new("run", status);
    case.set_classname("samklang");
    let mut suite = TestSuite::new("samklang");
    suite.add_property(Property::new("run", safe_line(&result.run.id)));
    suite.add_property(Property::new("digest", safe_line(&result.digest)));
    for participant in &result.participants {
        suite.add_property(Property::new(
            format!("server-{}", participant.role.as_str()),
            words.product(participant),
        ));
    }
    suite.add_test_case(case);
    suite
}

fn case(words: Words<'_>, check: &CheckResult, in_full: bool) -> TestCase {
    let version = safe_line(&check.play.room_version);
    let name = format!("{}::v{version}::host-{}", check.id, check.play.host.as_str());
    let mut case = TestCase::new(name, status(words, check, in_full));
    case.set_classname(check.id.scenario());
    case.set_time(Duration::from_millis(check.duration_ms));
    case
}

fn status(words: Words<'_>, check: &CheckResult, in_full: bool) -> TestCaseStatus {
    let deviation = safe_line(check.deviation.as_deref().unwrap_or_default());
    let stale = |key: &str| format!("{deviation} {}", words.label(key)).trim().to_owned();
    match (check.disposition, &check.verdict) {
        // The check did not pass, and its deviation has an owner: neither green nor red.
        (Disposition::Deviation, _) => {
            let mut status = TestCaseStatus::skipped();
            status.set_type("deviation").set_message(deviation);
            status
        }
        (Disposition::DeviationStale, _) => {
            non_success(NonSuccessKind::Failure, "deviation.stale", &stale("list.stale"), "")
        }
        (disposition, Verdict::Fail(fail)) => {
            let body = if in_full { body(words, check, fail) } else { String::new() };
            let message = safe_line(&words.line(&fail.message));
            match disposition {
                Disposition::DeviationExpired => {
                    non_success(NonSuccessKind::Failure, "deviation.expired", &stale("list.expired"), &body)
                }
                Disposition::ReasonChanged => non_success(
                    NonSuccessKind::Failure,
                    "deviation.reason_changed",
                    &stale("list.reason-changed"),
                    &body,
                ),
                Disposition::Flaky => non_success(NonSuccessKind::Error, "flaky", &message, &body),
                _ => non_success(NonSuccessKind::Failure, fail.reason.as_str(), &message, &body),
            }
        }
        (Disposition::Flaky, _) => {
            non_success(NonSuccessKind::Error, "flaky", &words.label("legend.flaky"), "")
        }
        (Disposition::Unproven, _) => skipped("unproven", words.label("legend.unproven")),
        (_, Verdict::Pass { .. }) => TestCaseStatus::success(),
        (_, Verdict::Inconclusive { message, blocked_by, .. }) => {
            let mut why = safe_line(&words.line(message));
            if let Some(check) = blocked_by {
                why = format!("{why} ({})", words.say("list.blocked-by", &[("check", check.as_str())]));
            }
            non_success(NonSuccessKind::Error, "inconclusive", &why, "")
        }
        (_, Verdict::Error { message, .. }) => {
            non_success(NonSuccessKind::Error, "error", &safe_line(&words.line(message)), "")
        }
        (_, Verdict::NotApplicable { message } | Verdict::NotRun { message }) => {
            let kind = if ReportMark::of(check) == ReportMark::NotRun { "not_run" } else { "not_applicable" };
            skipped(kind, safe_line(&words.line(message)))
        }
    }
}

fn skipped(of_type: &str, message: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_type(of_type).set_message(message);
    status
}

fn non_success(kind: NonSuccessKind, of_type: &str, message: &str, body: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(of_type).set_message(message.chars().take(1000).collect::<String>());
    if !body.is_empty() {
        status.set_description(body);
    }
    status
}

/// A fail in plain text.
fn body(words: Words<'_>, check: &CheckResult, fail: &Fail) -> String {
    let mut lines = vec![
        safe_line(&check.title),
        safe_line(&words.line(&fail.message)),
        safe_line(&words.blame(fail).1),
        format!("{}: {}", words.label("field.requirements"), requirements(check)),
    ];
    if let Some(path) = &check.transcript {
        let ids: Vec<_> = fail.evidence.iter().take(20).map(ToString::to_string).collect();
        let ids = ids.join(", ");
        let place = words.say("exchanges-in", &[("ids", &ids), ("file", &safe_line(path))]);
        lines.push(format!("{}: {place}", words.label("field.look-at")));
    }
    lines.push(format!("{}: {}", words.label("field.again"), words.replay_command(check)));
    if fail.expected.is_some() || fail.actual.is_some() {
        lines.push(format!("{}\n{}", words.label("diff.expected"), words.label("diff.actual")));
        lines.extend(difference(words, fail));
    }
    lines.join("\n")
}

/// The difference as lines of plain text that begin with a sign.
pub(crate) fn difference(words: Words<'_>, fail: &Fail) -> Vec<String> {
    let lines = diff::lines(fail.expected.as_deref(), fail.actual.as_deref());
    let line = |line| match line {
        DiffLine::Both(text) => format!("  {}", safe_text(&text)),
        DiffLine::Expected(text) => format!("- {}", safe_text(&text)),
        DiffLine::Actual(text) => format!("+ {}", safe_text(&text)),
        DiffLine::Equal(n) => format!("  ⋯ {}", words.count("diff.equal", n as u64, &[])),
        DiffLine::Cut => format!("  ⋯ {}", words.label("diff.cut")),
    };
    lines.into_iter().map(line).collect()
}
