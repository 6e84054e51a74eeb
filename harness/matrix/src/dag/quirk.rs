//! Mistakes that a server may make in judging events, for servers that are to make one. A room without a quirk is judged
//! as the specification has it.

use std::{cell::RefCell, collections::BTreeSet, sync::OnceLock};

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

thread_local! {
    /// The mistakes that rooms on this thread were asked about, while somebody wants to know.
    static ASKED: RefCell<Option<BTreeSet<Quirk>>> = const { RefCell::new(None) };
}

impl Quirk {
    /// The mistakes that would have made a difference to what `act` does on this thread: rooms came to where they are made.
    pub fn reached<T>(act: impl FnOnce() -> T) -> (T, BTreeSet<Self>) {
        ASKED.set(Some(BTreeSet::new()));
        let came_to = act();
        (came_to, ASKED.take().unwrap_or_default())
    }

    fn note(self) {
        ASKED.with_borrow_mut(|asked| asked.as_mut().is_some_and(|asked| asked.insert(self)));
    }
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
        quirk.note();
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
