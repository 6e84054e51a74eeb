//! `samklang matrix`. Exit codes: the worst of the pairs' own, and 2 where a pair has no result.

pub(super) mod folder;
mod merge;
mod pool;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use samklang_reports::MatrixReport;
use samklang_runner::{
    event::{Event, Observer},
    plan::{Selection, select},
    run::{SAMKLANG, default_output},
    suite::Suite,
};
use samklang_stage::{
    housekeeping::run_id,
    vendor::{Vendor, VendorShelf},
};
use samklang_verdict::{
    Catalogue, MatrixFile, Met, Problem, ResultFile, Role, Termination, Terms, exit, message, pairs,
};

use self::folder::{Folder, PAGE, RESULT};
pub(super) use self::merge::merge;
use self::pool::{Left, Pool};
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

/// Plays every pair of vendors that has no result yet, as many at a time as this machine bears, and writes what they show
/// together. What there is stands in `matrix.json` after each pair.
pub(super) fn matrix(args: &MatrixArgs) -> Done {
    let matrix = Matrix::prepare(args)?;
    // What cannot be read is told before hours of play.
    let previous = args.previous.as_deref().map(Folder::open).transpose()?;
    let teller = Teller::new(args.play.format);
    let pairs = matrix.pairs()?;
    let (mut met, mut left) = (BTreeMap::new(), Vec::new());
    for (place, [a, b]) in pairs.iter().enumerate() {
        let found = matrix.whole(a, b).filter(|_| args.resume.is_some());
        let (a, b) = (a.clone(), b.clone());
        let event = Event::Pair {
            a: a.clone(),
            b: b.clone(),
            place: place + 1,
            of: pairs.len(),
            there: found.is_some(),
        };
        match found {
            Some(result) => {
                teller.hear(&event);
                met.insert(place, Met { a, b, result });
            }
            None => left.push(Left { place, a, b, event }),
        }
    }
    let at_once = matrix.at_once(&left)?;
    let pool = Pool::new(left, met);
    let Some(met) = pool.play(at_once, &matrix, &teller)? else { return Ok(exit::NOT_PROVEN) };
    let file = matrix.write(&met)?;
    tell(&Folder { path: matrix.output, file, met }, previous.as_ref(), teller.is_json())
}

/// A matrix that is to be played.
struct Matrix<'a> {
    args: &'a MatrixArgs,
    suite: Suite,
    shelf: VendorShelf,
    vendors: Vec<String>,
    selection: Selection,
    /// What a result has to be of to be one of this matrix.
    terms: Terms,
    output: PathBuf,
}

impl<'a> Matrix<'a> {
    /// Reads all that is needed before a pair is played.
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
        let terms = Terms {
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
            Folder::refuse_present(&output)?;
        }
        Ok(Self { args, suite, shelf, vendors, selection, terms, output })
    }

    /// The pairs that are to be played here.
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
        self.output.join(Met::folder(a, b))
    }

    /// The result of a pair, if there is a whole one: of these vendors on these terms, played to its end, with its evidence.
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
            && Terms::of(&result) == self.terms
            && cast(Role::A).as_deref() == Some(a)
            && cast(Role::B).as_deref() == Some(b)
            && result.digest == result.digest_of()
            && evidence();
        is.then_some(result)
    }

    /// How many pairs are played at a time.
    fn at_once(&self, left: &[Left]) -> Result<usize, Problem> {
        if let Some(wanted) = self.args.at_once {
            return Ok(usize::from(wanted));
        }
        let needs = left.iter().map(|left| {
            let casts = setting::casts(&self.shelf, Some(&left.a), Some(&left.b), None)?;
            Ok::<_, Problem>(casts.iter().map(|cast| u64::from(cast.vendor.memory_mb())).sum())
        });
        let needs: Vec<u64> = needs.collect::<Result<_, _>>()?;
        Ok(pool::bearable(needs.into_iter().max().unwrap_or(0)))
    }

    /// Plays a pair; nothing when it was cut short. Where several are played at a time, `label` says which one a line is of.
    fn play(&self, a: &str, b: &str, label: Option<String>) -> Result<Option<ResultFile>, Problem> {
        let folder = self.folder(a, b);
        clear(&folder)?;
        let bout = Bout {
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
        match bout.play()?.output {
            Some(_) => report::read(&folder.join(RESULT)).map(Some),
            None => Ok(None),
        }
    }

    fn write(&self, met: &[Met]) -> Result<MatrixFile, Problem> {
        let shard = self.args.shard.map(|shard| shard.to_string());
        Folder::write(&self.output, self.vendors.clone(), shard, met)
    }
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
