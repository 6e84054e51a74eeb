//! A vendor matrix on the disk: `matrix.json`, `report.html`, and below `pairs` the output folder of each pair.

use std::path::{Path, PathBuf};

use samklang_runner::run::evidence::write_whole;
use samklang_verdict::{ComparedResult, MATRIX_SCHEMA, PlayedPair, Problem, VendorMatrix, message};

use crate::cli::report;

/// The file of the matrix.
pub(crate) const MATRIX: &str = "matrix.json";
/// The file of the result of a pair, or of a run.
pub(crate) const RESULT: &str = "result.json";
/// The report.
pub(super) const PAGE: &str = "report.html";

/// A matrix with its path and the results of its pairs.
pub(crate) struct MatrixFolder {
    pub(crate) path: PathBuf,
    pub(crate) file: VendorMatrix,
    pub(crate) met: Vec<PlayedPair>,
}

impl MatrixFolder {
    /// The matrix in the folder `path`, or of the file `path`. The summary of the pairs is made anew from their results.
    ///
    /// # Errors
    /// When there is none, or the result of a pair is not the one that the matrix was made of.
    pub(crate) fn open(path: &Path) -> Result<Self, Problem> {
        let path = match path.parent() {
            Some(folder) if path.is_file() => folder,
            _ => path,
        };
        let file = report::read_as(&path.join(MATRIX), MATRIX_SCHEMA, VendorMatrix::from_bytes)?;
        let mut met = Vec::new();
        for pair in &file.pairs {
            let place = path.join(PlayedPair::folder(&pair.a, &pair.b)).join(RESULT);
            let result = report::read(&place)?;
            if result.digest != pair.digest || result.digest != result.digest_of() {
                let text = message!("matrix.other-result", path = place.display());
                return Err(Problem::configuration(text));
            }
            met.push(PlayedPair { a: pair.a.clone(), b: pair.b.clone(), result });
        }
        let file = VendorMatrix::of(file.vendors, file.shard, &met);
        Ok(Self { path: path.to_owned(), file, met })
    }

    /// Writes `matrix.json` of these results.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(
        path: &Path,
        vendors: Vec<String>,
        shard: Option<String>,
        met: &[PlayedPair],
    ) -> Result<VendorMatrix, Problem> {
        let file = VendorMatrix::of(vendors, shard, met);
        let bytes =
            file.to_bytes().map_err(|error| Problem::harness(message!("run.no-result", error = error)))?;
        write_whole(&path.join(MATRIX), &bytes)?;
        Ok(file)
    }

    /// Refuses a folder that holds a matrix already.
    ///
    /// # Errors
    /// When it holds one.
    pub(super) fn refuse_present(path: &Path) -> Result<(), Problem> {
        if path.join(MATRIX).exists() {
            return Err(Problem::configuration(message!("matrix.present", path = path.display())));
        }
        Ok(())
    }

    /// The pairs as sides of a comparison.
    pub(crate) fn sides(&self) -> Vec<ComparedResult<'_>> {
        ComparedResult::of_matrix(&self.file, &self.met)
    }
}
