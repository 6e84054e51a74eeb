//! `samklang run`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use samklang_deploy::{Cast, Deployer, target::Target, vendor::VendorShelf};
use samklang_reports::{Colour, Reports, transcripts_in, write_all};
use samklang_runner::{
    judging::expectation::forced_update,
    run,
    run::evidence::write_whole,
    run::order::RunOrder,
    run::progress::{Observer, RunEvent},
    schedule::plan::Selection,
    suite::{Suite, project_root},
};
use samklang_verdict::{Catalogue, Problem, ResultFile, Role, exit, message};
use tokio::sync::watch;

use super::{
    CommandResult,
    args::{PlayOptions, RunArgs},
    interrupt::Interrupts,
    progress::ProgressPrinter,
    target,
};
use crate::setting::{self, Deploy, Deployment};

/// The vendor when none is named: the homeserver inside this program.
pub(super) const OUR_OWN: &str = "reference";

/// The folder for the output folders of runs, unless another is named.
pub(super) const OUT: &str = "samklang-out";

/// How a run ended.
pub(super) struct EndedRun {
    /// The exit code of its result.
    pub(super) code: u8,
    /// The folder of its files; none when the run was cut short.
    pub(super) output: Option<PathBuf>,
}

/// Plays the run that `args` describes, and returns the exit code of its result.
pub(super) fn run(args: &RunArgs) -> CommandResult {
    play_out(args).map(|ended| ended.code)
}

/// Plays the run that `args` describes.
pub(super) fn play_out(args: &RunArgs) -> Result<EndedRun, Problem> {
    let options = &args.options;
    let (suite, shelf) = ground(&options.play)?;
    let target = options.target.find(&today())?;
    let (vendor, other) = (args.vendor.as_deref(), options.vs.as_deref());
    let casts = match &target {
        Some(target) => target::casts(&shelf, target, vendor, other)?,
        None => {
            let vendor = vendor.or(options.image.is_none().then_some(OUR_OWN));
            let casts = setting::casts(&shelf, vendor, other, options.image.as_deref())?;
            setting::upgraded(casts, options.upgrade_to.as_deref())?
        }
    };
    let planned = PlannedRun {
        suite,
        casts,
        subjects: setting::subjects(other.is_none() && target.is_none()),
        target,
        label: None,
        selection: selection(&args.scenarios, &options.play),
        seed: options.play.seed.unwrap_or_else(|| fastrand::u64(1..1_000_000_000)),
        output: options.play.output.clone(),
        options: &options.play,
    };
    planned.play()
}

/// The current date, `YYYY-MM-DD`, to compare with expiry dates.
fn today() -> String {
    jiff::Zoned::now().date().to_string()
}

/// The suite, and the shelf of vendors.
///
/// # Errors
/// When one of them cannot be read, or the environment would let answers pass that differ from their expectation.
pub(super) fn ground(options: &PlayOptions) -> Result<(Suite, VendorShelf), Problem> {
    if let Some(forced) = forced_update() {
        return Err(Problem::configuration(message!("run.forced-update", setting = forced)));
    }
    let root = project_root(samklang_suites::BUILT_FROM)?;
    let mut suite = samklang_suites::suite(&root)?;
    if options.no_proposals {
        suite.expectations = suite.expectations.without_proposals();
    }
    Ok((suite, setting::shelf(&root, &options.vendors)))
}

/// The selected part of the suite.
pub(super) fn selection(scenarios: &[String], options: &PlayOptions) -> Selection {
    Selection {
        terms: scenarios.to_vec(),
        room_versions: options.room_versions.clone(),
        hosts: options.host.into_iter().collect(),
    }
}

/// One constellation and the selection that it plays.
pub(super) struct PlannedRun<'a> {
    pub(super) suite: Suite,
    pub(super) casts: Vec<Cast>,
    pub(super) subjects: Vec<Role>,
    /// The server that runs already and takes part, if there is one.
    pub(super) target: Option<Target>,
    /// The prefix of its progress lines, when several runs print.
    pub(super) label: Option<String>,
    pub(super) selection: Selection,
    pub(super) seed: u64,
    /// The folder for its files; none for a new one below `samklang-out`.
    pub(super) output: Option<PathBuf>,
    pub(super) options: &'a PlayOptions,
}

impl PlannedRun<'_> {
    /// Plays it on a runtime of its own.
    ///
    /// # Errors
    /// When the run cannot be planned, or its output cannot be written.
    pub(super) fn play(self) -> Result<EndedRun, Problem> {
        setting::runtime(&self.casts)?.block_on(run_async(self))
    }
}

async fn run_async(planned: PlannedRun<'_>) -> Result<EndedRun, Problem> {
    let PlannedRun { suite, casts, subjects, target, label, selection, seed, output, options } = planned;
    let deviations = setting::deviations(&suite, &casts)?;
    // From here on a run has things to tidy up, so Ctrl-C must not just end the process.
    let interrupts =
        Interrupts::listen().map_err(|error| Problem::harness(message!("run.no-signals", error = error)))?;
    // Such a server has few users, and each of them can take part in one play at a time only.
    let side_by_side = if target.is_some() { 1 } else { usize::from(options.jobs) };
    let deployment = match target {
        Some(target) => Deployment::around(target),
        None => Deployment::choose(&casts, options.deploy.unwrap_or(Deploy::Auto), options.direct).await?,
    };
    let swept = &deployment.swept;
    if !swept.is_empty() {
        eprintln!(
            "{}",
            Catalogue::english().render(&message!("sweep.at-start", runs = swept.runs.len())).in_one_line()
        );
    }
    let id = deployment.id.clone();
    let output = output.unwrap_or_else(|| run::default_output(Path::new(OUT), &id));
    let order = RunOrder {
        id,
        casts,
        subjects,
        selection,
        direct: options.direct,
        side_by_side,
        seed,
        output,
        deployer_line: deployment.line.clone(),
        deviations,
        today: today(),
    };
    tracing::info!(run = order.id, output = %order.output.display(), seed = order.seed, "run begins");
    let printer = ProgressPrinter::new(options.format).called(label);
    let ended = play(&order, Arc::new(suite), &deployment.deployer, &printer, interrupts).await;
    tracing::info!(run = order.id, "run ended");
    let closed = deployment.close();
    let code = match ended? {
        Some(result) => tell(&order, &result, &printer),
        None => {
            eprintln!("{}", Catalogue::english().render(&message!("run.cut-short")).in_one_line());
            return closed.map(|()| EndedRun { code: exit::NOT_PROVEN, output: None });
        }
    };
    closed?;
    code.map(|code| EndedRun { code, output: Some(order.output) })
}

/// Plays until the end, or until somebody interrupts twice: then there is no result.
async fn play(
    order: &RunOrder,
    suite: Arc<Suite>,
    deployer: &Arc<dyn Deployer>,
    printer: &ProgressPrinter,
    interrupts: Interrupts,
) -> Result<Option<ResultFile>, Problem> {
    let (stop, stopping) = watch::channel(false);
    let say = || eprintln!("\n{}", Catalogue::english().render(&message!("cli.interrupted")).in_one_line());
    let ended = tokio::select! {
        ended = run::run(order, suite, deployer, printer, stopping) => Some(ended),
        () = interrupts.watch(stop, say) => None,
    };
    match ended {
        Some(ended) => ended.map(Some),
        None => deployer.clear_at_once().await.map(|()| None),
    }
}

/// Writes the result and its reports, and prints the closing lines.
fn tell(order: &RunOrder, result: &ResultFile, printer: &ProgressPrinter) -> CommandResult {
    let transcripts = transcripts_in(&order.output);
    let reports = Reports::new(result, &transcripts, Catalogue::english());
    let written = write_result(&order.output, result).and_then(|()| write_all(&order.output, &reports));
    let code = match &written {
        Ok(_) => result.exit_code,
        Err(problem) => exit::worst([result.exit_code, problem.exit_code()]),
    };
    printer.hear(&RunEvent::Ended { outcome: result.outcome, counts: result.counts, exit_code: code });
    if !printer.is_json() {
        print!("{}", reports.closing(colour()));
    }
    match written {
        Ok(_) => {
            if !printer.is_json() {
                let report = order.output.join("report.html");
                println!(
                    "{}",
                    Catalogue::english().render(&message!("run.report-at", path = report.display())).what
                );
            }
            Ok(code)
        }
        Err(problem) => {
            super::complain(&problem);
            Ok(code)
        }
    }
}

/// Writes `result.json` beside its evidence.
pub(super) fn write_result(output: &Path, result: &ResultFile) -> Result<(), Problem> {
    let bytes =
        result.to_bytes().map_err(|error| Problem::harness(message!("run.no-result", error = error)))?;
    write_whole(&output.join("result.json"), &bytes)
}

/// Colour on a terminal, unless `NO_COLOR` is set.
pub(super) fn colour() -> Colour {
    use std::io::IsTerminal;
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wanted && std::io::stdout().is_terminal() { Colour::Ansi } else { Colour::Never }
}
