//! `samklang show`: the recorded exchanges of a play, for a terminal.

mod body_events;
mod changes;
mod full;
mod repeats;

use std::collections::BTreeMap;

use samklang_verdict::{Body, CheckResult, Exchange, ExchangeId, Verdict};
use serde_json::Value;

use self::{
    body_events::{BodyEvent, BodyEventKind, short},
    repeats::{Repetition, SeenSoFar},
};
use crate::{
    Colour,
    closing::failure,
    exchange::{is_good, party},
    fails,
    text::{head, safe_line, safe_text},
    words::{ReportMark, Words},
};

pub(crate) use full::in_full;

/// Computes the id of a PDU from the event and the room version; from room version 3 on the id is a hash of the event.
pub type EventIds<'a> = &'a dyn Fn(&Value, &str) -> Option<String>;

/// One play with its recorded exchanges.
#[derive(Clone, Copy)]
pub struct Recording<'a> {
    /// The play's name: `rooms.invite-accepted::v11::host-a`.
    pub trial: &'a str,
    /// The room version of the play.
    pub room_version: &'a str,
    /// The checks whose verdicts are shown first, and whose exchanges are marked.
    pub checks: &'a [&'a CheckResult],
    /// The recorded exchanges, in order.
    pub exchanges: &'a [Exchange],
    /// Computes event ids.
    pub event_ids: EventIds<'a>,
    /// Whether everything is shown in full.
    pub full: bool,
}

/// The maximum number of events listed for one field of a body.
const LISTED: usize = 8;
/// The maximum length of a line, without `--full`.
const LINE: usize = 400;
/// The maximum length of a line with `--full`.
const LONGEST: usize = 64 * 1024;
/// The maximum length of a path, without `--full`.
const PATH: usize = 110;
/// The maximum length of an id, without `--full`; it is enough to search a log.
const ID: usize = 14;

/// Lines for a terminal, each of them made safe.
struct TerminalPage {
    text: String,
    colour: Colour,
    longest: usize,
}

impl TerminalPage {
    fn new(colour: Colour, longest: usize) -> Self {
        Self { text: String::new(), colour, longest }
    }

    /// Adds a line in the colour `code`; nothing in it can act on a terminal.
    fn line(&mut self, code: &str, text: &str) {
        let begun = head(text, self.longest);
        let mut line = safe_text(&begun.replace('\n', " "));
        line.push_str(if begun.len() < text.len() { "…" } else { "" });
        let line = line.trim_end();
        self.text.push_str(&if code.is_empty() { line.to_owned() } else { self.colour.paint(code, line) });
        self.text.push('\n');
    }
}

/// The text for `recording`: verdicts first, then a line for each exchange with the contents of its bodies below it.
pub(crate) fn sequence(words: Words<'_>, recording: &Recording<'_>, colour: Colour) -> String {
    let mut page = TerminalPage::new(colour, if recording.full { LONGEST } else { LINE });
    let mut text = String::new();
    for check in recording.checks {
        text.push_str(&(verdict(words, check, colour).join("\n") + "\n\n"));
    }
    let start = recording.exchanges.first().map_or(0, |exchange| exchange.at_us);
    let (trial, at) = (safe_line(recording.trial), seconds(start));
    let count = recording.exchanges.len() as u64;
    page.line("1", &words.count("show.exchanges", count, &[("trial", &trial), ("at", &at)]));
    let marks = marks(recording.checks);
    let mut seen = SeenSoFar::default();
    for exchange in recording.exchanges {
        let telling = marks.get(&exchange.id).map(|names| names.join(", "));
        summary(words, recording, &mut page, exchange, start, telling.as_deref());
        below(words, recording, &mut page, exchange, &mut seen);
    }
    if words.result.run.direct {
        page.line("", &words.label("wire.unrecorded"));
    }
    text + &page.text
}

/// A check's verdict, in the form of the closing text.
fn verdict(words: Words<'_>, check: &CheckResult, colour: Colour) -> Vec<String> {
    if let Some(group) = fails::groups([check]).first() {
        return failure(words, group, colour);
    }
    let mark = ReportMark::of(check);
    let mut lines = vec![
        format!("{} {}", mark.sign(), colour.paint("1", &short(&check.title, LINE))),
        format!("  {} [{}] {}", check.id, words.mark(mark), words.play(&check.play)),
    ];
    let why = match &check.verdict {
        Verdict::Inconclusive { message, .. }
        | Verdict::NotApplicable { message }
        | Verdict::Error { message, .. }
        | Verdict::NotRun { message } => Some(message),
        Verdict::Pass { .. } | Verdict::Fail(_) => None,
    };
    lines.extend(why.map(|message| format!("  {}", short(&words.line(message), LINE))));
    lines
}

/// The exchanges that are evidence of verdicts, with the names of the checks.
fn marks<'a>(checks: &[&'a CheckResult]) -> BTreeMap<ExchangeId, Vec<&'a str>> {
    let mut marks: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for check in checks {
        for id in check.verdict.evidence() {
            let names = marks.entry(id).or_default();
            if !names.contains(&check.id.name()) {
                names.push(check.id.name());
            }
        }
    }
    marks
}

/// `x17 +1.203 s  A → B  PUT /_matrix/…  200  41 ms`
fn summary(
    words: Words<'_>,
    recording: &Recording<'_>,
    page: &mut TerminalPage,
    exchange: &Exchange,
    start: u64,
    telling: Option<&str>,
) {
    let at = seconds(exchange.at_us.saturating_sub(start));
    let line = one_line(words, exchange, &at, if recording.full { LONGEST } else { PATH });
    let code = match (is_good(exchange), telling) {
        (false, _) => "31",
        (true, Some(_)) => "1",
        (true, None) => "",
    };
    let sign = if telling.is_some() { '►' } else { ' ' };
    let about = telling.map(|checks| format!("  ◄ {checks}")).unwrap_or_default();
    page.line(code, &format!("{sign} {line}{about}"));
}

/// An exchange in one line; `at` is its start in seconds, relative to a start that the caller chooses.
fn one_line(words: Words<'_>, exchange: &Exchange, at: &str, path: usize) -> String {
    let (from, to) = (party(words, &exchange.from), party(words, &exchange.to));
    let who = words.say("wire.line", &[("from", &from), ("to", &to)]);
    let status = exchange.status.map_or_else(|| words.label("wire.no-answer"), |status| status.to_string());
    let id = exchange.id.to_string();
    let (method, path) = (short(&exchange.method, 20), short(&exchange.path, path));
    format!("{id:<7} +{at} s  {who}  {method} {path}  {status}  {:.0} ms", exchange.took_us as f64 / 1e3)
}

fn seconds(us: u64) -> String {
    format!("{:.3}", us as f64 / 1e6)
}

/// Network faults, errors and repetitions of an exchange, and the contents of its bodies.
fn below(
    words: Words<'_>,
    recording: &Recording<'_>,
    page: &mut TerminalPage,
    exchange: &Exchange,
    seen: &mut SeenSoFar,
) {
    for (key, name, reason) in
        [("wire.fault", "fault", &exchange.fault), ("wire.broken", "reason", &exchange.broken)]
    {
        if let Some(reason) = reason {
            page.line("33", &format!("      ! {}", words.say(key, &[(name, &short(reason, 300))])));
        }
    }
    if let Some((first, changed)) = seen.transaction(exchange) {
        let key = if changed.is_none() { "show.retried" } else { "show.retried-changed" };
        page.line("33", &format!("      ! {}", words.say(key, &[("id", &first.to_string())])));
        changed.iter().flatten().for_each(|change| page.line("36", &format!("            {change}")));
    }
    for (sign, body) in [('→', &exchange.request_body), ('←', &exchange.response_body)] {
        match body.json() {
            Some(value) => body_contents(words, recording, page, exchange, (sign, &value), seen),
            None => without_json(words, page, sign, body),
        }
    }
}

fn without_json(words: Words<'_>, page: &mut TerminalPage, sign: char, body: &Body) {
    let Some((length, beginning)) = body_events::without_json(body) else { return };
    let text = match body {
        Body::Bytes { .. } => words.say("show.not-kept", &[("length", &length.to_string())]),
        _ => words.say("show.no-json", &[("length", &length.to_string()), ("beginning", &beginning)]),
    };
    page.line("2", &format!("      {sign} {text}"));
}

fn body_contents(
    words: Words<'_>,
    recording: &Recording<'_>,
    page: &mut TerminalPage,
    exchange: &Exchange,
    (sign, body): (char, &Value),
    seen: &mut SeenSoFar,
) {
    let events = body_events::events(exchange, body);
    for line in body_events::other_contents(exchange, body, !events.is_empty(), sign == '←') {
        page.line("", &format!("      {sign} {line}"));
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for found in &events {
        *counts.entry(&found.place).or_default() += 1;
    }
    let mut listed: BTreeMap<&str, usize> = BTreeMap::new();
    for found in &events {
        let (all, so_far) = (counts[found.place.as_str()], listed.entry(&found.place).or_default());
        *so_far += 1;
        let place = short(&found.place, 80);
        if recording.full || (!found.is_background() && *so_far <= LISTED) {
            event(words, recording, page, exchange.id, (sign, found), seen);
        } else if found.is_background() && *so_far == 1 {
            page.line("", &format!("      {sign} {place}: {all} × {}", found.kind.name()));
        } else if !found.is_background() && *so_far == LISTED + 1 {
            let more = words.count("show.more", (all - LISTED) as u64, &[]);
            page.line("", &format!("      {sign} {place}: {more}"));
        }
    }
}

fn event(
    words: Words<'_>,
    recording: &Recording<'_>,
    page: &mut TerminalPage,
    at: ExchangeId,
    (sign, found): (char, &BodyEvent<'_>),
    seen: &mut SeenSoFar,
) {
    let id = match found.kind {
        BodyEventKind::Pdu => (recording.event_ids)(found.value, recording.room_version),
        BodyEventKind::Event => found.text("event_id").map(str::to_owned),
        BodyEventKind::Template | BodyEventKind::Edu => None,
    };
    let again = seen.event(at, found, id.as_deref());
    let id = id.map(|id| short(&id, if recording.full { 255 } else { ID })).unwrap_or_default();
    let place = match found.place.as_str() {
        "" | "pdus" | "edus" | "event" => String::new(),
        place => format!("{}: ", short(place, 80)),
    };
    let line = format!("      {sign} {place}{} {id}", body_events::describe(found));
    let (key, first, changed) = match again {
        None => return page.line("", &line),
        Some(Repetition::Event(first, changed)) if changed.is_empty() => ("show.as-in", first, changed),
        Some(Repetition::Event(first, changed)) => ("show.as-in-but", first, changed),
        Some(Repetition::Filled(first, changed)) => ("show.filled", first, changed),
    };
    page.line("", &format!("{line}  {}", words.say(key, &[("id", &first.to_string())])));
    changed.iter().for_each(|change| page.line("36", &format!("            {change}")));
}
