//! Power levels.

use std::{cmp::Ordering, collections::BTreeSet};

use serde_json::{Map, Value};

use super::Snapshot;
use crate::{Event, RoomVersion, event::text};

/// The power of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Power {
    /// A power level.
    Level(i64),
    /// The power of a creator from version 12 on, which is above every level.
    Creator,
}

impl PartialEq<i64> for Power {
    fn eq(&self, other: &i64) -> bool {
        *self == Self::Level(*other)
    }
}

impl PartialOrd<i64> for Power {
    fn partial_cmp(&self, other: &i64) -> Option<Ordering> {
        Some(self.cmp(&Self::Level(*other)))
    }
}

/// The general levels and their defaults (client-server API, m.room.power_levels).
pub(super) const GENERAL: [(&str, i64); 7] = [
    ("ban", 50),
    ("events_default", 0),
    ("invite", 0),
    ("kick", 50),
    ("redact", 50),
    ("state_default", 50),
    ("users_default", 0),
];

/// The value of a level: an integer. Up to version 9 it may also be a string that holds one, with a sign, leading zeros
/// or blanks around it; up to version 5 also a fraction, cut off towards zero (rooms/v1 and v6, power levels). `None` for
/// all else.
pub(super) fn level(value: &Value, version: &RoomVersion) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let fraction = number.as_f64().filter(|_| version.number() <= 5)?.trunc();
            // Beyond this the conversion would not be exact.
            (fraction.abs() < 9e18).then_some(fraction as i64)
        }),
        Value::String(text) if version.number() <= 9 => text.trim().parse().ok(),
        _ => None,
    }
}

/// The creators of a room: up to version 10 the `creator` in the content of the create event, from version 11 on its
/// sender, from version 12 on also `additional_creators`.
pub(crate) fn creators(create: &Event) -> BTreeSet<&str> {
    if create.version().number() <= 10 {
        return text(create.content(), "creator").into_iter().collect();
    }
    let additional = create.content().get("additional_creators").and_then(Value::as_array);
    let additional = additional.filter(|_| create.version().is_named_by_create());
    additional.into_iter().flatten().filter_map(Value::as_str).chain([create.sender()]).collect()
}

/// The power levels of a state.
#[derive(Debug)]
pub(crate) struct Levels<'a> {
    content: Option<&'a Map<String, Value>>,
    creators: BTreeSet<&'a str>,
    version: &'a RoomVersion,
}

impl<'a> Levels<'a> {
    pub(crate) fn of(state: &Snapshot<'a>, create: &'a Event) -> Self {
        Self::new(state.get("m.room.power_levels", ""), create)
    }

    pub(crate) fn new(levels: Option<&'a Event>, create: &'a Event) -> Self {
        Self { content: levels.map(Event::content), creators: creators(create), version: create.version() }
    }

    pub(crate) fn user(&self, user: &str) -> Power {
        let is_creator = self.creators.contains(user);
        if is_creator && self.version.is_named_by_create() {
            return Power::Creator;
        }
        let own = self.content.and_then(|content| content.get("users")?.get(user));
        Power::Level(match own.and_then(|value| level(value, self.version)) {
            Some(level) => level,
            // Without a power levels event the creator has 100.
            None if self.content.is_none() && is_creator => 100,
            None => self.named("users_default"),
        })
    }

    /// One of the general levels.
    pub(crate) fn named(&self, name: &str) -> i64 {
        let set = self.content.and_then(|content| level(content.get(name)?, self.version));
        let unset = GENERAL.iter().find(|(known, _)| *known == name).map_or(0, |(_, unset)| *unset);
        set.unwrap_or(unset)
    }

    /// The level that the event needs.
    pub(crate) fn required(&self, event: &Event) -> i64 {
        let own = self.content.and_then(|content| content.get("events")?.get(event.kind()));
        own.and_then(|value| level(value, self.version)).unwrap_or_else(|| {
            self.named(if event.state_key().is_some() { "state_default" } else { "events_default" })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// SS-ROOMV-007 to 009.
    #[test]
    fn the_valid_forms_of_a_level_depend_on_the_version() {
        let table = [
            (json!(50), [Some(50); 3]),
            (json!("50"), [Some(50), Some(50), None]),
            (json!("000100"), [Some(100), Some(100), None]),
            (json!(" +100 "), [Some(100), Some(100), None]),
            (json!("-5"), [Some(-5), Some(-5), None]),
            (json!("50.5"), [None; 3]),
            (json!("0x10"), [None; 3]),
            (json!(50.57), [Some(50), None, None]),
            (json!(5.114_698E4), [Some(51146), None, None]),
            (json!(null), [None; 3]),
        ];
        for (value, expected) in table {
            let found = ["5", "9", "10"].map(|version| level(&value, &RoomVersion::new(version).unwrap()));
            assert_eq!(found, expected, "{value}");
        }
    }

    /// SS-EAUTH-017, 019, 078 to 080.
    #[test]
    fn users_have_power_with_and_without_a_power_levels_event() {
        let create = |version: &str| {
            let content = json!({"creator": "@a:a", "additional_creators": ["@b:b"]});
            Event::parse(&json!({"type": "m.room.create", "sender": "@a:a", "content": content}), version)
                .unwrap()
        };
        let empty = Event::parse(&json!({"type": "m.room.power_levels", "content": {}}), "11").unwrap();
        let power = |create: &Event, levels: Option<&Event>| {
            let levels = Levels::new(levels, create);
            ["@a:a", "@b:b", "@c:c"].map(|user| levels.user(user))
        };
        let [v10, v11, v12] = ["10", "11", "12"].map(create);
        let level = Power::Level;
        for create in [&v10, &v11] {
            assert_eq!(power(create, None), [level(100), level(0), level(0)]);
            assert_eq!(power(create, Some(&empty)), [level(0); 3]);
        }
        assert_eq!(power(&v12, None), [Power::Creator, Power::Creator, level(0)]);
        assert!(Power::Creator > i64::MAX && Power::Level(50) >= 50 && Power::Level(49) < 50);
        let levels = Levels::new(Some(&empty), &v11);
        let named = GENERAL.map(|(name, _)| levels.named(name));
        assert_eq!(named, [50, 0, 0, 50, 50, 50, 0]);
    }
}
