//! Patterns: descriptions of what a user may be shown.

use std::sync::Arc;

use samklang_verdict::{ExchangeId, Role};
use serde_json::{Value, json};

use super::{Room, Sent, Sighting, User, failure::Done};
use samklang_drivers::{SyncEntry, SyncSection};

type Matches = Arc<dyn Fn(&SyncEntry) -> bool + Send + Sync>;

/// A description of the EDU that carries something to another server. The recorded traffic shows whether it was sent.
#[derive(Clone)]
pub struct EduPattern {
    /// `edu_type`.
    pub kind: &'static str,
    is_it: Arc<dyn Fn(&Value) -> bool + Send + Sync>,
}

impl std::fmt::Debug for EduPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EduPattern").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl EduPattern {
    /// An EDU of this type whose `content` satisfies `is_it`.
    pub fn new(kind: &'static str, is_it: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        Self { kind, is_it: Arc::new(is_it) }
    }

    /// Whether an EDU matches.
    pub fn is(&self, edu: &Value) -> bool {
        edu["edu_type"] == self.kind && (self.is_it)(&edu["content"])
    }
}

/// A description of an entry that a sync may show.
#[derive(Clone)]
pub struct Pattern {
    /// The description in words, for people.
    pub what: String,
    /// The role of the server that has to send it.
    pub origin: Option<Role>,
    /// The ids it is about.
    pub about: Vec<String>,
    /// The room it is in.
    pub room: Option<String>,
    /// The time of the act, on the scenario's clock; 0 if it is not known.
    pub tick: u64,
    /// The exchange in which the user's server accepted it, if that is known beforehand.
    pub taken: Option<ExchangeId>,
    /// The EDU that carries it from another server, if it is not an event.
    pub signal: Option<EduPattern>,
    /// The number of shown entries that are skipped.
    from: usize,
    matches: Matches,
}

impl Pattern {
    fn new(what: String, matches: impl Fn(&SyncEntry) -> bool + Send + Sync + 'static) -> Self {
        Self {
            what,
            origin: None,
            about: Vec::new(),
            room: None,
            tick: 0,
            taken: None,
            signal: None,
            from: 0,
            matches: Arc::new(matches),
        }
    }

    /// The event with this id, sent by a user or a peer.
    pub fn event_with_id(what: &str, room: &str, id: &str) -> Self {
        let wanted = id.to_owned();
        let mut pattern = Self::new(format!("{what} ({id})"), move |seen| {
            matches!(seen.place, SyncSection::Timeline | SyncSection::State)
                && seen.event["event_id"] == *wanted
        })
        .in_room(room);
        pattern.about.push(id.to_owned());
        pattern
    }

    /// Sets the time and the exchange in which a peer sent it to the user's server.
    #[must_use]
    pub fn taken_in(mut self, exchange: ExchangeId, tick: u64) -> Self {
        (self.taken, self.tick) = (Some(exchange), tick);
        self
    }

    fn in_room(mut self, room: &str) -> Self {
        self.about.push(room.to_owned());
        self.room = Some(room.to_owned());
        let (inner, room) = (self.matches, room.to_owned());
        self.matches = Arc::new(move |seen| seen.room.as_deref() == Some(&room) && inner(seen));
        self
    }

    fn brought_by(mut self, signal: EduPattern) -> Self {
        self.signal = Some(signal);
        self
    }

    fn by(mut self, origin: Role) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Sets the act that would cause the entry; absence can only be asserted of such a pattern.
    #[must_use]
    pub fn after(mut self, done: &Done) -> Self {
        self.tick = done.tick;
        self.origin = Some(done.who.role);
        self
    }

    /// Narrows the pattern: the event must also satisfy `also`, which `what` describes.
    #[must_use]
    pub fn and(mut self, what: &str, also: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        self.what = format!("{} {what}", self.what);
        let inner = self.matches;
        self.matches = Arc::new(move |seen| inner(seen) && also(&seen.event));
        self
    }

    /// Narrows the pattern to syncs after `earlier`: a second invite looks like the first.
    #[must_use]
    pub fn later_than(mut self, earlier: &Sighting) -> Self {
        let (inner, before) = (self.matches, earlier.observation.exchange);
        self.matches = Arc::new(move |seen| seen.exchange > before && inner(seen));
        self
    }

    /// Narrows the pattern to entries after `sighting`, for a state that was the same before, such as that no user
    /// types.
    #[must_use]
    pub fn following(mut self, sighting: &Sighting) -> Self {
        self.from = sighting.place + 1;
        self
    }

    /// Whether the entry at this place among all shown entries matches.
    pub(crate) fn matches(&self, place: usize, seen: &SyncEntry) -> bool {
        place >= self.from && (self.matches)(seen)
    }
}

impl From<&Sent> for Pattern {
    fn from(sent: &Sent) -> Self {
        let mut pattern = Self::event_with_id(&sent.what, &sent.room, &sent.id).by(sent.done.who.role);
        pattern.tick = sent.done.tick;
        pattern
    }
}

impl From<Sent> for Pattern {
    fn from(sent: Sent) -> Self {
        (&sent).into()
    }
}

fn is_state(kind: &str, state_key: &str, event: &Value) -> bool {
    event["type"] == *kind && event["state_key"] == *state_key
}

/// A member event of `user` in `room` with this membership, in the timeline or the state, or in the stripped state of a
/// knocking user.
fn membership(room: &Room, user: &User, membership: &'static str) -> Pattern {
    let key = user.id().to_owned();
    let mut pattern =
        Pattern::new(format!("{membership} of {} in {}", user.name(), room.name), move |seen| {
            matches!(seen.place, SyncSection::Timeline | SyncSection::State | SyncSection::Knock)
                && is_state("m.room.member", &key, &seen.event)
                && seen.event["content"]["membership"] == membership
        })
        .in_room(&room.id);
    pattern.about.push(user.id().to_owned());
    pattern
}

/// The invite of `user` to `room`, as the invited user is shown it.
pub fn invite(room: &Room, user: &User) -> Pattern {
    let key = user.id().to_owned();
    let mut pattern = Pattern::new(format!("the invite of {} to {}", user.name(), room.name), move |seen| {
        seen.place == SyncSection::Invite
            && is_state("m.room.member", &key, &seen.event)
            && seen.event["content"]["membership"] == "invite"
    })
    .in_room(&room.id);
    pattern.about.push(user.id().to_owned());
    pattern.origin = Some(room.done.who.role);
    pattern
}

/// An event of `room`'s stripped state, as an invited or knocking user is shown it.
pub fn stripped(room: &Room, kind: &str) -> Pattern {
    let kind = kind.to_owned();
    let mut pattern = Pattern::new(format!("{kind} of {} from outside", room.name), move |seen| {
        matches!(seen.place, SyncSection::Invite | SyncSection::Knock) && is_state(&kind, "", &seen.event)
    })
    .in_room(&room.id);
    pattern.origin = Some(room.done.who.role);
    pattern
}

/// `user` is invited, as the room's members see it.
pub fn invited(room: &Room, user: &User) -> Pattern {
    membership(room, user, "invite")
}

/// `user` has joined.
pub fn join(room: &Room, user: &User) -> Pattern {
    membership(room, user, "join").by(user.role())
}

/// `user` has left or was kicked, or the invite was rejected or withdrawn.
pub fn leave(room: &Room, user: &User) -> Pattern {
    membership(room, user, "leave")
}

/// `user` is banned.
pub fn ban(room: &Room, user: &User) -> Pattern {
    membership(room, user, "ban")
}

/// `user` knocks.
pub fn knock(room: &Room, user: &User) -> Pattern {
    membership(room, user, "knock").by(user.role())
}

/// An event of this type in `room`'s timeline.
pub fn event(room: &Room, kind: &str) -> Pattern {
    let kind = kind.to_owned();
    Pattern::new(format!("{kind} in {}", room.name), move |seen| {
        seen.place == SyncSection::Timeline && seen.event["type"] == *kind
    })
    .in_room(&room.id)
}

/// A state event of `room`.
pub fn state(room: &Room, kind: &str, state_key: &str) -> Pattern {
    let (kind, state_key) = (kind.to_owned(), state_key.to_owned());
    Pattern::new(format!("{kind} in {}", room.name), move |seen| {
        matches!(seen.place, SyncSection::Timeline | SyncSection::State)
            && is_state(&kind, &state_key, &seen.event)
    })
    .in_room(&room.id)
}

/// Exactly `users` type in `room`.
pub fn typing(room: &Room, users: &[&User]) -> Pattern {
    let mut ids: Vec<_> = users.iter().map(|user| user.id().to_owned()).collect();
    ids.sort();
    let who = users.iter().map(|user| user.name()).collect::<Vec<_>>().join(", ");
    let who = if who.is_empty() { "nobody".to_owned() } else { who };
    let mut pattern = Pattern::new(format!("{who} typing in {}", room.name), move |seen| {
        let list = seen.event["content"]["user_ids"].as_array();
        let mut named: Vec<_> =
            list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        named.sort();
        seen.place == SyncSection::Ephemeral
            && seen.event["type"] == "m.typing"
            && list.is_some()
            && named == ids
    })
    .in_room(&room.id);
    pattern.about.extend(users.iter().map(|user| user.id().to_owned()));
    let Some(first) = users.first() else { return pattern };
    let (room, id) = (room.id.clone(), first.id().to_owned());
    pattern.by(first.role()).brought_by(EduPattern::new("m.typing", move |content| {
        content["room_id"] == *room && content["user_id"] == *id && content["typing"] == true
    }))
}

/// A receipt (`m.read`, `m.read.private`) of `user` for `event`.
pub fn receipt(event: &Sent, user: &User, kind: &'static str) -> Pattern {
    let (id, reader) = (event.id.clone(), user.id().to_owned());
    let (place, sent) = ((event.room.clone(), kind, user.id().to_owned()), json!(event.id));
    let signal = EduPattern::new("m.receipt", move |content| {
        let (room, kind, reader) = &place;
        content[room][kind][reader]["event_ids"].as_array().is_some_and(|ids| ids.contains(&sent))
    });
    let mut pattern = Pattern::new(format!("{kind} of {} for {}", user.name(), event.what), move |seen| {
        seen.place == SyncSection::Ephemeral
            && seen.event["type"] == "m.receipt"
            && seen.event["content"][&id][kind][&reader].is_object()
    })
    .in_room(&event.room)
    .by(user.role())
    .brought_by(signal);
    pattern.about.push(user.id().to_owned());
    pattern
}

/// Any entry of this section of a sync that satisfies `is_it`; `what` describes it.
pub fn shown(
    what: &str,
    place: SyncSection,
    room: Option<&Room>,
    is_it: impl Fn(&Value) -> bool + Send + Sync + 'static,
) -> Pattern {
    let pattern = Pattern::new(what.to_owned(), move |seen| seen.place == place && is_it(&seen.event));
    match room {
        Some(room) => pattern.in_room(&room.id),
        None => pattern,
    }
}

/// `user` has this presence.
pub fn presence(user: &User, presence: &'static str) -> Pattern {
    let id = user.id().to_owned();
    let of = user.id().to_owned();
    let signal = EduPattern::new("m.presence", move |content| {
        let entries = content["push"].as_array().into_iter().flatten();
        entries.into_iter().any(|entry| entry["user_id"] == *of && entry["presence"] == presence)
    });
    let mut pattern = Pattern::new(format!("{presence} presence of {}", user.name()), move |seen| {
        seen.place == SyncSection::Presence
            && seen.event["sender"] == *id
            && seen.event["content"]["presence"] == presence
    })
    .by(user.role())
    .brought_by(signal);
    pattern.about.push(user.id().to_owned());
    pattern
}
