//! The origin of a fail, as several pairs together show it. The recorded traffic of one pair often does not show which of the
//! two servers did the wrong thing; the results of the same check in other pairs narrow it down. They never overrule the
//! recorded traffic: a server that it clears is not a suspect.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The result of one check in one room version for two vendors, with either host. A pair in which the check does not apply has
/// no meeting.
#[derive(Debug, Clone, Default)]
pub struct Meeting<'a> {
    /// The two vendors; the same one twice if it was paired with itself.
    pub pair: [&'a str; 2],
    /// Each fail.
    pub fails: Vec<Suspicion<'a>>,
    /// Whether a play could not be judged, or not firmly.
    pub unjudged: bool,
}

/// A fail, and the vendors that may have caused it.
#[derive(Debug, Clone)]
pub struct Suspicion<'a> {
    /// The vendor that the recorded traffic blames; both vendors if it does not decide.
    pub suspects: BTreeSet<&'a str>,
    /// Whether a recorded deviation covers it.
    pub recorded: bool,
}

/// The origin of a fail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "origin", rename_all = "snake_case")]
pub enum Origin {
    /// One vendor: it fails with every partner, the baseline included.
    Vendor {
        /// The vendor, as requested.
        vendor: String,
    },
    /// Two vendors that fail with each other only.
    Pair,
    /// The check fails in some pairs and not in others, and no vendor fails with all its partners.
    Mixed,
    /// Pairs that would decide were not judged, or the baseline was not among them.
    Unproven,
    /// The check fails as a recorded deviation says.
    Recorded,
}

/// How a vendor's fails are spread over its partners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spread {
    /// It fails with all partners, the baseline included.
    Everywhere,
    /// It fails with one partner only.
    OnlyThere,
    /// It fails with several partners, but not with all.
    Several,
    /// Pairs that would decide were not judged.
    Open,
}

/// The origins of the fails of one check, each with the pairs (by index in `meetings`) that show it. `vendors` are all that
/// should have met, the baseline first. A pair without a meeting counts as not judged, unless `absent` has it: then the check
/// does not apply there.
pub fn triangulate<'a>(
    vendors: &[&'a str],
    meetings: &[Meeting<'a>],
    absent: &BTreeSet<[&'a str; 2]>,
) -> BTreeMap<Origin, BTreeSet<usize>> {
    let spreads: BTreeMap<_, _> =
        vendors.iter().map(|&vendor| (vendor, spread(vendor, vendors, meetings, absent))).collect();
    let of = |suspect: &&str| spreads.get(suspect).copied().unwrap_or(Spread::Open);
    let mut origins: BTreeMap<Origin, BTreeSet<usize>> = BTreeMap::new();
    for (place, meeting) in meetings.iter().enumerate() {
        for fail in &meeting.fails {
            let suspects = || fail.suspects.iter();
            let culprits = suspects().filter(|suspect| of(suspect) == Spread::Everywhere);
            let found = if fail.recorded {
                vec![Origin::Recorded]
            } else if suspects().any(|suspect| of(suspect) == Spread::Everywhere) {
                culprits.map(|&vendor| Origin::Vendor { vendor: vendor.to_owned() }).collect()
            } else if suspects().any(|suspect| of(suspect) == Spread::Open) {
                vec![Origin::Unproven]
            } else if suspects().all(|suspect| of(suspect) == Spread::OnlyThere) {
                vec![Origin::Pair]
            } else {
                vec![Origin::Mixed]
            };
            for origin in found {
                origins.entry(origin).or_default().insert(place);
            }
        }
    }
    origins
}

fn spread(vendor: &str, vendors: &[&str], meetings: &[Meeting<'_>], absent: &BTreeSet<[&str; 2]>) -> Spread {
    let (mut failing, mut passing, mut unjudged) = (BTreeSet::new(), 0, 0);
    for &peer in vendors {
        let here = |pair: &[&str; 2]| *pair == [vendor, peer] || *pair == [peer, vendor];
        match meetings.iter().find(|meeting| here(&meeting.pair)) {
            Some(meeting) if meeting.fails.iter().any(|fail| fail.suspects.contains(vendor)) => {
                failing.insert(peer);
            }
            Some(meeting) if meeting.unjudged => unjudged += 1,
            Some(_) => passing += 1,
            None if absent.iter().any(here) => {}
            None => unjudged += 1,
        }
    }
    let with_baseline = vendors.first().is_some_and(|baseline| failing.contains(baseline));
    match (passing, unjudged, failing.len()) {
        (0, 0, _) if with_baseline => Spread::Everywhere,
        (0, ..) => Spread::Open,
        (_, 0, 1) => Spread::OnlyThere,
        (_, _, 0 | 1) => Spread::Open,
        _ => Spread::Several,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VENDORS: [&str; 3] = ["base", "oak", "elm"];
    const PAIRS: [[&str; 2]; 6] =
        [["base", "base"], ["base", "oak"], ["oak", "oak"], ["base", "elm"], ["oak", "elm"], ["elm", "elm"]];

    fn suspicion<'a>(suspects: &[&'a str]) -> Suspicion<'a> {
        Suspicion { suspects: suspects.iter().copied().collect(), recorded: false }
    }

    /// All pairs met and passed, except those with a suspect.
    fn meetings<'a>(fails: &[([&'a str; 2], &[&'a str])]) -> Vec<Meeting<'a>> {
        let of = |pair: [&'a str; 2]| {
            let here = fails.iter().filter(|(at, _)| *at == pair);
            Meeting { pair, fails: here.map(|(_, suspects)| suspicion(suspects)).collect(), unjudged: false }
        };
        PAIRS.into_iter().map(of).collect()
    }

    fn origins(meetings: &[Meeting<'_>]) -> Vec<(Origin, Vec<[String; 2]>)> {
        let pair = |place: usize| meetings[place].pair.map(str::to_owned);
        let found = triangulate(&VENDORS, meetings, &BTreeSet::new());
        found.into_iter().map(|(origin, places)| (origin, places.into_iter().map(pair).collect())).collect()
    }

    fn pair(a: &str, b: &str) -> [String; 2] {
        [a.to_owned(), b.to_owned()]
    }

    fn blamed(vendor: &str) -> Origin {
        Origin::Vendor { vendor: vendor.to_owned() }
    }

    const OAK_EVERYWHERE: [([&str; 2], &[&str]); 3] =
        [(["base", "oak"], &["base", "oak"]), (["oak", "oak"], &["oak"]), (["oak", "elm"], &["oak", "elm"])];

    #[test]
    fn without_fails_there_are_no_findings() {
        assert_eq!(origins(&meetings(&[])), []);
    }

    #[test]
    fn a_vendor_that_fails_with_every_partner_is_blamed_and_its_partners_are_not() {
        let pairs = vec![pair("base", "oak"), pair("oak", "oak"), pair("oak", "elm")];
        assert_eq!(origins(&meetings(&OAK_EVERYWHERE)), [(blamed("oak"), pairs)]);
    }

    #[test]
    fn the_baseline_is_to_blame_as_anybody_else() {
        let fails: [(_, &[&str]); 3] = [
            (["base", "base"], &["base"]),
            (["base", "oak"], &["base", "oak"]),
            (["base", "elm"], &["base"]),
        ];
        assert_eq!(origins(&meetings(&fails))[0].0, blamed("base"));
    }

    #[test]
    fn a_vendor_that_passes_with_one_partner_is_not_blamed() {
        let mut all = meetings(&OAK_EVERYWHERE);
        all[1].fails.clear();
        let pairs = vec![pair("oak", "oak"), pair("oak", "elm")];
        assert_eq!(origins(&all), [(Origin::Mixed, pairs)]);
    }

    #[test]
    fn a_fail_in_one_pair_only_is_a_finding_of_that_pair() {
        let undecided = meetings(&[(["oak", "elm"], &["oak", "elm"])]);
        assert_eq!(origins(&undecided), [(Origin::Pair, vec![pair("oak", "elm")])]);
        // This is also so if the recorded traffic blames one of the two: with other partners that one passes.
        let decided = meetings(&[(["oak", "elm"], &["elm"])]);
        assert_eq!(origins(&decided), [(Origin::Pair, vec![pair("oak", "elm")])]);
        let with_itself = meetings(&[(["elm", "elm"], &["elm"])]);
        assert_eq!(origins(&with_itself), [(Origin::Pair, vec![pair("elm", "elm")])]);
    }

    #[test]
    fn a_vendor_that_the_recorded_traffic_clears_is_not_a_suspect() {
        // Oak's pairs all have a fail, but except with itself the recorded traffic blames the other vendor.
        let fails: [(_, &[&str]); 3] =
            [(["base", "oak"], &["base"]), (["oak", "oak"], &["oak"]), (["oak", "elm"], &["elm"])];
        assert!(!origins(&meetings(&fails)).iter().any(|(origin, _)| *origin == blamed("oak")));
    }

    #[test]
    fn fails_of_one_pair_are_told_apart() {
        let mut fails = OAK_EVERYWHERE.to_vec();
        fails.push((["oak", "elm"], &["elm"]));
        let found = origins(&meetings(&fails));
        assert_eq!(found[0].0, blamed("oak"));
        assert_eq!(found[1], (Origin::Pair, vec![pair("oak", "elm")]));
    }

    #[test]
    fn a_pair_that_was_not_judged_leaves_it_unproven() {
        for place in [1, 2, 4] {
            let mut all = meetings(&OAK_EVERYWHERE);
            all[place].fails.clear();
            all[place].unjudged = true;
            assert_eq!(origins(&all)[0].0, Origin::Unproven, "{place}");
            all.remove(place);
            assert_eq!(origins(&all)[0].0, Origin::Unproven, "{place} is missing");
        }
        let mut one = meetings(&[(["oak", "elm"], &["oak", "elm"])]);
        one[5].unjudged = true;
        assert_eq!(origins(&one), [(Origin::Unproven, vec![pair("oak", "elm")])]);
    }

    #[test]
    fn without_the_baseline_no_vendor_is_blamed() {
        let mut all = meetings(&OAK_EVERYWHERE);
        all.remove(1);
        let absent = BTreeSet::from([["base", "oak"]]);
        let found = triangulate(&VENDORS, &all, &absent);
        assert_eq!(found.keys().collect::<Vec<_>>(), [&Origin::Unproven]);
        // If the check does not apply in other pairs, the remaining pairs decide.
        let mut all = meetings(&OAK_EVERYWHERE);
        all.remove(4);
        let absent = BTreeSet::from([["oak", "elm"]]);
        let found = triangulate(&VENDORS, &all, &absent);
        assert_eq!(found.keys().collect::<Vec<_>>(), [&blamed("oak")]);
    }

    #[test]
    fn a_recorded_fail_stays_recorded_and_counts_as_a_fail() {
        let mut all = meetings(&OAK_EVERYWHERE);
        all[2].fails[0].recorded = true;
        let found = origins(&all);
        assert_eq!(found[0], (blamed("oak"), vec![pair("base", "oak"), pair("oak", "elm")]));
        assert_eq!(found[1], (Origin::Recorded, vec![pair("oak", "oak")]));
        for meeting in &mut all {
            meeting.fails.iter_mut().for_each(|fail| fail.recorded = true);
        }
        assert_eq!(origins(&all).iter().map(|(origin, _)| origin).collect::<Vec<_>>(), [&Origin::Recorded]);
    }

    #[test]
    fn an_undecided_fail_where_both_fail_everywhere_is_the_fault_of_both() {
        let mut all = meetings(&OAK_EVERYWHERE);
        for (place, suspects) in [(3, ["base", "elm"]), (5, ["elm", "elm"])] {
            all[place].fails.push(suspicion(&suspects));
        }
        let found: Vec<_> = origins(&all).into_iter().map(|(origin, _)| origin).collect();
        assert_eq!(found, [blamed("elm"), blamed("oak")]);
    }
}
