//! Spaces and what is in them (client-server API, querying spaces; server-server API, querying for information).

use std::collections::BTreeSet;

use samklang_matrix::server_of;
use serde_json::{Value, json};

use super::{Call, directory::listed, not_found};
use crate::{
    acl,
    fault::Fault,
    held_room::HeldRoom,
    homeserver::{Homeserver, Rooms},
    joining::segment,
    reply::{Reply, refuse},
};

/// How many rooms a client is told of.
const MOST: usize = 100;

/// What a room is to who asks about the space it is in.
fn summary(held: &HeldRoom) -> Value {
    let mut entry = listed(held);
    let version = held.room.version();
    entry["room_version"] = json!(version.id());
    if held.state_content("m.room.encryption").is_object() {
        entry["encryption"] = held.state_content("m.room.encryption")["algorithm"].clone();
    }
    let allowed = held.state_content("m.room.join_rules")["allow"].clone();
    let rooms = allowed.as_array().into_iter().flatten().filter_map(|it| it["room_id"].as_str());
    let rooms: Vec<_> = rooms.collect();
    if !rooms.is_empty() {
        entry["allowed_room_ids"] = json!(rooms);
    }
    entry["children_state"] = json!(children(held));
    entry
}

/// The children of a space that say by way of whom they can be joined, in stripped form.
fn children(held: &HeldRoom) -> Vec<Value> {
    let state = held.room.state().unwrap_or_default();
    let events =
        state.iter().filter(|((kind, _), _)| kind == "m.space.child").filter_map(|(_, id)| held.event(id));
    let mut events: Vec<_> =
        events.filter(|event| event.content().get("via").is_some_and(Value::is_array)).collect();
    let order = |event: &&samklang_matrix::Event| {
        let order = event.content().get("order").and_then(Value::as_str).map(str::to_owned);
        (order.is_none(), order, event.origin_server_ts(), event.state_key().map(str::to_owned))
    };
    events.sort_by_key(order);
    let shown = events.into_iter().map(|event| {
        json!({
            "type": event.kind(), "state_key": event.state_key(), "content": event.content(),
            "sender": event.sender(), "origin_server_ts": event.origin_server_ts(),
        })
    });
    shown.collect()
}

/// Whether those whom `is_one` names may know of a room: they are in it or invited, may join or knock, or are in a room
/// whose members may join.
fn is_known_to(rooms: &Rooms, held: &HeldRoom, is_one: &dyn Fn(&str) -> bool) -> bool {
    let rules = held.state_content("m.room.join_rules");
    let is_in = |held: &HeldRoom| held.members("join").iter().any(|user| is_one(user));
    let open = matches!(rules["join_rule"].as_str(), Some("public" | "knock" | "knock_restricted"));
    let readable = held.state_content("m.room.history_visibility")["history_visibility"] == "world_readable";
    let allowed = rules["allow"].as_array().into_iter().flatten().filter_map(|it| it["room_id"].as_str());
    let restricted = rules["join_rule"] == "restricted" || rules["join_rule"] == "knock_restricted";
    open || readable
        || is_in(held)
        || held.members("invite").iter().any(|user| is_one(user))
        || (restricted && allowed.into_iter().any(|room| rooms.get(room).is_some_and(is_in)))
}

impl Homeserver {
    /// A space and its children, for another server.
    pub(crate) fn hierarchy_for_server(&self, server: &str, room: &str, suggested: bool) -> Reply {
        let known = self.known();
        let of_server = |user: &str| server_of(user) == Some(server);
        let tells = |held: &&HeldRoom| {
            held.has_server(self.name())
                && acl::admits(held, server)
                && (is_known_to(&known.rooms, held, &of_server) || self.has(Fault::HierarchyForStrangers))
        };
        let Some(held) = known.rooms.get(room).filter(tells) else {
            return not_found("the room is not known");
        };
        let (mut shown, mut inaccessible) = (Vec::new(), Vec::new());
        for child in children(held) {
            if suggested && child["content"]["suggested"] != true {
                continue;
            }
            let Some(id) = child["state_key"].as_str() else { continue };
            match known.rooms.get(id).filter(|held| held.has_server(self.name())) {
                Some(held) if tells(&held) => shown.push(summary(held)),
                Some(_) => inaccessible.push(json!(id)),
                None => {}
            }
        }
        Ok(json!({"room": summary(held), "children": shown, "inaccessible_children": inaccessible}))
    }

    /// A space and all below it, depth first, as far as the user may know of it.
    pub(super) async fn read_hierarchy(&self, call: &Call<'_>, room: &str) -> Reply {
        let deepest =
            call.asked.value("max_depth").and_then(|depth| depth.parse().ok()).unwrap_or(usize::MAX);
        let suggested = call.asked.value("suggested_only") == Some("true");
        let (mut left, mut seen, mut rooms) =
            (vec![(room.to_owned(), Vec::new(), 0)], BTreeSet::new(), Vec::new());
        while let Some((id, via, depth)) = left.pop() {
            if rooms.len() == MOST || !seen.insert(id.clone()) {
                continue;
            }
            let Some(entry) = self.summary_for(&call.user, &id, &via, suggested).await else {
                continue;
            };
            if depth < deepest {
                for child in entry["children_state"].as_array().into_iter().flatten().rev() {
                    if suggested && child["content"]["suggested"] != true {
                        continue;
                    }
                    let servers =
                        child["content"]["via"].as_array().into_iter().flatten().filter_map(Value::as_str);
                    let servers: Vec<_> = servers.map(str::to_owned).collect();
                    if let Some(id) = child["state_key"].as_str() {
                        left.push((id.to_owned(), servers, depth + 1));
                    }
                }
            }
            rooms.push(entry);
        }
        if rooms.is_empty() {
            return refuse(403, "M_FORBIDDEN", "the room is not known, or one may not know of it");
        }
        Ok(json!({ "rooms": rooms }))
    }

    /// What a room is, for a user who need not be in it (client-server API, room summary).
    pub(super) async fn read_summary(&self, call: &Call<'_>, name: &str) -> Reply {
        let (room, via) = self.room_named(call, name).await?;
        let Some(mut entry) = self.summary_for(&call.user, &room, &via, false).await else {
            return not_found("the room is not known, or one may not know of it");
        };
        if let Some(entry) = entry.as_object_mut() {
            entry.remove("children_state");
        }
        Ok(entry)
    }

    async fn summary_for(&self, user: &str, room: &str, via: &[String], suggested: bool) -> Option<Value> {
        if self.is_in(room) {
            let known = self.known();
            let held = known.rooms.get(room)?;
            return is_known_to(&known.rooms, held, &|member| member == user).then(|| summary(held));
        }
        for server in via.iter().filter(|server| *server != self.name()) {
            let target =
                format!("/_matrix/federation/v1/hierarchy/{}?suggested_only={suggested}", segment(room));
            let answer = self.ask("GET", server, &target, None).await;
            let answer = answer.ok().filter(|answer| answer.is_success()).map(|answer| answer.json());
            let Some(entry) = answer.map(|answer| answer["room"].clone()).filter(|it| it["room_id"] == *room)
            else {
                continue;
            };
            if self.may_know(user, &entry) {
                return Some(entry);
            }
        }
        None
    }

    /// Whether what another server tells of a room is for this user: it tells what any user of this server may know.
    fn may_know(&self, user: &str, entry: &Value) -> bool {
        let open = matches!(entry["join_rule"].as_str(), Some("public" | "knock" | "knock_restricted"));
        let known = self.known();
        let mut allowed =
            entry["allowed_room_ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
        open || entry["world_readable"] == true
            || entry["room_id"]
                .as_str()
                .is_some_and(|room| known.invites.contains_key(&(room.to_owned(), user.to_owned())))
            || allowed.any(|room| known.rooms.get(room).is_some_and(|held| held.membership(user) == "join"))
    }
}
