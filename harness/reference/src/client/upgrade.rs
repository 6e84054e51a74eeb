//! Room upgrades (client-server API, room upgrades).

use samklang_matrix::{Power, RoomVersion, Rule};
use serde_json::{Map, Value, json};

use super::{ClientRequest, not_found, profile::shown_profile};
use crate::{
    events::{
        create_room,
        send::{NewEvent, send_event},
    },
    fault::{Author, Fault, Occasion},
    homeserver::Homeserver,
    response::{ErrorResponse, JsonResult, refuse},
    room_versions::ROOM_VERSIONS,
};

const LEVELS: &str = "m.room.power_levels";
const TOMBSTONE: &str = "m.room.tombstone";

/// The types of the state events that are copied to the new room.
const COPIED: [&str; 9] = [
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

/// The parts of the old room that the new one needs.
struct OldRoom {
    create: Value,
    state: Vec<(&'static str, Value)>,
    banned: Vec<(String, Value)>,
}

pub(super) fn upgrade(home: &Homeserver, call: &ClientRequest, room: &str) -> JsonResult {
    let named = call.text("new_version")?;
    let Some(version) = RoomVersion::new(named).ok().filter(|_| ROOM_VERSIONS.contains(&named)) else {
        return refuse(400, "M_UNSUPPORTED_ROOM_VERSION", format!("room version {named} is not known"));
    };
    check_power(home, call, room)?;
    let old = old_room(home, room)?;
    let new = create_successor(home, call, room, &old, &version)?;
    let tombstone = json!({"body": "This room has been replaced", "replacement_room": new});
    send_event(home, room, &call.user, &NewEvent::state(TOMBSTONE, "", tombstone))?;
    home.store().directory.move_room(room, &new);
    if closes_old_room(home) {
        // The old room stays open where the user may not change the power levels.
        let _ = close(home, call, room);
    }
    Ok(json!({ "replacement_room": new }))
}

fn check_power(home: &Homeserver, call: &ClientRequest, room: &str) -> Result<(), ErrorResponse> {
    let store = home.store();
    let Some(held) = store.rooms.get(room) else { return not_found("the room is not known") };
    let levels = held.state_content(LEVELS);
    let default = levels["state_default"].as_i64().unwrap_or(50);
    let needed = levels["events"][TOMBSTONE].as_i64().unwrap_or(default);
    let power = held.room.power_of(&call.user);
    let has_power = power.is_some_and(|power| power >= Power::Level(needed)) || skips_levels(home);
    if held.membership(&call.user) != "join" || !has_power {
        return refuse(403, "M_FORBIDDEN", "the user lacks the power level to send a tombstone");
    }
    Ok(())
}

fn closes_old_room(home: &Homeserver) -> bool {
    !home.has(Fault::UpgradeLeavesOpen)
}

fn skips_levels(home: &Homeserver) -> bool {
    home.has(Fault::RuleSkipped(Rule::EventLevel))
}

fn old_room(home: &Homeserver, room: &str) -> Result<OldRoom, ErrorResponse> {
    let store = home.store();
    let Some(held) = store.rooms.get(room) else { return not_found("the room is not known") };
    let state = COPIED.into_iter().map(|kind| (kind, held.state_content(kind)));
    let content = |user: &String| held.room.state_event("m.room.member", user).map(|it| json!(it.content()));
    let banned = held.members("ban").into_iter().filter_map(|user| Some((user.clone(), content(&user)?)));
    Ok(OldRoom {
        create: held.state_content("m.room.create"),
        state: state.filter(|(_, content)| !content.is_null()).collect(),
        banned: banned.collect(),
    })
}

/// Creates the new room; returns its ID.
fn create_successor(
    home: &Homeserver,
    call: &ClientRequest,
    room: &str,
    old: &OldRoom,
    version: &RoomVersion,
) -> Result<String, ErrorResponse> {
    let user = call.user.as_str();
    let mut create = old.create.clone();
    if let Some(create) = create.as_object_mut() {
        for key in ["creator", "room_version", "additional_creators", "predecessor"] {
            create.remove(key);
        }
    }
    let mut predecessor = json!({ "room_id": room });
    // From version 12 on the last event need not be named (rooms/v12; m.room.create).
    if !version.is_named_by_create() {
        let last = home.store().rooms.get(room).and_then(|held| held.room.extremities().first().cloned());
        predecessor["event_id"] = json!(last);
    }
    create["predecessor"] = predecessor;
    let author = Author { user, names_creator: !version.names_creator_by_sender() };
    home.identity().content(Occasion::Upgrade, &author, &mut create);
    let creators = &call.body()["additional_creators"];
    if version.is_named_by_create() && creators.is_array() {
        create["additional_creators"] = creators.clone();
    }
    let new = create_room::create_room(home, version.id(), user, create, &shown_profile(home, user))?;
    for (kind, content) in copied_state(home, old) {
        let content = match *kind {
            LEVELS => {
                let mut levels = copied_power_levels(content, version, user, creators);
                home.identity().content(Occasion::CopiedPowerLevels, &author, &mut levels);
                levels
            }
            _ => content.clone(),
        };
        send_event(home, &new, user, &NewEvent::state(kind, "", content))?;
    }
    for (banned, content) in &old.banned {
        send_event(home, &new, user, &NewEvent::member(banned, content.clone()))?;
    }
    Ok(new)
}

fn copied_state<'a>(home: &Homeserver, old: &'a OldRoom) -> &'a [(&'static str, Value)] {
    if home.has(Fault::UpgradeLosesState) { &old.state[..1] } else { &old.state }
}

/// Raises the power levels of the old room, so that ordinary users can send nothing in it any more.
fn close(home: &Homeserver, call: &ClientRequest, room: &str) -> Result<(), ErrorResponse> {
    let mut levels = home.store().rooms.get(room).map(|held| held.state_content(LEVELS)).unwrap_or_default();
    let ordinary = levels["users_default"].as_i64().unwrap_or(0);
    let closed = 50.max(ordinary + 1);
    for key in ["events_default", "invite"] {
        if levels[key].as_i64().unwrap_or(0) < closed {
            levels[key] = json!(closed);
        }
    }
    send_event(home, room, &call.user, &NewEvent::state(LEVELS, "", levels)).map(drop)
}

/// The old room's power levels for the new one: the user must be able to set it up; from version 12 on creators are not
/// listed, and only they may send a tombstone.
fn copied_power_levels(levels: &Value, version: &RoomVersion, user: &str, creators: &Value) -> Value {
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
