//! The files beside the result: transcripts and server logs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use samklang_stage::Stage;
use samklang_verdict::{EvidenceFile, Exchange, Problem, Role, Wire, message};
use sha2::{Digest, Sha256};

use crate::schedule::played::PlayedTrial;

/// Where transcripts lie, relative to the result file.
const TRANSCRIPTS: &str = "evidence";
/// Where server logs lie, relative to the result file.
pub const LOGS: &str = "logs";

/// Makes the output folder and shows that it can be written.
///
/// # Errors
/// When it cannot.
pub fn prepare(output: &Path) -> Result<(), Problem> {
    let failed = |error| not_writable(output, &error);
    for folder in [TRANSCRIPTS, LOGS] {
        fs::create_dir_all(output.join(folder)).map_err(failed)?;
    }
    let probe = output.join(".samklang-probe");
    fs::write(&probe, b"writable").map_err(failed)?;
    fs::remove_file(&probe).map_err(failed)
}

/// Removes the transcripts and logs that an earlier run left in the output folder, which would be taken for this one's.
///
/// # Errors
/// When one of them cannot be removed.
pub fn clear(output: &Path) -> Result<(), Problem> {
    for (folder, kind) in [(TRANSCRIPTS, "jsonl"), (LOGS, "log")] {
        let Ok(entries) = fs::read_dir(output.join(folder)) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.extension().is_some_and(|extension| extension == kind) {
                fs::remove_file(&path).map_err(|error| not_writable(output, &error))?;
            }
        }
    }
    Ok(())
}

fn not_writable(output: &Path, error: &io::Error) -> Problem {
    Problem::configuration(message!("output.not-writable", path = output.display(), error = error))
}

/// Writes a file so that it is there whole or not at all.
///
/// # Errors
/// When the folder cannot be written or the disk is full.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let part = path.with_extension("part");
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&part, path)).map_err(|error| {
        let _ = fs::remove_file(&part);
        not_written(path, &error)
    })
}

fn not_written(path: &Path, error: &io::Error) -> Problem {
    Problem::engine(message!("output.not-written", path = path.display(), error = error))
}

/// Where a trial's transcript lies, relative to the result file; `again` counts its further tries from 1.
pub fn transcript_path(trial: &str, again: usize) -> String {
    let name = trial.replace("::", "__");
    if again == 0 {
        format!("{TRANSCRIPTS}/{name}.jsonl")
    } else {
        format!("{TRANSCRIPTS}/{name}__again-{again}.jsonl")
    }
}

/// Writes the transcript of each trial, and a transcript of the federation exchanges that belong to no trial.
///
/// # Errors
/// When one of them cannot be written; the others are tried all the same.
pub fn write(output: &Path, stage: &Stage, played: &[PlayedTrial]) -> Result<(), Problem> {
    let mut told = BTreeSet::new();
    let mut result = Ok(());
    let mut write = |path: String, exchanges: &[Arc<Exchange>]| {
        let path = output.join(path);
        if let Err(error) = write_transcript(&path, exchanges) {
            // A torn transcript would be taken for a whole one.
            let _ = fs::remove_file(&path);
            result = Err(not_written(&path, &error));
        }
    };
    for play in played.iter().filter(|play| !play.transcript.is_empty()) {
        let name = play.trial.name();
        let tries = std::iter::once(&play.transcript).chain(&play.further);
        for (again, exchanges) in tries.enumerate() {
            told.extend(exchanges.iter().map(|exchange| exchange.id));
            write(transcript_path(&name, again), exchanges);
        }
    }
    let own = |exchange: &Arc<Exchange>| exchange.wire == Wire::Federation && !told.contains(&exchange.id);
    let rest: Vec<_> = stage.recorder().all().into_iter().filter(own).collect();
    write(format!("{TRANSCRIPTS}/stage.jsonl"), &rest);
    result
}

fn write_transcript(path: &Path, exchanges: &[Arc<Exchange>]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for exchange in exchanges {
        serde_json::to_writer(&mut file, exchange.as_ref())?;
        file.write_all(b"\n")?;
    }
    file.flush()
}

/// Where each role's log lies, relative to the result file, for those that are there.
pub fn logs(output: &Path, roles: impl Iterator<Item = Role>) -> BTreeMap<Role, String> {
    roles
        .map(|role| (role, format!("{LOGS}/{}.log", role.as_str())))
        .filter(|(_, path)| output.join(path).exists())
        .collect()
}

/// Copies a server's log to the output folder.
///
/// # Errors
/// When it cannot be written.
pub fn keep_log(output: &Path, role: Role, log: &Path) -> Result<(), Problem> {
    if !log.exists() {
        return Ok(());
    }
    let path = output.join(format!("{LOGS}/{}.log", role.as_str()));
    fs::copy(log, &path).map(|_| ()).map_err(|error| not_written(&path, &error))
}

/// Every evidence file with its digest, sorted. What cannot be read is left out.
pub fn list(output: &Path) -> Vec<EvidenceFile> {
    let mut found = Vec::new();
    for folder in [TRANSCRIPTS, LOGS] {
        let Ok(entries) = fs::read_dir(output.join(folder)) else { continue };
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
            if let Ok((sha256, bytes)) = digest(&path) {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                found.push(EvidenceFile { path: format!("{folder}/{name}"), sha256, bytes });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn digest(path: &PathBuf) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
    Ok((hex::encode(hash.finalize()), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let folder = std::env::temp_dir().join(format!("samklang-evidence-{}", std::process::id()));
        prepare(&folder).unwrap();
        let path = folder.join("result.json");
        write_whole(&path, b"{}").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{}");
        let nowhere = folder.join("no-such-folder/result.json");
        assert_eq!(
            write_whole(&nowhere, b"{}").unwrap_err().exit_code(),
            samklang_verdict::exit::HARNESS_ERROR
        );
        let left: Vec<_> = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().contains("part")), "{left:?}");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn files_of_an_earlier_run_are_removed() {
        let folder = std::env::temp_dir().join(format!("samklang-cleared-{}", std::process::id()));
        clear(&folder).unwrap();
        prepare(&folder).unwrap();
        for name in ["evidence/rooms.x__v11__host-a.jsonl", "logs/a.log", "evidence/notes.txt"] {
            fs::write(folder.join(name), b"old").unwrap();
        }
        clear(&folder).unwrap();
        let left: Vec<_> = list(&folder).into_iter().map(|file| file.path).collect();
        assert_eq!(left, ["evidence/notes.txt"], "files that a run did not write stay");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_trial_has_one_transcript_for_each_try() {
        let name = "rooms.x::v11::host-a";
        assert_eq!(transcript_path(name, 0), "evidence/rooms.x__v11__host-a.jsonl");
        assert_eq!(transcript_path(name, 2), "evidence/rooms.x__v11__host-a__again-2.jsonl");
    }
}
