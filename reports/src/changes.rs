//! The changes from one result or vendor matrix to another, as text.

use samklang_verdict::{Catalogue, ChangeKind, CheckChange, CheckStanding, Disposition};

use crate::{closing::Colour, text::safe_line, words::Phrases};

/// The maximum number of lines of each kind.
const SHOWN: usize = 200;

/// All kinds, the most urgent ones first.
pub(crate) const KINDS: [ChangeKind; 8] = [
    ChangeKind::NewFail,
    ChangeKind::ReasonChanged,
    ChangeKind::Unjudged,
    ChangeKind::Removed,
    ChangeKind::Recorded,
    ChangeKind::Fixed,
    ChangeKind::Judged,
    ChangeKind::Added,
];

/// The kind's name in message keys.
fn key(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::NewFail => "new-fail",
        ChangeKind::ReasonChanged => "reason-changed",
        ChangeKind::Unjudged => "unjudged",
        ChangeKind::Removed => "removed",
        ChangeKind::Recorded => "recorded",
        ChangeKind::Fixed => "fixed",
        ChangeKind::Judged => "judged",
        ChangeKind::Added => "added",
    }
}

/// Whether changes of this kind are for the worse.
pub(crate) fn is_worse(kind: ChangeKind) -> bool {
    matches!(
        kind,
        ChangeKind::NewFail | ChangeKind::ReasonChanged | ChangeKind::Unjudged | ChangeKind::Removed
    )
}

/// `3 new fails`.
pub(crate) fn heading(phrases: Phrases<'_>, kind: ChangeKind, n: usize) -> String {
    phrases.count(&format!("changes.kind.{}", key(kind)), n as u64, &[])
}

/// One change in a line. It may contain server text.
pub(crate) fn line(phrases: Phrases<'_>, change: &CheckChange) -> String {
    let stood = |stood: &Option<CheckStanding>| match stood {
        None => phrases.label("changes.absent"),
        Some(stood) => {
            let verdict = stood.verdict.replace('_', " ");
            let verdict = match stood.disposition {
                Disposition::Deviation => phrases.say("changes.recorded", &[("verdict", &verdict)]),
                Disposition::Flaky => phrases.label("mark.flaky"),
                _ => verdict,
            };
            stood.reason.iter().fold(verdict, |verdict, reason| format!("{verdict} {reason}"))
        }
    };
    let (old, new) = (stood(&change.old), stood(&change.new));
    let play = phrases.play(&change.play);
    let args = [("check", change.check.as_str()), ("play", &play), ("old", &old), ("new", &new)];
    let text = match &change.pair {
        None => phrases.say("changes.line", &args),
        Some([a, b]) => {
            let pair = [("a", a.as_str()), ("b", b.as_str())];
            phrases.say("changes.line-of-pair", &[pair.as_slice(), args.as_slice()].concat())
        }
    };
    safe_line(&text)
}

/// All changes for a terminal, deteriorations first. Ends with a line feed.
pub fn text(changes: &[CheckChange], catalogue: &Catalogue, colour: Colour) -> String {
    let phrases = Phrases { catalogue };
    if changes.is_empty() {
        return phrases.label("changes.nothing") + "\n";
    }
    let mut lines = Vec::new();
    for kind in KINDS {
        let all: Vec<_> = changes.iter().filter(|change| change.kind == kind).collect();
        if all.is_empty() {
            continue;
        }
        let code = if is_worse(kind) { "1;31" } else { "1" };
        lines.push(colour.paint(code, &heading(phrases, kind, all.len())));
        lines.extend(all.iter().take(SHOWN).map(|change| format!("  {}", line(phrases, change))));
        if all.len() > SHOWN {
            let rest = phrases.count("changes.more", (all.len() - SHOWN) as u64, &[]);
            lines.push(format!("  {rest}"));
        }
    }
    lines.join("\n") + "\n"
}
