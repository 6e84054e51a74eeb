//! `samklang merge`. The exit code is that of the matrix that it makes.

use std::{fs, io, path::Path};

use samklang_verdict::{PlayedPair, Problem, Termination, message, pairs};

use super::folder::MatrixFolder;
use crate::cli::{CommandResult, args::MergeArgs};

/// Puts the shards of a matrix together in a new folder, with copies of the files of their pairs.
pub(in crate::cli) fn merge(args: &MergeArgs) -> CommandResult {
    let previous = args.previous.as_deref().map(MatrixFolder::open).transpose()?;
    MatrixFolder::refuse_present(&args.output)?;
    let parts = args.parts.iter().map(|part| MatrixFolder::open(part)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = parts.first() else {
        return Err(Problem::configuration(message!("matrix.nothing-to-merge")));
    };
    for part in &parts {
        if part.file.vendors != first.file.vendors || part.file.terms != first.file.terms {
            let (one, other) = (first.path.display(), part.path.display());
            return Err(Problem::configuration(message!("matrix.other-terms", one = one, other = other)));
        }
    }
    let vendors = first.file.vendors.clone();
    let mut met = Vec::new();
    for pair in pairs(&vendors) {
        if let Some((folder, result)) = best(&parts, &pair)? {
            let name = PlayedPair::folder(&pair[0], &pair[1]);
            copy(&folder.path.join(&name), &args.output.join(&name)).map_err(|error| {
                Problem::configuration(message!(
                    "output.not-writable",
                    path = args.output.display(),
                    error = error
                ))
            })?;
            met.push(result.clone());
        }
    }
    let file = MatrixFolder::write(&args.output, vendors, None, &met)?;
    super::tell(&MatrixFolder { path: args.output.clone(), file, met }, previous.as_ref(), false)
}

/// The result of a pair. If several shards have one, a complete result goes before one that was broken off.
///
/// # Errors
/// When two complete results have different verdicts.
fn best<'a>(
    parts: &'a [MatrixFolder],
    pair: &[String; 2],
) -> Result<Option<(&'a MatrixFolder, &'a PlayedPair)>, Problem> {
    let of = |part: &'a MatrixFolder| {
        part.met.iter().find(|met| [&met.a, &met.b] == pair.each_ref()).map(|met| (part, met))
    };
    let is_complete =
        |(_, met): &(&MatrixFolder, &PlayedPair)| met.result.run.termination == Termination::Complete;
    let all: Vec<_> = parts.iter().filter_map(of).collect();
    let mut complete = all.iter().filter(|found| is_complete(found));
    let Some((folder, met)) = complete.next() else { return Ok(all.first().copied()) };
    match complete.find(|(_, other)| other.result.digest != met.result.digest) {
        Some((other, _)) => Err(Problem::configuration(message!(
            "matrix.twice-played",
            a = pair[0],
            b = pair[1],
            one = folder.path.display(),
            other = other.path.display()
        ))),
        None => Ok(Some((folder, met))),
    }
}

/// Copies files and folders. Links are left out, since they could lead anywhere.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
