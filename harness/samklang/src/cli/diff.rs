//! `samklang diff`. Exit codes: 0 unless something got worse; else what the checks that did would alone give a run, and 2
//! where some are gone.

use std::path::{Path, PathBuf};

use samklang_verdict::{
    Catalogue, MATRIX_SCHEMA, MatrixFile, Problem, ResultFile, Side, changes, exit_code_of_changes, message,
};

use super::{
    Done,
    args::DiffArgs,
    matrix::folder::{Folder, MATRIX, RESULT},
    play::colour,
    print, report,
};

/// What a run or a matrix has left.
enum Record {
    Run(Box<ResultFile>),
    Matrix(Box<Folder>),
}

impl Record {
    /// The one that `path` names, by folder or file.
    fn open(path: &Path) -> Result<Self, Problem> {
        let file = if path.is_dir() { the_file_in(path) } else { path.to_owned() };
        let parsed = |bytes: &[u8]| match MatrixFile::from_bytes(bytes) {
            Ok(_) => Ok(None),
            Err(_) => ResultFile::from_bytes(bytes).map(Some),
        };
        let known = format!("{}, {MATRIX_SCHEMA}", samklang_verdict::RESULT_SCHEMA);
        Ok(match report::read_as(&file, &known, parsed)? {
            Some(result) => Self::Run(Box::new(result)),
            None => Self::Matrix(Box::new(Folder::open(&file)?)),
        })
    }

    fn sides(&self) -> Vec<Side<'_>> {
        match self {
            Self::Run(result) => Side::alone(result),
            Self::Matrix(folder) => folder.sides(),
        }
    }
}

fn the_file_in(folder: &Path) -> PathBuf {
    let matrix = folder.join(MATRIX);
    if matrix.exists() { matrix } else { folder.join(RESULT) }
}

/// Tells what changed, what got worse first.
pub(super) fn diff(args: &DiffArgs) -> Done {
    let (old, new) = (Record::open(&args.old)?, Record::open(&args.new)?);
    if let (Record::Run(_), Record::Matrix(_)) | (Record::Matrix(_), Record::Run(_)) = (&old, &new) {
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
