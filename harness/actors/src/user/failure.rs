//! The reasons why a scenario stops. The runner makes verdicts from them and finds the server to blame.

use std::time::Duration;

use samklang_verdict::{ExchangeId, Message, Observations, Problem, ReasonCode, Role};

use super::pattern::EduPattern;
use samklang_drivers::{ApiRefusal, CallError};

/// A user and the server where the user is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The user's name in the scenario.
    pub name: String,
    /// The server's role.
    pub role: Role,
}

/// A scenario's step did not go as the scenario says.
#[derive(Debug, Clone)]
pub enum Failure {
    /// A call that had to succeed did not.
    Call {
        /// The caller.
        who: Actor,
        /// The verb.
        verb: &'static str,
        /// The error.
        error: CallError,
        /// The ids it was about.
        about: Vec<String>,
    },
    /// A call that had to be refused was not.
    Accepted {
        /// The caller.
        who: Actor,
        /// The verb.
        verb: &'static str,
        /// The exchange.
        exchange: ExchangeId,
    },
    /// A user did not see something within the bound.
    NotSeen {
        /// The user.
        who: Actor,
        /// A description of what the user did not see.
        what: String,
        /// The role of the server that had to send it.
        origin: Option<Role>,
        /// The ids it was about.
        about: Vec<String>,
        /// The exchange in which the user's server accepted it, if that is known beforehand.
        taken: Option<ExchangeId>,
        /// The EDU that had to carry it, if it is not an event.
        signal: Option<EduPattern>,
        /// The bound.
        bound: Duration,
        /// The last few things that the user saw instead.
        seen: Vec<String>,
        /// The exchange in which the user last looked.
        last: Option<ExchangeId>,
    },
    /// A user saw something that the user's server had to withhold.
    Seen {
        /// The user.
        who: Actor,
        /// A description of what the user saw.
        what: String,
        /// The exchange that shows it.
        exchange: ExchangeId,
        /// The exchange in which a peer sent it to the user's server.
        taken: Option<ExchangeId>,
    },
    /// A server's behaviour is wrong.
    Wrong(Box<Wrong>),
    /// The scenario cannot be judged, and no server is to blame.
    Inconclusive(Message),
    /// The scenario does not apply, as this predicate says.
    NotApplicable(Message),
    /// A problem of the configuration, the engine or the harness.
    Problem(Problem),
}

/// A server's wrong behaviour.
#[derive(Debug, Clone)]
pub struct Wrong {
    /// The reason code, which never changes.
    pub reason: ReasonCode,
    /// The role of the server to blame.
    pub by: Role,
    /// A description for people.
    pub message: Message,
    /// The expected value.
    pub expected: Option<String>,
    /// The actual value.
    pub actual: Option<String>,
    /// The exchanges that show it.
    pub evidence: Vec<ExchangeId>,
}

/// A completed act at a server, on which a pass may rest.
#[derive(Debug, Clone)]
pub struct Done {
    /// The scenario's clock at the act.
    pub tick: u64,
    /// The actor.
    pub who: Actor,
    /// The verb.
    pub verb: &'static str,
    /// The exchange that shows it.
    pub exchange: ExchangeId,
    /// The observations of the server.
    pub observations: Observations,
}

/// A result that names its act.
pub trait HasDone {
    /// The act.
    fn done(&self) -> &Done;
}

impl HasDone for Done {
    fn done(&self) -> &Done {
        self
    }
}

/// A refusal that a scenario expects.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The server's refusal.
    pub refusal: ApiRefusal,
    /// The observations of the server.
    pub observations: Observations,
}

/// Inverts a call: the server has to refuse it.
pub trait MustBeRefused {
    /// The refusal: a status of 4xx and an `errcode`.
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
    /// Adds the expected and the actual value, if the failure is [`Self::Wrong`].
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
