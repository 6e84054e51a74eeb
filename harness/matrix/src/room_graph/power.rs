//! Power levels and permissions in a room.

use super::{RoomError, RoomFault, RoomGraph};
use crate::{
    AuthEventsError, Event, JudgedEvent, Power, Rule, Snapshot, StateMap, auth::Levels, check_auth_events,
    check_state, names::server_of,
};

impl RoomGraph {
    /// Whether the current state authorises an event.
    ///
    /// # Errors
    /// The inner error is the rule that rejects the event, the outer one says that the state cannot be resolved.
    pub fn check(&self, event: &Event) -> Result<Result<(), Rule>, RoomError> {
        let state = self.state()?;
        Ok(self.enforced(check_state(event, &self.pool().snapshot(&state))))
    }

    /// Whether its auth events authorise an event; its prev events do not matter. `also` finds events that this graph does not
    /// hold.
    ///
    /// # Errors
    /// The rule that rejects the event, or the auth events that are not found.
    pub fn check_by_auth_events<'a>(
        &'a self,
        event: &Event,
        also: impl Fn(&str) -> Option<&'a Event>,
    ) -> Result<(), AuthEventsError> {
        let pool = self.pool();
        let find =
            |id: &str| pool.find(id).or_else(|| also(id).map(|event| JudgedEvent { event, rejected: false }));
        match check_auth_events(event, find) {
            Err(AuthEventsError::Rule(rule)) => self.enforced(Err(rule))?,
            other => other?,
        }
        let auth_events = event.auth_events().into_iter().filter_map(|id| find(&id));
        let mut seen = Snapshot::of(auth_events.map(|it| it.event));
        if let Some(create) = self.create_id(event).and_then(|id| self.event(&id)) {
            seen.set(create);
        }
        Ok(self.enforced(check_state(event, &seen))?)
    }

    /// The power of a user in the current state; `None` if the room has no create event.
    pub fn power_of(&self, user: &str) -> Option<Power> {
        self.with_levels(&self.state().ok()?, |levels| levels.user(user))
    }

    /// One of the general levels of the current state, such as `invite` (client-server API, m.room.power_levels).
    pub fn level(&self, name: &str) -> Option<i64> {
        self.with_levels(&self.state().ok()?, |levels| levels.named(name))
    }

    /// Whether a redaction applies to its target: its sender is on the same server as the target's sender, or has the redact
    /// level (rooms/v3, handling redactions).
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
        if self.has(RoomFault::OnlySenderRedacts) {
            return redaction.sender() == target.sender();
        }
        own || powerful == Some(true) || self.has(RoomFault::AnyoneRedacts)
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
    fn redactions_need_the_redact_level_or_the_same_server() {
        let key = SigningKey::from_seed(&[1; 32], "1").unwrap();
        let mut room = RoomGraph::create("11", "@alice:a.test", &key, 1).unwrap();
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
        let check = |pdu| room.check_by_auth_events(&Event::parse(pdu, "11").unwrap(), |_| None);
        let stranger = room.draft("m.room.message", "@eve:b.test").sign(&key).json;
        assert_eq!(check(&stranger), Err(AuthEventsError::Rule(Rule::SenderNotJoined)));
        let elsewhere =
            room.draft("m.room.message", "@bob:b.test").with_auth_events(["$unknown"]).sign(&key).json;
        assert_eq!(check(&elsewhere), Err(AuthEventsError::Unknown(vec!["$unknown".to_owned()])));
        assert_eq!(check(&join), Ok(()));
        let topic = room.draft("m.room.topic", "@bob:b.test").state_key("").sign(&key).json;
        assert_eq!(room.check(&Event::parse(&topic, "11").unwrap()), Ok(Err(Rule::EventLevel)));
    }
}
