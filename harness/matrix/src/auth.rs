//! Authorisation rules (rooms, authorization rules): whether a room accepts an event, and which rule rejects it.
//!
//! The rules are written out here and not taken from ruma: a verdict has to name its rule, and ruma cannot read every
//! event that a room may hold. The tests compare the results with ruma's.

mod create;
mod levels;
mod member;
mod power_levels;
mod rule;
mod selection;
#[cfg(test)]
mod tests;
mod third_party;

use std::collections::BTreeMap;

pub use levels::Power;
pub(crate) use levels::{Levels, creators};
pub use rule::Rule;
pub use selection::auth_types;

use crate::{Event, names::server_of, version::EventIds};

/// Type and state key of a state event.
pub type StateKey = (String, String);

/// A state of the room, or the part of it that an event lists in its auth events.
#[derive(Debug, Clone, Default)]
pub struct Snapshot<'a>(BTreeMap<StateKey, &'a Event>);

impl<'a> Snapshot<'a> {
    /// The state that these state events make. Of two with the same type and state key, the later one counts.
    pub fn of(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let entry =
            |event: &'a Event| Some(((event.kind().to_owned(), event.state_key()?.to_owned()), event));
        Self(events.into_iter().filter_map(entry).collect())
    }

    /// The event of this type and state key.
    pub fn get(&self, kind: &str, state_key: &str) -> Option<&'a Event> {
        self.0.get(&(kind.to_owned(), state_key.to_owned())).copied()
    }

    /// Sets an event under its type and state key.
    pub fn set(&mut self, event: &'a Event) {
        self.0.extend(Self::of([event]).0);
    }

    /// The membership of a user; it is `leave` for a user who never was in the room.
    pub(crate) fn membership(&self, user: &str) -> &'a str {
        self.get("m.room.member", user).map_or("leave", |event| event.membership().unwrap_or_default())
    }
}

/// A known event, and whether it was rejected.
#[derive(Debug, Clone, Copy)]
pub struct JudgedEvent<'a> {
    /// The event.
    pub event: &'a Event,
    /// Whether it was rejected.
    pub rejected: bool,
}

/// Why an event does not pass the rules about its auth events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthEventsError {
    /// A rule rejects it.
    #[error(transparent)]
    Rule(#[from] Rule),
    /// Some auth events are not known, so the rules cannot be applied.
    #[error("auth events are not known: {0:?}")]
    Unknown(Vec<String>),
}

/// Applies the rules that look at the event and its auth events alone (rooms/v11, rules 1 and 2; rooms/v12, rules 1 to 3).
///
/// # Errors
/// The rule that rejects the event, or the auth events that `find` does not know.
pub fn check_auth_events<'a>(
    event: &Event,
    find: impl Fn(&str) -> Option<JudgedEvent<'a>>,
) -> Result<(), AuthEventsError> {
    if event.kind() == "m.room.create" {
        return Ok(create::check(event)?);
    }
    let version = event.version();
    let mut wanted = event.auth_events();
    if version.is_named_by_create() {
        let create = event.room_id().and_then(|id| id.strip_prefix('!')).map(|id| format!("${id}"));
        let create = create.ok_or(Rule::RoomIdNotCreate)?;
        if find(&create).is_some_and(|it| it.rejected || !it.event.is_state("m.room.create", "")) {
            return Err(Rule::RoomIdNotCreate.into());
        }
        wanted.push(create);
    }
    let unknown: Vec<_> = wanted.iter().filter(|id| find(id).is_none()).cloned().collect();
    if !unknown.is_empty() {
        return Err(AuthEventsError::Unknown(unknown));
    }
    let listed: Vec<_> = event.auth_events().iter().filter_map(|id| find(id)).collect();
    check_listed(event, &listed)?;
    Ok(())
}

fn check_listed(event: &Event, listed: &[JudgedEvent<'_>]) -> Result<(), Rule> {
    let place = |it: &JudgedEvent<'_>| (it.event.kind().to_owned(), it.event.state_key().map(str::to_owned));
    let mut places: Vec<_> = listed.iter().map(place).collect();
    places.sort();
    let count = places.len();
    places.dedup();
    if places.len() < count {
        return Err(Rule::AuthDuplicate);
    }
    let selected = auth_types(event);
    let is_selected =
        |it: &JudgedEvent<'_>| selected.iter().any(|(kind, state_key)| it.event.is_state(kind, state_key));
    if !listed.iter().all(is_selected) {
        return Err(Rule::AuthNotSelected);
    }
    if listed.iter().any(|it| it.rejected) {
        return Err(Rule::AuthRejected);
    }
    if !event.version().is_named_by_create()
        && !listed.iter().any(|it| it.event.is_state("m.room.create", ""))
    {
        return Err(Rule::AuthNoCreate);
    }
    if listed.iter().any(|it| it.event.room_id() != event.room_id()) {
        return Err(Rule::AuthOtherRoom);
    }
    Ok(())
}

/// Applies the rules that look at a state (rooms/v11, from rule 3 on). The state is that of the auth events, the state
/// before the event, or the current state. It has to hold the create event, also in version 12, where events do not list it
/// in their auth events. [`crate::verify_event`] checks the signatures.
///
/// # Errors
/// The rule that rejects the event.
pub fn check_state(event: &Event, state: &Snapshot<'_>) -> Result<(), Rule> {
    if event.kind() == "m.room.create" {
        return Ok(());
    }
    let create = state.get("m.room.create", "").ok_or(Rule::NoCreate)?;
    let sender = event.sender();
    let closed = create.content().get("m.federate").is_some_and(|federate| federate == false);
    if closed && server_of(sender) != server_of(create.sender()) {
        return Err(Rule::NotFederated);
    }
    let number = event.version().number();
    if number <= 5 && event.kind() == "m.room.aliases" {
        let own = event.state_key().is_some() && event.state_key() == server_of(sender);
        return if own { Ok(()) } else { Err(Rule::AliasesStateKey) };
    }
    let levels = Levels::of(state, create);
    if event.kind() == "m.room.member" {
        return member::check(event, state, create, &levels);
    }
    if state.membership(sender) != "join" {
        return Err(Rule::SenderNotJoined);
    }
    let power = levels.user(sender);
    if event.kind() == "m.room.third_party_invite" {
        let enough = power >= levels.named("invite");
        return if enough { Ok(()) } else { Err(Rule::ThirdPartyInviteLevel) };
    }
    if power < levels.required(event) {
        return Err(Rule::EventLevel);
    }
    if event.state_key().is_some_and(|key| key.starts_with('@') && key != sender) {
        return Err(Rule::StateKeyOfAnother);
    }
    match event.kind() {
        "m.room.power_levels" => power_levels::check(event, state, create, power),
        "m.room.redaction" if event.version().event_ids() == EventIds::Carried => {
            check_redaction(event, &levels, power)
        }
        _ => Ok(()),
    }
}

/// In versions 1 and 2 a redaction needs the redact level, or the target's server in its own event id (rooms/v1, rule 11).
fn check_redaction(event: &Event, levels: &Levels<'_>, power: Power) -> Result<(), Rule> {
    let target = event.text("redacts").and_then(server_of);
    let same_server = target.is_some() && target == server_of(event.id());
    if power >= levels.named("redact") || same_server { Ok(()) } else { Err(Rule::RedactionLevel) }
}
