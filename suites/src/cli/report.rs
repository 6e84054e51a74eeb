//! `samklang report`.

use std::path::Path;

use samklang_reports::{Reports, transcripts_in, write_all};
use samklang_verdict::{Catalogue, Problem, ResultFile, ResultFileError, message};

use super::{Done, play::colour, print};

/// The largest result file that is read.
const LARGEST: u64 = 512 * 1024 * 1024;

/// Writes the reports of the result file at `path` anew, into `output` or beside it.
pub(super) fn report(path: &Path, output: Option<&Path>) -> Done {
    let result = read(path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let output = output.unwrap_or(folder);
    let transcripts = transcripts_in(folder);
    let reports = Reports::new(&result, &transcripts, Catalogue::english());
    write_all(output, &reports)?;
    print(&reports.closing(colour()))
}

/// The result file at `path`.
///
/// # Errors
/// When there is none that this program can read.
pub(super) fn read(path: &Path) -> Result<ResultFile, Problem> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Problem::configuration(message!("report.unreadable", path = path.display(), error = error))
    };
    let length = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
    if length > LARGEST {
        return Err(unreadable(&format!("it has {length} bytes")));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
    ResultFile::from_bytes(&bytes).map_err(|error| match error {
        ResultFileError::OtherSchema { found } => Problem::configuration(message!(
            "report.other-schema",
            path = path.display(),
            found = found,
            known = samklang_verdict::RESULT_SCHEMA
        )),
        ResultFileError::Malformed(error) => unreadable(&error),
    })
}
