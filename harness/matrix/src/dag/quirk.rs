//! Mistakes that a server may make in judging events, for servers that are to make one. A room without a quirk is judged
//! as the specification has it.

use std::sync::OnceLock;

use super::Room;
use crate::{Breach, BreachReason, Rule};

/// A mistake in judging events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quirk {
    /// A rule is not enforced.
    Forgives(Rule),
    /// A breach of the format is overlooked.
    Overlooks(BreachReason),
    /// The signatures of events are not looked at.
    SkipsSignatures,
    /// Nothing is soft-failed.
    NoSoftFailure,
    /// State events that are rejected change the state all the same.
    RejectedChangeState,
    /// Rejected and soft-failed events are followed.
    FollowsAll,
    /// An event whose content hash does not match is kept with its content.
    KeepsChangedContent,
    /// An event whose content hash does not match is dropped.
    DropsChangedContent,
    /// Server ACLs have no say.
    IgnoresAcl,
    /// Server ACLs tell upper from lower case.
    AclCaseMatters,
    /// Anybody may redact anything.
    RedactsByAnybody,
    /// Nobody may redact what somebody else sent.
    RedactsBySenderAlone,
    /// What an event cites is not looked at.
    IgnoresCited,
    /// Events of other rooms are taken as well.
    MixesRooms,
    /// States are resolved by version 2 in every room version.
    ResolvesByV2,
    /// Of states that differ, the smallest one counts.
    KeepsSmallestState,
}

impl Room {
    /// The room, judged with a mistake from now on.
    #[must_use]
    pub fn with_quirk(mut self, quirk: Option<Quirk>) -> Self {
        self.quirk = quirk;
        self.current = OnceLock::new();
        self
    }

    /// Whether it is judged with this mistake.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirk == Some(quirk)
    }

    /// What a rule says here.
    pub(super) fn enforced(&self, judged: Result<(), Rule>) -> Result<(), Rule> {
        judged.or_else(|rule| if self.has(Quirk::Forgives(rule)) { Ok(()) } else { Err(rule) })
    }

    /// The breaches that count here.
    pub(super) fn noticed(&self, mut breaches: Vec<Breach>) -> Vec<Breach> {
        breaches.retain(|breach| !self.has(Quirk::Overlooks(breach.reason)));
        breaches
    }
}
