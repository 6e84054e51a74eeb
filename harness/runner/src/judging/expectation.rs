//! Stored expectations: what a scenario has to show, the same for all vendors. The only file that imports insta.
//!
//! This file reads the stored text and compares it, so that insta's update modes cannot change a verdict. After that it
//! writes a proposal in insta's own format beside the stored file, for `samklang review` or `cargo insta review`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use insta::Snapshot;
use samklang_verdict::{Problem, message};
use sha2::{Digest, Sha256};

/// The folder of the stored expectations.
#[derive(Debug, Clone)]
pub struct Expectations {
    folder: PathBuf,
    proposes: bool,
}

/// The result of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// The text is the stored one.
    Conforms,
    /// It differs.
    Differs {
        /// What is stored.
        expected: String,
    },
    /// Nothing is stored yet.
    Unknown,
}

impl Expectations {
    /// The expectations in `folder`.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), proposes: true }
    }

    /// The same expectations, but without proposals.
    #[must_use]
    pub fn without_proposals(self) -> Self {
        Self { proposes: false, ..self }
    }

    /// Where the expectation of a check is stored: `area/name/check.snap`, or `check@v11.snap` where a room version has
    /// its own.
    fn path(&self, check: &str, version: Option<&str>) -> PathBuf {
        let relative = check.replacen('.', "/", 1);
        let suffix = version.map(|version| format!("@v{version}")).unwrap_or_default();
        self.folder.join(format!("{relative}{suffix}.snap"))
    }

    /// Holds `actual` against what is stored for `check`. With `by_version` each room version has an expectation of its
    /// own.
    ///
    /// # Errors
    /// When a stored expectation cannot be read.
    pub fn compare(
        &self,
        check: &str,
        by_version: Option<&str>,
        actual: &str,
    ) -> Result<Comparison, Problem> {
        let path = self.path(check, by_version);
        if !path.exists() {
            return Ok(Comparison::Unknown);
        }
        let expected = read(&path)?;
        Ok(if expected == actual { Comparison::Conforms } else { Comparison::Differs { expected } })
    }

    /// Writes `actual` as a proposal beside the stored expectation.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn propose(
        &self,
        check: &str,
        by_version: Option<&str>,
        title: &str,
        actual: &str,
    ) -> Result<(), Problem> {
        if !self.proposes {
            return Ok(());
        }
        let path = self.path(check, by_version).with_extension("snap.new");
        let failed = |error: &dyn std::fmt::Display| {
            Problem::configuration(message!("expectation.not-written", path = path.display(), error = error))
        };
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        let description = serde_json::Value::from(title).to_string();
        let text = format!("---\nsource: {check}\ndescription: {description}\n---\n{actual}\n");
        fs::write(&path, text).map_err(|error| failed(&error))?;
        // insta writes it once more, so that its own format is what lies there.
        let snapshot = Snapshot::from_file(&path).map_err(|error| failed(&error))?;
        snapshot.save(&path).map_err(|error| failed(&error))
    }

    /// Every proposal that lies in the folder, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn proposals(&self) -> Result<Vec<Proposal>, Problem> {
        let mut found = Vec::new();
        for path in files(&self.folder, ".snap.new")? {
            let stored = path.with_extension("");
            let expected = if stored.exists() { Some(read(&stored)?) } else { None };
            let actual = read(&path)?;
            found.push(Proposal { path, stored, expected, actual });
        }
        Ok(found)
    }

    /// SHA-256 over all stored expectations, by relative path and text, in hexadecimal.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn digest(&self) -> Result<String, Problem> {
        let mut hash = Sha256::new();
        for path in files(&self.folder, ".snap")? {
            let name = path.strip_prefix(&self.folder).unwrap_or(&path);
            hash.update(name.to_string_lossy().as_bytes());
            hash.update([0]);
            hash.update(read(&path)?.as_bytes());
            hash.update([0]);
        }
        Ok(hex::encode(hash.finalize()))
    }

    /// The ids of the checks that have a stored expectation.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn stored(&self) -> Result<Vec<String>, Problem> {
        let id = |path: PathBuf| {
            let name =
                path.strip_prefix(&self.folder).ok()?.with_extension("").to_string_lossy().into_owned();
            let name = name.split_once('@').map_or(name.clone(), |(name, _)| name.to_owned());
            Some(name.replacen('/', ".", 1))
        };
        let mut ids: Vec<_> = files(&self.folder, ".snap")?.into_iter().filter_map(id).collect();
        ids.dedup();
        Ok(ids)
    }
}

/// A text that a run proposes.
#[derive(Debug, Clone)]
pub struct Proposal {
    path: PathBuf,
    stored: PathBuf,
    /// What is stored now.
    pub expected: Option<String>,
    /// What is proposed.
    pub actual: String,
}

impl Proposal {
    /// The stored file it would replace.
    pub fn file(&self) -> &Path {
        &self.stored
    }

    /// Makes the proposal the expectation.
    ///
    /// # Errors
    /// When the file cannot be renamed.
    pub fn accept(&self) -> Result<(), Problem> {
        fs::rename(&self.path, &self.stored).map_err(|error| self.failed(&error))
    }

    /// Throws the proposal away.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn reject(&self) -> Result<(), Problem> {
        fs::remove_file(&self.path).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> Problem {
        Problem::configuration(message!("expectation.not-written", path = self.path.display(), error = error))
    }
}

fn read(path: &Path) -> Result<String, Problem> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Problem::configuration(message!("expectation.unreadable", path = path.display(), error = error))
    };
    let snapshot = Snapshot::from_file(path).map_err(|error| unreadable(&error))?;
    match snapshot.as_text() {
        Some(text) => Ok(text.to_string().trim_matches('\n').to_owned()),
        None => Err(unreadable(&"it holds no text")),
    }
}

/// The files below `folder` whose names end so, sorted. A folder that is not there holds none.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, Problem> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if !folder.exists() {
            continue;
        }
        let unreadable = |error: std::io::Error| {
            Problem::configuration(message!("expectation.unreadable", path = folder.display(), error = error))
        };
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The update mode of insta that asks to turn a mismatch into a pass, as `NAME=value`, if one is set.
pub fn forced_update() -> Option<String> {
    let set = |name: &str, bad: fn(&str) -> bool| {
        std::env::var(name).ok().filter(|value| bad(value)).map(|value| format!("{name}={value}"))
    };
    set("INSTA_UPDATE", |value| matches!(value, "always" | "unseen" | "1"))
        .or_else(|| set("INSTA_FORCE_PASS", |value| value == "1"))
        .or_else(|| set("INSTA_FORCE_UPDATE", |value| value == "1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("samklang-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_proposal_becomes_an_expectation_only_when_it_is_accepted() {
        let folder = Folder::new("expectations");
        let expectations = Expectations::in_folder(&folder.0);
        let check = "rooms.invite-accepted/invite-shown";
        let text = "{\n  \"body\": \"---\\nå\"\n}";
        assert_eq!(expectations.compare(check, None, text), Ok(Comparison::Unknown));
        let empty = expectations.digest().unwrap();

        expectations.propose(check, None, "B shows: \"it\"", text).unwrap();
        assert_eq!(expectations.compare(check, None, text), Ok(Comparison::Unknown));
        let proposals = expectations.proposals().unwrap();
        assert_eq!((proposals.len(), proposals[0].actual.as_str()), (1, text));

        proposals[0].accept().unwrap();
        assert_eq!(expectations.compare(check, None, text), Ok(Comparison::Conforms));
        let other = expectations.compare(check, None, "{}").unwrap();
        assert_eq!(other, Comparison::Differs { expected: text.into() });
        assert_eq!(expectations.compare(check, Some("11"), text), Ok(Comparison::Unknown));
        assert_eq!(expectations.stored().unwrap(), [check]);
        assert_ne!(expectations.digest().unwrap(), empty);
    }

    #[test]
    fn a_rejected_proposal_leaves_nothing() {
        let folder = Folder::new("rejected");
        let expectations = Expectations::in_folder(&folder.0);
        expectations.propose("rooms.x/y", Some("12"), "t", "{}").unwrap();
        expectations.proposals().unwrap()[0].reject().unwrap();
        assert!(expectations.proposals().unwrap().is_empty());
        assert_eq!(expectations.compare("rooms.x/y", Some("12"), "{}"), Ok(Comparison::Unknown));
    }
}
