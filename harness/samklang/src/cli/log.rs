//! `--log`: the harness's own log, on the standard error.

use clap::ValueEnum;
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// The least level that the log shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogLevel {
    /// What went wrong outside any check
    Error,
    /// What may explain an odd result
    Warn,
    /// The beginning and the end of each run, pair and play
    Info,
    /// What the harness does in between
    Debug,
    /// Everything
    Trace,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// Logs from here on.
pub(super) fn begin(level: LogLevel) {
    // Only this project's crates: libraries log headers, which hold access tokens.
    let own = Targets::new().with_target("samklang", LevelFilter::from(level));
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_filter(own);
    // A log that has begun already goes on.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}
