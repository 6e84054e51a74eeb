//! Which mistakes an honest server came by: one that it never came by would have changed nothing.

use std::{cell::RefCell, collections::BTreeSet};

use samklang_matrix::RoomFault;

use super::Fault;

thread_local! {
    /// The mistakes that servers on this thread were asked about, while somebody wants to know.
    static ASKED: RefCell<Option<BTreeSet<Fault>>> = const { RefCell::new(None) };
}

/// The mistakes that would have made a difference to what `act` has servers do on this thread. Other threads are not heard.
pub fn reached<T>(act: impl FnOnce() -> T) -> (T, BTreeSet<Fault>) {
    ASKED.set(Some(BTreeSet::new()));
    let (came_to, quirks) = RoomFault::reached(act);
    let mut asked = ASKED.take().unwrap_or_default();
    asked.extend(
        Fault::all().into_iter().filter(|fault| fault.room_fault().is_some_and(|own| quirks.contains(&own))),
    );
    (came_to, asked)
}

/// A server comes by where it makes this mistake, if it is the one that it makes.
pub(crate) fn note(fault: Fault) {
    ASKED.with_borrow_mut(|asked| asked.as_mut().is_some_and(|asked| asked.insert(fault)));
}

#[cfg(test)]
mod tests {
    use samklang_matrix::{RoomGraph, Rule, SigningKey};

    use super::*;

    #[test]
    fn a_mistake_is_reached_where_a_server_is_asked_about_it() {
        let ((), none) = reached(|| ());
        assert!(none.is_empty());
        let ((), asked) = reached(|| note(Fault::PdusNotSent));
        assert_eq!(asked, BTreeSet::from([Fault::PdusNotSent]));
        note(Fault::PduUnsigned);
        assert!(reached(|| ()).1.is_empty(), "nobody wanted to know");
    }

    #[test]
    fn a_rule_is_reached_where_it_forbids_something() {
        let key = SigningKey::from_seed(&[1; 32], "1").unwrap();
        let mut room = RoomGraph::create("11", "@a:a.test", &key, 1).unwrap();
        let of_stranger = room.draft_member("@b:b.test", "@c:b.test", "join").sign(&key);
        let (outcome, asked) = reached(|| room.add(&of_stranger.json).unwrap());
        assert_eq!(outcome, samklang_matrix::EventOutcome::Rejected(Rule::JoinOfAnother));
        assert!(asked.contains(&Fault::RuleSkipped(Rule::JoinOfAnother)));
        assert!(!asked.contains(&Fault::RuleSkipped(Rule::KickLevel)));
    }
}
