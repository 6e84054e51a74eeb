//! `samklang review`.

use std::io::{BufRead, IsTerminal, Write};

use samklang_runner::{
    judging::expectation::{Expectations, Proposal},
    suite::project_root,
};
use samklang_verdict::{Catalogue, Problem, exit, message};

use super::{CommandResult, args::ReviewArgs, print};

/// Goes through all proposals. Without a terminal it only shows them.
pub(super) fn review(args: &ReviewArgs) -> CommandResult {
    let root = project_root(samklang_suites::BUILT_FROM)?;
    let proposals = Expectations::in_folder(root.join("suites/expectations")).proposals()?;
    let label = |key: &str| Catalogue::english().label(key);
    if proposals.is_empty() {
        return print(&format!("{}\n", label("review.nothing")));
    }
    let asks = !args.accept && !args.reject && std::io::stdin().is_terminal();
    for proposal in &proposals {
        print(&shown(proposal))?;
        if args.accept {
            proposal.accept()?;
        } else if args.reject {
            proposal.reject()?;
        } else if asks && !ask(proposal)? {
            break;
        }
    }
    let done = if args.accept || args.reject || asks { "review.done" } else { "review.how" };
    print(&format!("{}\n", label(done)))?;
    Ok(exit::AS_EXPECTED)
}

fn shown(proposal: &Proposal) -> String {
    let file = proposal.file().display();
    let body =
        samklang_reports::line_diff(proposal.expected.as_deref().unwrap_or_default(), &proposal.actual);
    format!("\n{file}\n{body}\n")
}

/// Asks about one proposal. Returns false when the user wants to stop.
fn ask(proposal: &Proposal) -> Result<bool, Problem> {
    let label = |key: &str| Catalogue::english().label(key);
    loop {
        print(&format!("{} ", label("review.ask")))?;
        let _ = std::io::stdout().flush();
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        if read.map_err(|error| Problem::configuration(message!("cli.no-input", error = error)))? == 0 {
            return Ok(false);
        }
        match answer.trim() {
            "a" => return proposal.accept().map(|()| true),
            "r" => return proposal.reject().map(|()| true),
            "s" => return Ok(true),
            "q" => return Ok(false),
            _ => {}
        }
    }
}
