//! Typing notifications, receipts, presence, to-device messages and account data of users (client-server API, modules of
//! these names).

use std::time::Duration;

use serde_json::{Value, json};

use super::{ClientRequest, not_found};
use crate::{
    edus::{presence, receipts, to_device, typing},
    homeserver::Homeserver,
    response::{ErrorResponse, JsonResult, refuse},
    store::{
        presence::STATES,
        receipts::{PRIVATE, PUBLIC, ReceiptKey},
    },
};

/// How long a user counts as typing whose client does not say how long.
const TYPING_MS: u64 = 30_000;

impl ClientRequest {
    /// Checks that the user acts for this user.
    pub(super) fn is_of(&self, user: &str) -> Result<(), ErrorResponse> {
        if self.user == user {
            return Ok(());
        }
        refuse(403, "M_FORBIDDEN", format!("{} is not {user}", self.user))
    }
}

/// Checks that the user is a member of the room.
pub(super) fn check_member(home: &Homeserver, call: &ClientRequest, room: &str) -> Result<(), ErrorResponse> {
    if home.store().rooms.get(room).is_some_and(|held| held.membership(&call.user) == "join") {
        return Ok(());
    }
    refuse(403, "M_FORBIDDEN", format!("{} is not in the room", call.user))
}

pub(super) fn set_typing(home: &Homeserver, call: &ClientRequest, room: &str, user: &str) -> JsonResult {
    call.is_of(user)?;
    check_member(home, call, room)?;
    let lasting = call.body()["timeout"].as_u64().unwrap_or(TYPING_MS);
    let is_typing = call.body()["typing"] == true;
    typing::set(home, room, user, is_typing.then(|| Duration::from_millis(lasting)));
    Ok(json!({}))
}

pub(super) fn set_receipt(
    home: &Homeserver,
    call: &ClientRequest,
    room: &str,
    kind: &str,
    event: &str,
) -> JsonResult {
    check_member(home, call, room)?;
    let thread = &call.body()["thread_id"];
    if !thread.is_null() && thread.as_str().is_none_or(str::is_empty) {
        return refuse(400, "M_INVALID_PARAM", "field `thread_id` names no thread");
    }
    match kind {
        PUBLIC | PRIVATE => {
            let thread = thread.as_str().map(str::to_owned);
            let key = ReceiptKey { user: call.user.clone(), kind: kind.to_owned(), thread };
            receipts::set(home, room, key, event);
        }
        "m.fully_read" => mark_fully_read(home, call, room, event),
        _ => return refuse(400, "M_INVALID_PARAM", "no such type of receipt"),
    }
    Ok(json!({}))
}

pub(super) fn set_read_markers(home: &Homeserver, call: &ClientRequest, room: &str) -> JsonResult {
    check_member(home, call, room)?;
    for kind in [PUBLIC, PRIVATE] {
        if let Some(event) = call.body()[kind].as_str() {
            let key = ReceiptKey { user: call.user.clone(), kind: kind.to_owned(), thread: None };
            receipts::set(home, room, key, event);
        }
    }
    if let Some(event) = call.body()["m.fully_read"].as_str() {
        mark_fully_read(home, call, room, event);
    }
    Ok(json!({}))
}

fn mark_fully_read(home: &Homeserver, call: &ClientRequest, room: &str, event: &str) {
    set_account_data(home, &call.user, Some(room), "m.fully_read", json!({ "event_id": event }));
}

pub(super) fn set_presence(home: &Homeserver, call: &ClientRequest, user: &str) -> JsonResult {
    call.is_of(user)?;
    let state = call.text("presence")?;
    if !STATES.contains(&state) {
        return refuse(400, "M_INVALID_PARAM", format!("there is no presence {state}"));
    }
    presence::set(home, user, state, call.body()["status_msg"].as_str());
    Ok(json!({}))
}

pub(super) fn presence_of(home: &Homeserver, call: &ClientRequest, user: &str) -> JsonResult {
    let store = home.store();
    if !store.rooms.are_shared_by(&call.user, user) {
        return refuse(403, "M_FORBIDDEN", format!("{} shares no room with {user}", call.user));
    }
    store.edus.presences.get(user).map_or_else(|| not_found("no presence is known"), |it| Ok(it.content()))
}

pub(super) fn send_to_device(
    home: &Homeserver,
    call: &ClientRequest,
    kind: &str,
    transaction: &str,
) -> JsonResult {
    let key = (format!("sendToDevice {kind}"), transaction.to_owned());
    let is_new = {
        let mut store = home.store();
        let device = store.users.device_mut(&call.user, &call.device);
        device.is_some_and(|device| device.sent.insert(key, String::new()).is_none())
    };
    let Some(messages) = call.body()["messages"].as_object() else {
        return refuse(400, "M_BAD_JSON", "field `messages` is missing or has the wrong type");
    };
    if is_new {
        to_device::send(home, &call.user, kind, messages);
    }
    Ok(json!({}))
}

/// Stores account data of a user, of a room or of all (client-server API, client config).
fn set_account_data(home: &Homeserver, user: &str, room: Option<&str>, kind: &str, content: Value) {
    let mut store = home.store();
    let position = store.next_position();
    if let Some(account) = store.users.account_mut(user) {
        let key = (room.unwrap_or_default().to_owned(), kind.to_owned());
        account.data.insert(key, (content, position));
    }
    drop(store);
    home.announce();
}

pub(super) fn account_data(
    home: &Homeserver,
    call: &ClientRequest,
    user: &str,
    room: Option<&str>,
    kind: &str,
) -> JsonResult {
    call.is_of(user)?;
    if call.method() == "PUT" {
        set_account_data(home, user, room, kind, call.body().clone());
        return Ok(json!({}));
    }
    let store = home.store();
    let key = (room.unwrap_or_default().to_owned(), kind.to_owned());
    let held = store.users.accounts.get(user).and_then(|account| account.data.get(&key));
    held.map_or_else(
        || not_found("there is no account data of this type"),
        |(content, _)| Ok(content.clone()),
    )
}
