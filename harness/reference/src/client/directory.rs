//! Names of rooms, and which rooms are shown to all (client-server API, room aliases, listing rooms).

use std::collections::{BTreeMap, BTreeSet};

use samklang_matrix::server_of;
use serde_json::{Value, json};

use super::{Call, not_found};
use crate::{
    fault::Fault,
    held_room::HeldRoom,
    homeserver::Homeserver,
    joining::segment,
    reply::{Refusal, Reply, refuse},
};

/// What this server tells of rooms.
#[derive(Default)]
pub(crate) struct Directory {
    /// The rooms that aliases name, and who said so.
    aliases: BTreeMap<String, (String, String)>,
    /// The rooms that everybody may know of.
    pub(crate) published: BTreeSet<String>,
}

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

impl Homeserver {
    /// What an alias of this server's names, as servers and clients are told it.
    pub(crate) fn own_alias(&self, alias: &str) -> Reply {
        let known = self.known();
        let Some((room, _)) = known.directory.aliases.get(alias) else {
            if self.has(Fault::AliasesInvented) {
                return Ok(
                    json!({"room_id": format!("!invented:{}", self.name()), "servers": [self.name()]}),
                );
            }
            return not_found(format!("{alias} names no room"));
        };
        let mut servers = known.rooms.get(room).map(HeldRoom::servers).unwrap_or_default();
        servers.insert(self.name().to_owned());
        Ok(json!({"room_id": room, "servers": servers}))
    }

    pub(super) async fn read_alias(&self, alias: &str) -> Reply {
        match server_of(alias) {
            Some(server) if server == self.name() => self.own_alias(alias),
            Some(server) => {
                let target = format!("/_matrix/federation/v1/query/directory?room_alias={}", segment(alias));
                match self.ask("GET", server, &target, None).await {
                    Ok(answer) if answer.is_success() && answer.json()["room_id"].is_string() => {
                        let mut found = answer.json();
                        if self.has(Fault::AliasesMixed) {
                            found["room_id"] = json!(format!("!other:{server}"));
                        }
                        Ok(found)
                    }
                    _ => not_found(format!("{alias} names no room")),
                }
            }
            None => refuse(400, "M_INVALID_PARAM", format!("{alias} is no alias")),
        }
    }

    pub(super) fn set_alias(&self, call: &Call<'_>, alias: &str) -> Reply {
        let room = call.text("room_id")?;
        self.name_room(alias, room, &call.user)?;
        Ok(json!({}))
    }

    pub(super) fn name_room(&self, alias: &str, room: &str, user: &str) -> Result<(), Refusal> {
        if !alias.starts_with('#') || server_of(alias) != Some(self.name()) {
            return refuse(400, "M_INVALID_PARAM", format!("{alias} is no alias of this server"));
        }
        let mut known = self.known();
        if known.directory.aliases.contains_key(alias) {
            return refuse(409, "M_UNKNOWN", format!("{alias} names a room"));
        }
        known.directory.aliases.insert(alias.to_owned(), (room.to_owned(), user.to_owned()));
        Ok(())
    }

    pub(super) fn delete_alias(&self, call: &Call<'_>, alias: &str) -> Reply {
        let mut known = self.known();
        match known.directory.aliases.get(alias) {
            None => not_found(format!("{alias} names no room")),
            Some((_, owner)) if *owner != call.user => {
                refuse(403, "M_FORBIDDEN", "another user named the room so")
            }
            Some(_) => {
                known.directory.aliases.remove(alias);
                Ok(json!({}))
            }
        }
    }

    pub(super) fn room_aliases(&self, call: &Call<'_>, room: &str) -> Reply {
        self.is_inside(call, room)?;
        let known = self.known();
        let aliases = known.directory.aliases.iter().filter(|(_, (named, _))| named == room);
        Ok(json!({ "aliases": aliases.map(|(alias, _)| alias).collect::<Vec<_>>() }))
    }

    pub(super) fn visibility(&self, call: &Call<'_>, room: &str) -> Reply {
        if call.asked.method == "PUT" {
            self.is_inside(call, room)?;
            let mut known = self.known();
            if call.body()["visibility"] == "private" {
                known.directory.published.remove(room);
            } else {
                known.directory.published.insert(room.to_owned());
            }
            return Ok(json!({}));
        }
        let is_public = self.known().directory.published.contains(room);
        Ok(json!({"visibility": if is_public { "public" } else { "private" }}))
    }

    /// The rooms that this server shows to all; `limit` and the search term are the caller's wish.
    pub(crate) fn own_public_rooms(&self, limit: Option<u64>, term: Option<&str>) -> Value {
        let known = self.known();
        let all: Vec<_> = known.rooms.keys().collect();
        let published: Vec<_> = known.directory.published.iter().collect();
        let shown = if self.has(Fault::DirectoryListsAll) { all } else { published };
        let rooms = shown.into_iter().filter_map(|id| known.rooms.get(id)).map(listed);
        let term = term.filter(|_| !self.has(Fault::DirectoryFilterIgnored));
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

    pub(super) async fn public_rooms(&self, call: &Call<'_>) -> Reply {
        let limit =
            call.body()["limit"].as_u64().or(call.asked.value("limit").and_then(|limit| limit.parse().ok()));
        let term = call.body()["filter"]["generic_search_term"].as_str();
        match call.asked.value("server") {
            Some(server) if server != self.name() => {
                let query = limit.map(|limit| format!("?limit={limit}")).unwrap_or_default();
                let target = format!("/_matrix/federation/v1/publicRooms{query}");
                match self.ask("GET", server, &target, None).await {
                    Ok(answer) if answer.is_success() => Ok(answer.json()),
                    _ => refuse(502, "M_UNKNOWN", format!("{server} did not tell its rooms")),
                }
            }
            _ => Ok(self.own_public_rooms(limit, term)),
        }
    }
}

impl Directory {
    /// Has all that named one room name another.
    pub(super) fn rename(&mut self, old: &str, new: &str) {
        for (room, _) in self.aliases.values_mut().filter(|(room, _)| room == old) {
            new.clone_into(room);
        }
        if self.published.remove(old) {
            self.published.insert(new.to_owned());
        }
    }
}
