//! The findings of a selftest about the suite: its kills, held against the stored kill matrix and the list of
//! exceptions.

use std::collections::{BTreeMap, BTreeSet};

use samklang_verdict::CheckId;

use super::exceptions::Exceptions;
use crate::suite::kill_matrix::{Kill, KillMatrix};

/// A fault that turns more than one check in so many red is blunt: it says little about any of them.
const BLUNT: usize = 10;

/// The data that findings are made from.
pub struct SelftestEvidence<'a> {
    /// The stored kill matrix.
    pub stored: &'a KillMatrix,
    /// The kills that this selftest found.
    pub found: &'a KillMatrix,
    /// Whether it looked for everything: all faults, all scenarios.
    pub complete: bool,
    /// Whether it has to find a stored kill again.
    pub covers: &'a dyn Fn(&Kill) -> bool,
    /// The checks that count: those that were green with the honest server.
    pub scored: BTreeSet<CheckId>,
    /// The faults that were played.
    pub faults: &'a [String],
    /// How many checks the suite has.
    pub checks: usize,
    /// The faults and checks that are excused.
    pub exceptions: &'a Exceptions,
}

/// The findings of a selftest about the suite.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SelftestFindings {
    /// Kills that are not in the stored kill matrix.
    pub new: Vec<Kill>,
    /// Stored kills that were not found again.
    pub gone: Vec<Kill>,
    /// Scored checks that no fault turns red, without the excused ones.
    pub unproven: Vec<CheckId>,
    /// Faults that no check notices, without the excused ones.
    pub survivors: Vec<String>,
    /// How many further checks and faults are excused.
    pub excused: [usize; 2],
    /// Faults that turn more than a tenth of all checks red, and how many.
    pub blunt: Vec<(String, usize)>,
    /// Exceptions that are no longer needed.
    pub stale: Vec<String>,
}

impl SelftestFindings {
    /// The findings that `evidence` leads to.
    pub fn of(evidence: &SelftestEvidence<'_>) -> Self {
        let (stored, found) = (evidence.stored, evidence.found);
        let on_file: BTreeSet<_> = stored.kills().map(key).collect();
        let seen: BTreeSet<_> = found.kills().map(key).collect();
        let places: BTreeSet<_> =
            stored.kills().map(|kill| (key(kill), kill.room_version.as_str())).collect();
        let is_new = |kill: &&Kill| {
            !on_file.contains(&key(kill))
                || (evidence.complete && !places.contains(&(key(kill), kill.room_version.as_str())))
        };
        let is_gone = |kill: &&Kill| (evidence.covers)(kill) && !seen.contains(&key(kill));
        // A selftest of a part also counts the stored kills.
        let elsewhere = stored.kills().filter(|_| !evidence.complete);
        let known: Vec<_> = found.kills().chain(elsewhere).collect();
        let proven: BTreeSet<_> = known.iter().map(|kill| &kill.check).collect();
        let noticed: BTreeSet<_> = known.iter().map(|kill| kill.fault.as_str()).collect();
        let excused = evidence.exceptions;
        let (excused_checks, unproven) = evidence
            .scored
            .iter()
            .filter(|check| !proven.contains(check))
            .cloned()
            .partition::<Vec<_>, _>(|check| excused.unproven.contains_key(check));
        let (excused_faults, survivors) = evidence
            .faults
            .iter()
            .filter(|fault| !noticed.contains(fault.as_str()))
            .cloned()
            .partition::<Vec<_>, _>(|fault| excused.survivors.contains_key(fault));
        let stale_checks = excused.unproven.keys().filter(|check| proven.contains(check));
        let stale_faults = excused.survivors.keys().filter(|fault| noticed.contains(fault.as_str()));
        Self {
            new: found.kills().filter(is_new).cloned().collect(),
            gone: stored.kills().filter(is_gone).cloned().collect(),
            unproven,
            survivors,
            excused: [excused_checks.len(), excused_faults.len()],
            blunt: blunt(found, evidence.checks),
            stale: stale_checks.map(|check| check.as_str().to_owned()).chain(stale_faults.cloned()).collect(),
        }
    }

    /// Whether the stored kill matrix is the same as the kills that were found.
    pub fn is_unchanged(&self) -> bool {
        self.new.is_empty() && self.gone.is_empty()
    }

    /// Whether nothing has to be done except, perhaps, to write the kill matrix. Blunt faults are shown, but fail
    /// nothing.
    pub fn is_sound(&self) -> bool {
        self.unproven.is_empty() && self.survivors.is_empty() && self.stale.is_empty()
    }
}

/// What identifies a kill, wherever it was seen.
fn key(kill: &Kill) -> (&str, &CheckId, &str) {
    (&kill.fault, &kill.check, kill.reason.as_str())
}

fn blunt(found: &KillMatrix, checks: usize) -> Vec<(String, usize)> {
    let mut red: BTreeMap<&str, BTreeSet<&CheckId>> = BTreeMap::new();
    for kill in found.kills() {
        red.entry(&kill.fault).or_default().insert(&kill.check);
    }
    let is_blunt = |(_, checks_red): &(&str, BTreeSet<&CheckId>)| checks_red.len() * BLUNT > checks;
    red.into_iter().filter(is_blunt).map(|(fault, red)| (fault.to_owned(), red.len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    fn check(id: &str) -> CheckId {
        CheckId::new(id).unwrap()
    }

    fn kill(fault: &str, id: &str, version: &str) -> Kill {
        Kill::example(fault, id, version, "a.x")
    }

    fn matrix(kills: &[(&str, &str, &str)]) -> KillMatrix {
        kills.iter().map(|(fault, id, version)| kill(fault, id, version)).collect()
    }

    struct Case {
        stored: KillMatrix,
        found: KillMatrix,
        complete: bool,
        exceptions: Exceptions,
    }

    impl Case {
        fn findings(&self) -> SelftestFindings {
            let covers = |kill: &Kill| self.complete || kill.fault == "f";
            SelftestFindings::of(&SelftestEvidence {
                stored: &self.stored,
                found: &self.found,
                complete: self.complete,
                covers: &covers,
                scored: ["a.x/flow", "a.x/near", "a.x/far"].map(check).into(),
                faults: &["f".to_owned(), "g".to_owned()],
                checks: 15,
                exceptions: &self.exceptions,
            })
        }
    }

    const ALL: [(&str, &str, &str); 4] =
        [("f", "a.x/flow", "12"), ("f", "a.x/near", "12"), ("g", "a.x/far", "11"), ("g", "w.x/flow", "12")];

    fn case(stored: &[(&str, &str, &str)], found: &[(&str, &str, &str)], complete: bool) -> Case {
        let exceptions = Exceptions::default();
        Case { stored: matrix(stored), found: matrix(found), complete, exceptions }
    }

    #[test]
    fn stored_kills_that_are_found_again_are_sound() {
        let findings = case(&ALL, &ALL, true).findings();
        assert!(findings.is_sound() && findings.is_unchanged(), "{findings:?}");
        assert_eq!(findings.blunt, [("f".to_owned(), 2), ("g".to_owned(), 2)]);
    }

    #[test]
    fn every_difference_from_the_file_is_reported() {
        let fewer = case(&ALL, &ALL[1..], true).findings();
        assert_eq!(
            (fewer.gone, fewer.unproven),
            (vec![kill("f", "a.x/flow", "12")], vec![check("a.x/flow")])
        );
        let more = case(&ALL[1..], &ALL, true).findings();
        assert_eq!((more.new.len(), more.gone.len(), more.unproven.len()), (1, 0, 0));
        let mut moved = ALL;
        moved[0].2 = "11";
        assert!(!case(&ALL, &moved, true).findings().is_unchanged());
    }

    #[test]
    fn a_part_is_held_against_the_part_of_the_file_that_it_covers() {
        // Kills outside that part are known from the file.
        let findings = case(&ALL, &ALL[..2], false).findings();
        assert!(findings.is_sound() && findings.is_unchanged(), "{findings:?}");
        let findings = case(&ALL, &ALL[1..2], false).findings();
        assert_eq!(findings.gone, [kill("f", "a.x/flow", "12")]);
        let findings = case(&[], &ALL[..2], false).findings();
        assert_eq!((findings.new.len(), findings.survivors), (2, vec!["g".to_owned()]));
        assert_eq!(findings.unproven, [check("a.x/far")]);
    }

    #[test]
    fn an_exception_is_stale_once_the_check_or_the_fault_is_proven() {
        let mut case = case(&ALL[..2], &ALL[..2], true);
        let findings = case.findings();
        assert_eq!((findings.unproven.len(), findings.survivors.len()), (1, 1));
        case.exceptions.survivors.insert("g".into(), "x".into());
        case.exceptions.unproven.insert(check("a.x/far"), "x".into());
        assert!(case.findings().is_sound(), "{:?}", case.findings());
        assert_eq!(case.findings().excused, [1, 1]);
        (case.stored, case.found) = (matrix(&ALL), matrix(&ALL));
        assert_eq!(case.findings().stale, ["a.x/far", "g"]);
    }
}
