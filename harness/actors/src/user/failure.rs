//! Why a scenario could not go on. The runner makes verdicts of these, and finds out whose fault they are.

use std::time::Duration;

use samklang_verdict::{ExchangeId, Message, Observations, Problem, ReasonCode, Role};

use super::pattern::EduPattern;
use samklang_drivers::{ApiRefusal, CallError};

/// A user and the server where the user is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What the scenario calls the user.
    pub name: String,
    /// The server's role.
    pub role: Role,
}

/// Something that went otherwise than the scenario says.
#[derive(Debug, Clone)]
pub enum Failure {
    /// A call that had to succeed did not.
    Call {
        /// Who called.
        who: Actor,
        /// The verb.
        verb: &'static str,
        /// What came of it.
        error: CallError,
        /// The ids it was about.
        about: Vec<String>,
    },
    /// A call that had to be refused was not.
    Accepted {
        /// Who called.
        who: Actor,
        /// The verb.
        verb: &'static str,
        /// The exchange.
        exchange: ExchangeId,
    },
    /// A user did not see something within the bound.
    NotSeen {
        /// Who looked.
        who: Actor,
        /// What for.
        what: String,
        /// The server that it had to come from.
        origin: Option<Role>,
        /// The ids it was about.
        about: Vec<String>,
        /// The exchange in which the looking user's server took it, where that is known beforehand.
        taken: Option<ExchangeId>,
        /// The signal that had to bring it, where it was not an event.
        signal: Option<EduPattern>,
        /// The bound.
        bound: Duration,
        /// What the user saw instead, the last few.
        seen: Vec<String>,
        /// The exchange in which the user last looked.
        last: Option<ExchangeId>,
    },
    /// A user saw what nobody was to see.
    Seen {
        /// Who saw it.
        who: Actor,
        /// What.
        what: String,
        /// The exchange that shows it.
        exchange: ExchangeId,
        /// The exchange in which the user's own server was given it, by somebody who is not judged.
        taken: Option<ExchangeId>,
    },
    /// Something is not as it has to be.
    Wrong(Box<Wrong>),
    /// It could not be judged, and no server is to blame.
    Inconclusive(Message),
    /// It does not apply, as this predicate says.
    NotApplicable(Message),
    /// Configuration, engine, harness.
    Problem(Problem),
}

/// Something that is not as it has to be.
#[derive(Debug, Clone)]
pub struct Wrong {
    /// Why, stable for ever.
    pub reason: ReasonCode,
    /// The server that did it.
    pub by: Role,
    /// What is wrong, for people.
    pub message: Message,
    /// What should be.
    pub expected: Option<String>,
    /// What is.
    pub actual: Option<String>,
    /// Where it shows.
    pub evidence: Vec<ExchangeId>,
}

/// Something that was done at a server, which a pass may rest on.
#[derive(Debug, Clone)]
pub struct Done {
    /// The scenario's clock when it was done.
    pub tick: u64,
    /// Who did it.
    pub who: Actor,
    /// The verb.
    pub verb: &'static str,
    /// The exchange that shows it.
    pub exchange: ExchangeId,
    /// What the server was seen to do.
    pub observations: Observations,
}

/// An answer that says who gave it and in which exchange.
pub trait HasDone {
    /// What was done.
    fn done(&self) -> &Done;
}

impl HasDone for Done {
    fn done(&self) -> &Done {
        self
    }
}

/// A refusal that a scenario wanted.
#[derive(Debug, Clone)]
pub struct Refused {
    /// How the server said no.
    pub refusal: ApiRefusal,
    /// What the server was seen to do.
    pub observations: Observations,
}

/// Turns a call round: it has to be refused.
pub trait MustBeRefused {
    /// The refusal, in due form: a status of 4xx and an `errcode`.
    ///
    /// # Errors
    /// When the call succeeded, or failed in another way.
    fn refused(self) -> Result<Refused, Failure>;
}

impl<T: HasDone> MustBeRefused for Result<T, Failure> {
    fn refused(self) -> Result<Refused, Failure> {
        match self {
            Ok(shown) => {
                let done = shown.done();
                Err(Failure::Accepted { who: done.who.clone(), verb: done.verb, exchange: done.exchange })
            }
            Err(Failure::Call { who, error: CallError::Refused(refusal), .. })
                if (400..500).contains(&refusal.status) && !refusal.errcode.is_empty() =>
            {
                let seen = samklang_verdict::Observation { by: who.role, exchange: refusal.exchange };
                Ok(Refused { refusal, observations: Observations::new(seen, []) })
            }
            Err(other) => Err(other),
        }
    }
}

impl Failure {
    /// With what should be and what is, where it says that something is wrong.
    #[must_use]
    pub fn showing(mut self, expected: impl std::fmt::Display, actual: impl std::fmt::Display) -> Self {
        if let Self::Wrong(wrong) = &mut self {
            wrong.expected = Some(expected.to_string());
            wrong.actual = Some(actual.to_string());
        }
        self
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}
