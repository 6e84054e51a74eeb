//! The list of excused gaps: faults that no check notices, and checks that no fault turns red, each with its reason.

use std::{collections::BTreeMap, path::Path};

use samklang_verdict::{CheckId, Problem, message};
use serde::Deserialize;

/// The excused faults and checks, each with its reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// Faults that no check notices, by name.
    pub survivors: BTreeMap<String, String>,
    /// Checks that no fault turns red.
    pub unproven: BTreeMap<CheckId, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExceptionsFile {
    #[serde(default)]
    survivor: Vec<Survivor>,
    #[serde(default)]
    unproven: Vec<Unproven>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Survivor {
    fault: String,
    because: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unproven {
    check: CheckId,
    because: String,
}

impl Exceptions {
    /// Reads the list at `path`; an empty one where there is none.
    ///
    /// # Errors
    /// When it cannot be read or is not of this shape.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let malformed = |error: &dyn std::fmt::Display| {
            Problem::configuration(message!("selftest.bad-exceptions", path = path.display(), error = error))
        };
        let text = std::fs::read_to_string(path).map_err(|error| malformed(&error))?;
        Self::parse(&text).map_err(|error| malformed(&error))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: ExceptionsFile = toml::from_str(text).map_err(|error| error.to_string())?;
        let reasons = file.survivor.iter().map(|entry| &entry.because);
        if reasons
            .chain(file.unproven.iter().map(|entry| &entry.because))
            .any(|reason| reason.trim().is_empty())
        {
            return Err("an entry gives no reason".to_owned());
        }
        Ok(Self {
            survivors: file.survivor.into_iter().map(|entry| (entry.fault, entry.because)).collect(),
            unproven: file.unproven.into_iter().map(|entry| (entry.check, entry.because)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_has_a_name_and_a_reason() {
        let text = "[[survivor]]\nfault = 'f'\nbecause = 'x'\n[[unproven]]\ncheck = 'a.b/c'\nbecause = 'y'\n";
        let list = Exceptions::parse(text).unwrap();
        assert_eq!(list.survivors["f"], "x");
        assert_eq!(list.unproven[&CheckId::new("a.b/c").unwrap()], "y");
        assert_eq!(Exceptions::parse(""), Ok(Exceptions::default()));
        for odd in [
            "[[survivor]]\nfault = 'f'\nbecause = ' '",
            "[[survivor]]\nfault = 'f'",
            "[[unproven]]\ncheck = 'c'\nbecause = 'y'",
        ] {
            assert!(Exceptions::parse(odd).is_err(), "{odd}");
        }
    }
}
