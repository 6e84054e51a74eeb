//! Registration, login and logout (client-server API, account registration, login; OpenID).

use samklang_matrix::is_user_id;
use serde_json::{Map, Value, json};

use super::{ClientRequest, devices};
use crate::{
    edus::device_lists::send_device,
    fault::Fault,
    homeserver::Homeserver,
    response::{FullResponse, JsonResult, refuse},
    store::{
        Store,
        users::{UserAccount, Users},
    },
};

fn random(length: usize) -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(length).collect()
}

/// Logs a user in with the device that the request names, or a new one; returns the response.
fn enter(users: &mut Users, user: &str, body: &Value) -> Value {
    let device = body["device_id"].as_str().map_or_else(|| random(10).to_uppercase(), str::to_owned);
    let token = random(32);
    users.log_in(user, &device, body["initial_device_display_name"].as_str(), &token);
    json!({"user_id": user, "access_token": token, "device_id": device})
}

/// Whether this server has this user. A scripted server has every user.
pub(crate) fn has_user(home: &Homeserver, user: &str) -> bool {
    !home.is_live() || home.store().users.accounts.contains_key(user)
}

/// Registers a user, once the one stage of the only flow is passed (user-interactive authentication).
pub(super) fn register(home: &Homeserver, body: &Value) -> FullResponse {
    let mut store = home.store();
    let session = body["auth"]["session"].as_str().unwrap_or_default();
    let is_passed = body["auth"]["type"] == "m.login.dummy" && store.users.registrations.remove(session);
    if !is_passed {
        let session = random(16);
        store.users.registrations.insert(session.clone());
        let flows = json!([{ "stages": ["m.login.dummy"] }]);
        let challenge = json!({"flows": flows, "params": {}, "session": session});
        return FullResponse { status: 401, ..FullResponse::from(challenge) };
    }
    let localpart = body["username"].as_str().map_or_else(|| random(8).to_lowercase(), str::to_owned);
    let response = create_account(home, &mut store, &localpart, body);
    response.map_or_else(FullResponse::from, FullResponse::from)
}

fn create_account(home: &Homeserver, store: &mut Store, localpart: &str, body: &Value) -> JsonResult {
    let user = new_user_id(home, localpart);
    // New user IDs may hold fewer characters than servers have to accept (appendices, user identifiers).
    let is_allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._=-/+".contains(&byte);
    if localpart.is_empty() || !localpart.bytes().all(is_allowed) || !is_user_id(&user) {
        return refuse(400, "M_INVALID_USERNAME", format!("{user} is not a user ID"));
    }
    if refuses_registration(home) {
        return refuse(403, "M_FORBIDDEN", "registration is closed");
    }
    if store.users.accounts.contains_key(&user) {
        return refuse(400, "M_USER_IN_USE", format!("{user} exists"));
    }
    let password = body["password"].as_str().unwrap_or_default().to_owned();
    let profile = Map::from_iter([("displayname".to_owned(), json!(localpart))]);
    let account = UserAccount { password, profile, ..UserAccount::default() };
    store.users.accounts.insert(user.clone(), account);
    Ok(enter(&mut store.users, &user, body))
}

fn new_user_id(home: &Homeserver, localpart: &str) -> String {
    if home.has(Fault::UserIdsUpperCase) {
        return format!("@{}:{}", localpart.to_uppercase(), home.name());
    }
    format!("@{localpart}:{}", home.name())
}

fn refuses_registration(home: &Homeserver) -> bool {
    home.has(Fault::RegistrationRefused)
}

pub(super) fn log_in(home: &Homeserver, body: &Value) -> JsonResult {
    let named = body["identifier"]["user"].as_str().or(body["user"].as_str()).unwrap_or_default();
    let user = if named.starts_with('@') { named.to_owned() } else { format!("@{named}:{}", home.name()) };
    let mut store = home.store();
    let account = store.users.accounts.get(&user);
    if account.is_none_or(|account| body["password"] != *account.password) {
        return refuse(403, "M_FORBIDDEN", "the user does not exist, or the password is wrong");
    }
    let response = enter(&mut store.users, &user, body);
    drop(store);
    send_device(home, &user, response["device_id"].as_str().unwrap_or_default());
    Ok(response)
}

/// Logs out a device, or all devices of the user.
pub(super) fn log_out(home: &Homeserver, call: &ClientRequest, everywhere: bool) -> JsonResult {
    let devices: Vec<_> = {
        let store = home.store();
        let account = store.users.accounts.get(&call.user);
        account.into_iter().flat_map(|account| account.devices.keys().cloned()).collect()
    };
    let is_one = |id: &String| everywhere || *id == call.device;
    devices::delete_devices(home, call, &devices.into_iter().filter(is_one).collect::<Vec<_>>())
}

pub(super) fn issue_openid_token(home: &Homeserver, call: &ClientRequest, user: &str) -> JsonResult {
    call.is_of(user)?;
    let token = random(32);
    home.store().users.openid.insert(token.clone(), user.to_owned());
    let name = home.name();
    Ok(json!({"access_token": token, "token_type": "Bearer", "matrix_server_name": name, "expires_in": 3600}))
}

/// The user to whom an OpenID token was issued (server-server API, OpenID).
pub(crate) fn openid_user(home: &Homeserver, token: &str) -> JsonResult {
    match home.store().users.openid.get(token) {
        Some(user) => Ok(json!({ "sub": user })),
        None => refuse(401, "M_UNKNOWN_TOKEN", "the token was not issued"),
    }
}
