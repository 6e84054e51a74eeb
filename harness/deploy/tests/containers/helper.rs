//! Parts that need a process of their own: one that is killed, one with another environment.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, ExitCode, Stdio},
    time::Instant,
};

use samklang_deploy::Deployer;
use samklang_verdict::{Problem, Role};

use crate::bench::{Bench, block_on};

/// The environment variable that names the part.
pub(crate) const PART: &str = "SAMKLANG_TEST_PART";
const ROOT: &str = "SAMKLANG_TEST_ROOT";

/// A process of this same program that plays a part and reports line by line.
pub(crate) struct Helper {
    pub(crate) child: Child,
    lines: BufReader<ChildStdout>,
}

impl Helper {
    pub(crate) fn new(part: &str, root: &Path, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(PART, part).env(ROOT, root).envs(environment.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Lets it go on.
    pub(crate) fn nudge(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn play(part: &str) -> ExitCode {
    let root = std::env::var_os(ROOT).unwrap();
    let root = Path::new(&root);
    block_on(async {
        let bench = match Bench::at(root, false).await {
            Ok(bench) => bench,
            Err(problem) => {
                tell("ground", Instant::now(), &Err(problem));
                return;
            }
        };
        if part == "ground" {
            return;
        }
        let server = bench.start(Role::A, "1.0.0").await.unwrap();
        println!("{}", bench.run.mark().id());
        wait();
        if part == "use" {
            // These run at the same time, since each of them waits for an engine that does not answer.
            let begun = Instant::now();
            tokio::join!(
                async { tell("ended", begun, &server.ended().await.map(drop)) },
                async { tell("start", begun, &bench.start(Role::B, "1.0.0").await.map(drop)) },
                async { tell("stop", begun, &server.stop().await) },
                async { tell("clear", begun, &bench.deployer.clear().await) },
            );
        }
        wait();
        bench.close().await;
        println!("closed");
    });
    ExitCode::SUCCESS
}

/// A line with the call, its duration in whole seconds, and the problem's class and text.
fn tell(what: &str, begun: Instant, result: &Result<(), Problem>) {
    let seconds = begun.elapsed().as_secs();
    match result {
        Ok(()) => println!("{what} {seconds} none"),
        Err(problem) => println!("{what} {seconds} {:?} {problem}", problem.class),
    }
}

fn wait() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}
