//! The `samklang` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(samklang::cli::main())
}
