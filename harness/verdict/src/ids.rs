//! Identifiers that outlive a run. Scenario ids, check ids and reason codes are permanent once published.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An identifier that does not follow its grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {kind}: expected {expected}")]
pub struct IdError {
    /// What the text should have been.
    pub kind: &'static str,
    /// The offending text.
    pub text: String,
    /// The grammar, in words.
    pub expected: &'static str,
}

/// Lower-case words joined by hyphens: `invite-accepted`.
fn is_slug(text: &str) -> bool {
    !text.is_empty()
        && text.split('-').all(|word| {
            !word.is_empty()
                && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        })
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the grammar.
            ///
            /// # Errors
            /// When the text does not follow it.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) {
                    Ok(Self(text))
                } else {
                    Err(IdError { kind: $kind, text, expected: $expected })
                }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// A scenario: `area.name`, for instance `rooms.invite-accepted`.
    ScenarioId,
    "scenario id",
    "area.name in lower-case words joined by hyphens",
    |text| matches!(text.split_once('.'), Some((area, name)) if is_slug(area) && is_slug(name))
);

text_id!(
    /// A check of a scenario: `area.name/check`, for instance `rooms.invite-accepted/invite-shown`.
    CheckId,
    "check id",
    "a scenario id, a slash and lower-case words joined by hyphens",
    |text| matches!(text.split_once('/'), Some((scenario, check)) if ScenarioId::new(scenario).is_ok() && is_slug(check))
);

text_id!(
    /// The permanent reason code of a fail: `delivery.not_seen`. Diffs and deviations refer to it.
    ReasonCode,
    "reason code",
    "group.reason in lower-case words joined by underscores",
    |text| matches!(text.split_once('.'), Some((group, reason)) if is_slug(group) && is_slug(reason))
);

impl CheckId {
    /// The check named `check` of `scenario`.
    ///
    /// # Errors
    /// When `check` is not made of lower-case words joined by hyphens.
    pub fn of(scenario: &ScenarioId, check: &str) -> Result<Self, IdError> {
        Self::new(format!("{scenario}/{check}"))
    }

    /// The scenario that the check belongs to.
    pub fn scenario(&self) -> &str {
        self.0.split_once('/').map_or("", |(scenario, _)| scenario)
    }

    /// The check's own name within its scenario.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, check)| check)
    }
}

/// An exchange within the transcript of one stage, counted from 1: `x17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ExchangeId(pub u64);

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "x{}", self.0)
    }
}

/// The part that a server plays in a constellation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The first server, the subject's.
    A,
    /// The second server.
    B,
    /// The third server.
    C,
}

impl Role {
    /// The role in lower case, as it stands in server names and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::C => "c",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_str().to_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_their_grammar() {
        for good in ["rooms.invite-accepted", "messages.order-200"] {
            assert!(ScenarioId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "rooms", "rooms.", ".x", "Rooms.x", "rooms.a b", "rooms.a--b", "rooms.a/b", "rooms.å"]
        {
            assert!(ScenarioId::new(bad).is_err(), "{bad}");
        }
        let scenario = ScenarioId::new("rooms.invite-accepted").unwrap();
        let check = CheckId::of(&scenario, "invite-shown").unwrap();
        assert_eq!(check.as_str(), "rooms.invite-accepted/invite-shown");
        assert_eq!((check.scenario(), check.name()), ("rooms.invite-accepted", "invite-shown"));
        assert!(CheckId::of(&scenario, "Invite shown").is_err());
    }

    #[test]
    fn ids_are_checked_when_a_file_is_read() {
        assert!(serde_json::from_str::<ReasonCode>("\"delivery.not_seen\"").is_ok());
        assert!(serde_json::from_str::<ReasonCode>("\"<script>\"").is_err());
    }
}
