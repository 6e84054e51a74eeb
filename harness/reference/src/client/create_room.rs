//! The rooms that users create (client-server API, creation).

use samklang_matrix::RoomVersion;
use serde_json::{Map, Value, json};

use super::{ClientRequest, directory::add_alias, profile::shown_profile};
use crate::{
    events::{
        create_room,
        receive::version_of,
        send::{NewEvent, merge, send_event},
    },
    fault::{Author, Fault, Occasion},
    homeserver::Homeserver,
    memberships::local::invite,
    response::JsonResult,
    room_versions::DEFAULT_ROOM_VERSION,
};

/// A state event to be sent: type, state key and content.
type NewState = (String, String, Value);

/// The state that a preset sets: join rule, history visibility, guest access.
fn preset(name: &str) -> [(&'static str, Value); 3] {
    let (rule, guests) = if name == "public_chat" { ("public", "forbidden") } else { ("invite", "can_join") };
    [
        ("m.room.join_rules", json!({ "join_rule": rule })),
        ("m.room.history_visibility", json!({ "history_visibility": "shared" })),
        ("m.room.guest_access", json!({ "guest_access": guests })),
    ]
}

/// The power levels of a new room: its creator has level 100, and from version 12 on needs none.
fn power_levels(version: &RoomVersion, creator: &str, equals: &[&str]) -> Value {
    let outranks = version.is_named_by_create();
    let users: Map<String, Value> = std::iter::once(&creator)
        .chain(equals)
        .filter(|_| !outranks)
        .map(|user| ((*user).to_owned(), json!(100)))
        .collect();
    json!({
        "users": users, "users_default": 0, "events_default": 0, "state_default": 50,
        "ban": 50, "kick": 50, "redact": 50, "invite": 0,
        "events": {
            "m.room.name": 50, "m.room.avatar": 50, "m.room.canonical_alias": 50, "m.room.power_levels": 100,
            "m.room.history_visibility": 100, "m.room.server_acl": 100, "m.room.encryption": 100,
            // From version 12 on only creators can upgrade, unless they allow it to other users.
            "m.room.tombstone": if outranks { 150 } else { 100 },
        },
    })
}

pub(super) async fn create_room(home: &Homeserver, call: &ClientRequest) -> JsonResult {
    let body = call.body();
    let version = body["room_version"].as_str().unwrap_or(DEFAULT_ROOM_VERSION);
    let is_public = body["visibility"] == "public";
    let preset = body["preset"].as_str().unwrap_or(if is_public { "public_chat" } else { "private_chat" });
    let invited: Vec<_> = body["invite"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    // The users who are invited to a trusted private chat have the power level of its creator.
    let equals = if preset == "trusted_private_chat" { invited.as_slice() } else { &[] };
    let mut create =
        if body["creation_content"].is_object() { body["creation_content"].clone() } else { json!({}) };
    let outranks = RoomVersion::new(version).is_ok_and(|version| version.is_named_by_create());
    if outranks && !equals.is_empty() {
        let mut creators = create["additional_creators"].as_array().cloned().unwrap_or_default();
        creators.extend(equals.iter().map(|user| json!(user)));
        create["additional_creators"] = json!(creators);
    }
    let profile = shown_profile(home, &call.user);
    let room = create_room::create_room(home, version, &call.user, create, &profile)?;
    if let Some(alias) = wanted_alias(home, call) {
        add_alias(home, &alias, &room, &call.user)?;
    }
    for (kind, state_key, content) in first_state(home, call, &room, preset, equals) {
        send_event(home, &room, &call.user, &NewEvent::state(&kind, &state_key, content))?;
    }
    if is_public {
        home.store().directory.published.insert(room.clone());
    }
    for user in invited {
        let direct = if body["is_direct"] == true { json!({"is_direct": true}) } else { json!({}) };
        // The room exists, whether or not all users can be invited.
        let _ = invite(home, &room, &call.user, user, &direct).await;
    }
    Ok(json!({ "room_id": room }))
}

fn wanted_alias(home: &Homeserver, call: &ClientRequest) -> Option<String> {
    let name = call.body()["room_alias_name"].as_str()?;
    Some(format!("#{name}:{}", home.name()))
}

/// The state of a new room after its creator's join, in the order of the specification.
fn first_state(
    home: &Homeserver,
    call: &ClientRequest,
    room: &str,
    named: &str,
    equals: &[&str],
) -> Vec<NewState> {
    let body = call.body();
    let Some(version) = version_of(home, room) else { return Vec::new() };
    let mut levels = power_levels(&version, &call.user, equals);
    merge(&mut levels, &body["power_level_content_override"]);
    let author = Author { user: &call.user, names_creator: !version.names_creator_by_sender() };
    home.identity().content(Occasion::FirstPowerLevels, &author, &mut levels);
    let plain = |kind: &str, content: Value| (kind.to_owned(), String::new(), content);
    let mut state = state_before_power_levels(home);
    state.push(plain("m.room.power_levels", levels));
    if let Some(alias) = wanted_alias(home, call) {
        state.push(plain("m.room.canonical_alias", json!({ "alias": alias })));
    }
    let initial = || {
        body["initial_state"].as_array().into_iter().flatten().filter_map(|event| {
            let state_key = event["state_key"].as_str().unwrap_or_default();
            Some((event["type"].as_str()?.to_owned(), state_key.to_owned(), event["content"].clone()))
        })
    };
    // The state that the creator sets overrides that of the preset.
    let is_set = |kind: &str| initial().any(|(set, state_key, _)| set == kind && state_key.is_empty());
    let of_preset = preset(named).into_iter().filter(|(kind, _)| !is_set(kind));
    state.extend(of_preset.map(|(kind, content)| plain(kind, content)));
    state.extend(initial());
    for (key, kind) in [("name", "m.room.name"), ("topic", "m.room.topic")] {
        if let Some(text) = body[key].as_str() {
            state.push(plain(kind, json!({ key: text })));
        }
    }
    state
}

/// The state that precedes the power levels: none.
fn state_before_power_levels(home: &Homeserver) -> Vec<NewState> {
    if home.has(Fault::PowerLevelsNotFirst) {
        let guests = json!({ "guest_access": "forbidden" });
        return vec![("m.room.guest_access".to_owned(), String::new(), guests)];
    }
    Vec::new()
}
