//! Turns a result file into reports for people and machines: an HTML page, JUnit, Markdown, texts for a terminal.
//!
//! This crate talks to no server and judges nothing. Every text comes from a [`Catalogue`]. Text that a server may have written
//! is shown with its invisible characters made visible, because readers decide by a report.

mod changes;
mod closing;
mod curl;
mod diff;
mod exchange;
mod fails;
mod html;
mod junit;
mod markdown;
mod matrix;
mod outcome;
mod show;
mod text;
mod transcript;
mod words;
mod write;

use samklang_verdict::{Catalogue, Exchange, Message, ResultFile};

pub use changes::text as changes_text;
pub use closing::Colour;
pub use matrix::MatrixReport;
pub use show::{EventIds, Recording};
pub use text::safe_line;
pub use transcript::{Transcript, exchange_in, read_transcript, transcripts_in};
pub use write::{FILES, write_all, write_page};

/// Reads the transcript at a path relative to the result file; `None` if there is none. The implementation limits its
/// size.
pub type TranscriptReader<'a> = &'a dyn Fn(&str) -> Option<Vec<Exchange>>;

/// The reports of one run.
#[derive(Clone, Copy)]
pub struct Reports<'a> {
    result: &'a ResultFile,
    transcripts: TranscriptReader<'a>,
    catalogue: &'a Catalogue,
}

impl<'a> Reports<'a> {
    /// Reports on `result`, with evidence from `transcripts`, in the language of `catalogue`.
    pub fn new(result: &'a ResultFile, transcripts: TranscriptReader<'a>, catalogue: &'a Catalogue) -> Self {
        Self { result, transcripts, catalogue }
    }

    fn words(&self) -> words::Words<'a> {
        words::Words { phrases: words::Phrases { catalogue: self.catalogue }, result: self.result }
    }

    /// `report.html`: one page that needs no script and loads nothing.
    pub fn html(&self) -> String {
        html::page(self)
    }

    /// `junit.xml`: a suite per area, a test case per check and play.
    ///
    /// # Errors
    /// When the XML writer fails, which is not expected: it writes to memory.
    pub fn junit(&self) -> Result<String, quick_junit::SerializeError> {
        junit::report(self)
    }

    /// `summary.md`: for places such as `GITHUB_STEP_SUMMARY`.
    pub fn markdown(&self) -> String {
        markdown::summary(self)
    }

    /// The text for a terminal at the end of a run. Ends with a line feed.
    pub fn closing(&self, colour: Colour) -> String {
        closing::text(self, colour)
    }

    /// The recorded exchanges of a play for a terminal, below the verdicts of its checks.
    pub fn sequence(&self, recording: &Recording<'_>, colour: Colour) -> String {
        show::sequence(self.words(), recording, colour)
    }

    /// One exchange with headers and bodies, for a terminal. `full` leaves nothing out.
    pub fn in_full(&self, exchange: &Exchange, full: bool, colour: Colour) -> String {
        show::in_full(self.words(), exchange, full, colour)
    }

    /// A shell command that sends an exchange's request again, below remarks on its limits.
    ///
    /// # Errors
    /// A message that names the missing part, when the request cannot be sent again.
    pub fn curl(&self, exchange: &Exchange) -> Result<String, Message> {
        curl::line(self.words(), exchange)
    }
}

/// The lines in which two texts differ, as plain text: `-` for expected lines, `+` for actual ones.
pub fn line_diff(expected: &str, actual: &str) -> String {
    let line = |line: diff::DiffLine| match line {
        diff::DiffLine::Both(text) => format!("    {text}"),
        diff::DiffLine::Expected(text) => format!("  - {text}"),
        diff::DiffLine::Actual(text) => format!("  + {text}"),
        diff::DiffLine::Equal(count) => format!("    ({count} =)"),
        diff::DiffLine::Cut => "    …".to_owned(),
    };
    diff::lines(Some(expected), Some(actual)).into_iter().map(line).collect::<Vec<_>>().join("\n")
}
