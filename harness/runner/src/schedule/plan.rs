//! The trials of a run: the selected scenarios in each room version, with each server as host once.

use std::collections::{BTreeMap, BTreeSet};

use samklang_deploy::{Cast, TargetTerms, vendor};
use samklang_verdict::{Message, Play, Problem, Role, message};

use crate::{
    scenario::{Need, Scenario, ScenarioKind, Versions},
    suite::Suite,
};

/// The selected part of the suite. Everything is selected when nothing is named.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Scenario ids, areas, requirement ids or catalogue rows; a scenario that fits one of them is selected.
    pub terms: Vec<String>,
    /// Room versions.
    pub room_versions: Vec<String>,
    /// Roles that are to host.
    pub hosts: Vec<Role>,
}

impl Selection {
    /// What was asked for, as results have it.
    pub fn in_words(&self) -> Vec<String> {
        let versions = self.room_versions.iter().map(|version| format!("room version {version}"));
        let hosts = self.hosts.iter().map(|host| format!("host {}", host.as_str()));
        self.terms.iter().cloned().chain(versions).chain(hosts).collect()
    }
}

/// One play of one scenario.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The scenario.
    pub scenario: &'static Scenario,
    /// In which room version, and who hosts.
    pub play: Play,
    /// Why it cannot be played, if it cannot.
    pub obstacle: Option<TrialObstacle>,
}

/// Why a trial is not played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrialObstacle {
    /// It does not apply, as this predicate says.
    NotApplicable(Message),
    /// It applies, but this run cannot play it.
    NotRun(Message),
}

impl Trial {
    /// `rooms.invite-accepted::v11::host-a`, permanent like the scenario's id.
    pub fn name(&self) -> String {
        format!("{}::v{}::host-{}", self.scenario.id, self.play.room_version, self.play.host.as_str())
    }
}

fn fits(scenario: &Scenario, term: &str) -> bool {
    let check = || term.split_once('/').is_some_and(|(id, _)| id == scenario.id);
    let requirement = || scenario.all_checks().any(|(_, _, requirements)| requirements.contains(&term));
    scenario.id == term
        || scenario.area() == term
        || scenario.catalogue.contains(&term)
        || check()
        || requirement()
}

/// What a term that names nothing is nearest to: a scenario or an area, which people type, before a number, which they
/// copy. The areas where it is like nothing at all; they at least tell where to look.
fn nearest(suite: &Suite, term: &str) -> Vec<String> {
    let owned = |words: BTreeSet<&str>| words.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let areas = || suite.scenarios.iter().map(|scenario| scenario.area());
    let names = areas().chain(suite.scenarios.iter().map(|scenario| scenario.id)).collect();
    let numbers = suite.scenarios.iter().flat_map(|scenario| {
        let requirements = scenario.all_checks().flat_map(|(_, _, requirements)| requirements);
        scenario.catalogue.iter().chain(requirements).copied()
    });
    let near = [owned(names), owned(numbers.collect())]
        .into_iter()
        .map(|words| vendor::nearest(term, &words))
        .find(|near| !near.is_empty());
    near.unwrap_or_else(|| owned(areas().collect()))
}

/// The scenarios that `selection` names.
///
/// # Errors
/// When a term names nothing, with the nearest names; when nothing is left.
pub fn select(suite: &Suite, selection: &Selection) -> Result<Vec<&'static Scenario>, Problem> {
    for term in &selection.terms {
        if !suite.scenarios.iter().any(|scenario| fits(scenario, term)) {
            let nearest = nearest(suite, term).join(", ");
            return Err(Problem::configuration(message!(
                "plan.unknown-term",
                term = term,
                nearest = nearest
            )));
        }
    }
    let wanted = |scenario: &&'static Scenario| {
        selection.terms.is_empty() || selection.terms.iter().any(|term| fits(scenario, term))
    };
    let mut chosen: Vec<_> = suite.scenarios.iter().copied().filter(wanted).collect();
    // A passive scenario judges the traffic of other scenarios, so it needs them.
    let is_passive = |scenario: &&'static Scenario| scenario.kind == ScenarioKind::Passive;
    if chosen.iter().all(is_passive) && !chosen.is_empty() {
        let others = suite.scenarios.iter().copied().filter(|scenario| !is_passive(scenario));
        chosen = others.chain(chosen).collect();
    }
    if chosen.is_empty() { Err(Problem::configuration(message!("plan.empty"))) } else { Ok(chosen) }
}

/// Every trial that `selection` comes to on the given constellation, sorted by name, with what keeps some from being
/// played.
///
/// # Errors
/// As [`select`], and when a room version is unknown.
pub fn plan(
    suite: &Suite,
    selection: &Selection,
    casts: &[Cast],
    subjects: &[Role],
    direct: bool,
) -> Result<Vec<Trial>, Problem> {
    let scenarios = select(suite, selection)?;
    let versions = room_versions(suite, selection)?;
    let hosts: Vec<_> = casts
        .iter()
        .map(|cast| cast.role)
        .filter(|role| selection.hosts.is_empty() || selection.hosts.contains(role))
        .collect();
    let judged: Vec<_> =
        casts.iter().filter(|cast| hosts.contains(&cast.role) && subjects.contains(&cast.role)).collect();
    let mut trials = Vec::new();
    for scenario in scenarios {
        let mut of_scenario = Vec::new();
        for version in versions.iter().filter(|version| scenario.versions.include(version)) {
            let alone = scenario.kind == ScenarioKind::Peer;
            let turn = match scenario.versions {
                Versions::Newest => scenario.id.to_owned(),
                _ => format!("{} {version}", scenario.id),
            };
            let is_host = |host: &&Role| match scenario.is_upgrade() {
                true => is_upgraded(**host, casts),
                false => hosts_in_turn(**host, scenario.kind, &turn, &judged),
            };
            for &host in hosts.iter().filter(is_host) {
                let casts = if alone { of_role(host, casts) } else { casts };
                let play = Play { room_version: version.clone(), host };
                let obstacle = obstacle(scenario, &play, casts, direct);
                of_scenario.push(Trial { scenario, play, obstacle });
            }
        }
        if scenario.versions == Versions::Newest {
            keep_newest(&mut of_scenario);
        }
        trials.extend(of_scenario);
    }
    if trials.is_empty() { Err(Problem::configuration(message!("plan.empty"))) } else { Ok(trials) }
}

/// Keeps for each host the last trial that can be played, or the last of all where none can.
fn keep_newest(trials: &mut Vec<Trial>) {
    let mut newest: BTreeMap<Role, (bool, String)> = BTreeMap::new();
    for trial in trials.iter() {
        let this = (trial.obstacle.is_none(), trial.play.room_version.clone());
        let known = newest.entry(trial.play.host).or_insert_with(|| this.clone());
        // A version that can be played is kept, even if there is a newer one that cannot.
        if this.0 >= known.0 {
            *known = this;
        }
    }
    trials.retain(|trial| {
        newest.get(&trial.play.host).is_some_and(|(_, kept)| *kept == trial.play.room_version)
    });
}

/// Whether the server in this role is the one that is upgraded, which then hosts. Where no upgrade was asked for, the
/// first server stands for all.
fn is_upgraded(role: Role, casts: &[Cast]) -> bool {
    match casts.iter().find(|cast| cast.upgrade_to.is_some()).or(casts.first()) {
        Some(cast) => cast.role == role,
        None => false,
    }
}

/// Whether the server in this role hosts. Scenarios with peers and passive scenarios are hosted by judged servers only.
/// Several judged servers of the same vendor and version take turns as hosts, each always in the same scenarios, since
/// they behave alike.
fn hosts_in_turn(role: Role, kind: ScenarioKind, turn: &str, judged: &[&Cast]) -> bool {
    let Some(cast) = judged.iter().find(|cast| cast.role == role) else {
        return match kind {
            ScenarioKind::Peer => false,
            ScenarioKind::Passive => judged.is_empty(),
            _ => true,
        };
    };
    let is_same = |other: &&&Cast| other.vendor.name == cast.vendor.name && other.version == cast.version;
    let same: Vec<_> = judged.iter().filter(is_same).collect();
    let turn = match kind {
        // A rule judges the sender of the traffic, whichever server hosts, so one play judges all of it.
        ScenarioKind::Passive => 0,
        _ => turn.bytes().map(usize::from).sum(),
    };
    same[turn % same.len()].role == role
}

fn of_role(role: Role, casts: &[Cast]) -> &[Cast] {
    let place = casts.iter().position(|cast| cast.role == role);
    place.map_or(casts, |place| &casts[place..=place])
}

fn room_versions(suite: &Suite, selection: &Selection) -> Result<Vec<String>, Problem> {
    if selection.room_versions.is_empty() {
        return Ok(suite.profile.room_versions.clone());
    }
    for version in &selection.room_versions {
        if !suite.profile.room_versions.contains(version) {
            let known = suite.profile.room_versions.join(", ");
            let text = message!("plan.unknown-room-version", version = version, known = known);
            return Err(Problem::configuration(text));
        }
    }
    Ok(selection.room_versions.clone())
}

/// Why a scenario is not played with a server that this run did not start.
fn on_terms(scenario: &Scenario, terms: &TargetTerms) -> Option<TrialObstacle> {
    let server = &terms.server_name;
    if scenario.kind == ScenarioKind::NetworkFault || scenario.is_alone() {
        let text = message!("plan.not-to-be-disturbed", scenario = scenario.id, server = server);
        return Some(TrialObstacle::NotApplicable(text));
    }
    (scenario.is_hostile() && !terms.hostile)
        .then(|| TrialObstacle::NotRun(message!("plan.no-consent", scenario = scenario.id, server = server)))
}

fn obstacle(scenario: &Scenario, play: &Play, casts: &[Cast], direct: bool) -> Option<TrialObstacle> {
    if scenario.is_upgrade() && casts.iter().all(|cast| cast.upgrade_to.is_none()) {
        return Some(TrialObstacle::NotApplicable(message!("plan.no-upgrade", scenario = scenario.id)));
    }
    let needed = scenario.needs.iter().filter_map(|need| match need {
        Need::RoomVersion(version) => Some(*version),
        _ => None,
    });
    let versions: Vec<_> = std::iter::once(play.room_version.as_str()).chain(needed).collect();
    for cast in casts {
        if let Some(obstacle) = cast.target.as_ref().and_then(|terms| on_terms(scenario, terms)) {
            return Some(obstacle);
        }
        let vendor = &cast.vendor;
        // A scenario of two servers may still show something about the other server.
        if scenario.kind == ScenarioKind::Peer && vendor.is_all_adapters(scenario.id) {
            return Some(TrialObstacle::NotApplicable(message!("plan.adapter-made", vendor = vendor.title)));
        }
        // In scenarios with peers a peer may create the room.
        let makes_the_room = cast.role == play.host
            && matches!(scenario.kind, ScenarioKind::Pair | ScenarioKind::NetworkFault);
        if makes_the_room && !vendor.creates_room_versions.contains(&play.room_version) {
            return Some(TrialObstacle::NotApplicable(vendor.creates_no(&play.room_version)));
        }
        for version in &versions {
            if !vendor.room_versions.iter().any(|known| known == version) {
                let text = message!("plan.version-not-declared", vendor = vendor.title, version = version);
                return Some(TrialObstacle::NotApplicable(text));
            }
        }
        for need in scenario.needs {
            if let Need::Feature(feature) = need
                && !vendor.features.iter().any(|declared| declared == feature)
            {
                let text = message!("plan.feature-not-declared", vendor = vendor.title, feature = feature);
                return Some(TrialObstacle::NotApplicable(text));
            }
        }
    }
    let needs_wire = scenario.needs.contains(&Need::Wire);
    (needs_wire && direct).then(|| TrialObstacle::NotRun(message!("plan.needs-wire", scenario = scenario.id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    static ANY: Scenario = Scenario { id: "a.any", title: "Any.", ..Scenario::PAIR };

    #[test]
    fn the_newest_version_that_can_be_played_stands_for_all() {
        let trial = |version: &str, host, playable: bool| Trial {
            scenario: &ANY,
            play: Play { room_version: version.to_owned(), host },
            obstacle: (!playable).then(|| TrialObstacle::NotApplicable(message!("plan.empty"))),
        };
        let (a, b) = (Role::A, Role::B);
        let mut trials = vec![
            trial("10", a, true),
            trial("10", b, false),
            trial("11", a, true),
            trial("11", b, false),
            trial("12", a, false),
            trial("12", b, false),
        ];
        keep_newest(&mut trials);
        let kept: Vec<_> =
            trials.iter().map(|trial| (trial.play.room_version.as_str(), trial.play.host)).collect();
        assert_eq!(kept, [("11", a), ("12", b)]);
    }
}
