//! Errors: what happened, why, what to do next, and whose fault it is.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Message, exit};

/// The party at fault for an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// The call, a file or the machine's set-up: the caller can fix it.
    Configuration,
    /// The server under judgement.
    Subject,
    /// The server that the subject is paired with.
    Peer,
    /// Samklang itself.
    Harness,
    /// The container engine or the machine.
    Engine,
    /// No party: something is missing that only the caller can supply, such as a product's licence.
    Blocked,
}

/// An error for people and machines. The English text of its message is its `Display`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Whose fault.
    pub class: Class,
    /// What happened, why, and what to do next.
    pub message: Message,
    /// Lines that help to understand: the end of a server's log, a compiler's output. Bounded by whoever adds them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
}

impl Problem {
    /// A problem of `class`.
    pub fn new(class: Class, message: Message) -> Self {
        Self { class, message, detail: Vec::new() }
    }

    /// A problem that the caller can fix.
    pub fn configuration(message: Message) -> Self {
        Self::new(Class::Configuration, message)
    }

    /// A problem of the container engine or the machine.
    pub fn engine(message: Message) -> Self {
        Self::new(Class::Engine, message)
    }

    /// A problem of Samklang's own.
    pub fn harness(message: Message) -> Self {
        Self::new(Class::Harness, message)
    }

    /// Adds lines that help to understand.
    #[must_use]
    pub fn with_detail(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.detail.extend(lines);
        self
    }

    /// The exit code of a run that ends with this problem alone.
    pub fn exit_code(&self) -> u8 {
        match self.class {
            Class::Configuration => exit::USAGE,
            Class::Harness | Class::Engine => exit::HARNESS_ERROR,
            Class::Subject | Class::Peer | Class::Blocked => exit::NOT_PROVEN,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}

impl std::error::Error for Problem {}
