//! `samklang matrix`. The exit code is the gravest of the pairs' own, and 2 where a pair has no result.

pub(super) mod folder;
mod merge;
mod pool;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use samklang_deploy::{
    housekeeping::run_id,
    vendor::{Vendor, VendorShelf},
};
use samklang_reports::MatrixReport;
use samklang_runner::{
    run::progress::{Observer, RunEvent},
    run::{SAMKLANG, default_output},
    schedule::plan::{Selection, select},
    suite::Suite,
};
use samklang_verdict::{
    Catalogue, CommonTerms, PlayedPair, Problem, ResultFile, Role, Termination, VendorMatrix, exit, message,
    pairs,
};

use self::folder::{MatrixFolder, PAGE, RESULT};
pub(super) use self::merge::merge;
use self::pool::{PairPool, PendingPair};
use super::{
    CommandResult,
    args::MatrixArgs,
    play::{self, OUT, PlannedRun, colour},
    print,
    progress::ProgressPrinter,
    report,
};
use crate::setting;

/// The default seed. It is fixed, since shards on different machines have to use the same one.
const SEED: u64 = 1;

/// Plays every pair of vendors that has no result yet, several at a time if the machine can hold them, and writes the
/// matrix. `matrix.json` is written after each pair.
pub(super) fn matrix(args: &MatrixArgs) -> CommandResult {
    let matrix = MatrixRun::prepare(args)?;
    // An unreadable matrix is reported now, not after hours of play.
    let previous = args.previous.as_deref().map(MatrixFolder::open).transpose()?;
    let printer = ProgressPrinter::new(args.play.format);
    let pairs = matrix.pairs()?;
    let (mut met, mut left) = (BTreeMap::new(), Vec::new());
    for (place, [a, b]) in pairs.iter().enumerate() {
        let found = matrix.whole(a, b).filter(|_| args.resume.is_some());
        let (a, b) = (a.clone(), b.clone());
        let event = RunEvent::Pair {
            a: a.clone(),
            b: b.clone(),
            place: place + 1,
            of: pairs.len(),
            there: found.is_some(),
        };
        match found {
            Some(result) => {
                printer.hear(&event);
                met.insert(place, PlayedPair { a, b, result });
            }
            None => left.push(PendingPair { place, a, b, event }),
        }
    }
    let at_once = matrix.at_once(&left)?;
    let pool = PairPool::new(left, met);
    let Some(met) = pool.play(at_once, &matrix, &printer)? else { return Ok(exit::NOT_PROVEN) };
    let file = matrix.write(&met)?;
    tell(&MatrixFolder { path: matrix.output, file, met }, previous.as_ref(), printer.is_json())
}

/// A matrix to play.
struct MatrixRun<'a> {
    args: &'a MatrixArgs,
    suite: Suite,
    shelf: VendorShelf,
    vendors: Vec<String>,
    selection: Selection,
    /// The terms that a result needs to belong to this matrix.
    terms: CommonTerms,
    output: PathBuf,
}

impl<'a> MatrixRun<'a> {
    /// Reads everything that is needed before a pair is played.
    fn prepare(args: &'a MatrixArgs) -> Result<Self, Problem> {
        let (suite, shelf) = play::ground(&args.play)?;
        let vendors = vendors(&shelf, &args.names)?;
        for vendor in &vendors {
            let casts = setting::casts(&shelf, Some(vendor), None, None)?;
            setting::can_meet(&casts, args.play.direct)?;
            setting::deviations(&suite, &casts)?;
        }
        let selection = play::selection(&args.scenarios, &args.play);
        select(&suite, &selection)?;
        let terms = CommonTerms {
            suite: suite.info()?,
            selection: selection.in_words(),
            direct: args.play.direct,
            samklang: SAMKLANG.to_owned(),
        };
        let output = match args.resume.as_ref().or(args.play.output.as_ref()) {
            Some(output) => output.clone(),
            None => default_output(Path::new(OUT), &run_id()),
        };
        if args.resume.is_none() {
            MatrixFolder::refuse_present(&output)?;
        }
        Ok(Self { args, suite, shelf, vendors, selection, terms, output })
    }

    /// The pairs of this shard.
    fn pairs(&self) -> Result<Vec<[String; 2]>, Problem> {
        let mine = |place: usize| self.args.shard.is_none_or(|shard| place % shard.of == shard.index);
        let all = pairs(&self.vendors).into_iter().enumerate();
        let mine: Vec<_> = all.filter(|(place, _)| mine(*place)).map(|(_, pair)| pair).collect();
        if mine.is_empty() {
            return Err(Problem::configuration(message!("matrix.empty-shard", vendors = self.vendors.len())));
        }
        Ok(mine)
    }

    fn folder(&self, a: &str, b: &str) -> PathBuf {
        self.output.join(PlayedPair::folder(a, b))
    }

    /// The result of a pair, if it is whole: of these vendors, on these terms, played to its end, with its evidence.
    fn whole(&self, a: &str, b: &str) -> Option<ResultFile> {
        let folder = self.folder(a, b);
        let result = report::read(&folder.join(RESULT)).ok()?;
        let cast = |role: Role| {
            let participant = result.participants.iter().find(|participant| participant.role == role)?;
            Some(format!("{}@{}", participant.vendor, participant.version))
        };
        let evidence = || {
            let there = |path: &str| fs::metadata(folder.join(path)).map(|file| file.len()).ok();
            result.evidence.iter().all(|file| there(&file.path) == Some(file.bytes))
        };
        let is = result.run.termination == Termination::Complete
            && CommonTerms::of(&result) == self.terms
            && cast(Role::A).as_deref() == Some(a)
            && cast(Role::B).as_deref() == Some(b)
            && result.digest == result.digest_of()
            && evidence();
        is.then_some(result)
    }

    /// The number of pairs to play at a time.
    fn at_once(&self, left: &[PendingPair]) -> Result<usize, Problem> {
        if let Some(wanted) = self.args.at_once {
            return Ok(usize::from(wanted));
        }
        let needs = left.iter().map(|left| {
            let casts = setting::casts(&self.shelf, Some(&left.a), Some(&left.b), None)?;
            Ok::<_, Problem>(casts.iter().map(|cast| u64::from(cast.vendor.memory_mb())).sum())
        });
        let needs: Vec<u64> = needs.collect::<Result<_, _>>()?;
        Ok(pool::stages_at_once(needs.into_iter().max().unwrap_or(0)))
    }

    /// Plays a pair; `None` when it was cut short. `label` is the prefix of its lines when several pairs print.
    fn play(&self, a: &str, b: &str, label: Option<String>) -> Result<Option<ResultFile>, Problem> {
        let folder = self.folder(a, b);
        clear(&folder)?;
        let planned = PlannedRun {
            target: None,
            label,
            suite: self.suite.clone(),
            casts: setting::casts(&self.shelf, Some(a), Some(b), None)?,
            subjects: vec![Role::A, Role::B],
            selection: self.selection.clone(),
            seed: self.args.play.seed.unwrap_or(SEED),
            output: Some(folder.clone()),
            options: &self.args.play,
        };
        match planned.play()?.output {
            Some(_) => report::read(&folder.join(RESULT)).map(Some),
            None => Ok(None),
        }
    }

    fn write(&self, met: &[PlayedPair]) -> Result<VendorMatrix, Problem> {
        let shard = self.args.shard.map(|shard| shard.to_string());
        MatrixFolder::write(&self.output, self.vendors.clone(), shard, met)
    }
}

/// Each vendor as `name@version`. Each has to be known, and named once.
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

/// Removes the files of a pair that was broken off, so that they are not taken for those of the next play.
fn clear(folder: &Path) -> Result<(), Problem> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let text = message!("output.not-writable", path = folder.display(), error = error);
            Err(Problem::configuration(text))
        }
        _ => Ok(()),
    }
}

/// Writes the report and prints the closing lines.
pub(super) fn tell(matrix: &MatrixFolder, previous: Option<&MatrixFolder>, quiet: bool) -> CommandResult {
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
