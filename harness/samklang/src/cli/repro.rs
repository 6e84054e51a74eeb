//! `samklang repro`.

use samklang_deploy::vendor::Vendor;
use samklang_verdict::{Catalogue, Participant, Problem, ResultFile, Role, TARGET, message};

use super::{
    CommandResult,
    args::{ProgressFormat, ReproArgs, RunArgs, RunOptions},
    play::{self, EndedRun},
    print,
    record::{PlayQuery, RecordQuery, RecordedRun},
    show,
};
use crate::setting::Deploy;

/// Plays the scenario of a check again as the last run played it, and shows what was recorded. The exit code is that of
/// the new run.
pub(super) fn repro(args: ReproArgs) -> CommandResult {
    let record = RecordedRun::open(args.run.as_deref())?;
    let RecordQuery::Plays(wanted) = RecordQuery::parse(&args.check) else {
        return Err(Problem::configuration(message!("repro.no-check", text = args.check)));
    };
    let mut options = args.options;
    if record.result.run.deployer == TARGET && options.target.target.is_none() {
        return Err(Problem::configuration(message!("repro.target", check = args.check)));
    }
    let room_version = match options.play.room_versions.as_slice() {
        [] => wanted.room_version,
        [one] => Some(one.clone()),
        _ => return Err(Problem::configuration(message!("repro.one-version"))),
    };
    let host = options.play.host.or(wanted.host);
    // The last run need not have played this room version and host, but it has to have played the scenario.
    let exact = PlayQuery { id: wanted.id.clone(), room_version: room_version.clone(), host };
    let any = PlayQuery { id: wanted.id.clone(), ..PlayQuery::default() };
    let plays = record.plays(&exact).or_else(|_| record.plays(&any))?;
    let Some(played) = plays.first() else { return print("") };
    options.play.room_versions = vec![room_version.unwrap_or_else(|| played.play.room_version.clone())];
    options.play.host = Some(host.unwrap_or(played.play.host));
    let again = PlayQuery {
        id: wanted.id,
        room_version: options.play.room_versions.first().cloned(),
        host: options.play.host,
    };
    let scenario = played.scenario.to_owned();
    let quiet = options.play.format == ProgressFormat::Jsonl;
    let run = as_before(&record.result, args.vendor, scenario, options);
    let EndedRun { code, output } = play::play_out(&run)?;
    if let Some(output) = output.filter(|_| !quiet) {
        let record = RecordedRun::open(Some(&output))?;
        let plays = record.plays(&again)?;
        // A run that could not play has already said why, and its exit code still counts.
        if let Some(Ok(text)) =
            plays.first().map(|played| show::sequence(&record, played, again.id.contains('/'), args.full))
        {
            print(&format!("\n{text}{}", files(&record)))?;
        }
    }
    Ok(code)
}

/// The arguments of a run with the constellation of `result`, except where `options` say otherwise.
fn as_before(
    result: &ResultFile,
    vendor: Option<String>,
    scenario: String,
    mut options: RunOptions,
) -> RunArgs {
    let spec = |participant: &Participant| format!("{}@{}", participant.vendor, participant.version);
    let of = |role: Role| result.participants.iter().find(|participant| participant.role == role);
    let subject = of(Role::A).map(spec).unwrap_or_default();
    // Where a vendor met itself, a new version takes both roles.
    let other = of(Role::B).filter(|other| !other.subject || spec(other) != subject).map(spec);
    options.vs = options.vs.or(other);
    let newer =
        of(Role::A).and_then(|subject| subject.upgrade.as_ref()).map(|upgrade| upgrade.version.clone());
    options.upgrade_to = options.upgrade_to.or(newer.filter(|_| options.image.is_none()));
    options.play.direct |= result.run.direct;
    options.play.seed = options.play.seed.or(Some(result.run.seed));
    options.play.deploy = options.play.deploy.or(match result.run.deployer.as_str() {
        "process" => Some(Deploy::Process),
        "container" => Some(Deploy::Container),
        _ => None,
    });
    // An image or a server without a descriptor has no vendor name.
    let image_alone = options.image.is_some() && subject.starts_with(&format!("{}@", Vendor::IMAGE));
    let server_alone = subject.starts_with(&format!("{}@", Vendor::SERVER));
    let vendor = vendor.or(Some(subject).filter(|_| !image_alone && !server_alone));
    RunArgs { vendor, scenarios: vec![scenario], options }
}

/// The line that names a run's logs and reports.
fn files(record: &RecordedRun) -> String {
    let logs = record.result.participants.iter().filter_map(|participant| participant.log.as_deref());
    let logs: Vec<_> = logs.map(|log| record.folder.join(log).display().to_string()).collect();
    let text = message!("repro.files", folder = record.folder.display(), logs = logs.join(", "));
    Catalogue::english().render(&text).in_one_line() + "\n"
}
