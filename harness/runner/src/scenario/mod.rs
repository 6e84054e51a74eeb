//! Scenarios as data: what each one is called, covers and needs, and the function that plays it.

use std::{future::Future, pin::Pin};

use samklang_actors::user::Failure;
use samklang_verdict::{Problem, Weight, message};
use serde::Serialize;

pub use crate::judging::declaration::{CheckPlan, FLOW, ScenarioKind};
use crate::{judging::declaration::Declaration, scene::Scene};

/// What a scenario cannot be played without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// The switchboard: the scenario reads or bends what goes over the wire between the servers.
    Wire,
    /// The whole stage: no other scenario plays at the same time, since it breaks something that all share.
    WholeStage,
    /// No scenario after it: a server that fails it may not be able to talk to the others any more.
    LastOfAll,
    /// A newer version of the judged vendor, to which the server is upgraded in mid-run. No scenario follows it, since
    /// all other verdicts are about the older version.
    NewerVersion,
    /// All other scenarios before it: some servers are busy with it long after it has ended, and do nothing else then.
    OthersFirst,
    /// A room version that both vendors declare, beside the one that is played.
    #[serde(untagged, serialize_with = "room_version")]
    RoomVersion(&'static str),
    /// A feature that both vendors declare.
    #[serde(untagged)]
    Feature(&'static str),
}

/// Serialised as one word, as the other needs are.
fn room_version<S: serde::Serializer>(version: &&'static str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("room-version-{version}"))
}

/// The room versions in which a scenario makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// All that the suite plays.
    All,
    /// These.
    Only(&'static [&'static str]),
    /// The room version does not matter, so the newest one that can be played stands for all.
    Newest,
}

impl Versions {
    /// Whether the scenario makes sense in `version`.
    pub fn include(self, version: &str) -> bool {
        match self {
            Self::All | Self::Newest => true,
            Self::Only(some) => some.contains(&version),
        }
    }
}

/// A play under way.
pub type Playing<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// A scenario.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its permanent id, `area.name`.
    pub id: &'static str,
    /// Its story in one sentence.
    pub title: &'static str,
    /// The parties that take part.
    pub kind: ScenarioKind,
    /// How much its checks weigh.
    pub weight: Weight,
    /// The rows of the scenario catalogue that it covers.
    pub catalogue: &'static [&'static str],
    /// The requirements that it tests.
    pub requirements: &'static [&'static str],
    /// The room versions in which it makes sense.
    pub versions: Versions,
    /// What it cannot be played without.
    pub needs: &'static [Need],
    /// The checks it makes beside its flow.
    pub checks: &'static [CheckPlan],
    /// Plays it.
    pub play: for<'a> fn(&'a Scene) -> Playing<'a>,
}

impl Scenario {
    /// What most scenarios have in common: two servers, a MUST, every room version, no further needs. To be completed
    /// with `Scenario { id: …, title: …, play: …, ..Scenario::PAIR }`.
    pub const PAIR: Self = Self {
        id: "",
        title: "",
        kind: ScenarioKind::Pair,
        weight: Weight::Must,
        catalogue: &[],
        requirements: &[],
        versions: Versions::All,
        needs: &[],
        checks: &[],
        play: |_| Box::pin(async { Err(Failure::Problem(Problem::harness(message!("judging.no-play")))) }),
    };

    /// What scenarios with peers have in common: one server, a MUST, every room version, the switchboard. To be
    /// completed as [`Scenario::PAIR`].
    pub const PEER: Self = Self { kind: ScenarioKind::Peer, needs: &[Need::Wire], ..Self::PAIR };

    /// What passive scenarios have in common: they hold the traffic of all others against the rules of their checks.
    pub const PASSIVE: Self = Self {
        kind: ScenarioKind::Passive,
        needs: &[Need::Wire],
        play: |scene| Box::pin(scene.judge_traffic()),
        ..Self::PAIR
    };

    /// What it declares about itself to the code that judges it.
    pub fn declaration(&self) -> Declaration {
        Declaration { id: self.id, title: self.title, kind: self.kind, checks: self.checks }
    }

    /// Whether no other scenario may be on the stage while it plays.
    pub fn is_alone(&self) -> bool {
        let alone = |need: &Need| matches!(need, Need::WholeStage | Need::LastOfAll | Need::NewerVersion);
        self.needs.iter().any(alone)
    }

    /// Whether a server is upgraded in it.
    pub fn is_upgrade(&self) -> bool {
        self.needs.contains(&Need::NewerVersion)
    }

    /// Whether peers may lie in it to the server that they meet.
    pub fn is_hostile(&self) -> bool {
        self.kind == ScenarioKind::Peer && self.needs.contains(&Need::Wire)
    }

    /// The area: what stands before the dot.
    pub fn area(&self) -> &'static str {
        self.id.split_once('.').map_or(self.id, |(area, _)| area)
    }

    /// Every check with its sentence and requirements, the flow first.
    pub fn all_checks(&self) -> impl Iterator<Item = (&'static str, &'static str, &'static [&'static str])> {
        let own = self.requirements;
        let of =
            move |check: &CheckPlan| if check.requirements.is_empty() { own } else { check.requirements };
        let flow = std::iter::once((FLOW, self.title, own));
        flow.chain(self.checks.iter().map(move |check| (check.name, check.title, of(check))))
    }
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scenario").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Makes the field `play` of a [`Scenario`] from an `async fn(&Scene) -> Result<(), Failure>`.
#[macro_export]
macro_rules! play {
    ($function:path) => {
        |scene| Box::pin($function(scene))
    };
}
