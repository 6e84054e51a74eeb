//! The things that users make and find.

use samklang_verdict::{Observation, Observations, Problem, message};
use serde_json::{Value, json};

use super::failure::{Done, Failure, HasDone, Refused};
use samklang_drivers::JoinRule;

/// What a room is to be like.
#[derive(Debug, Clone)]
pub struct RoomPlan {
    pub(super) join_rule: JoinRule,
    pub(super) name: Option<String>,
    pub(super) topic: Option<String>,
    pub(super) history_visibility: Option<String>,
    pub(super) power_levels: Option<Value>,
}

/// Only who is invited may join.
#[expect(non_upper_case_globals, reason = "reads as a word in scenarios: create_room(Private)")]
pub const Private: RoomPlan = RoomPlan::with(JoinRule::Invite);
/// Anybody may join.
#[expect(non_upper_case_globals, reason = "reads as a word in scenarios: create_room(Public)")]
pub const Public: RoomPlan = RoomPlan::with(JoinRule::Public);

impl RoomPlan {
    /// A room with this join rule.
    pub const fn with(join_rule: JoinRule) -> Self {
        Self { join_rule, name: None, topic: None, history_visibility: None, power_levels: None }
    }

    /// With a name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// With a topic.
    #[must_use]
    pub fn about(mut self, topic: &str) -> Self {
        self.topic = Some(topic.to_owned());
        self
    }

    /// With this `m.room.history_visibility`.
    #[must_use]
    pub fn history(mut self, visibility: &str) -> Self {
        self.history_visibility = Some(visibility.to_owned());
        self
    }

    /// With these keys of `m.room.power_levels`, the rest as the server sets them.
    #[must_use]
    pub fn power_levels(mut self, levels: Value) -> Self {
        self.power_levels = Some(levels);
        self
    }
}

/// A room.
#[derive(Debug, Clone)]
pub struct Room {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// What it is called in messages for people.
    pub name: String,
    /// The server names by which others can join it.
    pub via: Vec<String>,
    /// How it was made.
    pub done: Done,
}

impl HasDone for Room {
    fn done(&self) -> &Done {
        &self.done
    }
}

/// An event that a user sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its id.
    pub id: String,
    /// The room it is in.
    pub room: String,
    /// Its type and beginning, for people.
    pub what: String,
    /// How it was sent.
    pub done: Done,
}

impl HasDone for Sent {
    fn done(&self) -> &Done {
        &self.done
    }
}

/// A file at a server.
#[derive(Debug, Clone)]
pub struct Media {
    /// Its `mxc://` address.
    pub address: String,
    /// How it was stored.
    pub done: Done,
}

impl HasDone for Media {
    fn done(&self) -> &Done {
        &self.done
    }
}

/// Something that a user was shown by a sync.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// The event as it was shown.
    pub event: Value,
    /// The room it is in.
    pub room: Option<String>,
    pub(super) by: String,
    pub(super) place: usize,
    pub(super) tick: u64,
    pub(super) observation: Observation,
}

/// Something that a user was never shown, as a later sighting proves.
#[derive(Debug, Clone)]
pub struct Absence {
    pub(super) observation: Observation,
}

/// A value together with what it was seen in: what an expectation is held against, and what a pass may rest on.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The value.
    pub value: Value,
    /// Where it was seen.
    pub observations: Observations,
    /// The same value as another server had put it on the wire, where that is known: whose fault a difference is.
    pub sent: Option<Box<Observed>>,
}

impl Observed {
    /// `value`, as seen in what `done` shows.
    pub fn new(value: Value, observations: Observations) -> Self {
        Self { value, observations, sent: None }
    }

    /// A value worked out from this one.
    #[must_use]
    pub fn map(self, change: impl FnOnce(Value) -> Value) -> Self {
        Self { value: change(self.value), observations: self.observations, sent: None }
    }

    /// Says how another server had put this value on the wire.
    #[must_use]
    pub fn as_sent(self, sent: Option<Self>) -> Self {
        Self { sent: sent.map(Box::new), ..self }
    }

    /// As many as there are, each under its own name; at least one.
    ///
    /// # Errors
    /// A harness problem where there is none: nothing would have been seen.
    pub fn each(items: impl IntoIterator<Item = (String, Self)>) -> Result<Self, Failure> {
        let mut items = items.into_iter();
        let (name, first) =
            items.next().ok_or_else(|| Problem::harness(message!("judging.nothing-gathered")))?;
        let mut value = serde_json::Map::from_iter([(name, first.value)]);
        let mut seen = Vec::new();
        for (name, other) in items {
            value.insert(name, other.value);
            seen.extend(other.observations.all().iter().cloned());
        }
        // `first` holds at least one.
        let observations = Observations::from_all(first.observations.all().iter().cloned().chain(seen));
        Ok(Self::new(Value::Object(value), observations.unwrap_or(first.observations)))
    }

    /// The same value, seen in `also` as well.
    #[must_use]
    pub fn with(self, also: impl Into<Observations>) -> Self {
        let (own, also) = (self.observations.clone(), also.into());
        let rest = own.all().iter().chain(also.all()).cloned();
        Self { observations: Observations::new(own.all()[0].clone(), rest), ..self }
    }

    /// Several, each under its own name.
    pub fn together<const N: usize>(first: (&str, Self), rest: [(&str, Self); N]) -> Self {
        let all_sent = first.1.sent.is_some() && rest.iter().all(|(_, item)| item.sent.is_some());
        let sent_of = |(name, item): &(_, Self)| Some((*name, *item.sent.clone()?));
        let sent = Some((&first, &rest)).filter(|_| all_sent).and_then(|(first, rest)| {
            let named = |(name, item): (&str, Self)| (name.to_owned(), item);
            Self::each(std::iter::once(first).chain(rest).filter_map(sent_of).map(named)).ok()
        });
        let mut value = serde_json::Map::new();
        let mut seen = Vec::new();
        let (name, Self { value: first_value, observations, .. }) = first;
        value.insert(name.to_owned(), first_value);
        for (name, other) in rest {
            value.insert(name.to_owned(), other.value);
            seen.extend(other.observations.all().iter().cloned());
        }
        let mut all = observations.all().iter().cloned().chain(seen);
        // `observations` is never empty, so there is a first; `unwrap_or` keeps the type honest without a panic.
        let observations = match all.next() {
            Some(first) => Observations::new(first, all),
            None => observations,
        };
        Self::new(Value::Object(value), observations).as_sent(sent)
    }
}

impl From<Sighting> for Observed {
    fn from(sighting: Sighting) -> Self {
        Self::new(sighting.event, Observations::new(sighting.observation, []))
    }
}

impl From<&Sighting> for Observed {
    fn from(sighting: &Sighting) -> Self {
        sighting.clone().into()
    }
}

impl From<Refused> for Observed {
    /// Status and `errcode`; the wording of `error` is the server's own.
    fn from(refused: Refused) -> Self {
        let value = json!({"status": refused.refusal.status, "errcode": refused.refusal.errcode});
        Self::new(value, refused.observations)
    }
}

impl From<Sighting> for Observations {
    fn from(sighting: Sighting) -> Self {
        Self::new(sighting.observation, [])
    }
}

impl From<&Sighting> for Observations {
    fn from(sighting: &Sighting) -> Self {
        Self::new(sighting.observation.clone(), [])
    }
}

impl From<Absence> for Observations {
    fn from(absence: Absence) -> Self {
        Self::new(absence.observation, [])
    }
}

impl From<Refused> for Observations {
    fn from(refused: Refused) -> Self {
        refused.observations
    }
}

impl From<Done> for Observations {
    fn from(done: Done) -> Self {
        done.observations
    }
}

impl From<Observed> for Observations {
    fn from(observed: Observed) -> Self {
        observed.observations
    }
}
