//! Judging what was recorded anyway: a rule is held against every exchange that it concerns.

use samklang_verdict::{
    Blame, Class, Exchange, ExchangeId, Observation, Observations, Party, Role, Verdict, message,
};

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
    /// It breaks the rule, in so many words.
    Breaks(String),
}

/// A rule about one exchange; none where it does not concern that exchange.
pub type WireRule = fn(&Traffic, &Heard) -> Option<Finding>;

/// The side of an exchange that a rule binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Who asks.
    Asking,
    /// Who answers.
    Answering,
}

/// The breaches that a fail names as evidence.
const SHOWN: usize = 5;

impl Finding {
    /// Keeps, where nothing is wrong.
    pub fn of(wrong: Option<String>) -> Self {
        wrong.map_or(Self::Keeps, Self::Breaks)
    }
}

impl Scene {
    /// Holds every exchange of the plays before this one against a rule. The servers under test are judged; where one of
    /// the harness's own peers breaks the rule without having been told to, nobody is, since the harness is then wrong.
    pub fn judge_wire(&self, check: &str, reason: &str, side: Side, rule: WireRule) {
        let none = || Verdict::NotApplicable { message: message!("judging.nothing-of-the-kind") };
        let Some(traffic) = self.traffic() else { return self.settle(check, none().into()) };
        let end = |exchange: &Heard| match side {
            Side::Asking => exchange.from.clone(),
            Side::Answering => exchange.to.clone(),
        };
        let (mut kept, mut broken) = (Vec::new(), Vec::new());
        for exchange in &traffic.exchanges {
            let by = end(exchange);
            match (rule(traffic, exchange), role_of(&by)) {
                // One of each server is enough: the transcript has them all.
                (Some(Finding::Keeps), Some(role))
                    if self.judges(role) && kept.iter().all(|seen: &Observation| seen.by != role) =>
                {
                    kept.push(Observation { by: role, exchange: exchange.id });
                }
                (Some(Finding::Breaks(what)), Some(role)) if self.judges(role) => {
                    broken.push((role, exchange.id, what));
                }
                (Some(Finding::Breaks(what)), None) if is_our_own(traffic, &by, exchange) => {
                    return self.settle(check, own_breach(exchange, &what).into());
                }
                _ => {}
            }
        }
        let verdict = match (broken.first(), Observations::from_all(kept)) {
            (Some((role, _, what)), _) => breach(reason, *role, what, &broken),
            (None, Some(observations)) => Verdict::Pass { observations },
            (None, None) => none(),
        };
        self.settle(check, verdict.into());
    }
}

fn breach(reason: &str, role: Role, what: &str, broken: &[(Role, ExchangeId, String)]) -> Verdict {
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

fn own_breach(exchange: &Exchange, what: &str) -> Verdict {
    let message = message!("judging.own-breach", exchange = exchange.id, what = what);
    Verdict::Error { class: Class::Harness, message }
}
