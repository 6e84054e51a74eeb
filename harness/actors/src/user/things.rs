//! The things that users create and are shown.

use samklang_verdict::{Observation, Observations, Problem, message};
use serde_json::{Value, json};

use super::failure::{Done, Failure, HasDone, Refused};
use samklang_drivers::JoinRule;

/// The properties of a room to create.
#[derive(Debug, Clone)]
pub struct RoomPlan {
    pub(super) join_rule: JoinRule,
    pub(super) name: Option<String>,
    pub(super) topic: Option<String>,
    pub(super) history_visibility: Option<String>,
    pub(super) power_levels: Option<Value>,
}

/// Only invited users may join.
#[expect(non_upper_case_globals, reason = "reads as a word in scenarios: create_room(Private)")]
pub const Private: RoomPlan = RoomPlan::with(JoinRule::Invite);
/// Any user may join.
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

    /// With these keys of `m.room.power_levels`; the server sets the rest.
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
    /// Its name in messages for people.
    pub name: String,
    /// The server names through which other users can join it.
    pub via: Vec<String>,
    /// The act that created it.
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
    /// A description for people.
    pub what: String,
    /// The act that sent it.
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
    /// The act that stored it.
    pub done: Done,
}

impl HasDone for Media {
    fn done(&self) -> &Done {
        &self.done
    }
}

/// An entry that a sync showed to a user.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// The event as the user was shown it.
    pub event: Value,
    /// The room it is in.
    pub room: Option<String>,
    pub(super) by: String,
    pub(super) place: usize,
    pub(super) tick: u64,
    pub(super) observation: Observation,
}

/// The proof, by a later sighting, that a user was never shown something.
#[derive(Debug, Clone)]
pub struct Absence {
    pub(super) observation: Observation,
}

/// A value with its observations. Expectations are compared with it, and a pass may rest on it.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The value.
    pub value: Value,
    /// The observations that show it.
    pub observations: Observations,
    /// The same value as another server sent it, if that is known. It tells which server to blame for a difference.
    pub sent: Option<Box<Observed>>,
}

impl Observed {
    /// `value`, with the observations that show it.
    pub fn new(value: Value, observations: Observations) -> Self {
        Self { value, observations, sent: None }
    }

    /// A value computed from this one.
    #[must_use]
    pub fn map(self, change: impl FnOnce(Value) -> Value) -> Self {
        Self { value: change(self.value), observations: self.observations, sent: None }
    }

    /// Adds the same value as another server sent it.
    #[must_use]
    pub fn as_sent(self, sent: Option<Self>) -> Self {
        Self { sent: sent.map(Box::new), ..self }
    }

    /// Several values, each under its name; at least one.
    ///
    /// # Errors
    /// A harness problem if there is none, since there would be no observation.
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
        // `first` has at least one observation.
        let observations = Observations::from_all(first.observations.all().iter().cloned().chain(seen));
        Ok(Self::new(Value::Object(value), observations.unwrap_or(first.observations)))
    }

    /// The same value, with the observations of `also` added.
    #[must_use]
    pub fn with(self, also: impl Into<Observations>) -> Self {
        let (own, also) = (self.observations.clone(), also.into());
        let rest = own.all().iter().chain(also.all()).cloned();
        Self { observations: Observations::new(own.all()[0].clone(), rest), ..self }
    }

    /// Several values, each under its name.
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
        // `observations` is never empty, so there is a first one; the match avoids a panic.
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
    /// Status and `errcode`; the text of `error` is the server's choice.
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
