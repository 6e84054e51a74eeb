//! The closing text of a run for a terminal.

use samklang_verdict::{CheckResult, Fail};

use crate::{
    Reports,
    fails::{self, FailGroup},
    junit::difference,
    outcome::{Tone, headline},
    text::safe_line,
    words::{ReportMark, Words},
};

/// The maximum number of failures shown; the report has all of them.
const SHOWN: usize = 12;
/// The maximum number of lines of a difference.
const DIFFERENCE: usize = 10;
/// The maximum length of a sentence on a terminal.
const SENTENCE: usize = 400;

/// Whether the text may carry ANSI colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Plain text: no terminal, or `NO_COLOR`.
    Never,
    /// ANSI escape sequences.
    Ansi,
}

impl Colour {
    pub(crate) fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Never => text.to_owned(),
            Self::Ansi => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

pub(crate) fn text(reports: &Reports<'_>, colour: Colour) -> String {
    let words = reports.words();
    let headline = headline(words);
    let code = match headline.tone {
        Tone::Good => "1;32",
        Tone::Unsure => "1;33",
        Tone::Bad => "1;31",
    };
    let mut lines = vec![colour.paint(code, &headline.first)];
    lines.extend(headline.more.iter().map(|sentence| safe_line(sentence)));
    for problem in &words.result.problems {
        lines.push(String::new());
        lines.push(format!("{} {}", colour.paint("1;33", "!"), short(&words.line(&problem.message))));
        lines.extend(problem.detail.iter().rev().take(10).rev().map(|line| format!("    | {}", short(line))));
    }
    let groups = fails::groups(words.result.checks.iter().filter(|check| fails::is_failure(check)));
    for group in groups.iter().take(SHOWN) {
        lines.push(String::new());
        lines.extend(failure(words, group, colour));
    }
    if let Some(rest) = groups.len().checked_sub(SHOWN).filter(|&rest| rest > 0) {
        lines.push(String::new());
        lines.push(words.count("more-failures", rest as u64, &[]));
    }
    let counted: Vec<_> = ReportMark::tally()
        .map(|mark| (mark, mark.count(words.result)))
        .filter(|(_, n)| *n > 0)
        .map(|(mark, n)| format!("{n} {}", words.mark(mark)))
        .collect();
    if !counted.is_empty() {
        lines.push(String::new());
        lines.push(counted.join(" · "));
    }
    lines.join("\n") + "\n"
}

/// A failure: check, play, blame, requirements, evidence, and the command that plays it again.
pub(crate) fn failure(words: Words<'_>, group: &FailGroup<'_>, colour: Colour) -> Vec<String> {
    let (check, fail) = (group.first, group.fail);
    let sign = colour.paint("1;31", &ReportMark::of(check).sign().to_string());
    let mut lines = vec![
        format!("{sign} {}", colour.paint("1", &short(&check.title))),
        format!("  {} [{}] {}", check.id, fail.reason, words.plays(&group.checks())),
        format!("  {}", short(&words.line(&fail.message))),
        format!("  {}", short(&words.blame(fail).1)),
    ];
    lines.extend(expected_and_actual(words, fail));
    let mut field = |key: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("  {}: {value}", words.label(key)));
        }
    };
    field("field.deviation", &check.deviation.as_deref().map(short).unwrap_or_default());
    field("field.requirements", &requirements(check));
    let evidence: Vec<_> = fail.evidence.iter().take(6).map(ToString::to_string).collect();
    let transcript = check.transcript.as_deref().map(short).unwrap_or_default();
    match (evidence.is_empty(), transcript.is_empty()) {
        (false, false) => {
            let ids = evidence.join(", ");
            field("field.look-at", &words.say("exchanges-in", &[("ids", &ids), ("file", &transcript)]));
        }
        _ => field("field.look-at", &transcript),
    }
    field("field.again", &words.replay_command(check));
    lines
}

/// The beginning of the difference.
fn expected_and_actual(words: Words<'_>, fail: &Fail) -> Vec<String> {
    if fail.expected.is_none() && fail.actual.is_none() {
        return vec![];
    }
    let mut lines = vec![format!("    {}   {}", words.label("diff.expected"), words.label("diff.actual"))];
    let difference = difference(words, fail);
    let cut = |line: &String| line.chars().take(SENTENCE).collect::<String>();
    lines.extend(difference.iter().take(DIFFERENCE).map(|line| format!("    {}", cut(line))));
    if difference.len() > DIFFERENCE {
        lines.push("      ⋯".to_owned());
    }
    lines
}

/// The requirement ids with their sections.
pub(crate) fn requirements(check: &CheckResult) -> String {
    let list = |items: &[String]| short(&items.join(", "));
    match (check.requirements.is_empty(), check.spec.is_empty()) {
        (true, _) => list(&check.spec),
        (false, true) => list(&check.requirements),
        (false, false) => format!("{} ({})", list(&check.requirements), list(&check.spec)),
    }
}

/// One line of limited length.
fn short(text: &str) -> String {
    let line = safe_line(text);
    if line.chars().count() <= SENTENCE {
        return line;
    }
    line.chars().take(SENTENCE).chain(['…']).collect()
}
