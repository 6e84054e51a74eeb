//! Which faults an honest server came by. A fault that it never came by would have changed nothing.

use std::{cell::RefCell, collections::BTreeSet};

use samklang_matrix::RoomFault;

use super::Fault;

thread_local! {
    /// The faults that servers on this thread came by, while a self-test records them.
    static RECORDED: RefCell<Option<BTreeSet<Fault>>> = const { RefCell::new(None) };
}

/// The faults that would have made a difference to what `act` has servers do on this thread. Other threads do not count.
pub fn reached<T>(act: impl FnOnce() -> T) -> (T, BTreeSet<Fault>) {
    RECORDED.set(Some(BTreeSet::new()));
    let (came_to, room_faults) = RoomFault::reached(act);
    let mut recorded = RECORDED.take().unwrap_or_default();
    recorded.extend(
        Fault::all()
            .into_iter()
            .filter(|fault| fault.room_fault().is_some_and(|own| room_faults.contains(&own))),
    );
    (came_to, recorded)
}

/// A server comes by the place where this fault acts.
pub(crate) fn note(fault: Fault) {
    RECORDED.with_borrow_mut(|recorded| recorded.as_mut().is_some_and(|recorded| recorded.insert(fault)));
}

/// Whether a self-test records which faults servers on this thread come by.
pub(super) fn is_recording() -> bool {
    RECORDED.with_borrow(Option::is_some)
}

#[cfg(test)]
mod tests {
    use samklang_matrix::{RoomGraph, Rule, SigningKey};

    use super::*;

    #[test]
    fn a_fault_is_reached_where_a_server_comes_by_it() {
        let ((), none) = reached(|| ());
        assert!(none.is_empty());
        let ((), recorded) = reached(|| note(Fault::PdusNotSent));
        assert_eq!(recorded, BTreeSet::from([Fault::PdusNotSent]));
        note(Fault::PduUnsigned);
        assert!(reached(|| ()).1.is_empty(), "nothing is recorded by itself");
    }

    #[test]
    fn a_rule_is_reached_where_it_forbids_something() {
        let key = SigningKey::from_seed(&[1; 32], "1").unwrap();
        let mut room = RoomGraph::create("11", "@a:a.test", &key, 1).unwrap();
        let of_stranger = room.draft_member("@b:b.test", "@c:b.test", "join").sign(&key);
        let (outcome, recorded) = reached(|| room.add(&of_stranger.json).unwrap());
        assert_eq!(outcome, samklang_matrix::EventOutcome::Rejected(Rule::JoinOfAnother));
        assert!(recorded.contains(&Fault::RuleSkipped(Rule::JoinOfAnother)));
        assert!(!recorded.contains(&Fault::RuleSkipped(Rule::KickLevel)));
    }
}
