//! Reads transcripts: JSON lines of exchanges.

use std::{fs::File, io::Read, path::Path};

use samklang_verdict::{Exchange, ExchangeId};

use crate::text::is_safe_path;

/// The maximum number of bytes that a report reads of one transcript.
const BYTES: u64 = 256 * 1024 * 1024;

/// The exchanges of a transcript file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transcript {
    /// The readable exchanges, in the file's order.
    pub exchanges: Vec<Exchange>,
    /// The number of unreadable lines, such as the last line of a killed run.
    pub broken_lines: usize,
}

/// Reads JSON lines of [`Exchange`]. A line that cannot be read is skipped and counted.
pub fn read_transcript(bytes: &[u8]) -> Transcript {
    let mut transcript = Transcript::default();
    for line in bytes.split(|&byte| byte == b'\n') {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(exchange) => transcript.exchanges.push(exchange),
            Err(_) => transcript.broken_lines += 1,
        }
    }
    transcript
}

/// A reader for the transcripts beside the result file in `folder`. It does not follow a path out of the folder.
pub fn transcripts_in(folder: &Path) -> impl Fn(&str) -> Option<Vec<Exchange>> + use<> {
    let folder = folder.to_owned();
    move |path| Some(read_transcript(&bytes_of(&folder, path)?).exchanges)
}

fn bytes_of(folder: &Path, path: &str) -> Option<Vec<u8>> {
    let file = Some(folder.join(path)).filter(|file| is_safe_path(path) && file.is_file())?;
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The exchange with this id, and the first of `paths` with it, relative to `folder`. Only lines that may have the id are
/// parsed, because the transcripts of a whole run are long.
pub fn exchange_in<'a>(
    folder: &Path,
    paths: impl IntoIterator<Item = &'a str>,
    id: ExchangeId,
) -> Option<(&'a str, Exchange)> {
    let number = format!("\"id\":{},", id.0);
    let holds = |line: &&[u8]| line.windows(number.len()).take(8).any(|part| part == number.as_bytes());
    paths.into_iter().filter_map(|path| Some((path, bytes_of(folder, path)?))).find_map(|(path, bytes)| {
        let lines = bytes.split(|&byte| byte == b'\n').filter(holds);
        let mut read = lines.filter_map(|line| serde_json::from_slice::<Exchange>(line).ok());
        read.find(|found| found.id == id).map(|found| (path, found))
    })
}
