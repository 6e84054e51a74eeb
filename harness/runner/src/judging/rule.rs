//! Rules about traffic: each is held against every recorded exchange that it concerns.

use samklang_actors::user::Failure;
use samklang_verdict::{
    Blame, Class, Exchange, ExchangeId, Message, Observation, Observations, Party, Problem, Role, Verdict,
    message,
};

use super::{blame::fail, declaration::CheckPlan};
use crate::traffic::{
    Traffic,
    exchange::{ExchangeHalf, ReadExchange},
    wire_view::role_of,
};

/// What a rule says about one half of an exchange.
pub enum RuleFinding {
    /// It keeps to the rule.
    Keeps,
    /// It breaks the rule, as the message says.
    Breaks(Message),
}

/// A rule about one half of an exchange; none where it does not concern that half.
pub type RuleFunction = fn(&Traffic, &ExchangeHalf<'_>) -> Option<RuleFinding>;

/// A rule, the halves that it binds, and the reason code of a fail.
#[derive(Debug, Clone, Copy)]
pub struct TrafficRule {
    /// The halves of an exchange that it binds.
    pub half: BoundHalf,
    /// The reason code.
    pub reason: &'static str,
    /// The rule itself.
    pub judge: RuleFunction,
}

/// The halves of an exchange that a rule binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundHalf {
    /// The request.
    Request,
    /// The response.
    Response,
    /// Each of the two.
    Both,
}

/// At most so many breaches are named as evidence of a fail.
const BREACHES_SHOWN: usize = 5;

impl RuleFinding {
    /// Keeps, where nothing is wrong.
    pub fn of(wrong: Option<Message>) -> Self {
        wrong.map_or(Self::Keeps, Self::Breaks)
    }
}

impl BoundHalf {
    fn of(self, exchange: &ReadExchange) -> impl Iterator<Item = ExchangeHalf<'_>> {
        let request = (self != Self::Response).then(|| exchange.request_half());
        let response = (self != Self::Request).then(|| exchange.response_half());
        request.into_iter().chain(response)
    }
}

/// The servers that the traffic shows to keep to a rule or to break it.
#[derive(Default)]
struct Breaches {
    /// One exchange of each server is enough: the transcript has them all.
    kept: Vec<Observation>,
    broken: Vec<(Role, ExchangeId, Message)>,
    /// Whether some exchange keeps to the rule that no pass may rest on.
    in_doubt: bool,
}

impl TrafficRule {
    /// What the rule says about an exchange, once for each half that it concerns.
    pub fn findings<'a>(
        self,
        traffic: &'a Traffic,
        exchange: &'a ReadExchange,
    ) -> impl Iterator<Item = (&'a Party, RuleFinding)> {
        let halves = self.half.of(exchange);
        halves.filter_map(move |half| Some((half.by, (self.judge)(traffic, &half)?)))
    }

    /// The verdict on the servers in the roles `subjects`. Where a scripted peer breaks the rule without having been
    /// told to, no server is judged, since the harness is then wrong.
    pub fn verdict(self, traffic: &Traffic, subjects: &[Role]) -> Verdict {
        let mut seen = Breaches::default();
        for exchange in &traffic.exchanges {
            let recorded = &exchange.recorded;
            for (by, finding) in self.findings(traffic, exchange) {
                match (finding, role_of(by)) {
                    (finding, Some(role)) if subjects.contains(&role) => {
                        seen.note(role, finding, recorded.id, traffic.is_sound(recorded));
                    }
                    (RuleFinding::Breaks(what), None) if is_bound(traffic, by, recorded) => {
                        return own_breach(recorded, &what);
                    }
                    _ => {}
                }
            }
        }
        seen.verdict(self.reason)
    }
}

impl Breaches {
    fn note(&mut self, role: Role, finding: RuleFinding, exchange: ExchangeId, is_sound: bool) {
        match finding {
            RuleFinding::Breaks(what) => self.broken.push((role, exchange, what)),
            RuleFinding::Keeps if !is_sound => self.in_doubt = true,
            RuleFinding::Keeps if self.kept.iter().all(|seen| seen.by != role) => {
                self.kept.push(Observation { by: role, exchange });
            }
            RuleFinding::Keeps => {}
        }
    }

    fn verdict(self, reason: &str) -> Verdict {
        match (self.broken.first(), Observations::from_all(self.kept)) {
            (Some((role, _, what)), _) => breach(reason, *role, what, &self.broken),
            (None, Some(observations)) => Verdict::Pass { observations },
            (None, None) if self.in_doubt => Verdict::Inconclusive {
                message: message!("judging.nothing-sound"),
                blocked_by: None,
                bound_ms: None,
            },
            (None, None) => nothing_of_the_kind(),
        }
    }
}

/// Holds `traffic` against the rules of `checks`, each check with its verdict. A check without a rule gets none, which
/// closing the scene finds out.
///
/// # Errors
/// A harness problem when a rule panics.
pub fn judge_traffic(
    checks: &'static [CheckPlan],
    traffic: Option<&Traffic>,
    subjects: &[Role],
) -> Result<Vec<(&'static str, Verdict)>, Failure> {
    let ruled: Vec<_> = checks.iter().filter_map(|check| Some((check.name, check.rule?))).collect();
    let Some(traffic) = traffic else {
        return Ok(ruled.into_iter().map(|(name, _)| (name, nothing_of_the_kind())).collect());
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = ruled.len().div_ceil(cores).max(1);
    let judge = |share: &[(&'static str, TrafficRule)]| {
        share.iter().map(|(name, rule)| (*name, rule.verdict(traffic, subjects))).collect::<Vec<_>>()
    };
    let verdicts: Result<Vec<_>, _> = std::thread::scope(|scope| {
        let judges: Vec<_> = ruled.chunks(share).map(|share| scope.spawn(move || judge(share))).collect();
        // All are joined, so that a second panic does not end the program.
        judges.into_iter().map(|judge| judge.join()).collect::<Vec<_>>().into_iter().collect()
    });
    let panicked = |_| Failure::Problem(Problem::harness(message!("judging.judge-panicked")));
    Ok(verdicts.map_err(panicked)?.into_iter().flatten().collect())
}

fn nothing_of_the_kind() -> Verdict {
    Verdict::NotApplicable { message: message!("judging.nothing-of-the-kind") }
}

fn breach(reason: &str, role: Role, what: &Message, broken: &[(Role, ExchangeId, Message)]) -> Verdict {
    let blame = Blame::Server { role, because: message!("blame.sent-itself", role = role) };
    let text = message!("fail.wire", what = what, count = broken.len());
    let evidence = broken.iter().map(|(_, exchange, _)| *exchange).take(BREACHES_SHOWN).collect();
    fail(reason, blame, text, evidence)
}

/// Whether the rule binds a peer here: it does, unless a scenario told the peer to break rules.
fn is_bound(traffic: &Traffic, by: &Party, exchange: &Exchange) -> bool {
    let Party::Peer { name } = by else { return false };
    !traffic.is_admitted(name) && !traffic.is_admitted(&exchange.id.to_string())
}

fn own_breach(exchange: &Exchange, what: &Message) -> Verdict {
    let message = message!("judging.own-breach", exchange = exchange.id, what = what);
    Verdict::Error { class: Class::Harness, message }
}
