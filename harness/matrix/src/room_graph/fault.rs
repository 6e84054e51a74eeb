//! Faults in judging events, for a server of the harness that is told to have one. A room without a fault follows the
//! specification.

use std::{cell::RefCell, collections::BTreeSet, sync::OnceLock};

use super::RoomGraph;
use crate::{BreachReason, FormatBreach, Rule};

/// A fault in judging events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoomFault {
    /// A rule is not enforced.
    SkipsRule(Rule),
    /// A breach of the format is not noticed.
    SkipsFormat(BreachReason),
    /// The signatures of events are not checked.
    SkipsSignatures,
    /// Nothing is soft-failed.
    NoSoftFailure,
    /// Rejected state events change the state.
    RejectedChangesState,
    /// Rejected and soft-failed events become prev events of new events.
    BuildsOnRejected,
    /// An event whose content hash does not match is kept with its content.
    KeepsChangedContent,
    /// An event whose content hash does not match is dropped.
    DropsChangedContent,
    /// Server ACLs are ignored.
    IgnoresAcl,
    /// Server ACLs are case-sensitive.
    AclCaseMatters,
    /// Any user can redact any event.
    AnyoneRedacts,
    /// A user can redact only their own events.
    OnlySenderRedacts,
    /// The auth events of an event are not checked.
    SkipsAuthEvents,
    /// Events of other rooms are accepted.
    AcceptsOtherRooms,
    /// States are resolved by version 2 of the algorithm in every room version.
    ResolvesByV2,
    /// Of several different states, the smallest one counts.
    KeepsSmallestState,
}

thread_local! {
    /// The faults that rooms on this thread have checked for, while [`RoomFault::reached`] runs.
    static CHECKED: RefCell<Option<BTreeSet<RoomFault>>> = const { RefCell::new(None) };
}

impl RoomFault {
    /// Runs `act` and returns the faults that rooms checked for on this thread: those that could have changed its result.
    pub fn reached<T>(act: impl FnOnce() -> T) -> (T, BTreeSet<Self>) {
        CHECKED.set(Some(BTreeSet::new()));
        let result = act();
        (result, CHECKED.take().unwrap_or_default())
    }

    fn note(self) {
        CHECKED.with_borrow_mut(|checked| checked.as_mut().is_some_and(|checked| checked.insert(self)));
    }
}

impl RoomGraph {
    /// The room with this fault from now on.
    #[must_use]
    pub fn with_fault(mut self, fault: Option<RoomFault>) -> Self {
        self.fault = fault;
        self.current = OnceLock::new();
        self
    }

    /// Whether the room has this fault.
    pub fn has(&self, fault: RoomFault) -> bool {
        fault.note();
        self.fault == Some(fault)
    }

    /// The result of a rule, unless the room skips the rule.
    pub(super) fn enforced(&self, judged: Result<(), Rule>) -> Result<(), Rule> {
        judged.or_else(|rule| if self.has(RoomFault::SkipsRule(rule)) { Ok(()) } else { Err(rule) })
    }

    /// The breaches that the room notices.
    pub(super) fn noticed(&self, mut breaches: Vec<FormatBreach>) -> Vec<FormatBreach> {
        breaches.retain(|breach| !self.has(RoomFault::SkipsFormat(breach.reason)));
        breaches
    }
}
