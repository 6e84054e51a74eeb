//! Profiles of users (client-server API, profiles).

use samklang_matrix::{
    endpoints::{paths, with_query},
    server_of,
};
use serde_json::{Map, Value, json};

use super::{ClientRequest, membership::rooms_of, not_found};
use crate::{
    events::send::{NewEvent, merge, send_event},
    fault::{Author, Fault, Occasion},
    homeserver::Homeserver,
    requests,
    response::{JsonResult, refuse},
};

/// The fields that member events show.
const SHOWN: [&str; 2] = ["displayname", "avatar_url"];

fn author(user: &str) -> Author<'_> {
    Author { user, names_creator: false }
}

/// The fields of a user's profile that member events show.
pub(super) fn shown_profile(home: &Homeserver, user: &str) -> Value {
    let mut shown = {
        let store = home.store();
        let profile = store.users.accounts.get(user).map(|account| &account.profile);
        let field = |key: &str| Some((key.to_owned(), profile?.get(key)?.clone()));
        Value::Object(SHOWN.into_iter().filter_map(field).collect())
    };
    home.identity().content(Occasion::Profile, &author(user), &mut shown);
    shown
}

/// The profile that a member event shows, with the reason that the user gives.
pub(super) fn profile_and_reason(home: &Homeserver, call: &ClientRequest) -> Value {
    let mut content = shown_profile(home, &call.user);
    merge(&mut content, &call.reason());
    content
}

/// The profile of a user of this or another server, or one field of it.
pub(super) async fn read_profile(home: &Homeserver, user: &str, field: Option<&str>) -> JsonResult {
    if home.is_own(user) {
        return own_profile(home, user, field);
    }
    let Some(server) = server_of(user) else { return not_found(format!("{user} is not a user ID")) };
    let target = with_query(&paths::query_profile(user), field.map(|field| ("field", field)));
    match requests::request(home, "GET", server, &target, None).await {
        Ok(response) if response.is_success() => Ok(response.json()),
        Ok(response) if response.status == 404 => not_found(format!("{user} has no such profile")),
        _ => refuse(502, "M_UNKNOWN", format!("{server} did not return the profile of {user}")),
    }
}

/// The profile of a user of this server.
pub(crate) fn own_profile(home: &Homeserver, user: &str, field: Option<&str>) -> JsonResult {
    let store = home.store();
    let Some(account) = store.users.accounts.get(user) else {
        return not_found(format!("{user} does not exist"));
    };
    match field {
        None => Ok(Value::Object(account.profile.clone())),
        Some(field) => match account.profile.get(field) {
            Some(value) => Ok(Value::Object(Map::from_iter([(field.to_owned(), value.clone())]))),
            None => not_found(format!("{user} has no {field}")),
        },
    }
}

/// Sets or removes a field of the profile. A change of the name or the avatar is sent to the user's rooms.
pub(super) fn change_profile(home: &Homeserver, call: &ClientRequest, user: &str, field: &str) -> JsonResult {
    call.is_of(user)?;
    let value = &call.body()[field];
    if call.method() == "PUT" && call.body().get(field).is_none() {
        return refuse(400, "M_MISSING_PARAM", format!("field `{field}` is missing"));
    }
    if let Some(account) = home.store().users.account_mut(user) {
        if value.is_null() || value == "" {
            account.profile.remove(field);
        } else {
            account.profile.insert(field.to_owned(), value.clone());
        }
    }
    if SHOWN.contains(&field) && sends_changes(home) {
        send_to_rooms(home, user);
    }
    Ok(json!({}))
}

fn sends_changes(home: &Homeserver) -> bool {
    !home.has(Fault::ProfileChangesNotShown)
}

fn send_to_rooms(home: &Homeserver, user: &str) {
    let profile = shown_profile(home, user);
    for room in rooms_of(home, user) {
        let before = home.store().rooms.get(&room).and_then(|held| {
            held.room.state_event("m.room.member", user).map(|event| event.content().clone())
        });
        let mut content = before.unwrap_or_default();
        // A member needs no authorisation to stay, and gives no reason again.
        content.retain(|key, _| {
            !SHOWN.contains(&key.as_str()) && key != "join_authorised_via_users_server" && key != "reason"
        });
        content.extend(profile.as_object().cloned().unwrap_or_default());
        let mut content = Value::Object(content);
        home.identity().content(Occasion::ProfileChange, &author(user), &mut content);
        // A room in which the user may not send the event keeps the old profile.
        let _ = send_event(home, &room, user, &NewEvent::member(user, content));
    }
}
