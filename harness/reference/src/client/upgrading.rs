//! Replacing a room by one of another version (client-server API, room upgrades).

use samklang_matrix::{Power, RoomVersion, Rule};
use serde_json::{Map, Value, json};

use super::{Call, not_found};
use crate::{
    acting::Saying,
    fault::Fault,
    homeserver::Homeserver,
    joining::VERSIONS,
    reply::{Refusal, Reply, refuse},
};

const LEVELS: &str = "m.room.power_levels";
const TOMBSTONE: &str = "m.room.tombstone";

/// The state that a new room takes over from the old one.
const TAKEN_OVER: [&str; 9] = [
    LEVELS,
    "m.room.join_rules",
    "m.room.history_visibility",
    "m.room.guest_access",
    "m.room.server_acl",
    "m.room.encryption",
    "m.room.name",
    "m.room.topic",
    "m.room.avatar",
];

/// What is needed of the old room.
struct Old {
    create: Value,
    state: Vec<(&'static str, Value)>,
    banned: Vec<(String, Value)>,
}

impl Homeserver {
    pub(super) fn upgrade(&self, call: &Call<'_>, room: &str) -> Reply {
        let named = call.text("new_version")?;
        let Some(version) = RoomVersion::new(named).ok().filter(|_| VERSIONS.contains(&named)) else {
            return refuse(400, "M_UNSUPPORTED_ROOM_VERSION", format!("room version {named} is not known"));
        };
        self.may_replace(call, room)?;
        let old = self.old_room(room)?;
        let new = self.successor(call, room, &old, &version)?;
        let tombstone = json!({"body": "This room has been replaced", "replacement_room": new});
        self.say(room, &call.user, Saying::state(TOMBSTONE, "", tombstone))?;
        self.move_aliases(room, &new);
        if !self.has(Fault::UpgradeLeavesOpen) {
            // Who may not change the levels leaves the old room open.
            let _ = self.close(call, room);
        }
        Ok(json!({ "replacement_room": new }))
    }

    fn may_replace(&self, call: &Call<'_>, room: &str) -> Result<(), Refusal> {
        let known = self.known();
        let Some(held) = known.rooms.get(room) else { return not_found("the room is not known") };
        let levels = held.state_content(LEVELS);
        let default = levels["state_default"].as_i64().unwrap_or(50);
        let needed = levels["events"][TOMBSTONE].as_i64().unwrap_or(default);
        let may = held.room.power_of(&call.user).is_some_and(|power| power >= Power::Level(needed));
        let may = may || self.has(Fault::RuleSkipped(Rule::EventLevel));
        if held.membership(&call.user) != "join" || !may {
            return refuse(403, "M_FORBIDDEN", "one needs the level to send a tombstone");
        }
        Ok(())
    }

    fn old_room(&self, room: &str) -> Result<Old, Refusal> {
        let known = self.known();
        let Some(held) = known.rooms.get(room) else { return not_found("the room is not known") };
        let state = TAKEN_OVER.into_iter().map(|kind| (kind, held.state_content(kind)));
        let content =
            |user: &String| held.room.state_event("m.room.member", user).map(|it| json!(it.content()));
        let banned = held.members("ban").into_iter().filter_map(|user| Some((user.clone(), content(&user)?)));
        Ok(Old {
            create: held.state_content("m.room.create"),
            state: state.filter(|(_, content)| !content.is_null()).collect(),
            banned: banned.collect(),
        })
    }

    /// Makes the new room.
    fn successor(
        &self,
        call: &Call<'_>,
        room: &str,
        old: &Old,
        version: &RoomVersion,
    ) -> Result<String, Refusal> {
        let user = call.user.as_str();
        let mut create = old.create.clone();
        if let Some(create) = create.as_object_mut() {
            for key in ["creator", "room_version", "additional_creators", "predecessor"] {
                create.remove(key);
            }
        }
        let mut predecessor = json!({ "room_id": room });
        // From version 12 on nobody need know the last event (rooms/v12; m.room.create).
        if !version.is_named_by_create() {
            let last = self.known().rooms.get(room).and_then(|held| held.room.extremities().first().cloned());
            predecessor["event_id"] = json!(last);
        }
        if !self.has(Fault::UpgradeForgetsOrigin) {
            create["predecessor"] = predecessor;
        }
        let creators = &call.body()["additional_creators"];
        if version.is_named_by_create() && creators.is_array() {
            create["additional_creators"] = creators.clone();
        }
        let new = self.found_room(version.id(), user, create, &self.shown_profile(user))?;
        let kept = if self.has(Fault::UpgradeLosesState) { &old.state[..1] } else { &old.state };
        for (kind, content) in kept {
            let mut content =
                if *kind == LEVELS { taken_over(content, version, user, creators) } else { content.clone() };
            if *kind == LEVELS && self.has(Fault::CreatorsListed) {
                content["users"][user] = json!(100);
            }
            self.say(&new, user, Saying::state(kind, "", content))?;
        }
        for (banned, content) in &old.banned {
            self.say(&new, user, Saying::state("m.room.member", banned, content.clone()))?;
        }
        Ok(new)
    }

    fn move_aliases(&self, old: &str, new: &str) {
        let mut known = self.known();
        known.directory.rename(old, new);
    }

    /// Nobody speaks in the old room any more but who is above the ordinary.
    fn close(&self, call: &Call<'_>, room: &str) -> Result<(), Refusal> {
        let mut levels =
            self.known().rooms.get(room).map(|held| held.state_content(LEVELS)).unwrap_or_default();
        let ordinary = levels["users_default"].as_i64().unwrap_or(0);
        let closed = 50.max(ordinary + 1);
        for key in ["events_default", "invite"] {
            if levels[key].as_i64().unwrap_or(0) < closed {
                levels[key] = json!(closed);
            }
        }
        self.say(room, &call.user, Saying::state(LEVELS, "", levels)).map(drop)
    }
}

/// The old room's levels for the new one: who makes it must be able to; from version 12 on creators are not listed, and a
/// tombstone is theirs.
fn taken_over(levels: &Value, version: &RoomVersion, user: &str, creators: &Value) -> Value {
    let mut levels = levels.clone();
    let mut users: Map<String, Value> = levels["users"].as_object().cloned().unwrap_or_default();
    if version.is_named_by_create() {
        let also = creators.as_array().into_iter().flatten().filter_map(Value::as_str);
        for creator in also.chain([user]) {
            users.remove(creator);
        }
        let mut events = levels["events"].as_object().cloned().unwrap_or_default();
        events.insert(TOMBSTONE.to_owned(), json!(150));
        levels["events"] = Value::Object(events);
    } else if users.get(user).and_then(Value::as_i64).unwrap_or(0) < 100 {
        users.insert(user.to_owned(), json!(100));
    }
    levels["users"] = Value::Object(users);
    levels
}
