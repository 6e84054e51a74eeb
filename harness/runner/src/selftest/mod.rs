//! Tests the suite itself. The reference plays the whole suite against itself, first without a fault, and then with one
//! fault after another in role A. A check that no fault turns red proves nothing. A fault that no check notices is a
//! gap in the suite.

pub mod exceptions;
pub mod findings;
mod play;
mod sample;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use samklang_deploy::{Cast, Deployer};
use samklang_reference::Fault;
use samklang_verdict::{CheckId, Play, Problem, ReasonCode};

use self::{
    exceptions::Exceptions,
    findings::{SelftestEvidence, SelftestFindings},
    sample::Sample,
};
use crate::{
    schedule::plan::{Selection, select},
    suite::{
        Suite,
        kill_matrix::{Kill, KillMatrix},
    },
};

/// A selftest: the suite and the faults that it is held against.
pub struct Selftest {
    /// The suite that is tested.
    pub suite: Arc<Suite>,
    /// The servers: all inside this program. The one in role A is judged.
    pub casts: Vec<Cast>,
    /// The faults.
    pub faults: Vec<Fault>,
    /// The scenarios that are played; all, when none is named.
    pub scenarios: Vec<String>,
    /// Whether only enough is played to turn each check red once and to notice each fault once.
    pub quick: bool,
    /// How many plays run at a time, each on a thread of its own.
    pub jobs: usize,
    /// The seed of everything random.
    pub seed: u64,
}

/// What each check came to with one server.
#[derive(Debug, Clone)]
pub struct ServerResults {
    /// The server's fault; none for the honest one.
    pub fault: Option<Fault>,
    /// What each check came to.
    pub seen: BTreeMap<(CheckId, Play), CheckState>,
    /// How long it took.
    pub took: Duration,
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckState {
    /// Green.
    Pass,
    /// Red, for this reason, by what happened there.
    Fail(ReasonCode, KillSite),
    /// It did not apply.
    NotApplicable,
    /// It was not judged, for this reason.
    Unjudged(String),
}

/// Where something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillSite {
    /// The scenario.
    pub scenario: String,
    /// The room version in which it was played.
    pub room_version: String,
}

/// The results of all servers.
pub struct SelftestRun {
    /// The honest one.
    pub honest: ServerResults,
    /// The kills of the servers with faults.
    pub matrix: KillMatrix,
    /// The kills that a quick selftest looks for.
    sample: Option<Sample>,
}

impl Selftest {
    /// Plays one server, which `deployer` brings up in role A, as the honest one is played.
    ///
    /// # Errors
    /// When the stage does not come up.
    pub fn show(&self, deployer: &Arc<dyn Deployer>) -> Result<ServerResults, Problem> {
        play::show(self, None, None, deployer)
    }

    /// Plays the honest server, and where all is green, those with faults. `heard` is told of each as it ends, and of
    /// how many there are in all.
    ///
    /// # Errors
    /// When a stage does not come up.
    pub fn play(&self, heard: &(dyn Fn(&ServerResults, usize) + Sync)) -> Result<SelftestRun, Problem> {
        let (honest, sample) = (self.show(&play::embedded(None))?, self.sample());
        let is_green = honest.troubles().next().is_none();
        let faulty = if is_green { self.faulty(&honest, sample.as_ref())? } else { vec![] };
        let all = faulty.len() + 1;
        heard(&honest, all);
        let mut matrix = play::side_by_side(self, &faulty, &honest, &|showing| heard(showing, all))?;
        let missed = sample.as_ref().filter(|_| is_green).map(|sample| sample.missed(&matrix));
        let again = self.everywhere(&missed.unwrap_or_default(), &honest);
        if !again.is_empty() {
            let all = all + again.len();
            let more = play::side_by_side(self, &again, &honest, &|showing| heard(showing, all))?;
            matrix = matrix.kills().chain(more.kills()).cloned().collect();
        }
        Ok(SelftestRun { honest, matrix, sample })
    }

    /// The faults that are played, and where: a scenario in which the honest server never comes by the mistake would
    /// show nothing of it.
    fn faulty(
        &self,
        honest: &ServerResults,
        sample: Option<&Sample>,
    ) -> Result<Vec<(Fault, ScenarioVersions)>, Problem> {
        let faults = self.faults.iter().copied();
        let faulty: Vec<_> = match sample {
            Some(sample) => faults.map(|fault| (fault, sample.places(&fault.name()))).collect(),
            None => {
                let mut reach = play::reach(self, &ScenarioVersions::of(honest))?;
                faults.filter_map(|fault| Some((fault, reach.remove(&fault)?))).collect()
            }
        };
        Ok(faulty.into_iter().filter(|(_, places)| !places.0.is_empty()).collect())
    }

    /// The faults of which a quick test missed something, to be played everywhere: some mistakes show only where many
    /// scenarios meet on one stage.
    fn everywhere(
        &self,
        missed: &BTreeSet<String>,
        honest: &ServerResults,
    ) -> Vec<(Fault, ScenarioVersions)> {
        let missed = self.faults.iter().filter(|fault| missed.contains(&fault.name()));
        missed.map(|fault| (*fault, ScenarioVersions::of(honest))).collect()
    }

    /// The kills that a quick selftest looks for; none for a whole selftest.
    fn sample(&self) -> Option<Sample> {
        let names: BTreeSet<_> = self.faults.iter().map(|fault| fault.name()).collect();
        self.quick.then(|| Sample::of(&self.suite.kill_matrix, &names))
    }

    /// The scenarios that are named.
    fn selection(&self) -> Selection {
        Selection { terms: self.scenarios.clone(), ..Selection::default() }
    }

    /// The matrix on file, with what `played` found out about the faults that were played in place of what it says of
    /// them.
    pub fn matrix_after(&self, played: &SelftestRun) -> KillMatrix {
        let names: BTreeSet<_> = self.faults.iter().map(|fault| fault.name()).collect();
        let known: BTreeSet<_> = Fault::all().into_iter().map(Fault::name).collect();
        let selected = select(&self.suite, &self.selection()).unwrap_or_default();
        let selected: BTreeSet<_> = selected.iter().map(|scenario| scenario.id).collect();
        let is_played = |kill: &Kill| names.contains(&kill.fault) && selected.contains(kill.check.scenario());
        let is_other = |kill: &&Kill| !is_played(kill) && known.contains(&kill.fault);
        let others = self.suite.kill_matrix.kills().filter(is_other);
        others.chain(played.matrix.kills()).cloned().collect()
    }

    /// The findings about the suite: the results, held against the stored kill matrix and the exceptions.
    pub fn findings(&self, played: &SelftestRun, exceptions: &Exceptions) -> SelftestFindings {
        let faults: Vec<_> = self.faults.iter().map(|fault| fault.name()).collect();
        let complete = !self.quick && self.scenarios.is_empty() && faults.len() == Fault::all().len();
        let places = ScenarioVersions::of(&played.honest);
        let covers = |kill: &Kill| match &played.sample {
            _ if complete => true,
            Some(sample) => sample.contains(kill),
            None => {
                faults.contains(&kill.fault)
                    && places.name(kill.check.scenario())
                    && places.contain(&kill.scenario, &kill.room_version)
            }
        };
        SelftestFindings::of(&SelftestEvidence {
            stored: &self.suite.kill_matrix,
            found: &played.matrix,
            complete,
            covers: &covers,
            scored: played.honest.green().cloned().collect(),
            faults: &faults,
            checks: self.suite.check_ids().len(),
            exceptions,
        })
    }
}

/// The plays in which faults are looked for, room versions by scenario: each scenario in its newest version, and in
/// older ones only where they have checks that the newer ones have not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ScenarioVersions(BTreeMap<String, BTreeSet<String>>);

impl ScenarioVersions {
    /// Those that hold, once, every check that was green with the honest server.
    fn of(honest: &ServerResults) -> Self {
        let mut green: BTreeMap<&str, BTreeMap<u32, BTreeSet<&CheckId>>> = BTreeMap::new();
        for ((check, play), _) in honest.seen.iter().filter(|(_, came)| **came == CheckState::Pass) {
            let versions = green.entry(check.scenario()).or_default();
            versions.entry(play.room_version.parse().unwrap_or(0)).or_default().insert(check);
        }
        let mut places = Self::default();
        for (scenario, versions) in green {
            let mut held = BTreeSet::new();
            for (version, checks) in versions.into_iter().rev().filter(|(version, _)| *version != 0) {
                if !checks.is_subset(&held) {
                    places.add(scenario, &version.to_string());
                    held.extend(checks);
                }
            }
        }
        places
    }

    /// Each of them alone.
    fn each(&self) -> impl Iterator<Item = Self> {
        let pairs =
            self.0.iter().flat_map(|(scenario, versions)| versions.iter().map(move |it| (scenario, it)));
        pairs.map(|(scenario, version)| Self(BTreeMap::from([(scenario.clone(), [version.clone()].into())])))
    }

    /// These and those.
    fn extend(&mut self, others: Self) {
        for (scenario, versions) in others.0 {
            self.0.entry(scenario).or_default().extend(versions);
        }
    }

    /// Adds a scenario in a room version.
    fn add(&mut self, scenario: &str, room_version: &str) {
        self.0.entry(scenario.to_owned()).or_default().insert(room_version.to_owned());
    }

    /// Whether a scenario is played at all.
    fn name(&self, scenario: &str) -> bool {
        self.0.contains_key(scenario)
    }

    fn contain(&self, scenario: &str, room_version: &str) -> bool {
        self.0.get(scenario).is_some_and(|versions| versions.contains(room_version))
    }
}

impl ServerResults {
    /// The checks that failed or could not be judged; an honest server has none.
    pub fn troubles(&self) -> impl Iterator<Item = (&CheckId, &Play, &CheckState)> {
        let trouble = |came: &CheckState| matches!(came, CheckState::Fail(..) | CheckState::Unjudged(_));
        self.seen.iter().filter(move |(_, came)| trouble(came)).map(|((id, play), came)| (id, play, came))
    }

    /// The checks that were green in some play.
    pub fn green(&self) -> impl Iterator<Item = &CheckId> {
        self.seen.iter().filter(|(_, came)| **came == CheckState::Pass).map(|((id, _), _)| id)
    }

    /// The checks that are red here and were green with the honest server, in the same play.
    fn kills(&self, honest: &ServerResults) -> impl Iterator<Item = Kill> {
        let fault = self.fault.map(Fault::name).unwrap_or_default();
        self.seen.iter().filter_map(move |(place, came)| {
            let CheckState::Fail(reason, spot) = came else { return None };
            (honest.seen.get(place) == Some(&CheckState::Pass)).then(|| Kill {
                fault: fault.clone(),
                check: place.0.clone(),
                reason: reason.clone(),
                room_version: spot.room_version.clone(),
                scenario: spot.scenario.clone(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn showing(seen: &[(&str, &str, CheckState)]) -> ServerResults {
        let entry = |(check, version, came): &(&str, &str, CheckState)| {
            let play = Play { room_version: (*version).to_owned(), host: samklang_verdict::Role::A };
            ((CheckId::new(*check).unwrap(), play), came.clone())
        };
        ServerResults { fault: None, seen: seen.iter().map(entry).collect(), took: Duration::ZERO }
    }

    #[test]
    fn a_scenario_is_played_in_older_versions_only_for_what_newer_ones_lack() {
        let places = ScenarioVersions::of(&showing(&[
            ("a.x/one", "10", CheckState::Pass),
            ("a.x/one", "11", CheckState::Pass),
            ("a.x/one", "12", CheckState::Pass),
            ("a.x/two", "10", CheckState::Pass),
            ("a.x/two", "11", CheckState::Pass),
            ("a.x/two", "12", CheckState::NotApplicable),
            ("a.y/flow", "12", CheckState::NotApplicable),
        ]));
        assert!(places.contain("a.x", "12") && places.contain("a.x", "11"));
        assert!(!places.contain("a.x", "10") && !places.contain("a.y", "12"));
    }
}
