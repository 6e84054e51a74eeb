//! Space hierarchies (client-server API, querying spaces; server-server API, spaces).

use std::collections::BTreeSet;

use samklang_matrix::{
    endpoints::{paths, with_query},
    server_of,
};
use serde_json::{Value, json};

use super::{ClientRequest, directory::listed, membership::room_named, not_found};
use crate::{
    fault::Fault,
    homeserver::Homeserver,
    memberships::local::is_in,
    requests,
    response::{JsonResult, refuse},
    store::{Rooms, acl, held_room::HeldRoom},
};

/// The most rooms of a response to a client.
const MOST: usize = 100;

/// A room as a space hierarchy shows it.
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

/// The children of a space that name servers by way of which they can be joined, as stripped state.
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

/// Whether the users whom `is_one` names may know of a room: they are members or invited, may join or knock, or are members of
/// a room whose members may join.
fn is_known_to(rooms: &Rooms, held: &HeldRoom, is_one: &dyn Fn(&str) -> bool) -> bool {
    let rules = held.state_content("m.room.join_rules");
    let is_in = |held: &HeldRoom| held.members("join").iter().any(|user| is_one(user));
    let open = matches!(rules["join_rule"].as_str(), Some("public" | "knock" | "knock_restricted"));
    let readable = held.is_world_readable();
    let allowed = rules["allow"].as_array().into_iter().flatten().filter_map(|it| it["room_id"].as_str());
    let restricted = rules["join_rule"] == "restricted" || rules["join_rule"] == "knock_restricted";
    open || readable
        || is_in(held)
        || held.members("invite").iter().any(|user| is_one(user))
        || (restricted && allowed.into_iter().any(|room| rooms.get(room).is_some_and(is_in)))
}

/// A space and its children, for another server.
pub(crate) fn hierarchy_for_server(
    home: &Homeserver,
    server: &str,
    room: &str,
    suggested: bool,
) -> JsonResult {
    let store = home.store();
    let of_server = |user: &str| server_of(user) == Some(server);
    let tells = |held: &&HeldRoom| {
        let is_known = is_known_to(&store.rooms, held, &of_server) || tells_all(home);
        held.has_server(home.name()) && acl::admits(held, server) && is_known
    };
    let Some(held) = store.rooms.get(room).filter(tells) else {
        return not_found("the room is not known");
    };
    let (mut shown, mut inaccessible) = (Vec::new(), Vec::new());
    for child in children(held) {
        if suggested && child["content"]["suggested"] != true {
            continue;
        }
        let Some(id) = child["state_key"].as_str() else { continue };
        match store.rooms.get(id).filter(|held| held.has_server(home.name())) {
            Some(held) if tells(&held) => shown.push(summary(held)),
            Some(_) => inaccessible.push(json!(id)),
            None => {}
        }
    }
    Ok(json!({"room": summary(held), "children": shown, "inaccessible_children": inaccessible}))
}

fn tells_all(home: &Homeserver) -> bool {
    home.has(Fault::HierarchyForNonMembers)
}

/// A space and all rooms below it, depth first, as far as the user may know of them.
pub(super) async fn read_hierarchy(home: &Homeserver, call: &ClientRequest, room: &str) -> JsonResult {
    let deepest = call.request.value("max_depth").and_then(|depth| depth.parse().ok()).unwrap_or(usize::MAX);
    let suggested = call.request.value("suggested_only") == Some("true");
    let (mut left, mut seen, mut rooms) =
        (vec![(room.to_owned(), Vec::new(), 0)], BTreeSet::new(), Vec::new());
    while let Some((id, via, depth)) = left.pop() {
        if rooms.len() == MOST || !seen.insert(id.clone()) {
            continue;
        }
        let Some(entry) = summary_for(home, &call.user, &id, &via, suggested).await else {
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
        return refuse(403, "M_FORBIDDEN", "the room is not known, or the user may not know of it");
    }
    Ok(json!({ "rooms": rooms }))
}

/// A room, for a user who need not be a member (client-server API, room summary).
pub(super) async fn read_summary(home: &Homeserver, call: &ClientRequest, name: &str) -> JsonResult {
    let (room, via) = room_named(home, call, name).await?;
    let Some(mut entry) = summary_for(home, &call.user, &room, &via, false).await else {
        return not_found("the room is not known, or the user may not know of it");
    };
    if let Some(entry) = entry.as_object_mut() {
        entry.remove("children_state");
    }
    Ok(entry)
}

async fn summary_for(
    home: &Homeserver,
    user: &str,
    room: &str,
    via: &[String],
    suggested: bool,
) -> Option<Value> {
    if is_in(home, room) {
        let store = home.store();
        let held = store.rooms.get(room)?;
        return is_known_to(&store.rooms, held, &|member| member == user).then(|| summary(held));
    }
    for server in via.iter().filter(|server| *server != home.name()) {
        let target = with_query(&paths::hierarchy(room), [("suggested_only", suggested.to_string())]);
        let response = requests::request(home, "GET", server, &target, None).await;
        let response = response.ok().filter(|response| response.is_success());
        let entry = response.map(|response| response.json()["room"].clone());
        let Some(entry) = entry.filter(|entry| entry["room_id"] == *room) else { continue };
        if may_know(home, user, &entry) {
            return Some(entry);
        }
    }
    None
}

/// Whether a user may know of a room that another server tells about: that server judges only whether any user of this server
/// may.
fn may_know(home: &Homeserver, user: &str, entry: &Value) -> bool {
    let open = matches!(entry["join_rule"].as_str(), Some("public" | "knock" | "knock_restricted"));
    let store = home.store();
    let mut allowed = entry["allowed_room_ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
    open || entry["world_readable"] == true
        || entry["room_id"]
            .as_str()
            .is_some_and(|room| store.rooms.invites.contains_key(&(room.to_owned(), user.to_owned())))
        || allowed.any(|room| store.rooms.get(room).is_some_and(|held| held.membership(user) == "join"))
}
