//! What a scenario declares about itself to the code that judges it.

use serde::Serialize;

use super::rule::{BoundHalf, RuleFunction, TrafficRule};

/// The check that every scenario has: its steps went as told, to the end.
pub const FLOW: &str = "flow";

/// Which parties a scenario needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScenarioKind {
    /// Two servers; each of them hosts the room once.
    Pair,
    /// Two servers and a network fault between them.
    #[serde(rename = "fault")]
    NetworkFault,
    /// The harness asks a server a few questions from outside.
    Probe,
    /// One server and scripted peers.
    Peer,
    /// No party of its own: its rules judge the traffic of all other scenarios.
    Passive,
}

/// A check that a scenario makes beside its flow.
#[derive(Debug, Clone, Copy)]
pub struct CheckPlan {
    /// Its permanent name within the scenario.
    pub name: &'static str,
    /// What the right server does, in one sentence.
    pub title: &'static str,
    /// The requirements it tests; the scenario's, when none is named.
    pub requirements: &'static [&'static str],
    /// The rule that recorded traffic is held against, where the check is such a rule.
    pub rule: Option<TrafficRule>,
}

impl CheckPlan {
    /// A check that tests the requirements of its scenario.
    pub const fn new(name: &'static str, title: &'static str) -> Self {
        Self { name, title, requirements: &[], rule: None }
    }

    /// A check of particular requirements.
    #[must_use]
    pub const fn of(mut self, requirements: &'static [&'static str]) -> Self {
        self.requirements = requirements;
        self
    }

    /// A rule about what is requested; `reason` is the reason code of a fail.
    #[must_use]
    pub const fn for_requests(self, reason: &'static str, rule: RuleFunction) -> Self {
        self.held_against(BoundHalf::Request, reason, rule)
    }

    /// A rule about what is responded.
    #[must_use]
    pub const fn for_responses(self, reason: &'static str, rule: RuleFunction) -> Self {
        self.held_against(BoundHalf::Response, reason, rule)
    }

    /// A rule about both requests and responses.
    #[must_use]
    pub const fn for_both(self, reason: &'static str, rule: RuleFunction) -> Self {
        self.held_against(BoundHalf::Both, reason, rule)
    }

    const fn held_against(mut self, half: BoundHalf, reason: &'static str, rule: RuleFunction) -> Self {
        self.rule = Some(TrafficRule { half, reason, judge: rule });
        self
    }
}

/// What a scenario declares about itself to the code that judges it.
#[derive(Debug, Clone, Copy)]
pub struct Declaration {
    /// The scenario's permanent id.
    pub id: &'static str,
    /// Its story in one sentence: the title of its flow.
    pub title: &'static str,
    /// Which parties it needs.
    pub kind: ScenarioKind,
    /// The checks it makes beside its flow.
    pub checks: &'static [CheckPlan],
}

impl Declaration {
    /// The title of the check `name`; none for a check that is not declared.
    pub fn title_of(&self, name: &str) -> Option<&'static str> {
        if name == FLOW {
            return Some(self.title);
        }
        self.checks.iter().find(|check| check.name == name).map(|check| check.title)
    }
}
