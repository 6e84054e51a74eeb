//! Offers every play of every scenario as a trial of its own, for `cargo test` and `cargo nextest run`.
//!
//! Options come from the environment, since test runners pass only their own flags: `SAMKLANG_VENDOR` (default
//! `synapse`), `SAMKLANG_VS`, `SAMKLANG_DEPLOY` (`auto`, `container`, `process`).

use std::{path::Path, process::ExitCode, sync::Arc};

use clap::{Parser, ValueEnum};
use libtest_mimic::Arguments;
use samklang::setting::{self, Deploy, Deployment};
use samklang_runner::{
    run::conformance, run::order::RunOrder, schedule::plan::Selection, suite::project_root,
};
use samklang_verdict::{Catalogue, Problem, message};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    conformance(arguments).unwrap_or_else(|problem| {
        eprintln!("{}", Catalogue::english().render(&problem.message).in_one_line());
        ExitCode::from(problem.exit_code())
    })
}

fn conformance(arguments: Arguments) -> Result<ExitCode, Problem> {
    let by_environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let deploy = match by_environment("SAMKLANG_DEPLOY") {
        Some(text) => Deploy::from_str(&text, true)
            .map_err(|error| Problem::configuration(message!("conformance.deploy", error = error)))?,
        None => Deploy::Auto,
    };
    let root = project_root(samklang_suites::BUILT_FROM)?;
    let suite = samklang_suites::suite(&root)?;
    let vendor = by_environment("SAMKLANG_VENDOR").unwrap_or_else(|| "synapse".to_owned());
    let other = by_environment("SAMKLANG_VS");
    let casts = setting::casts(&setting::shelf(&root, &[]), Some(&vendor), other.as_deref(), None)?;
    let deviations = setting::deviations(&suite, &casts)?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Problem::harness(message!("run.no-runtime", error = error)))?;
    let deployment = runtime.block_on(Deployment::choose(&casts, deploy, false))?;
    let order = RunOrder {
        id: deployment.id.clone(),
        casts,
        subjects: setting::subjects(other.is_none()),
        selection: Selection::default(),
        direct: false,
        side_by_side: 1,
        seed: fastrand::u64(1..1_000_000_000),
        output: Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance").join(&deployment.id),
        deployer_line: deployment.line.clone(),
        deviations,
        today: jiff::Zoned::now().date().to_string(),
    };
    let code =
        conformance::offer(arguments, runtime, Arc::new(suite), order, Arc::clone(&deployment.deployer));
    deployment.close()?;
    code
}
