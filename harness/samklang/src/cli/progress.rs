//! The progress of a run on the standard output: a moving line on a terminal, a line for each event, or JSON lines.

use std::{
    io::{IsTerminal, Write},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use samklang_runner::run::progress::{Observer, RunEvent};
use samklang_verdict::{Catalogue, Message, message};

use super::args::ProgressFormat;

/// Prints the events of a run to the standard output.
pub(super) struct ProgressPrinter {
    style: PrinterStyle,
    /// The prefix of each line.
    label: Option<String>,
    count: Mutex<ProgressCount>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PrinterStyle {
    Moving,
    Lines,
    Json,
}

struct ProgressCount {
    since: Instant,
    planned: usize,
    played: usize,
    failed: u64,
    unproven: u64,
}

impl ProgressPrinter {
    /// Prints in this format. `Auto` prints a moving line if the standard output is a terminal.
    pub(super) fn new(format: ProgressFormat) -> Self {
        let style = match format {
            ProgressFormat::Jsonl => PrinterStyle::Json,
            ProgressFormat::Auto if std::io::stdout().is_terminal() => PrinterStyle::Moving,
            ProgressFormat::Auto | ProgressFormat::Plain => PrinterStyle::Lines,
        };
        let count = ProgressCount { since: Instant::now(), planned: 0, played: 0, failed: 0, unproven: 0 };
        Self { style, label: None, count: Mutex::new(count) }
    }

    /// Puts `label` before each line, and into JSON objects as their pair. Then no line moves, since several runs print.
    pub(super) fn called(mut self, label: Option<String>) -> Self {
        if label.is_some() && self.style == PrinterStyle::Moving {
            self.style = PrinterStyle::Lines;
        }
        Self { label, ..self }
    }

    /// Whether every line on the standard output has to be JSON.
    pub(super) fn is_json(&self) -> bool {
        self.style == PrinterStyle::Json
    }

    fn count(&self) -> MutexGuard<'_, ProgressCount> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints a line that stays.
    fn line(&self, text: &str) {
        let clear = if self.style == PrinterStyle::Moving { "\r\u{1b}[2K" } else { "" };
        let label = self.label.as_ref().map(|label| format!("{label}: ")).unwrap_or_default();
        let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        // A reader that has gone away does not stop a run.
        let _ = writeln!(std::io::stdout(), "{clear}{label}{plain}");
    }

    /// Prints the moving line anew.
    fn moving(&self, text: &str) {
        if self.style == PrinterStyle::Moving {
            let mut out = std::io::stdout();
            let plain: String =
                text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(110).collect();
            let _ = write!(out, "\r\u{1b}[2K{plain}").and_then(|()| out.flush());
        }
    }

    fn played(&self, trial: &str, troubles: &[String], counts: samklang_verdict::Counts, took_ms: u64) {
        let mut count = self.count();
        count.played += 1;
        count.failed += counts.fail;
        count.unproven += counts.inconclusive + counts.error + counts.not_run + counts.flaky;
        if self.style == PrinterStyle::Lines || !troubles.is_empty() {
            let word = Catalogue::english().label(match troubles {
                [] if counts.deviation > 0 => "progress.recorded",
                [] => "progress.ok",
                _ => "progress.trouble",
            });
            let (played, planned) = (count.played, count.planned);
            self.line(&format!("[{played:>3}/{planned}] {word:<9}{trial} {took_ms} ms"));
            for trouble in troubles {
                self.line(&format!("            {trouble}"));
            }
        }
        self.moving(&count.moving());
    }
}

fn say(message: &Message) -> String {
    Catalogue::english().render(message).in_one_line()
}

/// Writes an event to the log. `pair` is the pair that it is about, when several play at a time.
fn log(event: &RunEvent, pair: Option<&str>) {
    match event {
        RunEvent::Pair { a, b, there: false, .. } => tracing::info!(a, b, "pair begins"),
        RunEvent::Pair { a, b, there: true, .. } => tracing::info!(a, b, "pair has a whole result"),
        RunEvent::Begun { deployer, .. } => tracing::info!(pair, deployer, "stage comes up"),
        RunEvent::Preparing { line } => tracing::debug!(pair, line, "preparing"),
        RunEvent::StageUp { took_ms, .. } => tracing::info!(pair, took_ms, "stage is up"),
        RunEvent::Planned { trials, set_aside, .. } => tracing::info!(pair, trials, set_aside, "plays begin"),
        RunEvent::Played { trial, counts, took_ms, .. } => {
            tracing::info!(pair, trial, failed = counts.fail, took_ms, "play ended");
        }
        RunEvent::Again { trial } => tracing::info!(pair, trial, "play again, alone"),
        RunEvent::Trouble { problem } => tracing::error!(pair, %problem, "trouble"),
        RunEvent::Ended { exit_code, .. } => tracing::info!(pair, exit_code, "result is written"),
    }
}

impl ProgressCount {
    /// `[ 37/180] 2 fail  eta 0:40`
    fn moving(&self) -> String {
        let spent = self.since.elapsed().as_secs();
        let left = self.planned.saturating_sub(self.played) as u64;
        let eta = spent.saturating_mul(left).checked_div(self.played as u64).unwrap_or(0);
        let place = format!("{:>3}/{}", self.played, self.planned);
        let left = format!("{}:{:02}", eta / 60, eta % 60);
        if self.unproven > 0 {
            let (failed, unproven) = (self.failed, self.unproven);
            say(&message!(
                "progress.moving-unproven",
                place = place,
                failed = failed,
                unproven = unproven,
                left = left
            ))
        } else {
            say(&message!("progress.moving", place = place, failed = self.failed, left = left))
        }
    }
}

impl Observer for ProgressPrinter {
    fn hear(&self, event: &RunEvent) {
        log(event, self.label.as_deref());
        if self.style == PrinterStyle::Json {
            if let Ok(mut json) = serde_json::to_value(event) {
                if let Some(label) = &self.label {
                    json["pair"] = label.as_str().into();
                }
                let _ = writeln!(std::io::stdout(), "{json}");
            }
            return;
        }
        match event {
            RunEvent::Pair { a, b, place, of, there } => {
                let text = if *there {
                    message!("matrix.pair-there", place = place, of = of, a = a, b = b)
                } else {
                    message!("matrix.pair", place = place, of = of, a = a, b = b)
                };
                self.count().played = 0;
                self.line(&say(&text));
            }
            RunEvent::Begun { run, deployer } => {
                self.line(&say(&message!("progress.begun", run = run, deployer = deployer)));
            }
            RunEvent::Preparing { line } if self.style == PrinterStyle::Moving => self.moving(line),
            RunEvent::Preparing { line } => self.line(line),
            RunEvent::StageUp { servers, took_ms } => {
                let servers = servers.join(", ");
                self.line(&say(&message!("progress.stage-up", ms = took_ms, servers = servers)));
            }
            RunEvent::Planned { trials, set_aside, judges_traffic } => {
                let mut count = self.count();
                count.planned = *trials;
                count.since = Instant::now();
                self.line(&say(&message!("progress.planned", trials = trials, aside = set_aside)));
                if !judges_traffic {
                    self.line(&say(&message!("progress.traffic-not-judged")));
                }
            }
            RunEvent::Played { trial, counts, troubles, took_ms } => {
                self.played(trial, troubles, *counts, *took_ms);
            }
            RunEvent::Again { trial } => self.line(&say(&message!("progress.again", trial = trial))),
            RunEvent::Trouble { problem } => {
                let text = Catalogue::english().render(&problem.message);
                self.line(&text.in_one_line());
                for line in &problem.detail {
                    self.line(&format!("  | {line}"));
                }
            }
            RunEvent::Ended { .. } => self.moving(""),
        }
    }
}
