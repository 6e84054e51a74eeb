//! Rooms that users make (client-server API, creation).

use samklang_matrix::RoomVersion;
use serde_json::{Map, Value, json};

use super::Call;
use crate::{
    acting::{Saying, merge},
    fault::Fault,
    homeserver::Homeserver,
    reply::Reply,
};

/// The version of rooms whose makers name none.
pub(super) const DEFAULT_VERSION: &str = "12";

/// A state event to be sent.
type State = (String, String, Value);

/// What a preset sets: join rule, history visibility, guest access.
fn preset(name: &str) -> [(&'static str, Value); 3] {
    let (rule, guests) = if name == "public_chat" { ("public", "forbidden") } else { ("invite", "can_join") };
    [
        ("m.room.join_rules", json!({ "join_rule": rule })),
        ("m.room.history_visibility", json!({ "history_visibility": "shared" })),
        ("m.room.guest_access", json!({ "guest_access": guests })),
    ]
}

/// The power levels of a new room: its creator has 100, or from version 12 on needs none.
pub(super) fn power_levels(version: &RoomVersion, creator: &str, equals: &[&str]) -> Value {
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
            // From version 12 on only creators can upgrade, unless they allow it to others.
            "m.room.tombstone": if outranks { 150 } else { 100 },
        },
    })
}

impl Homeserver {
    pub(super) async fn create_room(&self, call: &Call<'_>) -> Reply {
        let body = call.body();
        let mut version = body["room_version"].as_str().unwrap_or(DEFAULT_VERSION);
        if self.has(Fault::RoomVersionIgnored) {
            version = "9";
        }
        let is_public = body["visibility"] == "public";
        let preset =
            body["preset"].as_str().unwrap_or(if is_public { "public_chat" } else { "private_chat" });
        let invited: Vec<_> =
            body["invite"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        // Whom a trusted private chat begins with is its creator's equal.
        let equals = if preset == "trusted_private_chat" { invited.as_slice() } else { &[] };
        let mut create =
            if body["creation_content"].is_object() { body["creation_content"].clone() } else { json!({}) };
        let outranks = RoomVersion::new(version).is_ok_and(|version| version.is_named_by_create());
        if outranks && !equals.is_empty() {
            let mut creators = create["additional_creators"].as_array().cloned().unwrap_or_default();
            creators.extend(equals.iter().map(|user| json!(user)));
            create["additional_creators"] = json!(creators);
        }
        let room = self.found_room(version, &call.user, create, &self.shown_profile(&call.user))?;
        if let Some(alias) = self.wanted_alias(call) {
            self.name_room(&alias, &room, &call.user)?;
        }
        for (kind, state_key, content) in self.first_state(call, &room, preset, equals) {
            self.say(&room, &call.user, Saying::state(&kind, &state_key, content))?;
        }
        if is_public {
            self.known().directory.published.insert(room.clone());
        }
        for user in invited {
            let direct = if body["is_direct"] == true { json!({"is_direct": true}) } else { json!({}) };
            // The room is there, whether or not everybody can be invited.
            let _ = self.invite(&room, &call.user, user, &direct).await;
        }
        Ok(json!({ "room_id": room }))
    }

    fn wanted_alias(&self, call: &Call<'_>) -> Option<String> {
        let name = call.body()["room_alias_name"].as_str()?;
        Some(format!("#{name}:{}", self.name()))
    }

    /// The state of a new room after its creator's join, in the order of the specification.
    fn first_state(&self, call: &Call<'_>, room: &str, named: &str, equals: &[&str]) -> Vec<State> {
        let body = call.body();
        let Some(version) = self.version_of(room) else { return Vec::new() };
        let mut levels = power_levels(&version, &call.user, equals);
        merge(&mut levels, &body["power_level_content_override"]);
        if self.has(Fault::CreatorsListed) {
            levels["users"][&call.user] = json!(100);
        } else if self.has(Fault::LevelsAsText) {
            levels["kick"] = json!("50");
        } else if self.has(Fault::TombstoneForAdministrators) {
            levels["events"]["m.room.tombstone"] = json!(50);
        }
        let own = |kind: &str, content: Value| (kind.to_owned(), String::new(), content);
        let mut state = vec![own("m.room.power_levels", levels)];
        if self.has(Fault::LevelsNotFirst) {
            state.insert(0, own("m.room.guest_access", json!({ "guest_access": "forbidden" })));
        }
        if let Some(alias) = self.wanted_alias(call) {
            state.push(own("m.room.canonical_alias", json!({ "alias": alias })));
        }
        let initial = || {
            body["initial_state"].as_array().into_iter().flatten().filter_map(|event| {
                let state_key = event["state_key"].as_str().unwrap_or_default();
                Some((event["type"].as_str()?.to_owned(), state_key.to_owned(), event["content"].clone()))
            })
        };
        // What the maker sets goes before what the preset does.
        let is_set = |kind: &str| initial().any(|(set, state_key, _)| set == kind && state_key.is_empty());
        let of_preset = preset(named).into_iter().filter(|(kind, _)| !is_set(kind));
        state.extend(of_preset.map(|(kind, content)| own(kind, content)));
        state.extend(initial());
        for (key, kind) in [("name", "m.room.name"), ("topic", "m.room.topic")] {
            if let Some(text) = body[key].as_str() {
                state.push(own(kind, json!({ key: text })));
            }
        }
        state
    }

    /// As [`Homeserver::shown_profile`], with the reason that the user gives.
    pub(super) fn profile_and_reason(&self, call: &Call<'_>) -> Value {
        let mut content = self.shown_profile(&call.user);
        merge(&mut content, &call.reason());
        content
    }
}
