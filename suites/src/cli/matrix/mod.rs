//! `samklang matrix`. Exit codes: the worst of the pairs' own, and 2 where a pair has no result.

pub(super) mod folder;
mod merge;

use std::{fs, path::Path};

use samklang_reports::MatrixReport;
use samklang_runner::{
    event::{Event, Observer},
    run::{SAMKLANG, default_output},
};
use samklang_stage::{
    housekeeping::run_id,
    vendor::{Vendor, VendorShelf},
};
use samklang_verdict::{Catalogue, Met, Problem, ResultFile, Role, Termination, Terms, exit, message, pairs};

use self::folder::{Folder, PAGE};
pub(super) use self::merge::merge;
use super::{
    Done,
    args::MatrixArgs,
    play::{self, Bout, OUT, colour},
    print,
    progress::Teller,
    report,
};
use crate::setting;

/// The seed where none is named: shards that know nothing of each other have to agree.
const SEED: u64 = 1;

/// Plays every pair of vendors that has no result yet, one stage at a time, and writes what they show together. What there
/// is stands in `matrix.json` after each pair.
pub(super) fn matrix(args: &MatrixArgs) -> Done {
    let (suite, shelf) = play::ground(&args.play)?;
    let vendors = vendors(&shelf, &args.names)?;
    let selection = play::selection(&args.scenarios, &args.play);
    let terms = Terms {
        suite: suite.info()?,
        selection: selection.in_words(),
        direct: args.play.direct,
        samklang: SAMKLANG.to_owned(),
    };
    // What cannot be read is told before hours of play.
    let previous = args.previous.as_deref().map(Folder::open).transpose()?;
    let output = match args.resume.as_ref().or(args.play.output.as_ref()) {
        Some(output) => output.clone(),
        None => default_output(Path::new(OUT), &run_id()),
    };
    if args.resume.is_none() {
        Folder::refuse_present(&output)?;
    }
    let shard = args.shard.map(|shard| shard.to_string());
    let mine = |place: usize| args.shard.is_none_or(|shard| place % shard.of == shard.index);
    let all: Vec<_> = pairs(&vendors).into_iter().enumerate().filter(|(place, _)| mine(*place)).collect();
    if all.is_empty() {
        return Err(Problem::configuration(message!("matrix.empty-shard", vendors = vendors.len())));
    }
    let teller = Teller::new(args.play.format);
    let there = |a: &str, b: &str| whole(&output.join(Met::folder(a, b)), a, b, &terms);
    let (mut met, mut left) = (Vec::new(), Vec::new());
    for (place, (_, [a, b])) in all.iter().enumerate() {
        let pair = |there| Event::Pair { a: a.clone(), b: b.clone(), place: place + 1, of: all.len(), there };
        match there(a, b).filter(|_| args.resume.is_some()) {
            Some(result) => {
                teller.hear(&pair(true));
                met.push(Met { a: a.clone(), b: b.clone(), result });
            }
            None => left.push((a, b, pair(false))),
        }
    }
    for (a, b, event) in left {
        teller.hear(&event);
        let path = output.join(Met::folder(a, b));
        clear(&path)?;
        let bout = Bout {
            suite: suite.clone(),
            casts: setting::casts(&shelf, Some(a), Some(b), None)?,
            subjects: vec![Role::A, Role::B],
            selection: selection.clone(),
            seed: args.play.seed.unwrap_or(SEED),
            output: Some(path.clone()),
            options: &args.play,
        };
        if bout.play()?.output.is_none() {
            return Ok(exit::NOT_PROVEN);
        }
        let result = report::read(&path.join(folder::RESULT))?;
        let stopped = result.run.termination == Termination::Interrupted;
        met.push(Met { a: a.clone(), b: b.clone(), result });
        Folder::write(&output, vendors.clone(), shard.clone(), &met)?;
        if stopped {
            break;
        }
    }
    let whole = Folder::write(&output, vendors, shard, &met)?;
    tell(&whole, previous.as_ref(), teller.is_json())
}

/// Each vendor as `name@version`, known and named once.
fn vendors(shelf: &VendorShelf, specs: &[String]) -> Result<Vec<String>, Problem> {
    let mut vendors: Vec<String> = Vec::new();
    for spec in specs {
        let (name, version) = Vendor::parse_spec(spec);
        let vendor = shelf.load(name)?;
        let label = format!("{}@{}", vendor.name, vendor.version(version)?);
        if vendors.contains(&label) {
            return Err(Problem::configuration(message!("matrix.twice", vendor = label)));
        }
        vendors.push(label);
    }
    Ok(vendors)
}

/// The result in a pair's folder, if it is whole: of these vendors on these terms, played to its end, with its evidence.
fn whole(folder: &Path, a: &str, b: &str, terms: &Terms) -> Option<ResultFile> {
    let result = report::read(&folder.join(folder::RESULT)).ok()?;
    let cast = |role: Role| {
        let participant = result.participants.iter().find(|participant| participant.role == role)?;
        Some(format!("{}@{}", participant.vendor, participant.version))
    };
    let evidence = || {
        let there = |path: &str| fs::metadata(folder.join(path)).map(|file| file.len()).ok();
        result.evidence.iter().all(|file| there(&file.path) == Some(file.bytes))
    };
    let is = result.run.termination == Termination::Complete
        && Terms::of(&result) == *terms
        && cast(Role::A).as_deref() == Some(a)
        && cast(Role::B).as_deref() == Some(b)
        && result.digest == result.digest_of()
        && evidence();
    is.then_some(result)
}

/// Removes what a pair that was played half has left: its files would be taken for those of the next play.
fn clear(folder: &Path) -> Result<(), Problem> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let text = message!("output.not-writable", path = folder.display(), error = error);
            Err(Problem::configuration(text))
        }
        _ => Ok(()),
    }
}

/// Writes the page and says what the matrix comes to.
pub(super) fn tell(matrix: &Folder, previous: Option<&Folder>, quiet: bool) -> Done {
    let report = MatrixReport::new(&matrix.file, &matrix.met, Catalogue::english());
    let changes = previous.map(|previous| samklang_verdict::changes(&previous.sides(), &matrix.sides()));
    let report = report.since(changes.as_deref());
    let page = matrix.path.join(PAGE);
    samklang_reports::write_page(&page, &report.html())?;
    if !quiet {
        print(&report.closing(colour()))?;
        print(&format!(
            "{}\n",
            Catalogue::english().render(&message!("run.report-at", path = page.display())).what
        ))?;
    }
    Ok(matrix.file.exit_code)
}
