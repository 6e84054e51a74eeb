//! Aliases and published rooms (client-server API, room aliases, listing rooms).

use samklang_matrix::{
    endpoints::{PUBLIC_ROOMS, paths, with_query},
    server_of,
};
use serde_json::{Value, json};

use super::{ClientRequest, ephemeral, not_found};
use crate::{
    fault::Fault,
    homeserver::Homeserver,
    requests,
    response::{ErrorResponse, JsonResult, refuse},
    store::{Store, held_room::HeldRoom},
};

/// A room as the directory shows it.
pub(super) fn listed(held: &HeldRoom) -> Value {
    let mut entry = json!({
        "room_id": held.room.id(), "num_joined_members": held.members("join").len(),
        "world_readable": held.state_content("m.room.history_visibility")["history_visibility"] == "world_readable",
        "guest_can_join": held.state_content("m.room.guest_access")["guest_access"] == "can_join",
    });
    for (kind, key, shown) in [
        ("m.room.name", "name", "name"),
        ("m.room.topic", "topic", "topic"),
        ("m.room.canonical_alias", "alias", "canonical_alias"),
        ("m.room.avatar", "url", "avatar_url"),
        ("m.room.join_rules", "join_rule", "join_rule"),
        ("m.room.create", "type", "room_type"),
    ] {
        let value = held.state_content(kind)[key].clone();
        if value.is_string() {
            entry[shown] = value;
        }
    }
    entry
}

/// The room of an alias of this server, as servers and clients are told it.
pub(crate) fn own_alias(home: &Homeserver, alias: &str) -> JsonResult {
    let store = home.store();
    let Some((room, _)) = store.directory.aliases.get(alias) else { return unknown_alias(home, alias) };
    let mut servers = store.rooms.get(room).map(HeldRoom::servers).unwrap_or_default();
    servers.insert(home.name().to_owned());
    Ok(json!({"room_id": room, "servers": servers}))
}

fn unknown_alias(home: &Homeserver, alias: &str) -> JsonResult {
    if home.has(Fault::AliasesInvented) {
        return Ok(json!({"room_id": format!("!invented:{}", home.name()), "servers": [home.name()]}));
    }
    not_found(format!("the alias {alias} is not known"))
}

pub(super) async fn read_alias(home: &Homeserver, alias: &str) -> JsonResult {
    match server_of(alias) {
        Some(server) if server == home.name() => own_alias(home, alias),
        Some(server) => {
            let target = paths::query_directory(alias);
            match requests::request(home, "GET", server, &target, None).await {
                Ok(response) if response.is_success() && response.json()["room_id"].is_string() => {
                    Ok(resolved(home, server, response.json()))
                }
                _ => not_found(format!("the alias {alias} is not known")),
            }
        }
        None => refuse(400, "M_INVALID_PARAM", format!("{alias} is not an alias")),
    }
}

/// The room of another server's alias.
fn resolved(home: &Homeserver, server: &str, mut found: Value) -> Value {
    if home.has(Fault::AliasesResolvedWrongly) {
        found["room_id"] = json!(format!("!other:{server}"));
    }
    found
}

pub(super) fn set_alias(home: &Homeserver, call: &ClientRequest, alias: &str) -> JsonResult {
    let room = call.text("room_id")?;
    add_alias(home, alias, room, &call.user)?;
    Ok(json!({}))
}

pub(super) fn add_alias(home: &Homeserver, alias: &str, room: &str, user: &str) -> Result<(), ErrorResponse> {
    if !alias.starts_with('#') || server_of(alias) != Some(home.name()) {
        return refuse(400, "M_INVALID_PARAM", format!("{alias} is not an alias of this server"));
    }
    let mut store = home.store();
    if store.directory.aliases.contains_key(alias) {
        return refuse(409, "M_UNKNOWN", format!("the alias {alias} exists"));
    }
    store.directory.aliases.insert(alias.to_owned(), (room.to_owned(), user.to_owned()));
    Ok(())
}

pub(super) fn delete_alias(home: &Homeserver, call: &ClientRequest, alias: &str) -> JsonResult {
    let mut store = home.store();
    match store.directory.aliases.get(alias) {
        None => not_found(format!("the alias {alias} is not known")),
        Some((_, owner)) if *owner != call.user => {
            refuse(403, "M_FORBIDDEN", "the alias was set by another user")
        }
        Some(_) => {
            store.directory.aliases.remove(alias);
            Ok(json!({}))
        }
    }
}

pub(super) fn room_aliases(home: &Homeserver, call: &ClientRequest, room: &str) -> JsonResult {
    ephemeral::check_member(home, call, room)?;
    let store = home.store();
    let aliases = store.directory.aliases.iter().filter(|(_, (named, _))| named == room);
    Ok(json!({ "aliases": aliases.map(|(alias, _)| alias).collect::<Vec<_>>() }))
}

pub(super) fn visibility(home: &Homeserver, call: &ClientRequest, room: &str) -> JsonResult {
    if call.method() == "PUT" {
        ephemeral::check_member(home, call, room)?;
        let mut store = home.store();
        if call.body()["visibility"] == "private" {
            store.directory.published.remove(room);
        } else {
            store.directory.published.insert(room.to_owned());
        }
        return Ok(json!({}));
    }
    let is_public = home.store().directory.published.contains(room);
    Ok(json!({"visibility": if is_public { "public" } else { "private" }}))
}

/// The published rooms of this server, at most `limit`, that match a search term.
pub(crate) fn own_public_rooms(home: &Homeserver, limit: Option<u64>, term: Option<&str>) -> Value {
    let store = home.store();
    let rooms = published(home, &store).into_iter().map(listed);
    let term = term.filter(|_| filters(home));
    let matches = |entry: &Value| {
        term.is_none_or(|term| {
            let texts =
                ["name", "topic", "canonical_alias"].map(|key| entry[key].as_str().unwrap_or_default());
            texts.iter().any(|text| text.to_lowercase().contains(&term.to_lowercase()))
        })
    };
    let mut rooms: Vec<_> = rooms.filter(matches).collect();
    let total = rooms.len();
    rooms.truncate(limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX));
    json!({"chunk": rooms, "total_room_count_estimate": total})
}

fn published<'a>(home: &Homeserver, store: &'a Store) -> Vec<&'a HeldRoom> {
    if home.has(Fault::DirectoryListsAll) {
        return store.rooms.values().collect();
    }
    store.directory.published.iter().filter_map(|id| store.rooms.get(id)).collect()
}

fn filters(home: &Homeserver) -> bool {
    !home.has(Fault::DirectoryFilterIgnored)
}

pub(super) async fn public_rooms(home: &Homeserver, call: &ClientRequest) -> JsonResult {
    let limit =
        call.body()["limit"].as_u64().or(call.request.value("limit").and_then(|limit| limit.parse().ok()));
    let term = call.body()["filter"]["generic_search_term"].as_str();
    match call.request.value("server") {
        Some(server) if server != home.name() => {
            let limit = limit.map(|limit| ("limit", limit.to_string()));
            let target = with_query(PUBLIC_ROOMS.template, limit);
            match requests::request(home, "GET", server, &target, None).await {
                Ok(response) if response.is_success() => Ok(response.json()),
                _ => refuse(502, "M_UNKNOWN", format!("{server} did not return its rooms")),
            }
        }
        _ => Ok(own_public_rooms(home, limit, term)),
    }
}
