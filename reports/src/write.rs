//! Writes the reports beside their result file.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use samklang_verdict::{Problem, message};

use crate::Reports;

/// The files that [`write_all`] writes.
pub const FILES: [&str; 3] = ["report.html", "junit.xml", "summary.md"];

/// Writes every report into `folder`, which has to exist, and returns their paths. An existing file is replaced completely or
/// not at all, so that a full disk leaves no partial report behind.
///
/// # Errors
/// When a file cannot be written.
pub fn write_all(folder: &Path, reports: &Reports<'_>) -> Result<Vec<PathBuf>, Problem> {
    let [html, junit, markdown] = FILES;
    let xml = reports
        .junit()
        .map_err(|error| Problem::harness(message!("report.not-made", file = junit, reason = error)))?;
    let texts = [(html, reports.html()), (junit, xml), (markdown, reports.markdown())];
    let mut written = Vec::new();
    for (name, text) in texts {
        let path = folder.join(name);
        write_page(&path, &text)?;
        written.push(path);
    }
    Ok(written)
}

/// Writes one report, completely or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write_page(path: &Path, text: &str) -> Result<(), Problem> {
    replace(path, text.as_bytes()).map_err(|error| {
        let text = message!("report.not-written", file = path.display(), reason = error);
        // The user can choose another folder; a full disk is a problem of the machine.
        if error.kind() == io::ErrorKind::StorageFull {
            Problem::engine(text)
        } else {
            Problem::configuration(text)
        }
    })
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let done = fs::write(&part, bytes).and_then(|()| fs::rename(&part, path));
    if done.is_err() {
        // The first error is the one to report, even if the leftover cannot be removed.
        let _ = fs::remove_file(&part);
    }
    done
}
