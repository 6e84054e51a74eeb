//! `samklang show`.

use samklang_matrix::Event;
use samklang_reports::{Recording, Reports, transcripts_in};
use samklang_verdict::{Catalogue, CheckResult, ExchangeId, Message, Problem, Verdict, message};
use serde_json::Value;

use super::{
    Done,
    args::ShowArgs,
    play::colour,
    print,
    record::{Asked, Played, Record, Wanted, exchange_id},
};

/// Shows what `args` names: a play as a sequence, or one exchange in full.
pub(super) fn show(args: &ShowArgs) -> Done {
    let record = Record::open(args.run.as_deref())?;
    let wanted = match Asked::parse(&args.id) {
        Asked::Exchange(id) => return one(&record, id, None, args.full),
        Asked::Plays(wanted) => Wanted {
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

fn one(record: &Record, id: ExchangeId, played: Option<&Played<'_>>, full: bool) -> Done {
    let (path, exchange) = record.exchange(id, played)?;
    let transcripts = transcripts_in(&record.folder);
    let reports = Reports::new(&record.result, &transcripts, Catalogue::english());
    let place = say(&message!("show.lies", path = record.folder.join(path).display()));
    print(&format!("{}\n{place}\n", reports.in_full(&exchange, full, colour())))
}

/// What was recorded of `played`, and where it lies. `asked` says that its checks were asked for, else those are told that
/// did not pass.
pub(super) fn sequence(
    record: &Record,
    played: &Played<'_>,
    asked: bool,
    full: bool,
) -> Result<String, Problem> {
    let (path, exchanges) = record.transcript(played)?;
    let told = |check: &&CheckResult| {
        asked || !matches!(check.verdict, Verdict::Pass { .. } | Verdict::NotApplicable { .. })
    };
    let checks: Vec<_> = played.checks.iter().copied().filter(told).collect();
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

/// An event's id, where it is an event of that room version.
fn event_id(pdu: &Value, room_version: &str) -> Option<String> {
    Event::parse(pdu, room_version).ok().map(|event| event.id().to_owned())
}

/// The other plays that were asked for, the failed ones first.
fn others(plays: &[Played<'_>]) -> String {
    let Some(others) = plays.get(1..).filter(|others| !others.is_empty()) else { return String::new() };
    let name =
        |played: &Played<'_>| format!("{} {}", if played.failed() { '✗' } else { ' ' }, played.trial());
    let names: Vec<_> = others.iter().map(name).collect();
    format!("{}\n  {}\n", say(&message!("show.others")), names.join("\n  "))
}

fn say(message: &Message) -> String {
    Catalogue::english().render(message).in_one_line()
}
