//! Turns a result file into what people and machines read: an HTML page, JUnit, Markdown, texts for a terminal.
//!
//! Nothing here talks to a server or judges anything. Every text goes through a [`Catalogue`], and everything that a
//! server may have written is shown with its invisible characters made visible, since a report is read by
//! people who decide by it.

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
pub use transcript::{Transcript, exchange_in, read_transcript, transcripts_in};
pub use write::{FILES, write_all, write_page};

/// Reads the transcript at a path relative to the result file; `None` where there is none. Bounded by whoever makes it.
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
    /// When the XML writer refuses, which it has no reason to: it writes to memory.
    pub fn junit(&self) -> Result<String, quick_junit::SerializeError> {
        junit::report(self)
    }

    /// `summary.md`: for places such as `GITHUB_STEP_SUMMARY`.
    pub fn markdown(&self) -> String {
        markdown::summary(self)
    }

    /// What a terminal shows at the end of a run. Ends with a line feed.
    pub fn closing(&self, colour: Colour) -> String {
        closing::text(self, colour)
    }

    /// What was recorded of a play as a sequence for a terminal, below the verdicts of its checks.
    pub fn sequence(&self, recording: &Recording<'_>, colour: Colour) -> String {
        show::sequence(self.words(), recording, colour)
    }

    /// One exchange with headers and bodies, for a terminal. `full` leaves nothing out.
    pub fn in_full(&self, exchange: &Exchange, full: bool, colour: Colour) -> String {
        show::in_full(self.words(), exchange, full, colour)
    }

    /// A line for a shell that sends an exchange's request again, below remarks on what it can and cannot do.
    ///
    /// # Errors
    /// What was not recorded, where the request cannot be sent again.
    pub fn curl(&self, exchange: &Exchange) -> Result<String, Message> {
        curl::line(self.words(), exchange)
    }
}

/// `text` in one line, with the characters named that would be invisible or act on a terminal.
pub fn safe_line(text: &str) -> String {
    text::shown_line(text)
}

/// The lines in which two texts differ, as plain text: `-` for expected ones, `+` for those that are there instead.
pub fn line_diff(expected: &str, actual: &str) -> String {
    let line = |line: diff::Line| match line {
        diff::Line::Both(text) => format!("    {text}"),
        diff::Line::Expected(text) => format!("  - {text}"),
        diff::Line::Actual(text) => format!("  + {text}"),
        diff::Line::Equal(count) => format!("    ({count} =)"),
        diff::Line::Cut => "    …".to_owned(),
    };
    diff::lines(Some(expected), Some(actual)).into_iter().map(line).collect::<Vec<_>>().join("\n")
}
