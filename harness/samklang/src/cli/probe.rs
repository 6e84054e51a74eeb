//! `samklang probe`: looks at a running server as other servers meet it. Each finding is one sentence.

use std::time::Duration;

use samklang_prober as probe;
use samklang_prober::{ProbeFinding, ProbeMark, ProbeSettings};
use samklang_verdict::{Catalogue, Message, exit, message};
use serde_json::json;

use super::{CommandResult, args::ProbeArgs, print, runtime};

/// Looks at the server and prints the findings. The exit code is 1 when something is wrong with the server, and 2 when
/// something is unknown.
pub(super) fn probe(args: &ProbeArgs) -> CommandResult {
    let settings = ProbeSettings {
        roots: probe::roots(args.ca.as_deref())?,
        routes: args.connect_to.iter().cloned().collect(),
        name_server: args.dns,
        bound: Duration::from_secs(args.timeout.into()),
    };
    let runtime = runtime()?;
    let findings = runtime.block_on(probe::probe(&args.server_name, &settings))?;
    // Does not wait for a look-up of the system that still runs.
    runtime.shutdown_background();
    let worst = findings.iter().map(|finding| finding.mark).max().unwrap_or(ProbeMark::Unknown);
    let (code, verdict) = match worst {
        ProbeMark::Good | ProbeMark::Note => {
            (exit::AS_EXPECTED, message!("probe.all-well", name = args.server_name))
        }
        ProbeMark::Unknown => (exit::NOT_PROVEN, message!("probe.not-told", name = args.server_name)),
        ProbeMark::Bad => (exit::UNEXPECTED_FAIL, message!("probe.something-wrong", name = args.server_name)),
    };
    if args.json {
        print(&as_json(args, &findings, worst))?;
    } else {
        print(&as_text(&findings, &verdict))?;
    }
    Ok(code)
}

fn as_text(findings: &[ProbeFinding], verdict: &Message) -> String {
    let catalogue = Catalogue::english();
    let line = |finding: &ProbeFinding| {
        let mark = match finding.mark {
            ProbeMark::Good => "probe.good",
            ProbeMark::Note => "probe.note",
            ProbeMark::Unknown => "probe.unknown",
            ProbeMark::Bad => "probe.bad",
        };
        let (mark, text) = (catalogue.label(mark), catalogue.render(&finding.message).in_one_line());
        format!("{mark:<8}{:<17}{text}\n", finding.check)
    };
    let lines: String = findings.iter().map(line).collect();
    format!("{lines}{}\n", catalogue.render(verdict).in_one_line())
}

fn as_json(args: &ProbeArgs, findings: &[ProbeFinding], worst: ProbeMark) -> String {
    let object = |finding: &ProbeFinding| {
        let mut object = json!(finding);
        object["text"] = Catalogue::english().render(&finding.message).in_one_line().into();
        object
    };
    let findings: Vec<_> = findings.iter().map(object).collect();
    format!("{:#}\n", json!({"server_name": args.server_name, "worst": worst, "findings": findings}))
}
