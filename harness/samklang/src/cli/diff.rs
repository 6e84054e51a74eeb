//! `samklang diff`. Exit codes: 0 unless something got worse; otherwise the code that a run with only the worse checks
//! would have, and 2 where checks are gone.

use std::path::{Path, PathBuf};

use samklang_verdict::{
    Catalogue, ComparedResult, MATRIX_SCHEMA, Problem, ResultFile, VendorMatrix, changes,
    exit_code_of_changes, message,
};

use super::{
    CommandResult,
    args::DiffArgs,
    matrix::folder::{MATRIX, MatrixFolder, RESULT},
    play::colour,
    print, report,
};

/// The result of a run, or a matrix.
enum RunOrMatrix {
    Run(Box<ResultFile>),
    Matrix(Box<MatrixFolder>),
}

impl RunOrMatrix {
    /// Opens a folder or a file.
    fn open(path: &Path) -> Result<Self, Problem> {
        let file = if path.is_dir() { the_file_in(path) } else { path.to_owned() };
        let parsed = |bytes: &[u8]| match VendorMatrix::from_bytes(bytes) {
            Ok(_) => Ok(None),
            Err(_) => ResultFile::from_bytes(bytes).map(Some),
        };
        let known = format!("{}, {MATRIX_SCHEMA}", samklang_verdict::RESULT_SCHEMA);
        Ok(match report::read_as(&file, &known, parsed)? {
            Some(result) => Self::Run(Box::new(result)),
            None => Self::Matrix(Box::new(MatrixFolder::open(&file)?)),
        })
    }

    fn sides(&self) -> Vec<ComparedResult<'_>> {
        match self {
            Self::Run(result) => ComparedResult::alone(result),
            Self::Matrix(folder) => folder.sides(),
        }
    }
}

fn the_file_in(folder: &Path) -> PathBuf {
    let matrix = folder.join(MATRIX);
    if matrix.exists() { matrix } else { folder.join(RESULT) }
}

/// Lists the changes, the worse ones first.
pub(super) fn diff(args: &DiffArgs) -> CommandResult {
    let (old, new) = (RunOrMatrix::open(&args.old)?, RunOrMatrix::open(&args.new)?);
    if let (RunOrMatrix::Run(_), RunOrMatrix::Matrix(_)) | (RunOrMatrix::Matrix(_), RunOrMatrix::Run(_)) =
        (&old, &new)
    {
        return Err(Problem::configuration(message!("diff.unlike")));
    }
    let changes = changes(&old.sides(), &new.sides());
    if args.json {
        let json = serde_json::to_string_pretty(&changes)
            .map_err(|error| Problem::harness(message!("run.no-result", error = error)))?;
        print(&format!("{json}\n"))?;
    } else {
        print(&samklang_reports::changes_text(&changes, Catalogue::english(), colour()))?;
    }
    Ok(exit_code_of_changes(&changes))
}
