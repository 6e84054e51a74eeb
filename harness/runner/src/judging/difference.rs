//! Holds an observation against the stored expectation of a check, and finds the server to blame where the two differ.

use samklang_actors::user::Observed;
use samklang_verdict::{Blame, ExchangeId, Observation, Observations, Problem, Role, Verdict, message};

use super::{
    blame::{fail, with_texts},
    expectation::{Comparison, Expectations},
};
use crate::traffic::wire_view::WireView;

/// A check that is held against a stored expectation.
pub struct ExpectedCheck<'a> {
    /// The check's id.
    pub id: String,
    /// Its title.
    pub title: &'a str,
    /// The room version, where each room version has an expectation of its own.
    pub by_version: Option<&'a str>,
}

impl ExpectedCheck<'_> {
    /// The verdict on `observed`, whose normalised text is `actual`. Where the texts are the same, `pass` makes it.
    pub fn verdict(
        &self,
        expectations: &Expectations,
        (observed, actual): (&Observed, &str),
        pass: impl FnOnce(Observations) -> Verdict,
        blame: impl FnOnce() -> (Blame, Option<ExchangeId>),
    ) -> Verdict {
        let error = |problem: Problem| Verdict::Error { class: problem.class, message: problem.message };
        let comparison = match expectations.compare(&self.id, self.by_version, actual) {
            Ok(comparison) => comparison,
            Err(problem) => return error(problem),
        };
        if comparison == Comparison::Conforms {
            return pass(observed.observations.clone());
        }
        if let Err(problem) = expectations.propose(&self.id, self.by_version, self.title, actual) {
            return error(problem);
        }
        match comparison {
            Comparison::Differs { expected } => {
                let (blame, further) = blame();
                let shown = observed.observations.all().iter().map(|seen| seen.exchange);
                let text = message!("fail.differs", title = self.title);
                let verdict = fail("expectation.differs", blame, text, shown.chain(further).collect());
                with_texts(verdict, Some(expected), Some(actual.to_owned()))
            }
            _ => Verdict::Inconclusive {
                message: message!("judging.no-expectation", check = self.id),
                blocked_by: None,
                bound_ms: None,
            },
        }
    }
}

/// The server that is to blame for a difference: the one that sent an event as it is shown, else the one that shows it.
/// `roles` are the servers on the stage.
pub fn blame_for_difference(
    observed: &Observed,
    wire: Option<&WireView>,
    roles: impl Iterator<Item = Role>,
) -> (Blame, Option<ExchangeId>) {
    let shown_by = observed.observations.all()[0].by;
    let shown = || (Blame::Server { role: shown_by, because: message!("blame.shown") }, None);
    let crossed = |sender: Role, exchange: ExchangeId, is_unchanged: bool| {
        let blame = if is_unchanged {
            let because = message!("blame.sent-so", exchange = exchange, role = sender);
            Blame::Server { role: sender, because }
        } else {
            let because = message!("blame.changed", exchange = exchange, role = shown_by);
            Blame::Server { role: shown_by, because }
        };
        (blame, Some(exchange))
    };
    if let Some(sent) = &observed.sent {
        let Observation { by, exchange } = sent.observations.all()[0].clone();
        return crossed(by, exchange, sent.value == observed.value);
    }
    let id = observed.value["event_id"].as_str();
    if id.is_none() && observed.observations.all().iter().any(|seen| seen.by != shown_by) {
        // Several servers show it together, and the difference does not tell which of them is wrong.
        return (Blame::Undecided { because: message!("blame.several-show") }, None);
    }
    let (Some(wire), Some(id)) = (wire, id) else { return shown() };
    let sent_by = |role| Some((role, wire.content_on_wire(id, role)?));
    match roles.filter(|&role| role != shown_by).find_map(sent_by) {
        Some((role, (content, exchange))) => crossed(role, exchange, content == observed.value["content"]),
        None => shown(),
    }
}
