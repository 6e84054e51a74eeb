//! How users join and leave rooms, and have others do so (client-server API, room membership).

use serde_json::{Value, json};

use super::{
    ClientRequest,
    directory::read_alias,
    not_found,
    profile::{profile_and_reason, shown_profile},
};
use crate::{
    events::send::{NewEvent, merge, send_event},
    homeserver::Homeserver,
    memberships::local,
    response::{ErrorResponse, JsonResult, refuse},
};

/// The IDs of the rooms that a user is a member of.
pub(super) fn rooms_of(home: &Homeserver, user: &str) -> Vec<String> {
    home.store().rooms.joined_by(user).map(|held| held.room.id().to_owned()).collect()
}

/// The room that an ID or an alias names, and the servers by way of which the user may join it.
pub(super) async fn room_named(
    home: &Homeserver,
    call: &ClientRequest,
    name: &str,
) -> Result<(String, Vec<String>), ErrorResponse> {
    let via = call.request.values("via").chain(call.request.values("server_name"));
    let via: Vec<_> = via.map(str::to_owned).collect();
    match name.as_bytes().first() {
        Some(b'!') => Ok((name.to_owned(), via)),
        Some(b'#') => {
            let named = read_alias(home, name).await?;
            let servers = named["servers"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let via = via.into_iter().chain(servers.map(str::to_owned)).collect();
            Ok((named["room_id"].as_str().unwrap_or_default().to_owned(), via))
        }
        _ => not_found(format!("{name} is neither a room ID nor an alias")),
    }
}

pub(super) async fn join_by_name(home: &Homeserver, call: &ClientRequest, name: &str) -> JsonResult {
    let (room, via) = room_named(home, call, name).await?;
    let is_member = home.store().rooms.get(&room).is_some_and(|held| held.membership(&call.user) == "join");
    if !is_member {
        local::join(home, &room, &call.user, &via, &profile_and_reason(home, call)).await?;
    }
    no_longer_forgotten(home, call, &room);
    Ok(json!({ "room_id": room }))
}

pub(super) async fn knock_by_name(home: &Homeserver, call: &ClientRequest, name: &str) -> JsonResult {
    let (room, via) = room_named(home, call, name).await?;
    local::knock(home, &room, &call.user, &via, &profile_and_reason(home, call)).await?;
    no_longer_forgotten(home, call, &room);
    Ok(json!({ "room_id": room }))
}

pub(super) async fn invite_to(home: &Homeserver, call: &ClientRequest, room: &str) -> JsonResult {
    let mut content = call.reason();
    let user = call.text("user_id")?;
    if home.is_own(user) {
        merge(&mut content, &shown_profile(home, user));
    }
    local::invite(home, room, &call.user, user, &content).await?;
    Ok(json!({}))
}

/// Kicks, bans or unbans.
pub(super) fn set_member(home: &Homeserver, call: &ClientRequest, room: &str, verb: &str) -> JsonResult {
    let user = call.text("user_id")?;
    let now = home.store().rooms.get(room).map(|held| held.membership(user)).unwrap_or_default();
    let (membership, applies) = match verb {
        "kick" => ("leave", matches!(now.as_str(), "join" | "invite" | "knock")),
        "unban" => ("leave", now == "ban"),
        _ => ("ban", true),
    };
    if !applies {
        return refuse(
            403,
            "M_FORBIDDEN",
            format!("{verb} does not apply to {user}, whose membership is {now}"),
        );
    }
    let mut content = json!({ "membership": membership });
    merge(&mut content, &call.reason());
    send_event(home, room, &call.user, &NewEvent::member(user, content))?;
    Ok(json!({}))
}

pub(super) fn forget(home: &Homeserver, call: &ClientRequest, room: &str) -> JsonResult {
    let mut store = home.store();
    let membership = store.rooms.get(room).map(|held| held.membership(&call.user)).unwrap_or_default();
    if matches!(membership.as_str(), "join" | "invite" | "knock") {
        return refuse(400, "M_UNKNOWN", "a room has to be left before it can be forgotten");
    }
    if let Some(account) = store.users.account_mut(&call.user) {
        account.forgotten.insert(room.to_owned());
    }
    Ok(json!({}))
}

fn no_longer_forgotten(home: &Homeserver, call: &ClientRequest, room: &str) {
    if let Some(account) = home.store().users.account_mut(&call.user) {
        account.forgotten.remove(room);
    }
}

/// Does what a member event says that a user sends as plain state (client-server API, room membership).
pub(super) async fn set_member_state(
    home: &Homeserver,
    call: &ClientRequest,
    room: &str,
    user: &str,
) -> Result<(), ErrorResponse> {
    let more = without_membership(call.body());
    match call.body()["membership"].as_str() {
        Some("invite") => local::invite(home, room, &call.user, user, &more).await,
        Some("join") if user == call.user => local::join(home, room, user, &[], &more).await,
        _ => send_event(home, room, &call.user, &NewEvent::member(user, call.body().clone())).map(drop),
    }
}

fn without_membership(content: &Value) -> Value {
    let mut content = content.clone();
    if let Some(content) = content.as_object_mut() {
        content.remove("membership");
    }
    content
}
