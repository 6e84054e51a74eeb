//! The verdict of one check.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CheckId, Class, ExchangeId, Message, Observations, ReasonCode, Role};

/// What was found out about one check. A pass cannot be written without an [`Observations`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The server did what was asked, and was seen to do it.
    Pass {
        /// What the pass rests on.
        observations: Observations,
    },
    /// The server did something else.
    Fail(Box<Fail>),
    /// It could not be judged: set-up, peer or bound not met.
    Inconclusive {
        /// Why not.
        message: Message,
        /// The check whose failure stood in the way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blocked_by: Option<CheckId>,
        /// The bound that passed, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bound_ms: Option<u64>,
    },
    /// By declaration, specification version or room version.
    NotApplicable {
        /// The predicate that said so.
        message: Message,
    },
    /// Samklang's or the engine's own fault; says nothing of a server.
    Error {
        /// Whose fault.
        class: Class,
        /// What happened.
        message: Message,
    },
    /// The run ended before.
    NotRun {
        /// Why.
        message: Message,
    },
}

/// Who, what, where in the transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fail {
    /// Why, stable for ever.
    pub reason: ReasonCode,
    /// The server that sent the wrong thing.
    pub blame: Blame,
    /// What happened, for people.
    pub message: Message,
    /// What should have been there, as lines of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was there, as lines of text. May hold anything a server sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
    /// The exchanges that show it, the telling ones first.
    pub evidence: Vec<ExchangeId>,
}

/// Whose fault a fail is, as the wire shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "who", rename_all = "snake_case")]
pub enum Blame {
    /// One server.
    Server {
        /// Its role in the constellation.
        role: Role,
        /// How the wire shows that it was this one.
        because: Message,
    },
    /// The wire does not decide between the servers.
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

    /// The exchanges that it rests on, the telling ones first.
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
