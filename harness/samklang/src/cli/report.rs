//! `samklang report`.

use std::path::Path;

use samklang_reports::{Reports, transcripts_in, write_all};
use samklang_verdict::{
    Catalogue, Problem, RESULT_SCHEMA, ResultFile, ResultFileError, VendorMatrix, message,
};

use super::{
    CommandResult,
    matrix::{self, folder::MatrixFolder},
    play::colour,
    print,
};

/// The largest result file that is read, in bytes.
const LARGEST: u64 = 512 * 1024 * 1024;

/// Writes the reports of the result or the matrix at `path` anew, into `output` or beside it.
pub(super) fn report(path: &Path, output: Option<&Path>, previous: Option<&Path>) -> CommandResult {
    if path.is_file() && bytes(path).is_ok_and(|bytes| VendorMatrix::from_bytes(&bytes).is_ok()) {
        return matrix_report(path, output, previous);
    }
    let result = read(path)?;
    if previous.is_some() {
        return Err(Problem::configuration(message!("diff.unlike")));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let output = output.unwrap_or(folder);
    let transcripts = transcripts_in(folder);
    let reports = Reports::new(&result, &transcripts, Catalogue::english());
    write_all(output, &reports)?;
    print(&reports.closing(colour()))
}

fn matrix_report(path: &Path, output: Option<&Path>, previous: Option<&Path>) -> CommandResult {
    let previous = previous.map(MatrixFolder::open).transpose()?;
    let mut folder = MatrixFolder::open(path)?;
    if let Some(output) = output {
        folder.path = output.to_owned();
    }
    matrix::tell(&folder, previous.as_ref(), false).map(|_| samklang_verdict::exit::AS_EXPECTED)
}

/// The result file at `path`.
///
/// # Errors
/// When the file is not there or this program cannot read it.
pub(super) fn read(path: &Path) -> Result<ResultFile, Problem> {
    read_as(path, RESULT_SCHEMA, ResultFile::from_bytes)
}

/// Reads the file at `path` with `parse`. `known` names the schemas that it reads.
///
/// # Errors
/// When the file is not there or this program cannot read it.
pub(super) fn read_as<T>(
    path: &Path,
    known: &str,
    parse: impl FnOnce(&[u8]) -> Result<T, ResultFileError>,
) -> Result<T, Problem> {
    parse(&bytes(path)?).map_err(|error| match error {
        ResultFileError::OtherSchema { found } => Problem::configuration(message!(
            "report.other-schema",
            path = path.display(),
            found = found,
            known = known
        )),
        ResultFileError::Malformed(error) => unreadable(path, &error),
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, Problem> {
    let length = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
    if length > LARGEST {
        return Err(unreadable(path, &format!("it has {length} bytes")));
    }
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Problem {
    Problem::configuration(message!("report.unreadable", path = path.display(), error = error))
}
