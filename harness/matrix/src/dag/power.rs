//! Who may do what in a room as it is.

use super::{Quirk, Room, RoomError};
use crate::{
    Cited, Event, Power, Refusal, Rule, Snapshot, StateMap, auth::Levels, check_auth_events, check_state,
    names::server_of,
};

impl Room {
    /// Whether the current state authorises an event.
    ///
    /// # Errors
    /// The rule that rejects it, or that the state cannot be told.
    pub fn check(&self, event: &Event) -> Result<Result<(), Rule>, RoomError> {
        let state = self.state()?;
        Ok(self.enforced(check_state(event, &self.pool().snapshot(&state))))
    }

    /// Whether what an event cites authorises it, wherever its place in the graph is. `also` finds events that are not
    /// held here.
    ///
    /// # Errors
    /// The rule that rejects it, or what it cites and nobody finds.
    pub fn check_cited<'a>(
        &'a self,
        event: &Event,
        also: impl Fn(&str) -> Option<&'a Event>,
    ) -> Result<(), Refusal> {
        let pool = self.pool();
        let find =
            |id: &str| pool.cited(id).or_else(|| also(id).map(|event| Cited { event, rejected: false }));
        match check_auth_events(event, find) {
            Err(Refusal::Rule(rule)) => self.enforced(Err(rule))?,
            other => other?,
        }
        let cited = event.auth_events().into_iter().filter_map(|id| find(&id));
        let mut seen = Snapshot::of(cited.map(|it| it.event));
        if let Some(create) = self.create_id(event).and_then(|id| self.event(&id)) {
            seen.set(create);
        }
        Ok(self.enforced(check_state(event, &seen))?)
    }

    /// How much power a user has in the current state; none where the room has no create event.
    pub fn power_of(&self, user: &str) -> Option<Power> {
        self.with_levels(&self.state().ok()?, |levels| levels.user(user))
    }

    /// One of the general levels of the current state, such as `invite` (client-server API, m.room.power_levels).
    pub fn level(&self, name: &str) -> Option<i64> {
        self.with_levels(&self.state().ok()?, |levels| levels.named(name))
    }

    /// Whether a redaction takes its target's content away: it is by somebody of the target's server, or by somebody who
    /// has the power to redact (rooms/v3, handling redactions).
    pub fn may_redact(&self, redaction: &Event, target: &Event) -> bool {
        if redaction.room_id() != target.room_id() {
            return false;
        }
        let own =
            server_of(redaction.sender()).is_some_and(|server| server_of(target.sender()) == Some(server));
        let state = self.state_before(redaction.id());
        let powerful = state.and_then(|state| {
            self.with_levels(state, |levels| levels.user(redaction.sender()) >= levels.named("redact"))
        });
        if self.has(Quirk::RedactsBySenderAlone) {
            return redaction.sender() == target.sender();
        }
        own || powerful == Some(true) || self.has(Quirk::RedactsByAnybody)
    }

    fn with_levels<T>(&self, state: &StateMap, look: impl FnOnce(&Levels<'_>) -> T) -> Option<T> {
        let at = |kind: &str| self.event(state.get(&(kind.to_owned(), String::new()))?);
        let snapshot = Snapshot::of(at("m.room.power_levels"));
        Some(look(&Levels::of(&snapshot, at("m.room.create")?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;
    use serde_json::json;

    #[test]
    fn power_is_that_of_the_current_state_and_redactions_want_it_or_the_same_server() {
        let key = SigningKey::from_seed(&[1; 32], "1").unwrap();
        let mut room = Room::create("11", "@alice:a.test", &key, 1).unwrap();
        assert_eq!(room.power_of("@alice:a.test"), Some(Power::Level(100)));
        assert_eq!((room.power_of("@bob:b.test"), room.level("invite")), (Some(Power::Level(0)), Some(0)));
        let join = room.draft_member("@bob:b.test", "@bob:b.test", "join").sign(&key).json;
        room.add(&join).unwrap();
        let mut said = |sender: &str, kind: &str| {
            let built = room.draft(kind, sender).content(json!({})).sign(&key);
            room.add(&built.json).unwrap();
            Event::parse(&built.json, "11").unwrap()
        };
        let [of_alice, of_bob] = ["@alice:a.test", "@bob:b.test"].map(|user| said(user, "m.room.message"));
        let [by_alice, by_bob] = ["@alice:a.test", "@bob:b.test"].map(|user| said(user, "m.room.redaction"));
        assert!(room.may_redact(&by_alice, &of_bob) && room.may_redact(&by_bob, &of_bob));
        assert!(!room.may_redact(&by_bob, &of_alice));
        let cited = |pdu| room.check_cited(&Event::parse(pdu, "11").unwrap(), |_| None);
        let stranger = room.draft("m.room.message", "@eve:b.test").sign(&key).json;
        assert_eq!(cited(&stranger), Err(Refusal::Rule(Rule::SenderNotJoined)));
        let elsewhere = room.draft("m.room.message", "@bob:b.test").citing(["$unknown"]).sign(&key).json;
        assert_eq!(cited(&elsewhere), Err(Refusal::Unknown(vec!["$unknown".to_owned()])));
        assert_eq!(cited(&join), Ok(()));
        let topic = room.draft("m.room.topic", "@bob:b.test").state_key("").sign(&key).json;
        assert_eq!(room.check(&Event::parse(&topic, "11").unwrap()), Ok(Err(Rule::EventLevel)));
    }
}
