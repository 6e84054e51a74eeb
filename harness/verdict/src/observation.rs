//! The observations on which a pass rests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ExchangeId, Role};

/// Something that Samklang observed a server do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// The server that did it.
    pub by: Role,
    /// The exchange in the transcript that shows it.
    pub exchange: ExchangeId,
}

/// At least one observation; a pass cannot be made without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<Observation>", into = "Vec<Observation>")]
#[schemars(with = "Vec<Observation>")]
pub struct Observations(Vec<Observation>);

impl Observations {
    /// `first` and `rest`, sorted and without duplicates.
    pub fn new(first: Observation, rest: impl IntoIterator<Item = Observation>) -> Self {
        let mut all: Vec<_> = std::iter::once(first).chain(rest).collect();
        all.sort();
        all.dedup();
        Self(all)
    }

    /// `None` if there are no observations.
    pub fn from_all(all: impl IntoIterator<Item = Observation>) -> Option<Self> {
        let mut all = all.into_iter();
        all.next().map(|first| Self::new(first, all))
    }

    /// All of them; never empty.
    pub fn all(&self) -> &[Observation] {
        &self.0
    }

    /// Whether a server with one of `roles` did any of it.
    pub fn any_by(&self, roles: &[Role]) -> bool {
        self.0.iter().any(|observation| roles.contains(&observation.by))
    }
}

impl From<Observation> for Observations {
    fn from(observation: Observation) -> Self {
        Self(vec![observation])
    }
}

impl TryFrom<Vec<Observation>> for Observations {
    type Error = &'static str;

    fn try_from(all: Vec<Observation>) -> Result<Self, Self::Error> {
        Self::from_all(all).ok_or("a pass rests on at least one observation")
    }
}

impl From<Observations> for Vec<Observation> {
    fn from(observations: Observations) -> Self {
        observations.0
    }
}
