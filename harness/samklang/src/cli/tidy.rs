//! `samklang sweep`.

use samklang_deploy::{
    engine::Engine,
    housekeeping::{StateRoot, sweep},
};
use samklang_verdict::{Catalogue, exit, message};

use super::{CommandResult, complain, print, runtime};

/// Removes what dead runs of this user left behind on this machine, and prints how much that was.
pub(super) fn sweep_now() -> CommandResult {
    let report = runtime()?.block_on(async {
        // Without an engine there are no containers to sweep, but there may be processes and folders.
        let engine = Engine::connect().await.ok();
        sweep(&StateRoot::by_environment()?, engine.as_ref()).await
    })?;
    let text = message!(
        "sweep.report",
        runs = report.runs.len(),
        containers = report.containers,
        networks = report.networks,
        volumes = report.volumes,
        processes = report.processes,
        folders = report.folders
    );
    print(&format!("{}\n", Catalogue::english().render(&text).what))?;
    for problem in &report.left {
        complain(problem);
    }
    Ok(if report.left.is_empty() { exit::AS_EXPECTED } else { exit::HARNESS_ERROR })
}
