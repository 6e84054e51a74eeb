//! Judging what was recorded anyway: a rule is held against every exchange that it concerns.

use std::{ops::Deref, sync::Arc};

use samklang_actors::user::Failure;
use samklang_matrix::Event;
use samklang_verdict::{
    Blame, Class, Exchange, ExchangeId, Message, Observation, Observations, Party, Problem, Role, Verdict,
    message,
};
use serde_json::Value;

use crate::{
    judge,
    scene::Scene,
    traffic::{Heard, Traffic},
    wire::role_of,
};

/// What a rule says of one exchange.
pub enum Finding {
    /// The exchange keeps to the rule.
    Keeps,
    /// It breaks the rule, as the message says.
    Breaks(Message),
}

/// A rule about what one side says in an exchange; none where it does not concern that.
pub type WireRule = fn(&Traffic, &Said<'_>) -> Option<Finding>;

/// A rule, whom it binds, and the reason code of a fail.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The side that it binds.
    pub side: Side,
    /// The reason code.
    pub reason: &'static str,
    /// What it says.
    pub judge: WireRule,
}

/// The side of an exchange that a rule binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Who asks.
    Asking,
    /// Who answers.
    Answering,
    /// Both, each for its own half.
    Either,
}

/// What one side says in an exchange.
pub struct Said<'a> {
    exchange: &'a Heard,
    /// Who says it.
    pub by: &'a Party,
    /// The other side.
    pub to: &'a Party,
    /// The body that holds it.
    pub body: &'a Value,
    /// The events that it holds, whoever made them.
    pub events: &'a [Arc<Event>],
}

impl Deref for Said<'_> {
    type Target = Heard;

    fn deref(&self) -> &Heard {
        self.exchange
    }
}

impl Side {
    /// The halves of an exchange that are of this side.
    fn halves(self, exchange: &Heard) -> impl Iterator<Item = Said<'_>> {
        let (from, to) = (&exchange.from, &exchange.to);
        let request = Said { exchange, by: from, to, body: &exchange.request, events: &exchange.asked_with };
        let answer =
            Said { exchange, by: to, to: from, body: &exchange.answer, events: &exchange.answered_with };
        let asking = (self != Self::Answering).then_some(request);
        asking.into_iter().chain((self != Self::Asking).then_some(answer))
    }
}

impl Rule {
    /// What the rule says of an exchange, once for each side that it concerns.
    pub fn findings<'a>(
        self,
        traffic: &'a Traffic,
        exchange: &'a Heard,
    ) -> impl Iterator<Item = (&'a Party, Finding)> {
        let halves = self.side.halves(exchange);
        halves.filter_map(move |said| Some((said.by, (self.judge)(traffic, &said)?)))
    }
}

/// The breaches that a fail names as evidence.
const SHOWN: usize = 5;

impl Finding {
    /// Keeps, where nothing is wrong.
    pub fn of(wrong: Option<Message>) -> Self {
        wrong.map_or(Self::Keeps, Self::Breaks)
    }
}

impl Scene {
    /// Holds every exchange of the plays before this one against the rules of this scenario's checks.
    ///
    /// # Errors
    /// None: what is wrong stands in the checks.
    pub async fn judge_traffic(&self) -> Result<(), Failure> {
        // A check without a rule is not judged, which closing the scene finds out.
        let ruled = self.scenario().checks.iter().filter_map(|check| Some((check.name, check.rule?)));
        let ruled: Vec<_> = ruled.collect();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let share = ruled.len().div_ceil(cores).max(1);
        let verdicts: Vec<_> = std::thread::scope(|scope| {
            let judge = |share: &[(&'static str, Rule)]| {
                share.iter().map(|(name, rule)| (*name, self.judge_by(*rule))).collect::<Vec<_>>()
            };
            let judges: Vec<_> = ruled.chunks(share).map(|share| scope.spawn(move || judge(share))).collect();
            judges.into_iter().map(|judge| judge.join()).collect()
        });
        for verdict in verdicts {
            let panicked = || Failure::Problem(Problem::harness(message!("judging.judge-panicked")));
            let judged = verdict.map_err(|_| panicked())?;
            for (name, verdict) in judged {
                self.settle(name, verdict.into());
            }
        }
        Ok(())
    }

    /// The servers under test are judged; where one of the harness's own peers breaks the rule without having been told
    /// to, nobody is, since the harness is then wrong.
    fn judge_by(&self, rule: Rule) -> Verdict {
        let none = || Verdict::NotApplicable { message: message!("judging.nothing-of-the-kind") };
        let Some(traffic) = self.traffic() else { return none() };
        let (mut kept, mut broken, mut in_doubt) = (Vec::new(), Vec::new(), false);
        for exchange in &traffic.exchanges {
            for (by, finding) in rule.findings(traffic, exchange) {
                match (finding, role_of(by)) {
                    (Finding::Keeps, Some(role)) if self.judges(role) && !traffic.is_sound(exchange) => {
                        in_doubt = true;
                    }
                    // One of each server is enough: the transcript has them all.
                    (Finding::Keeps, Some(role))
                        if self.judges(role) && kept.iter().all(|seen: &Observation| seen.by != role) =>
                    {
                        kept.push(Observation { by: role, exchange: exchange.id });
                    }
                    (Finding::Breaks(what), Some(role)) if self.judges(role) => {
                        broken.push((role, exchange.id, what));
                    }
                    (Finding::Breaks(what), None) if is_our_own(traffic, by, exchange) => {
                        return own_breach(exchange, &what);
                    }
                    _ => {}
                }
            }
        }
        match (broken.first(), Observations::from_all(kept)) {
            (Some((role, _, what)), _) => breach(rule.reason, *role, what, &broken),
            (None, Some(observations)) => Verdict::Pass { observations },
            (None, None) if in_doubt => Verdict::Inconclusive {
                message: message!("judging.nothing-sound"),
                blocked_by: None,
                bound_ms: None,
            },
            (None, None) => none(),
        }
    }
}

fn breach(reason: &str, role: Role, what: &Message, broken: &[(Role, ExchangeId, Message)]) -> Verdict {
    let blame = Blame::Server { role, because: message!("blame.sent-itself", role = role) };
    let text = message!("fail.wire", what = what, count = broken.len());
    let evidence = broken.iter().map(|(_, exchange, _)| *exchange).take(SHOWN).collect();
    judge::fail(reason, blame, text, evidence)
}

/// Whether a peer is bound by the rule here: it is, unless a scenario had it say otherwise.
fn is_our_own(traffic: &Traffic, by: &Party, exchange: &Exchange) -> bool {
    let Party::Peer { name } = by else { return false };
    !traffic.is_admitted(name) && !traffic.is_admitted(&exchange.id.to_string())
}

fn own_breach(exchange: &Exchange, what: &Message) -> Verdict {
    let message = message!("judging.own-breach", exchange = exchange.id, what = what);
    Verdict::Error { class: Class::Harness, message }
}
