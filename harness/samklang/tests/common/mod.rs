//! The program as tests run it, and its end.

use std::process::{Command, Output, Stdio};

use samklang_suites::BUILT_FROM;

/// The program itself.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_samklang");

/// Gives a command the project's data and no standard input, and takes away all settings of the environment that could
/// change what it does.
pub(crate) fn furnish(command: &mut Command) {
    command.stdin(Stdio::null()).env("NO_COLOR", "1").env("SAMKLANG_ROOT", BUILT_FROM);
    for name in ["SAMKLANG_VENDORS", "INSTA_UPDATE", "INSTA_FORCE_PASS", "INSTA_FORCE_UPDATE"] {
        command.env_remove(name);
    }
}

/// The end of the program.
pub(crate) struct ProgramEnd {
    /// Its exit code, or -1 if a signal ended it.
    pub(crate) code: i32,
    /// What it printed, the standard output first.
    pub(crate) text: String,
}

impl ProgramEnd {
    pub(crate) fn of(output: &Output) -> Self {
        let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat();
        Self { code: output.status.code().unwrap_or(-1), text }
    }

    /// Asserts that it ended with this exit code and printed these words.
    #[track_caller]
    pub(crate) fn assert(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, code, "{}", self.text);
        for word in words {
            assert!(self.text.contains(word), "{word:?} is not in:\n{}", self.text);
        }
        assert!(!self.text.contains("panicked"), "{}", self.text);
        self
    }
}
