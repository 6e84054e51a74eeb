//! Trials of the container deployer's promises on real containers.
//!
//! If no engine answers, the trials are ignored and reported as ignored. `SAMKLANG_REQUIRE_ENGINE=1` makes them fail.

#![expect(clippy::unwrap_used, reason = "a trial that cannot go on has failed")]

#[path = "containers/bench.rs"]
mod bench;
#[path = "containers/helper.rs"]
mod helper;
#[path = "containers/trials.rs"]
mod trials;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use samklang_deploy::engine::Engine;

fn main() -> ExitCode {
    if let Some(part) = std::env::var_os(helper::PART) {
        return helper::play(&part.to_string_lossy());
    }
    let arguments = Arguments::from_args();
    let engine = bench::block_on(Engine::connect());
    let required = std::env::var_os("SAMKLANG_REQUIRE_ENGINE").is_some_and(|value| value == "1");
    let absent = engine.err().map(|problem| problem.to_string());
    if let Some(reason) = absent.as_ref().filter(|_| !required) {
        eprintln!("containers: all trials are ignored. {reason}");
    }
    let trials = trials::ALL.iter().map(|(name, play)| {
        let absent = absent.clone();
        let ignored = absent.is_some() && !required;
        let trial = Trial::test(format!("containers::{name}"), move || match absent {
            Some(reason) => Err(Failed::from(reason)),
            None => {
                let played = std::panic::catch_unwind(play);
                bench::tidy();
                played.map_err(|_| Failed::without_message())
            }
        });
        trial.with_ignored_flag(ignored)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
