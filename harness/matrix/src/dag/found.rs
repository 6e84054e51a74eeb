//! Founding rooms.

use serde_json::{Value, json};

use super::{Built, Quirk, Room, RoomError};
use crate::{RoomVersion, Rule, SigningKey, names::server_of};

/// A room about to be founded: create event, the creator's join, power levels, join rules, history visibility, each a
/// millisecond after the other.
#[derive(Debug, Clone)]
#[must_use]
pub struct Founding {
    version: RoomVersion,
    creator: String,
    at: i64,
    create: Value,
    levels: Value,
    join_rules: Value,
    /// The server in the room's id.
    server: String,
    forgiven: Option<Rule>,
}

impl Room {
    /// Founds a public room. `at` is the time of its create event, in milliseconds since 1970.
    ///
    /// # Errors
    /// When the version is not known.
    pub fn create(version: &str, creator: &str, key: &SigningKey, at: i64) -> Result<Self, RoomError> {
        Founding::new(version, creator, at)?.found(key)
    }
}

impl Founding {
    /// A public room in which the creator has level 100, or from version 12 on needs none.
    ///
    /// # Errors
    /// When the version is not known.
    pub fn new(version: &str, creator: &str, at: i64) -> Result<Self, RoomError> {
        let version = RoomVersion::new(version)?;
        let mut create = json!({ "room_version": version.id() });
        if version.number() <= 10 {
            create["creator"] = json!(creator);
        }
        // From version 12 on the levels must not name a creator, and upgrades take more than other state.
        let levels = if version.is_named_by_create() {
            json!({ "users": {}, "events": { "m.room.tombstone": 150 } })
        } else {
            json!({ "users": { creator: 100 } })
        };
        let join_rules = json!({ "join_rule": "public" });
        let server = server_of(creator).unwrap_or_default().to_owned();
        let creator = creator.to_owned();
        Ok(Self { version, creator, at, create, levels, join_rules, server, forgiven: None })
    }

    /// Adds to or replaces in the content of the create event.
    pub fn create_content(mut self, key: &str, value: Value) -> Self {
        self.create[key] = value;
        self
    }

    /// Has another server's name in the room's id, which from version 12 on names none.
    pub fn at_server(mut self, server: &str) -> Self {
        server.clone_into(&mut self.server);
        self
    }

    /// The room does not enforce this rule, so that it can be founded against it.
    pub fn forgiving(mut self, rule: Rule) -> Self {
        self.forgiven = Some(rule);
        self
    }

    /// Adds to or replaces in the power levels.
    pub fn levels(mut self, key: &str, value: Value) -> Self {
        self.levels[key] = value;
        self
    }

    /// Has another join rule.
    pub fn join_rules(mut self, content: Value) -> Self {
        self.join_rules = content;
        self
    }

    /// Founds the room.
    ///
    /// # Errors
    /// When an event of it is none.
    pub fn found(self, key: &SigningKey) -> Result<Room, RoomError> {
        let mut room = Room::empty(&self.version, &format!("!r{}:{}", self.at, self.server))
            .with_quirk(self.forgiven.map(Quirk::Forgives));
        let create =
            room.draft("m.room.create", &self.creator).state_key("").content(self.create).at(self.at);
        let Built { json: create, id, .. } = create.sign(key);
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
