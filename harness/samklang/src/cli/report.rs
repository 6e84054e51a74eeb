//! `samklang report`.

use std::path::Path;

use samklang_reports::{Reports, transcripts_in, write_all};
use samklang_verdict::{Catalogue, MatrixFile, Problem, RESULT_SCHEMA, ResultFile, ResultFileError, message};

use super::{
    Done,
    matrix::{self, folder::Folder},
    play::colour,
    print,
};

/// The largest result file that is read.
const LARGEST: u64 = 512 * 1024 * 1024;

/// Writes the reports of the result or the matrix at `path` anew, into `output` or beside it.
pub(super) fn report(path: &Path, output: Option<&Path>, previous: Option<&Path>) -> Done {
    if path.is_file() && bytes(path).is_ok_and(|bytes| MatrixFile::from_bytes(&bytes).is_ok()) {
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

fn matrix_report(path: &Path, output: Option<&Path>, previous: Option<&Path>) -> Done {
    let previous = previous.map(Folder::open).transpose()?;
    let mut folder = Folder::open(path)?;
    if let Some(output) = output {
        folder.path = output.to_owned();
    }
    matrix::tell(&folder, previous.as_ref(), false).map(|_| samklang_verdict::exit::AS_EXPECTED)
}

/// The result file at `path`.
///
/// # Errors
/// When there is none that this program can read.
pub(super) fn read(path: &Path) -> Result<ResultFile, Problem> {
    read_as(path, RESULT_SCHEMA, ResultFile::from_bytes)
}

/// What `parse` makes of the file at `path`, which is of one of the schemas that are `known` here.
///
/// # Errors
/// When there is none that this program can read.
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
