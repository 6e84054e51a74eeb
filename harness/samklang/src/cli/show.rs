//! `samklang show`.

use samklang_matrix::Event;
use samklang_reports::{Recording, Reports, transcripts_in};
use samklang_verdict::{Catalogue, CheckResult, ExchangeId, Message, Problem, Verdict, message};
use serde_json::Value;

use super::{
    CommandResult,
    args::ShowArgs,
    play::colour,
    print,
    record::{PlayQuery, RecordQuery, RecordedPlay, RecordedRun, exchange_id},
};

/// Shows what `args` names: a play as a sequence of exchanges, or one exchange in full.
pub(super) fn show(args: &ShowArgs) -> CommandResult {
    let record = RecordedRun::open(args.run.as_deref())?;
    let wanted = match RecordQuery::parse(&args.id) {
        RecordQuery::Exchange(id) => return one(&record, id, None, args.full),
        RecordQuery::Plays(wanted) => PlayQuery {
            room_version: args.room_version.clone().or(wanted.room_version),
            host: args.host.or(wanted.host),
            ..wanted
        },
    };
    let plays = record.plays(&wanted)?;
    let Some(first) = plays.first() else { return print("") };
    match &args.exchange {
        Some(text) => {
            let id = exchange_id(text)
                .ok_or_else(|| Problem::configuration(message!("record.no-number", text = text)))?;
            one(&record, id, Some(first), args.full)
        }
        None => {
            print(&sequence(&record, first, wanted.id.contains('/'), args.full)?)?;
            print(&others(&plays))
        }
    }
}

fn one(record: &RecordedRun, id: ExchangeId, played: Option<&RecordedPlay<'_>>, full: bool) -> CommandResult {
    let (path, exchange) = record.exchange(id, played)?;
    let transcripts = transcripts_in(&record.folder);
    let reports = Reports::new(&record.result, &transcripts, Catalogue::english());
    let place = say(&message!("show.lies", path = record.folder.join(path).display()));
    print(&format!("{}\n{place}\n", reports.in_full(&exchange, full, colour())))
}

/// The recorded exchanges of `played`, and the path of its transcript. With `asked` all its checks are shown, otherwise
/// only those that did not pass.
pub(super) fn sequence(
    record: &RecordedRun,
    played: &RecordedPlay<'_>,
    asked: bool,
    full: bool,
) -> Result<String, Problem> {
    let (path, exchanges) = record.transcript(played)?;
    let is_shown = |check: &&CheckResult| {
        asked || !matches!(check.verdict, Verdict::Pass { .. } | Verdict::NotApplicable { .. })
    };
    let checks: Vec<_> = played.checks.iter().copied().filter(is_shown).collect();
    let transcripts = transcripts_in(&record.folder);
    let reports = Reports::new(&record.result, &transcripts, Catalogue::english());
    let recording = Recording {
        trial: &played.trial(),
        room_version: &played.play.room_version,
        checks: &checks,
        exchanges: &exchanges,
        event_ids: &event_id,
        full,
    };
    let text = reports.sequence(&recording, colour());
    let place = say(&message!("show.lies", path = record.folder.join(path).display()));
    let telling = checks.iter().find_map(|check| check.verdict.evidence().first().copied());
    let next = telling.or(exchanges.first().map(|exchange| exchange.id)).map(|id| {
        let folder = record.folder.display();
        say(&message!(
            "show.closer",
            command = format!("show {id} --run {folder}"),
            again = format!("curl {id} --run {folder}")
        ))
    });
    Ok(format!("{text}\n{place}\n{}\n", next.unwrap_or_default()))
}

/// The id of an event, if `pdu` is a valid event of that room version.
fn event_id(pdu: &Value, room_version: &str) -> Option<String> {
    Event::parse(pdu, room_version).ok().map(|event| event.id().to_owned())
}

/// The names of the other plays that were asked for, the failed ones first.
fn others(plays: &[RecordedPlay<'_>]) -> String {
    let Some(others) = plays.get(1..).filter(|others| !others.is_empty()) else { return String::new() };
    let name =
        |played: &RecordedPlay<'_>| format!("{} {}", if played.failed() { '✗' } else { ' ' }, played.trial());
    let names: Vec<_> = others.iter().map(name).collect();
    format!("{}\n  {}\n", say(&message!("show.others")), names.join("\n  "))
}

fn say(message: &Message) -> String {
    Catalogue::english().render(message).in_one_line()
}
