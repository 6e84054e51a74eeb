//! The sentence that gives the outcome, and the sentences that qualify it.

use std::collections::BTreeMap;

use samklang_verdict::{Role, Termination, Verdict};

use crate::{
    fails::blamed,
    words::{ReportMark, Words},
};

/// The overall impression of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Unsure,
    Bad,
}

/// The headline of every report.
pub(crate) struct Headline {
    pub(crate) tone: Tone,
    /// The outcome.
    pub(crate) first: String,
    /// Sentences that qualify the outcome.
    pub(crate) more: Vec<String>,
}

/// Computes the headline from the counts. It never says that servers federate if a check was left unjudged.
pub(crate) fn headline(words: Words<'_>) -> Headline {
    let result = words.result;
    let counts = &result.counts;
    let total = counts.total() - counts.not_applicable - counts.unproven;
    let unjudged = counts.inconclusive + counts.error + counts.not_run + counts.flaky;
    let whole = result.run.termination == Termination::Complete && result.problems.is_empty();
    let products: Vec<_> = result.participants.iter().map(|participant| words.product(participant)).collect();
    let who = if products.is_empty() { words.label("no-servers") } else { words.list(&products) };
    let (total_text, pass) = (total.to_string(), counts.pass.to_string());
    let args = [("who", who.as_str()), ("total", total_text.as_str()), ("pass", pass.as_str())];
    let several = if products.len() == 1 { "one" } else { "many" };
    let (tone, first) = if total == 0 {
        (Tone::Unsure, words.say("outcome.nothing", &args))
    } else if counts.fail > 0 {
        let blame = blame(words, counts.fail);
        let args: Vec<_> = args.into_iter().chain([("blame", blame.as_str())]).collect();
        (Tone::Bad, words.count("outcome.failed", counts.fail, &args))
    } else if counts.deviation_broken > 0 {
        (Tone::Bad, words.count("outcome.deviation-broken", counts.deviation_broken, &args))
    } else if unjudged > 0 {
        (Tone::Unsure, words.count("outcome.unjudged", unjudged, &args))
    } else if !whole {
        (Tone::Unsure, words.say("outcome.partial", &args))
    } else if counts.deviation > 0 {
        let n = counts.deviation.to_string();
        let args: Vec<_> = args.into_iter().chain([("n", n.as_str())]).collect();
        (Tone::Good, words.say(&format!("outcome.as-recorded.{several}"), &args))
    } else {
        (Tone::Good, words.say(&format!("outcome.federate.{several}"), &args))
    };
    Headline { tone, first, more: more(words, unjudged) }
}

fn more(words: Words<'_>, unjudged: u64) -> Vec<String> {
    let result = words.result;
    let counts = &result.counts;
    let mut more = Vec::new();
    match result.run.termination {
        Termination::Complete => {}
        Termination::Interrupted => more.push(words.label("outcome.more.interrupted")),
        Termination::Broken => more.push(words.label("outcome.more.broken")),
    }
    let broken_is_first = counts.fail == 0;
    let unjudged_is_first = counts.fail == 0 && counts.deviation_broken == 0;
    let mut add = |key: &str, n: u64| {
        if n > 0 {
            more.push(words.count(&format!("outcome.more.{key}"), n, &[]));
        }
    };
    add("problems", result.problems.len() as u64);
    add("deviation-broken", if broken_is_first { 0 } else { counts.deviation_broken });
    add("unjudged", if unjudged_is_first { 0 } else { unjudged });
    add("error", counts.error);
    add("flaky", counts.flaky);
    // If the first sentence is about fails, a reader must not mistake the recorded fails for passes.
    let is_in_first_sentence = counts.fail == 0 && counts.deviation_broken == 0 && unjudged == 0;
    add("deviation", if is_in_first_sentence { 0 } else { counts.deviation });
    add("not-applicable", counts.not_applicable);
    add("unproven", counts.unproven);
    more.extend(result.participants.iter().filter_map(|participant| words.upgrade(participant)));
    if result.run.direct {
        more.push(words.label("outcome.more.direct"));
    }
    more
}

/// `both the fault of B (Synapse 1.163.2)`, or the number of fails of each server.
fn blame(words: Words<'_>, fails: u64) -> String {
    let mut by_role: BTreeMap<Option<Role>, u64> = BTreeMap::new();
    for check in &words.result.checks {
        if let (ReportMark::Fail, Verdict::Fail(fail)) = (ReportMark::of(check), &check.verdict) {
            *by_role.entry(blamed(fail)).or_default() += 1;
        }
    }
    if by_role.len() == 1
        && let Some((role, _)) = by_role.first_key_value()
    {
        let how_many = match fails {
            1 => "one",
            2 => "two",
            _ => "many",
        };
        return match role {
            Some(role) => words.say(&format!("blame.all.{how_many}"), &[("who", &words.server_label(*role))]),
            None => words.say(&format!("blame.none.{how_many}"), &[]),
        };
    }
    // Roles first, the undecided last.
    let (undecided, decided): (Vec<_>, Vec<_>) = by_role.into_iter().partition(|(role, _)| role.is_none());
    let parts: Vec<_> = decided
        .into_iter()
        .chain(undecided)
        .map(|(role, n)| {
            let n = n.to_string();
            match role {
                Some(role) => words.say("blame.some", &[("n", &n), ("who", &words.server_label(role))]),
                None => words.say("blame.some-undecided", &[("n", &n)]),
            }
        })
        .collect();
    words.list(&parts)
}
