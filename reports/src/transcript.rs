//! Reading transcripts: JSON lines of exchanges.

use std::{fs::File, io::Read, path::Path};

use samklang_verdict::Exchange;

use crate::text::is_safe_path;

/// More than this of one transcript is not read for a report.
const BYTES: u64 = 256 * 1024 * 1024;

/// The exchanges of a transcript file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transcript {
    /// Those that could be read, in the file's order.
    pub exchanges: Vec<Exchange>,
    /// How many lines could not: the last one of a run that was killed, for instance.
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

/// A reader for the transcripts beside the result file in `folder`. A path that leads out of it is not followed.
pub fn transcripts_in(folder: &Path) -> impl Fn(&str) -> Option<Vec<Exchange>> + use<> {
    let folder = folder.to_owned();
    move |path| {
        let file = Some(folder.join(path)).filter(|file| is_safe_path(path) && file.is_file())?;
        let mut bytes = Vec::new();
        File::open(file).ok()?.take(BYTES).read_to_end(&mut bytes).ok()?;
        Some(read_transcript(&bytes).exchanges)
    }
}
