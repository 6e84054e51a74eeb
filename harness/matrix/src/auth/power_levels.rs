//! Changes of the power levels (rooms/v11, authorization rules 9; rooms/v12, 10).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    Power, Rule, Snapshot, creators,
    levels::{GENERAL, level},
};
use crate::{Event, RoomVersion, names::is_user_id};

/// Checks a power levels event; `power` is that of its sender.
pub(super) fn check(event: &Event, state: &Snapshot<'_>, create: &Event, power: Power) -> Result<(), Rule> {
    let (version, new) = (event.version(), event.content());
    check_form(new, version)?;
    let users = new.get("users").and_then(Value::as_object);
    if version.is_named_by_create()
        && users.is_some_and(|users| creators(create).iter().any(|creator| users.contains_key(*creator)))
    {
        return Err(Rule::LevelsNameCreator);
    }
    let Some(current) = state.get("m.room.power_levels", "") else { return Ok(()) };
    let change = LevelChange { old: current.content(), new, version, power };
    change.general()?;
    change.entries("events")?;
    // Up to version 5 any value is allowed for notifications.
    if version.number() >= 6 {
        change.entries("notifications")?;
    }
    change.users(event.sender())
}

fn check_form(new: &Map<String, Value>, version: &RoomVersion) -> Result<(), Rule> {
    let is_level = |value: &Value| level(value, version).is_some();
    if GENERAL.iter().any(|(name, _)| new.get(*name).is_some_and(|value| !is_level(value))) {
        return Err(Rule::LevelNotInteger);
    }
    let are_levels = |value: &Value| value.as_object().is_some_and(|map| map.values().all(is_level));
    if ["events", "notifications"].iter().any(|name| new.get(*name).is_some_and(|value| !are_levels(value))) {
        return Err(Rule::LevelMapForm);
    }
    let are_users =
        |value: &Value| value.as_object().is_some_and(|map| map.keys().all(|key| is_user_id(key)));
    match new.get("users") {
        Some(users) if !are_users(users) || !are_levels(users) => Err(Rule::LevelUsersForm),
        _ => Ok(()),
    }
}

struct LevelChange<'a> {
    old: &'a Map<String, Value>,
    new: &'a Map<String, Value>,
    version: &'a RoomVersion,
    power: Power,
}

impl LevelChange<'_> {
    /// Checks the general levels. A level that is not set counts with its default. The rule speaks of "the current value"
    /// and does not say whether a level that is not set has one; servers differ, so no check should depend on this case.
    fn general(&self) -> Result<(), Rule> {
        for (name, unset) in GENERAL {
            let value = |content: &Map<String, Value>| level(content.get(name)?, self.version);
            let (old, new) = (value(self.old), value(self.new));
            if old != new && [old, new].into_iter().any(|value| self.power < value.unwrap_or(unset)) {
                return Err(Rule::LevelGeneral);
            }
        }
        Ok(())
    }

    fn entries(&self, name: &str) -> Result<(), Rule> {
        for (_, old, new) in self.changed(name) {
            if old.is_some_and(|old| self.power < old) {
                return Err(Rule::LevelEntryOld);
            }
            if new.is_some_and(|new| self.power < new) {
                return Err(Rule::LevelEntryNew);
            }
        }
        Ok(())
    }

    fn users(&self, sender: &str) -> Result<(), Rule> {
        for (user, old, new) in self.changed("users") {
            if user != sender && old.is_some_and(|old| self.power <= old) {
                return Err(Rule::LevelUserOld);
            }
            if new.is_some_and(|new| self.power < new) {
                return Err(Rule::LevelUserNew);
            }
        }
        Ok(())
    }

    /// The entries of a map that are added, changed or removed, each with its old and new value.
    fn changed(&self, name: &str) -> Vec<(&str, Option<i64>, Option<i64>)> {
        let map = |content| Map::get(content, name).and_then(Value::as_object);
        let (old, new) = (map(self.old), map(self.new));
        let keys: BTreeSet<_> = old.into_iter().chain(new).flat_map(Map::keys).map(String::as_str).collect();
        let value = |map: Option<&Map<String, Value>>, key: &str| level(map?.get(key)?, self.version);
        let entries = keys.into_iter().map(|key| (key, value(old, key), value(new, key)));
        entries.filter(|(_, old, new)| old != new).collect()
    }
}
