//! The `samklang` program: its commands, and the setting of a run.

pub mod cli;
pub mod setting;
