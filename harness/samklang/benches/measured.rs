//! Measures, as a table: the time to bring the stage up, the time of the whole suite and its parts, whether each run has the
//! same verdicts, the time that the switchboard adds to a request, and the cost of peers. Run it by `just bench`.
//!
//! `SAMKLANG_BENCH_RUNS` is the number of times that the suite is played (default 10), `SAMKLANG_BENCH_DEPLOY` the way to
//! bring servers up (default `process`), `SAMKLANG_VENDOR` the vendor (default `synapse`). It fails only when it cannot
//! measure.

#[path = "measured/peers.rs"]
mod peers;

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use bytes::Bytes;
use samklang::setting::{self, Deploy, Deployment};
use samklang_matrix::endpoints::VERSION;
use samklang_reference::Transport as _;
use samklang_runner::suite::project_root;
use samklang_stage::{Logs, Stage};
use samklang_verdict::ResultFile;

type Measured = Result<(), Box<dyn std::error::Error>>;

/// The number of requests that are timed each way.
const REQUESTS: usize = 500;

fn main() -> ExitCode {
    let by_environment =
        |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let vendor = by_environment("SAMKLANG_VENDOR", "synapse");
    let deploy = by_environment("SAMKLANG_BENCH_DEPLOY", "process");
    let runs = by_environment("SAMKLANG_BENCH_RUNS", "10").parse().unwrap_or(10);
    let measured =
        suite(&vendor, &deploy, runs).and_then(|()| switchboard(&vendor)).and_then(|()| crowds(&vendor));
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot measure: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Plays the whole suite several times.
fn suite(vendor: &str, deploy: &str, runs: usize) -> Measured {
    println!("| run | stage up | play | whole run | servers' CPU | harness CPU | digest |");
    println!("|---|---|---|---|---|---|---|");
    let mut digests = Vec::new();
    for run in 1..=runs {
        let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{run}"));
        let status = Command::new(env!("CARGO_BIN_EXE_samklang"))
            .args(["run", vendor, "--deploy", deploy, "--format", "jsonl", "--no-proposals", "--output"])
            .arg(&output)
            .stdout(std::process::Stdio::null())
            .status()?;
        let result = ResultFile::from_bytes(&fs::read(output.join("result.json"))?)?;
        let phase = |name: &str| result.run.phases_ms.get(name).copied().unwrap_or_default() as f64 / 1000.0;
        let servers: u64 = result.participants.iter().filter_map(|participant| participant.cpu_ms).sum();
        println!(
            "| {run} (exit {}) | {:.1} s | {:.1} s | {:.1} s | {:.1} s | {:.1} s | {} |",
            status.code().unwrap_or(-1),
            phase("stage_up"),
            phase("play"),
            result.run.duration_ms as f64 / 1000.0,
            servers as f64 / 1000.0,
            phase("harness_cpu"),
            &result.digest[..12]
        );
        digests.push(result.digest);
        fs::remove_dir_all(&output)?;
    }
    let alike = digests.iter().filter(|digest| Some(*digest) == digests.first()).count();
    println!("\n{alike} of {} runs have the first one's digest\n", digests.len());
    Ok(())
}

/// Times the same request to the same kind of server, with and without the switchboard on the way.
fn switchboard(vendor: &str) -> Measured {
    let runtime = tokio::runtime::Runtime::new()?;
    let mut medians = Vec::new();
    println!("| way | median | 95th percentile |");
    println!("|---|---|---|");
    for direct in [true, false] {
        let (median, late) = runtime.block_on(time_requests(vendor, direct))?;
        let way = if direct { "--direct" } else { "through the switchboard" };
        println!("| {way} | {:.2} ms | {:.2} ms |", ms(median), ms(late));
        medians.push(ms(median));
    }
    println!("\nthe switchboard adds {:.2} ms to the median\n", medians[1] - medians[0]);
    Ok(())
}

/// Measures the cost of a peer, and how many peers there can be at once.
fn crowds(vendor: &str) -> Measured {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let root = project_root(samklang_suites::BUILT_FROM)?;
        let casts = setting::casts(&setting::shelf(&root, &[]), Some(vendor), None, None)?;
        let deployment = Deployment::choose(&casts, Deploy::Process, false).await?;
        let deployer = &deployment.deployer;
        let stage = Stage::up(deployer, &casts, false, &|_: &str| {}, &Logs::default()).await?;
        let cost = peers::own_cost(&stage).await;
        let crowd = peers::crowd(&stage).await;
        stage.down().await;
        deployer.clear().await?;
        deployment.close()?;
        cost.and(crowd)
    })
}

async fn time_requests(
    vendor: &str,
    direct: bool,
) -> Result<(Duration, Duration), Box<dyn std::error::Error>> {
    let root = project_root(samklang_suites::BUILT_FROM)?;
    let casts = setting::casts(&setting::shelf(&root, &[]), Some(vendor), None, None)?;
    let deployment = Deployment::choose(&casts, Deploy::Process, direct).await?;
    let deployer = &deployment.deployer;
    let stage = Stage::up(deployer, &casts, direct, &|_: &str| {}, &Logs::default()).await?;
    let server = stage.servers().next().ok_or("the stage is empty")?.name.clone();
    let mut times = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        let begun = Instant::now();
        stage.federation().request("GET", &server, VERSION.template, &[], Bytes::new()).await?;
        times.push(begun.elapsed());
    }
    stage.down().await;
    deployer.clear().await?;
    deployment.close()?;
    times.sort();
    Ok((times[REQUESTS / 2], times[REQUESTS * 95 / 100]))
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}
