//! The verdict of one check.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CheckId, Class, ExchangeId, Message, Observations, ReasonCode, Role};

/// The verdict of one check. A pass cannot be written without [`Observations`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The server did what the check requires, and Samklang observed it.
    Pass {
        /// The observations on which the pass rests.
        observations: Observations,
    },
    /// The server did something else.
    Fail(Box<Fail>),
    /// The check could not be judged: the set-up, the peer or a time limit prevented it.
    Inconclusive {
        /// Why not.
        message: Message,
        /// The check whose failure prevented it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blocked_by: Option<CheckId>,
        /// The time limit that passed, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bound_ms: Option<u64>,
    },
    /// A declaration, the version of the specification or the room version excludes the check.
    NotApplicable {
        /// The condition that excludes it.
        message: Message,
    },
    /// Samklang or the container engine failed; this says nothing about a server.
    Error {
        /// Whose fault.
        class: Class,
        /// What happened.
        message: Message,
    },
    /// The run ended before this check.
    NotRun {
        /// Why.
        message: Message,
    },
}

/// A fail: the blame, the reason, and the evidence in the transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fail {
    /// The permanent reason code.
    pub reason: ReasonCode,
    /// The server that sent the wrong thing.
    pub blame: Blame,
    /// What happened, for people.
    pub message: Message,
    /// The expected text, in lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The actual text, in lines. It may contain anything that a server sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
    /// The exchanges that show it, the decisive ones first.
    pub evidence: Vec<ExchangeId>,
}

/// The server at fault for a fail, as the recorded traffic shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "who", rename_all = "snake_case")]
pub enum Blame {
    /// One server is at fault.
    Server {
        /// Its role in the constellation.
        role: Role,
        /// How the recorded traffic shows that.
        because: Message,
    },
    /// The recorded traffic does not show which server is at fault.
    Undecided {
        /// Why not.
        because: Message,
    },
}

impl Verdict {
    /// The verdict's name, as in the result file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "pass",
            Self::Fail(_) => "fail",
            Self::Inconclusive { .. } => "inconclusive",
            Self::NotApplicable { .. } => "not_applicable",
            Self::Error { .. } => "error",
            Self::NotRun { .. } => "not_run",
        }
    }

    /// The reason code of a fail.
    pub fn reason(&self) -> Option<&ReasonCode> {
        match self {
            Self::Fail(fail) => Some(&fail.reason),
            _ => None,
        }
    }

    /// The exchanges on which it rests, the decisive ones first.
    pub fn evidence(&self) -> Vec<ExchangeId> {
        match self {
            Self::Pass { observations } => observations.all().iter().map(|seen| seen.exchange).collect(),
            Self::Fail(fail) => fail.evidence.clone(),
            _ => Vec::new(),
        }
    }

    /// Whether the check was judged, one way or the other.
    pub fn is_judged(&self) -> bool {
        matches!(self, Self::Pass { .. } | Self::Fail(_))
    }
}
