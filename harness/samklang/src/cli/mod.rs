//! The commands.

mod args;
mod curl;
mod diff;
mod doctor;
mod explain;
mod interrupt;
mod list;
mod log;
mod matrix;
mod play;
mod probe;
mod progress;
mod record;
mod report;
mod repro;
mod review;
mod selftest;
mod show;
mod target;
mod tidy;

use clap::Parser;
use samklang_verdict::{Catalogue, Problem, exit, message};

use self::args::{Args, Command};

/// The end of every command: an exit code, or the problem that stopped it.
type CommandResult = Result<u8, Problem>;

/// Runs the command of the command line, and returns the exit code.
pub fn main() -> u8 {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let asked_for_help = !error.use_stderr();
            // There is no way left to report that even this cannot be written.
            let _ = error.print();
            return if asked_for_help { exit::AS_EXPECTED } else { exit::USAGE };
        }
    };
    if let Some(level) = args.log {
        log::begin(level);
    }
    let done = match args.command {
        Command::Run(args) => play::run(&args),
        Command::Matrix(args) => matrix::matrix(&args),
        Command::Merge(args) => matrix::merge(&args),
        Command::Diff(args) => diff::diff(&args),
        Command::Show(args) => show::show(&args),
        Command::Repro(args) => repro::repro(*args),
        Command::Curl(args) => curl::curl(&args),
        Command::List(args) => list::list(&args),
        Command::Explain { id } => explain::explain(&id),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Probe(args) => probe::probe(&args),
        Command::Report { result, output, previous } => {
            report::report(&result, output.as_deref(), previous.as_deref())
        }
        Command::Review(args) => review::review(&args),
        Command::Selftest(args) => selftest::selftest(&args),
        Command::Sweep => tidy::sweep_now(),
        Command::Schema { matrix: false } => print(&format!("{:#}\n", samklang_verdict::result_schema())),
        Command::Schema { matrix: true } => print(&format!("{:#}\n", samklang_verdict::matrix_schema())),
    };
    done.unwrap_or_else(|problem| {
        complain(&problem);
        problem.exit_code()
    })
}

/// Writes to the standard output. It is not an error that the reader has closed it.
fn print(text: &str) -> CommandResult {
    use std::io::Write;
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Problem::configuration(message!("cli.no-output", error = error)))
        }
        _ => Ok(exit::AS_EXPECTED),
    }
}

/// A runtime for the commands that need one.
fn runtime() -> Result<tokio::runtime::Runtime, Problem> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::harness(message!("run.no-runtime", error = error)))
}

/// Prints a problem to the standard error: what, why, what next, and the detail lines.
fn complain(problem: &Problem) {
    let catalogue = Catalogue::english();
    let text = catalogue.render(&problem.message);
    let class = serde_json::to_value(problem.class).ok();
    let class = class.as_ref().and_then(|class| class.as_str()).unwrap_or_default();
    eprintln!("samklang: {}", text.what);
    for part in [text.why, text.next].into_iter().flatten() {
        eprintln!("  {part}");
    }
    for line in &problem.detail {
        let plain: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        eprintln!("  | {plain}");
    }
    eprintln!("  ({})", catalogue.label(&format!("class.{class}")));
}
