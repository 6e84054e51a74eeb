//! Whether the suite notices what it is there to notice. The homeserver inside this program plays the whole suite against
//! itself, first as it is, and then with one fault after another in role A. A check that no fault turns red proves
//! nothing, and a fault that no check notices is a gap in the suite.

pub mod exceptions;
pub mod findings;
pub mod matrix;
mod play;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use samklang_reference::Fault;
use samklang_stage::deploy::{Cast, Deployer};
use samklang_verdict::{CheckId, Play, Problem, ReasonCode};

use self::{
    exceptions::Exceptions,
    findings::{Covered, Evidence, Findings},
    matrix::{Kill, KillMatrix},
};
use crate::{scenario::Kind, suite::Suite};

/// What is to be played.
pub struct Selftest {
    /// The suite that is on trial.
    pub suite: Arc<Suite>,
    /// The servers: all inside this program. The one in role A is judged.
    pub casts: Vec<Cast>,
    /// The faults.
    pub faults: Vec<Fault>,
    /// Whether a fault plays only the scenarios of its areas, each in its newest room version.
    pub quick: bool,
    /// How many plays run at a time, each on a thread of its own.
    pub jobs: usize,
    /// The seed of everything random.
    pub seed: u64,
}

/// What the suite made of one server.
#[derive(Debug, Clone)]
pub struct Showing {
    /// The server's fault; none for the honest one.
    pub fault: Option<Fault>,
    /// What each check came to.
    pub seen: BTreeMap<(CheckId, Play), CameTo>,
    /// How long it took.
    pub took: Duration,
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameTo {
    /// Green.
    Pass,
    /// Red.
    Fail(ReasonCode),
    /// It did not apply.
    NotApplicable,
    /// It was not judged, for this reason.
    Unjudged(String),
}

/// What all servers came to.
pub struct Played {
    /// The honest one.
    pub honest: Showing,
    /// Those with a fault, in the order of the faults.
    pub faulty: Vec<Showing>,
}

impl Selftest {
    /// Plays one server, which `deployer` brings up in role A, as the honest one is played.
    ///
    /// # Errors
    /// When the stage does not come up.
    pub fn show(&self, deployer: &dyn Deployer) -> Result<Showing, Problem> {
        play::show(self, None, deployer)
    }

    /// Plays the honest server, and where all is green, those with faults. `heard` is told of each as it ends.
    ///
    /// # Errors
    /// When a stage does not come up.
    pub fn play(&self, heard: &(dyn Fn(&Showing) + Sync)) -> Result<Played, Problem> {
        let honest = play::side_by_side(self, &[None], heard)?.remove(0);
        let faults = if honest.troubles().next().is_some() { vec![] } else { self.faults.clone() };
        let faulty = play::side_by_side(self, &faults.into_iter().map(Some).collect::<Vec<_>>(), heard)?;
        Ok(Played { honest, faulty })
    }
}

/// The scenarios and the room version of each that are played for a fault; none for all of them.
type Scope = BTreeMap<String, Option<BTreeMap<&'static str, u32>>>;

impl Selftest {
    /// What `played` says about the suite, held against what is on file.
    ///
    /// # Errors
    /// When nothing can be planned.
    pub fn findings(
        &self,
        played: &Played,
        stored: &KillMatrix,
        exceptions: &Exceptions,
    ) -> Result<Findings, Problem> {
        let faults: Vec<_> = self.faults.iter().map(|fault| fault.name()).collect();
        let scope = self.scope()?;
        let covers = |kill: &Kill| match scope.get(kill.fault.as_str()) {
            None => Covered::Not,
            Some(None) => Covered::Surely,
            Some(Some(newest)) => self.covered(kill, newest),
        };
        Ok(Findings::of(&Evidence {
            stored,
            found: &played.matrix(),
            complete: !self.quick && faults.len() == Fault::all().len(),
            covers: &covers,
            scored: played.honest.green().cloned().collect(),
            faults: &faults,
            checks: self.suite.check_ids().len(),
            exceptions,
        }))
    }

    /// The faults that are played, each with the scenarios and room versions of a quick test, or none for all of them.
    fn scope(&self) -> Result<Scope, Problem> {
        let of = |fault: &Fault| {
            let newest = self.quick.then(|| play::trials(self, Some(*fault)));
            Ok((fault.name(), newest.transpose()?.map(|trials| play::newest_versions(&trials))))
        };
        self.faults.iter().map(of).collect()
    }

    /// What a quick test says about a stored kill. A scenario that judges what others put on the wire sees less there.
    fn covered(&self, kill: &Kill, newest: &BTreeMap<&'static str, u32>) -> Covered {
        let scenario = kill.check.scenario();
        let passive: BTreeSet<_> =
            self.suite.scenarios.iter().filter(|one| one.kind == Kind::Passive).map(|one| one.id).collect();
        match newest.get(scenario) {
            Some(version) if kill.room_version == version.to_string() => {
                if passive.contains(scenario) {
                    Covered::Perhaps
                } else {
                    Covered::Surely
                }
            }
            _ => Covered::Not,
        }
    }
}

impl Showing {
    /// What is neither green nor set aside: in an honest server nothing.
    pub fn troubles(&self) -> impl Iterator<Item = (&CheckId, &Play, &CameTo)> {
        let trouble = |came: &CameTo| matches!(came, CameTo::Fail(_) | CameTo::Unjudged(_));
        self.seen.iter().filter(move |(_, came)| trouble(came)).map(|((id, play), came)| (id, play, came))
    }

    /// The checks that were green in some play.
    pub fn green(&self) -> impl Iterator<Item = &CheckId> {
        self.seen.iter().filter(|(_, came)| **came == CameTo::Pass).map(|((id, _), _)| id)
    }

    /// What is red here and was green with the honest server, in the same play.
    fn kills(&self, honest: &Showing) -> impl Iterator<Item = Kill> {
        let fault = self.fault.map(Fault::name).unwrap_or_default();
        self.seen.iter().filter_map(move |(place, came)| {
            let CameTo::Fail(reason) = came else { return None };
            (honest.seen.get(place) == Some(&CameTo::Pass)).then(|| Kill {
                fault: fault.clone(),
                check: place.0.clone(),
                reason: reason.clone(),
                room_version: place.1.room_version.clone(),
            })
        })
    }
}

impl Played {
    /// Which check noticed which fault.
    pub fn matrix(&self) -> KillMatrix {
        self.faulty.iter().flat_map(|showing| showing.kills(&self.honest)).collect()
    }
}
