//! The kill matrix: which check notices which fault, and by what it says so. A file of tab-separated lines, sorted.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use samklang_verdict::{CheckId, Problem, ReasonCode, message};
use sha2::{Digest, Sha256};

use super::table::{self, TableRow};

/// The file's columns, as its first line names them.
const COLUMNS: [&str; 5] = ["fault", "check", "reason", "room_version", "scenario"];

/// A check that turns red, for a reason, by a fault.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kill {
    /// The fault's name.
    pub fault: String,
    /// The check.
    pub check: CheckId,
    /// The reason code of its fail.
    pub reason: ReasonCode,
    /// The newest room version in which it says so.
    pub room_version: String,
    /// The scenario that is played there: the check's own, or for a rule of traffic one in which the rule is broken.
    pub scenario: String,
}

/// All kills.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KillMatrix {
    kills: BTreeSet<Kill>,
    /// The faults that turn each check red.
    proofs: BTreeMap<CheckId, BTreeSet<String>>,
}

impl FromIterator<Kill> for KillMatrix {
    /// Of several kills that differ only in where they were seen, the one in the newest room version counts, and there
    /// the one in the first scenario.
    fn from_iter<T: IntoIterator<Item = Kill>>(kills: T) -> Self {
        let place = |kill: &Kill| {
            let newest = kill.room_version.parse::<u32>().unwrap_or(0);
            (std::cmp::Reverse(newest), kill.scenario.clone())
        };
        let mut newest: BTreeMap<_, Kill> = BTreeMap::new();
        for kill in kills {
            let key = (kill.fault.clone(), kill.check.clone(), kill.reason.clone());
            match newest.get(&key) {
                Some(known) if place(known) <= place(&kill) => {}
                _ => {
                    newest.insert(key, kill);
                }
            }
        }
        Self::of(newest.into_values().collect())
    }
}

impl KillMatrix {
    fn of(kills: BTreeSet<Kill>) -> Self {
        let mut proofs: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for kill in &kills {
            proofs.entry(kill.check.clone()).or_default().insert(kill.fault.clone());
        }
        Self { kills, proofs }
    }

    /// Reads the file at `path`; an empty matrix where there is none.
    ///
    /// # Errors
    /// When it cannot be read, or a line is not of the file's shape.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let malformed = |line: usize, error: &dyn std::fmt::Display| {
            let text = message!("suite.bad-registry", path = path.display(), line = line, error = error);
            Problem::configuration(text)
        };
        let text = std::fs::read_to_string(path).map_err(|error| malformed(0, &error))?;
        Self::parse(&text).map_err(|(line, error)| malformed(line, &error))
    }

    /// The matrix that `text` holds, or the line that is wrong, and why.
    fn parse(text: &str) -> Result<Self, (usize, String)> {
        let rows = table::rows(text, COLUMNS).map_err(|wrong| (wrong.line, wrong.why))?;
        let mut kills = BTreeSet::new();
        for TableRow { line: number, columns } in rows {
            let [fault, check, reason, room_version, scenario] = columns;
            let wrong = |error: &dyn std::fmt::Display| (number, error.to_string());
            let kill = Kill {
                fault,
                check: CheckId::new(check).map_err(|error| wrong(&error))?,
                reason: ReasonCode::new(reason).map_err(|error| wrong(&error))?,
                room_version,
                scenario,
            };
            if kills.last().is_some_and(|last| *last >= kill) {
                return Err((number, "out of order, or twice".to_owned()));
            }
            kills.insert(kill);
        }
        Ok(Self::of(kills))
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let line = |kill: &Kill| {
            let Kill { fault, check, reason, room_version, scenario } = kill;
            format!("{fault}\t{check}\t{reason}\t{room_version}\t{scenario}\n")
        };
        std::iter::once(format!("{}\n", COLUMNS.join("\t"))).chain(self.kills.iter().map(line)).collect()
    }

    /// SHA-256 over the file's text, in hexadecimal.
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(self.to_text()))
    }

    /// All kills, sorted.
    pub fn kills(&self) -> impl Iterator<Item = &Kill> {
        self.kills.iter()
    }

    /// The faults that turn this check red, sorted.
    pub fn proofs_of(&self, check: &CheckId) -> impl Iterator<Item = &str> {
        self.proofs.get(check).into_iter().flatten().map(String::as_str)
    }
}

#[cfg(test)]
impl Kill {
    /// A kill by a check that says that an event is shown.
    pub(crate) fn example(fault: &str, check: &str, room_version: &str, scenario: &str) -> Self {
        Self {
            fault: fault.to_owned(),
            check: CheckId::new(check).unwrap(),
            reason: ReasonCode::new("pdu.shown").unwrap(),
            room_version: room_version.to_owned(),
            scenario: scenario.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kill(fault: &str, check: &str, version: &str) -> Kill {
        Kill::example(fault, check, version, "events.x")
    }

    #[test]
    fn a_matrix_is_read_as_it_was_written() {
        let matrix: KillMatrix = [
            kill("b", "events.x/flow", "11"),
            kill("a", "events.x/flow", "9"),
            Kill::example("a", "events.x/flow", "10", "events.z"),
            kill("a", "events.x/flow", "10"),
            kill("a", "rooms.y/flow", "12"),
        ]
        .into_iter()
        .collect();
        let text = matrix.to_text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(lines[1], "a\tevents.x/flow\tpdu.shown\t10\tevents.x");
        assert_eq!(KillMatrix::parse(&text), Ok(matrix.clone()));
        let proofs = |check| matrix.proofs_of(&CheckId::new(check).unwrap()).collect::<Vec<_>>();
        assert_eq!(proofs("events.x/flow"), ["a", "b"]);
        assert_eq!(proofs("events.x/other"), [""; 0]);
        assert_ne!(matrix.sha256(), KillMatrix::default().sha256());
    }

    #[test]
    fn a_malformed_file_is_refused_with_its_line() {
        let table = [
            ("", 1, "expected"),
            ("fault\n", 1, "expected"),
            ("a\tevents.x/flow\tpdu.shown\t11\n", 2, "5 columns"),
            ("a\tEvents/flow\tpdu.shown\t11\tx\n", 2, "check id"),
            ("a\tevents.x/flow\tshown\t11\tx\n", 2, "reason code"),
            ("b\tevents.x/flow\tpdu.shown\t11\tx\na\tevents.x/flow\tpdu.shown\t11\tx\n", 3, "order"),
            ("b\tevents.x/flow\tpdu.shown\t11\tx\nb\tevents.x/flow\tpdu.shown\t11\tx\n", 3, "twice"),
        ];
        for (text, line, error) in table {
            let text = if line == 1 { text.to_owned() } else { format!("{}\n{text}", COLUMNS.join("\t")) };
            let (at, why) = KillMatrix::parse(&text).unwrap_err();
            assert_eq!(at, line, "{text}: {why}");
            assert!(why.contains(error), "{text}: {why}");
        }
    }
}
