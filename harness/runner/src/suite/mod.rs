//! A suite: scenarios with the data they are judged by.

pub mod kill_matrix;
pub mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use samklang_actors::user::Bounds;
use samklang_verdict::{CheckId, Problem, ScenarioId, SuiteInfo, Weight, message};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use self::{kill_matrix::KillMatrix, table::TableRow};
use crate::{judging::expectation::Expectations, scenario::Scenario};

/// Scenarios with the data they are judged by.
#[derive(Debug, Clone)]
pub struct Suite {
    /// The suite's version.
    pub version: String,
    /// The scenarios, sorted by id.
    pub scenarios: Vec<&'static Scenario>,
    /// The requirement registry.
    pub requirements: Requirements,
    /// The catalogue rows, by id, with their sentences.
    pub catalogue: BTreeMap<String, String>,
    /// The profile whose bounds hold.
    pub profile: Profile,
    /// The stored expectations.
    pub expectations: Expectations,
    /// Which faults prove which checks.
    pub kill_matrix: KillMatrix,
}

/// One testable sentence of the specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Where it stands, `file#anchor`.
    pub spec: String,
    /// How much it weighs.
    pub weight: Weight,
    /// What a server has to do, in a sentence.
    pub statement: String,
}

/// All requirements, by id.
#[derive(Debug, Clone, Default)]
pub struct Requirements {
    by_id: BTreeMap<String, Requirement>,
    sha256: String,
}

/// What a profile states.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The room versions that are played when none is asked for.
    pub room_versions: Vec<String>,
    /// Within how many seconds the users of the other server have to see what a user does.
    pub delivery_seconds: u64,
    /// Within how many seconds a scenario has to end.
    pub play_seconds: u64,
}

impl Profile {
    /// Reads `profile.toml`-like text from `path`.
    ///
    /// # Errors
    /// When it cannot be read or is not of this shape.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        let malformed = |error: &dyn std::fmt::Display| {
            Problem::configuration(message!("suite.bad-profile", path = path.display(), error = error))
        };
        let text = std::fs::read_to_string(path).map_err(|error| malformed(&error))?;
        toml::from_str(&text).map_err(|error| malformed(&error))
    }

    /// The bounds it states.
    pub fn bounds(&self) -> Bounds {
        Bounds { delivery: Duration::from_secs(self.delivery_seconds) }
    }
}

impl Requirements {
    /// Reads the registry: a table of tab-separated columns with the header on the first line.
    ///
    /// # Errors
    /// When it cannot be read, or a line does not fit the table.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        let text = read_text(path)?;
        let mut by_id = BTreeMap::new();
        for TableRow { line, columns } in table(path, &text, REQUIREMENT_COLUMNS)? {
            let [id, _, spec, level, statement, ..] = columns;
            let weight = match level.split_whitespace().next() {
                Some("MUST") => Weight::Must,
                Some("SHOULD") => Weight::Should,
                Some("MAY") => Weight::May,
                _ => return Err(malformed(path, line, &format!("{level:?} is not a level"))),
            };
            if by_id.insert(id.clone(), Requirement { spec, weight, statement }).is_some() {
                return Err(malformed(path, line, &format!("{id} is there twice")));
            }
        }
        let sha256 = hex::encode(Sha256::digest(&text));
        Ok(Self { by_id, sha256 })
    }

    /// The requirement with this id.
    pub fn find(&self, id: &str) -> Option<&Requirement> {
        self.by_id.get(id)
    }

    /// All ids, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    /// SHA-256 over the registry's file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

/// The columns of the requirement registry.
pub const REQUIREMENT_COLUMNS: [&str; 9] = [
    "id",
    "area",
    "spec_ref",
    "level",
    "statement",
    "how_observable",
    "sut_role",
    "room_versions",
    "priority",
];
/// The columns of the catalogue.
const CATALOGUE_COLUMNS: [&str; 5] = ["id", "level", "kind", "scenario", "reason"];

/// Reads the catalogue rows, by id, with their sentences.
///
/// # Errors
/// When the file cannot be read, or a line does not fit the table.
pub fn read_catalogue(path: &Path) -> Result<BTreeMap<String, String>, Problem> {
    let mut rows = BTreeMap::new();
    for TableRow { line, columns } in table(path, &read_text(path)?, CATALOGUE_COLUMNS)? {
        let [id, _, _, sentence, _] = columns;
        if rows.insert(id.clone(), sentence).is_some() {
            return Err(malformed(path, line, &format!("{id} is there twice")));
        }
    }
    Ok(rows)
}

fn read_text(path: &Path) -> Result<String, Problem> {
    std::fs::read_to_string(path).map_err(|error| malformed(path, 0, &error))
}

fn table<const N: usize>(path: &Path, text: &str, names: [&str; N]) -> Result<Vec<TableRow<N>>, Problem> {
    table::rows(text, names).map_err(|wrong| malformed(path, wrong.line, &wrong.why))
}

fn malformed(path: &Path, line: usize, error: &dyn std::fmt::Display) -> Problem {
    let text = message!("suite.bad-registry", path = path.display(), line = line, error = error);
    Problem::configuration(text)
}

impl Suite {
    /// The suite as results have it.
    ///
    /// # Errors
    /// When a stored expectation cannot be read.
    pub fn info(&self) -> Result<SuiteInfo, Problem> {
        Ok(SuiteInfo {
            version: self.version.clone(),
            expectations_sha256: self.expectations.digest()?,
            requirements_sha256: self.requirements.sha256().to_owned(),
            kill_matrix_sha256: self.kill_matrix.sha256(),
            profile: format!("{} {}", self.profile.name, self.profile.version),
        })
    }

    /// Every check id of the suite.
    pub fn check_ids(&self) -> BTreeSet<CheckId> {
        let ids = self.scenarios.iter().flat_map(|scenario| {
            let id = ScenarioId::new(scenario.id).ok();
            scenario.all_checks().filter_map(move |(name, ..)| CheckId::of(id.as_ref()?, name).ok())
        });
        ids.collect()
    }

    /// What is wrong with the suite itself: ids off the grammar or used twice, requirements and rows that do not exist,
    /// expectations that no check uses. Empty for a sound suite.
    ///
    /// # Errors
    /// When the expectations cannot be read.
    pub fn flaws(&self) -> Result<Vec<String>, Problem> {
        let mut flaws = Vec::new();
        let mut seen = BTreeSet::new();
        for scenario in &self.scenarios {
            if let Err(error) = ScenarioId::new(scenario.id) {
                flaws.push(error.to_string());
            }
            if !seen.insert(scenario.id) {
                flaws.push(format!("{} is used twice", scenario.id));
            }
            let mut checks = BTreeSet::new();
            for (name, _, requirements) in scenario.all_checks() {
                if !checks.insert(name) {
                    flaws.push(format!("{}/{name} is used twice", scenario.id));
                }
                if requirements.is_empty() && scenario.catalogue.is_empty() {
                    flaws.push(format!(
                        "{}/{name} names neither a requirement nor a catalogue row",
                        scenario.id
                    ));
                }
                for id in requirements.iter().filter(|id| self.requirements.find(id).is_none()) {
                    flaws.push(format!(
                        "{}/{name} names the requirement {id}, which does not exist",
                        scenario.id
                    ));
                }
            }
            for row in scenario.catalogue.iter().filter(|row| !self.catalogue.contains_key(**row)) {
                flaws.push(format!("{} names the catalogue row {row}, which does not exist", scenario.id));
            }
        }
        let ids: BTreeSet<_> = self.check_ids().iter().map(|id| id.as_str().to_owned()).collect();
        let stored = self.expectations.stored()?.into_iter().filter(|id| !ids.contains(id));
        flaws.extend(stored.map(|id| format!("the expectation of {id} is stored, but no check has that id")));
        Ok(flaws)
    }
}

/// Where the suite's data lies: `SAMKLANG_ROOT`, else the source tree that the program was built from.
///
/// # Errors
/// When neither is there.
pub fn project_root(built_from: &str) -> Result<PathBuf, Problem> {
    let asked = std::env::var_os("SAMKLANG_ROOT").map(PathBuf::from);
    let root = asked.unwrap_or_else(|| PathBuf::from(built_from));
    if root.join("suites/profiles").is_dir() {
        Ok(root)
    } else {
        Err(Problem::configuration(message!("suite.no-root", path = root.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_row_of_the_catalogue_is_an_error_with_file_and_line() {
        let path = std::env::temp_dir().join(format!("samklang-catalogue-{:016x}.tsv", fastrand::u64(..)));
        let header = CATALOGUE_COLUMNS.join("\t");
        let good = "FC-01\tS\tX\tA sentence.\tA reason.\n";
        let read = |rows: &str| {
            std::fs::write(&path, format!("{header}\n{good}{rows}")).unwrap();
            read_catalogue(&path)
        };
        assert_eq!(read("").unwrap()["FC-01"], "A sentence.");
        for rows in ["FC-02\tS\n", good] {
            let problem = read(rows).unwrap_err().to_string();
            assert!(problem.contains(&format!("{}", path.display())), "{problem}");
            assert!(problem.contains("line 3"), "{problem}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
