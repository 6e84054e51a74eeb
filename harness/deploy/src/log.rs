//! A server's output in a file. The file is bounded: a server must not fill the disk.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use samklang_verdict::{Problem, message};

/// The bound on the kept output of a server, in bytes.
pub(super) const BOUND: u64 = 64 << 20;

/// A log file that stops growing at its bound and says so.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    bound: u64,
    inner: Mutex<(File, u64)>,
}

impl Log {
    /// A new log file.
    pub(super) fn create(path: &Path, bound: u64) -> Result<Self, Problem> {
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| File::create(path));
        let file = made.map_err(|error| not_writable(path, &error))?;
        Ok(Self { path: path.to_owned(), bound, inner: Mutex::new((file, 0)) })
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds output. A full disk loses it: the run goes on, and writing its own files will report the problem.
    pub(super) fn write(&self, output: &[u8]) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, written) = &mut *inner;
        if *written >= self.bound {
            return;
        }
        let room = usize::try_from(self.bound - *written).unwrap_or(usize::MAX);
        let kept = &output[..output.len().min(room)];
        let mut done = file.write_all(kept);
        *written += kept.len() as u64;
        if *written >= self.bound {
            done = done.and_then(|()| {
                writeln!(file, "\n[samklang: the output after {} bytes is dropped]", self.bound)
            });
        }
        let _: io::Result<()> = done;
    }
}

/// The problem for a file or folder of the run that cannot be written.
pub(super) fn not_writable(path: &Path, error: &io::Error) -> Problem {
    Problem::configuration(message!("housekeeping.not-writable", path = path.display(), reason = error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_stops_at_its_bound_and_says_so_once() {
        let path = std::env::temp_dir().join(format!("samklang-log-{:016x}", fastrand::u64(..)));
        let log = Log::create(&path, 10).unwrap();
        for _ in 0..3 {
            log.write(b"123456");
        }
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(text.starts_with("1234561234\n[samklang"), "{text}");
        assert_eq!(text.matches("samklang").count(), 1);
    }

    #[test]
    fn a_log_that_cannot_be_made_names_its_path() {
        let problem = Log::create(Path::new("/proc/samklang/log"), 10).unwrap_err();
        assert!(problem.to_string().contains("/proc/samklang/log"), "{problem}");
    }
}
