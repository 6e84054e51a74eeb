//! Creates rooms.

use serde_json::{Value, json};

use super::{RoomError, RoomFault, RoomGraph, WireEvent};
use crate::{RoomVersion, Rule, SigningKey, names::server_of};

/// A room in the making: create event, the creator's join, power levels, join rules and history visibility, each one
/// millisecond after the one before.
#[derive(Debug, Clone)]
#[must_use]
pub struct RoomCreation {
    version: RoomVersion,
    creator: String,
    at: i64,
    create: Value,
    levels: Value,
    join_rules: Value,
    /// The server in the room's id.
    server: String,
    skipped_rule: Option<Rule>,
}

impl RoomGraph {
    /// Creates a public room. `at` is the time of its create event, in milliseconds since 1970.
    ///
    /// # Errors
    /// If the version is not known.
    pub fn create(version: &str, creator: &str, key: &SigningKey, at: i64) -> Result<Self, RoomError> {
        RoomCreation::new(version, creator, at)?.create(key)
    }
}

impl RoomCreation {
    /// A public room in which the creator has power level 100; from version 12 on creators need no level.
    ///
    /// # Errors
    /// If the version is not known.
    pub fn new(version: &str, creator: &str, at: i64) -> Result<Self, RoomError> {
        let version = RoomVersion::new(version)?;
        let mut create = json!({ "room_version": version.id() });
        if version.number() <= 10 {
            create["creator"] = json!(creator);
        }
        // From version 12 on the power levels must not list a creator, and a tombstone needs a higher level than other state.
        let levels = if version.is_named_by_create() {
            json!({ "users": {}, "events": { "m.room.tombstone": 150 } })
        } else {
            json!({ "users": { creator: 100 } })
        };
        let join_rules = json!({ "join_rule": "public" });
        let server = server_of(creator).unwrap_or_default().to_owned();
        let creator = creator.to_owned();
        Ok(Self { version, creator, at, create, levels, join_rules, server, skipped_rule: None })
    }

    /// Sets a field in the content of the create event.
    pub fn create_content(mut self, key: &str, value: Value) -> Self {
        self.create[key] = value;
        self
    }

    /// Puts another server name in the room id. From version 12 on the id holds none.
    pub fn at_server(mut self, server: &str) -> Self {
        server.clone_into(&mut self.server);
        self
    }

    /// The room does not enforce this rule, so that its first events can break it.
    pub fn without_rule(mut self, rule: Rule) -> Self {
        self.skipped_rule = Some(rule);
        self
    }

    /// Sets a field of the power levels.
    pub fn levels(mut self, key: &str, value: Value) -> Self {
        self.levels[key] = value;
        self
    }

    /// Sets the join rules.
    pub fn join_rules(mut self, content: Value) -> Self {
        self.join_rules = content;
        self
    }

    /// Creates the room.
    ///
    /// # Errors
    /// If one of its events is not valid.
    pub fn create(self, key: &SigningKey) -> Result<RoomGraph, RoomError> {
        let mut room = RoomGraph::empty(&self.version, &format!("!r{}:{}", self.at, self.server))
            .with_fault(self.skipped_rule.map(RoomFault::SkipsRule));
        let create =
            room.draft("m.room.create", &self.creator).state_key("").content(self.create).at(self.at);
        let WireEvent { json: create, id, .. } = create.sign(key);
        if self.version.is_named_by_create() {
            room.id = id.replacen('$', "!", 1);
        }
        room.add(&create)?;
        let join = room.draft_member(&self.creator, &self.creator, "join").sign(key);
        room.add(&join.json)?;
        for (kind, content) in [
            ("m.room.power_levels", self.levels),
            ("m.room.join_rules", self.join_rules),
            ("m.room.history_visibility", json!({ "history_visibility": "shared" })),
        ] {
            let event = room.draft(kind, &self.creator).state_key("").content(content).sign(key);
            room.add(&event.json)?;
        }
        Ok(room)
    }
}
