//! The `samklang` program: its commands, and the setting of a run (servers, vendors, deviations).

pub mod cli;
pub mod setting;
