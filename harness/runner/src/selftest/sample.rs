//! The kills that a quick selftest looks for. They turn each check red once and notice each fault once, in few plays: a
//! greedy choice takes the play that shows most, again and again.

use std::collections::{BTreeMap, BTreeSet};

use super::ScenarioVersions;
use crate::suite::kill_matrix::{Kill, KillMatrix};

/// The kills that are looked for.
#[derive(Debug, Default)]
pub(super) struct Sample {
    kills: BTreeSet<Kill>,
}

/// A fault, a scenario and a room version.
type FaultPlay<'a> = (&'a str, &'a str, &'a str);

/// A proof that a play can give: that a check can fail, or that a fault is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Proof<'a> {
    Check(&'a str),
    Fault(&'a str),
}

impl Sample {
    /// A sample of `matrix` that looks for these faults alone.
    pub(super) fn of(matrix: &KillMatrix, faults: &BTreeSet<String>) -> Self {
        let mut plays: BTreeMap<FaultPlay<'_>, BTreeSet<&Kill>> = BTreeMap::new();
        for kill in matrix.kills().filter(|kill| faults.contains(&kill.fault)) {
            plays.entry((&kill.fault, &kill.scenario, &kill.room_version)).or_default().insert(kill);
        }
        let (mut shown, mut kills) = (BTreeSet::new(), BTreeSet::new());
        loop {
            // Of several that show as much, the first one.
            let best = plays.iter().map(|(place, of)| (gain(of, &shown), std::cmp::Reverse(place))).max();
            let Some((1.., std::cmp::Reverse(place))) = best else { return Self { kills } };
            for kill in &plays[place] {
                shown.extend(shows(kill));
                kills.insert((*kill).clone());
            }
        }
    }

    /// Whether this kill is looked for.
    pub(super) fn contains(&self, kill: &Kill) -> bool {
        self.kills.contains(kill)
    }

    /// The faults of the kills that were not found.
    pub(super) fn missed(&self, found: &KillMatrix) -> BTreeSet<String> {
        let what = |kill: &Kill| (kill.fault.clone(), kill.check.clone(), kill.reason.clone());
        let found: BTreeSet<_> = found.kills().map(what).collect();
        let missed = self.kills.iter().filter(|kill| !found.contains(&what(kill)));
        missed.map(|kill| kill.fault.clone()).collect()
    }

    /// The scenarios that are played for a fault: those in which it shows, and those whose checks notice it.
    pub(super) fn places(&self, fault: &str) -> ScenarioVersions {
        let mut places = ScenarioVersions::default();
        for kill in self.kills.iter().filter(|kill| kill.fault == fault) {
            places.add(&kill.scenario, &kill.room_version);
            places.add(kill.check.scenario(), &kill.room_version);
        }
        places
    }
}

/// How much these kills show that is not shown yet.
fn gain<'a>(kills: &BTreeSet<&'a Kill>, shown: &BTreeSet<Proof<'a>>) -> usize {
    let new: BTreeSet<_> =
        kills.iter().flat_map(|kill| shows(kill)).filter(|what| !shown.contains(what)).collect();
    new.len()
}

fn shows(kill: &Kill) -> [Proof<'_>; 2] {
    [Proof::Check(kill.check.as_str()), Proof::Fault(&kill.fault)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_and_each_fault_is_looked_for_in_as_few_plays_as_will_do() {
        let kills = [
            Kill::example("f", "a.x/one", "12", "a.x"),
            Kill::example("f", "a.x/two", "12", "a.x"),
            Kill::example("g", "a.x/one", "12", "a.x"),
            Kill::example("g", "w.y/rule", "12", "a.x"),
            Kill::example("h", "a.x/one", "11", "a.x"),
            Kill::example("h", "w.y/rule", "11", "a.z"),
        ];
        let matrix: KillMatrix = kills.iter().cloned().collect();
        let all = ["f", "g", "h"].map(str::to_owned).into();
        let sample = Sample::of(&matrix, &all);
        let sought: Vec<_> = kills.iter().map(|kill| sample.contains(kill)).collect();
        assert_eq!(sought, [true, true, true, true, true, false]);
        let places = sample.places("g");
        assert!(places.contain("a.x", "12") && places.contain("w.y", "12") && !places.contain("a.z", "12"));
        assert_eq!(sample.places("i"), ScenarioVersions::default());
        let without_g: KillMatrix = kills.iter().filter(|kill| kill.fault != "g").cloned().collect();
        assert_eq!(sample.missed(&without_g), ["g".to_owned()].into());
        assert!(!Sample::of(&matrix, &["h".to_owned()].into()).contains(&kills[0]));
    }
}
