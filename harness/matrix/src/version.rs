//! Room versions and their rules.

use ruma::{
    RoomVersionId,
    room_version_rules::{EventIdFormatVersion, RoomVersionRules, StateResolutionVersion},
};

use crate::EventError;

/// A known room version, 1 to 12 (rooms, feature matrix).
#[derive(Clone)]
pub struct RoomVersion {
    id: String,
    number: u8,
    rules: RoomVersionRules,
}

impl std::fmt::Debug for RoomVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RoomVersion({:?})", self.id)
    }
}

impl PartialEq for RoomVersion {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for RoomVersion {}

/// The form of event ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventIds {
    /// The event holds its id (versions 1 and 2).
    Carried,
    /// The reference hash in the standard alphabet of base64 (version 3).
    Hash,
    /// The reference hash in the URL-safe alphabet (version 4 on).
    UrlSafeHash,
}

/// The algorithm of state resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateResolution {
    /// Version 1, which is not implemented here.
    V1,
    /// Room versions 2 to 11.
    V2,
    /// Version 12 on: it starts from an empty state and adds the conflicted state subgraph.
    V2_1,
}

impl RoomVersion {
    /// The version with this name. Versions are opaque strings and compared as such (rooms).
    ///
    /// # Errors
    /// If it is not known.
    pub fn new(id: &str) -> Result<Self, EventError> {
        let unknown = || EventError::UnknownRoomVersion(id.to_owned());
        let rules = RoomVersionId::try_from(id).map_err(|_| unknown())?.rules().ok_or_else(unknown)?;
        // All known versions are numbers. Only the tables use their order.
        let number = id.parse().map_err(|_| unknown())?;
        Ok(Self { id: id.to_owned(), number, rules })
    }

    /// Its name, as `content.room_version` of the create event has it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The form of event ids.
    pub fn event_ids(&self) -> EventIds {
        match self.rules.event_id_format {
            EventIdFormatVersion::V1 => EventIds::Carried,
            EventIdFormatVersion::V2 => EventIds::Hash,
            _ => EventIds::UrlSafeHash,
        }
    }

    /// The algorithm of state resolution.
    pub fn state_resolution(&self) -> StateResolution {
        match self.rules.state_res {
            StateResolutionVersion::V1 => StateResolution::V1,
            StateResolutionVersion::V2(rules) if rules.consider_conflicted_state_subgraph => {
                StateResolution::V2_1
            }
            _ => StateResolution::V2,
        }
    }

    /// Whether numbers must be canonical (version 6 on).
    pub fn strict_numbers(&self) -> bool {
        self.rules.authorization.strict_canonical_json
    }

    /// Whether a signature counts only while the key is valid (version 5 on).
    pub fn enforces_key_validity(&self) -> bool {
        self.rules.enforce_key_validity
    }

    /// Whether the room id is the create event's id with `!` for `$`, and creators outrank all levels (version 12 on).
    pub fn is_named_by_create(&self) -> bool {
        self.rules.authorization.room_create_event_id_as_room_id
    }

    /// Whether a room of this version can have restricted joins (version 8 on).
    pub fn has_restricted_joins(&self) -> bool {
        self.rules.authorization.restricted_join_rule
    }

    /// Whether a redaction names its target in its content (version 11 on).
    pub fn has_redacts_in_content(&self) -> bool {
        self.number >= 11
    }

    /// Whether the sender of the create event is the room's creator, whatever its content says (version 11 on).
    pub fn names_creator_by_sender(&self) -> bool {
        self.number >= 11
    }

    /// For tables of the form "from version … to version …".
    pub(crate) fn number(&self) -> u8 {
        self.number
    }

    /// For the tests that compare with ruma.
    #[cfg(test)]
    pub(crate) fn rules(&self) -> &RoomVersionRules {
        &self.rules
    }
}

#[cfg(test)]
pub(crate) const ALL: [&str; 12] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_rules_and_unknown_ones_are_errors() {
        let which = |holds: fn(&RoomVersion) -> bool| {
            ALL.into_iter().find(|id| holds(&RoomVersion::new(id).unwrap())).unwrap()
        };
        assert_eq!(which(|version| version.event_ids() == EventIds::Hash), "3");
        assert_eq!(which(|version| version.event_ids() == EventIds::UrlSafeHash), "4");
        assert_eq!(which(|version| version.state_resolution() == StateResolution::V2), "2");
        assert_eq!(which(|version| version.state_resolution() == StateResolution::V2_1), "12");
        assert_eq!(which(RoomVersion::enforces_key_validity), "5");
        assert_eq!(which(RoomVersion::strict_numbers), "6");
        assert_eq!(which(RoomVersion::has_restricted_joins), "8");
        assert_eq!(which(RoomVersion::is_named_by_create), "12");
        for unknown in ["", "13", "1.2-beta", "V11", " 11"] {
            assert!(RoomVersion::new(unknown).is_err(), "{unknown:?}");
        }
    }
}
