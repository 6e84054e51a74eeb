//! The keys of devices, and cross-signing keys (client-server API, key distribution, cross-signing).

use std::collections::BTreeMap;

use samklang_matrix::{
    endpoints::{USER_KEYS_CLAIM, USER_KEYS_QUERY},
    server_of,
};
use serde_json::{Map, Value, json};

use super::ClientRequest;
use crate::{
    edus::device_lists::{devices_of, send_device, send_signing_keys},
    fault::Fault,
    homeserver::Homeserver,
    requests,
    response::{JsonResult, refuse},
    store::{
        Store,
        device_lists::{DeviceListCopy, SIGNING},
        users::{UserAccount, UserDevice, algorithm_of},
    },
};

type Object = Map<String, Value>;

/// Users and what is wanted of each, by server.
fn by_server(wanted: &Value) -> BTreeMap<String, Object> {
    let mut servers: BTreeMap<String, Object> = BTreeMap::new();
    for (user, what) in wanted.as_object().into_iter().flatten() {
        if let Some(server) = server_of(user) {
            servers.entry(server.to_owned()).or_default().insert(user.clone(), what.clone());
        }
    }
    servers
}

/// The keys of all devices of an account, or of those that are wanted.
fn device_keys(account: &UserAccount, wanted: &Value) -> Object {
    let wanted: Vec<_> = wanted.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let devices = account.devices.iter().filter(|(id, device)| {
        !device.keys.is_null() && (wanted.is_empty() || wanted.contains(&id.as_str()))
    });
    let shown = devices.map(|(id, device)| {
        let mut keys = device.keys.clone();
        if let Some(name) = &device.display_name {
            keys["unsigned"] = json!({ "device_display_name": name });
        }
        (id.clone(), keys)
    });
    shown.collect()
}

/// Takes a one-time key of a device, or the fallback key when none is left.
fn claim(home: &Homeserver, device: &mut UserDevice, algorithm: &str) -> Option<(String, Value)> {
    let is_one = |id: &&String| algorithm_of(id) == algorithm;
    if let Some(id) = device.one_time_keys.keys().find(is_one).cloned() {
        let key = device.one_time_keys.get(&id)?.clone();
        if uses_up(home) {
            device.one_time_keys.remove(&id);
        }
        return Some((id, key));
    }
    let id = device.fallback_keys.keys().find(is_one).cloned()?;
    device.used_fallback_keys.insert(algorithm.to_owned());
    Some((id.clone(), device.fallback_keys.get(&id)?.clone()))
}

/// Whether a one-time key is returned once.
fn uses_up(home: &Homeserver) -> bool {
    !home.has(Fault::OneTimeKeysReused)
}

pub(super) fn upload_keys(home: &Homeserver, call: &ClientRequest) -> JsonResult {
    let body = call.body();
    let keys = &body["device_keys"];
    if keys.is_object() && (keys["user_id"] != *call.user || keys["device_id"] != *call.device) {
        return refuse(400, "M_INVALID_PARAM", "the device keys are those of another device");
    }
    let mut store = home.store();
    let Some(device) = store.users.device_mut(&call.user, &call.device) else {
        return refuse(400, "M_UNKNOWN", "the device does not exist any more");
    };
    let is_changed = keys.is_object() && device.keys != *keys;
    if is_changed {
        device.keys = keys.clone();
    }
    let uploaded = |name: &str| body[name].as_object().cloned().unwrap_or_default();
    device.one_time_keys.extend(uploaded("one_time_keys"));
    for (id, key) in uploaded("fallback_keys") {
        let algorithm = algorithm_of(&id).to_owned();
        device.fallback_keys.retain(|id, _| algorithm_of(id) != algorithm);
        device.used_fallback_keys.remove(&algorithm);
        device.fallback_keys.insert(id, key);
    }
    let counts = device.one_time_key_counts();
    drop(store);
    if is_changed {
        send_device(home, &call.user, &call.device);
    }
    Ok(json!({ "one_time_key_counts": counts }))
}

pub(super) async fn query_keys(home: &Homeserver, call: &ClientRequest) -> JsonResult {
    let mut response = json!({
        "device_keys": {}, "master_keys": {}, "self_signing_keys": {}, "user_signing_keys": {}, "failures": {},
    });
    for (server, mut users) in by_server(&call.body()["device_keys"]) {
        if server == home.name() {
            add(&mut response, &own_keys(home, &Value::Object(users)));
            continue;
        }
        // The keys of users who share no room are not stored, since their servers send no updates.
        let unshared: Object = {
            let store = home.store();
            let unshared = users.iter().filter(|(user, _)| !store.rooms.share(user, home.name()));
            unshared.map(|(user, wanted)| (user.clone(), wanted.clone())).collect()
        };
        users.retain(|user, _| !unshared.contains_key(user));
        request_keys(home, &server, unshared, &mut response).await;
        for user in users.keys() {
            match devices_of(home, user).await {
                Some(copy) => add_copy(&mut response, user, &copy),
                None => response["failures"][&server] = json!({"status": 503}),
            }
        }
    }
    // Only the user gets the user-signing key.
    let store = home.store();
    let user_signing =
        store.users.accounts.get(&call.user).and_then(|account| account.signing.get("user_signing_key"));
    if let Some(key) = user_signing.filter(|_| call.body()["device_keys"].get(&call.user).is_some()) {
        response["user_signing_keys"][&call.user] = key.clone();
    }
    Ok(response)
}

/// Adds the keys of another server's user, as they are stored here.
fn add_copy(response: &mut Value, user: &str, copy: &DeviceListCopy) {
    let keys = copy.devices.iter().filter_map(|(id, device)| {
        let mut keys = device.get("keys").filter(|keys| keys.is_object())?.clone();
        if device["device_display_name"].is_string() {
            keys["unsigned"] = json!({"device_display_name": device["device_display_name"]});
        }
        Some((id.clone(), keys))
    });
    response["device_keys"][user] = Value::Object(keys.collect());
    add_signing_keys(response, user, &copy.signing);
}

/// Adds the cross-signing keys that all users get.
fn add_signing_keys(response: &mut Value, user: &str, signing: &BTreeMap<String, Value>) {
    for key in SIGNING {
        if let Some(held) = signing.get(key) {
            response[format!("{key}s")][user] = held.clone();
        }
    }
}

/// Adds the keys of another server's users, as that server returns them (server-server API, end-to-end encryption).
async fn request_keys(home: &Homeserver, server: &str, users: Object, response: &mut Value) {
    if users.is_empty() {
        return;
    }
    let body = json!({ "device_keys": users });
    let target = USER_KEYS_QUERY.template;
    let theirs = requests::request(home, "POST", server, target, Some(&body)).await;
    let Some(theirs) = theirs.ok().filter(|theirs| theirs.is_success()) else {
        response["failures"][server] = json!({"status": 503});
        return;
    };
    let theirs = theirs.json();
    for list in ["device_keys", "master_keys", "self_signing_keys"] {
        for user in users.keys().filter(|user| theirs[list][user.as_str()].is_object()) {
            response[list][user] = theirs[list][user].clone();
        }
    }
}

/// The keys of users of this server, for any user.
pub(crate) fn own_keys(home: &Homeserver, wanted: &Value) -> Value {
    let store = home.store();
    let mut response = json!({"device_keys": {}, "master_keys": {}, "self_signing_keys": {}});
    for (user, devices) in wanted.as_object().into_iter().flatten() {
        if let Some(keys) = keys_of_other_server(home, &store, user) {
            response["device_keys"][user] = Value::Object(keys);
            continue;
        }
        let Some(account) = store.users.accounts.get(user) else { continue };
        response["device_keys"][user] = Value::Object(device_keys(account, devices));
        add_signing_keys(&mut response, user, &account.signing);
        if serves_user_signing_key(home) {
            response["user_signing_keys"][user] = json!(account.signing.get("user_signing_key"));
        }
    }
    response
}

/// The device keys of another server's user, as a faulty server returns them.
fn keys_of_other_server(home: &Homeserver, store: &Store, user: &str) -> Option<Object> {
    if !home.has(Fault::DevicesOfOtherServersServed) {
        return None;
    }
    let copy = store.edus.device_lists.copies.get(user)?;
    Some(copy.devices.iter().map(|(id, device)| (id.clone(), device["keys"].clone())).collect())
}

fn serves_user_signing_key(home: &Homeserver) -> bool {
    home.has(Fault::UserSigningKeyServed)
}

pub(super) async fn claim_keys(home: &Homeserver, call: &ClientRequest) -> JsonResult {
    let mut response = json!({"one_time_keys": {}, "failures": {}});
    for (server, users) in by_server(&call.body()["one_time_keys"]) {
        let wanted = Value::Object(users);
        if server == home.name() {
            add(&mut response, &claim_own_keys(home, &wanted));
            continue;
        }
        let target = USER_KEYS_CLAIM.template;
        let body = json!({ "one_time_keys": wanted });
        let theirs = requests::request(home, "POST", &server, target, Some(&body)).await;
        match theirs.ok().filter(|theirs| theirs.is_success()) {
            // Only the keys of users that were requested count.
            Some(theirs) => {
                let theirs = theirs.json();
                for user in wanted.as_object().into_iter().flatten().map(|(user, _)| user) {
                    if theirs["one_time_keys"][user].is_object() {
                        response["one_time_keys"][user] = theirs["one_time_keys"][user].clone();
                    }
                }
            }
            None => response["failures"][&server] = json!({"status": 503}),
        }
    }
    Ok(response)
}

/// Takes one-time keys of users of this server.
pub(crate) fn claim_own_keys(home: &Homeserver, wanted: &Value) -> Value {
    let mut store = home.store();
    let mut response = json!({ "one_time_keys": {} });
    for (user, devices) in wanted.as_object().into_iter().flatten() {
        for (device, algorithm) in devices.as_object().into_iter().flatten() {
            let Some(held) = store.users.device_mut(user, device) else { continue };
            if let Some((id, key)) = claim(home, held, algorithm.as_str().unwrap_or_default()) {
                response["one_time_keys"][user][device] = json!({ id: key });
            }
        }
    }
    drop(store);
    response
}

pub(super) fn upload_signing_keys(home: &Homeserver, call: &ClientRequest) -> JsonResult {
    let mut is_for_servers = false;
    if let Some(account) = home.store().users.account_mut(&call.user) {
        for name in ["master_key", "self_signing_key", "user_signing_key"] {
            let key = &call.body()[name];
            if key.is_object() {
                is_for_servers |= SIGNING.contains(&name);
                account.signing.insert(name.to_owned(), stored_key(home, key));
            }
        }
    }
    if is_for_servers {
        send_signing_keys(home, &call.user);
    }
    Ok(json!({}))
}

/// A cross-signing key as it is stored.
fn stored_key(home: &Homeserver, key: &Value) -> Value {
    let mut key = key.clone();
    if home.has(Fault::SigningKeysWrongIds) {
        let public = key["keys"].as_object().and_then(|keys| keys.values().next().cloned());
        key["keys"] = json!({ "ed25519:1": public });
    }
    key
}

/// Adds signatures to the user's own keys; those on other users' keys are not stored.
pub(super) fn upload_signatures(home: &Homeserver, call: &ClientRequest) -> JsonResult {
    let mut changed = Vec::new();
    let mut of_user = false;
    if let Some(account) = home.store().users.account_mut(&call.user) {
        for (id, signed) in call.body()[&call.user].as_object().into_iter().flatten() {
            if let Some(device) = account.devices.get_mut(id).filter(|device| device.keys.is_object()) {
                add(&mut device.keys["signatures"], &signed["signatures"]);
                changed.push(id.clone());
                continue;
            }
            let is_it = |key: &&mut Value| {
                key["keys"].as_object().is_some_and(|keys| keys.values().any(|key| *key == **id))
            };
            if let Some(key) = account.signing.values_mut().find(is_it) {
                add(&mut key["signatures"], &signed["signatures"]);
                of_user = true;
            }
        }
    }
    for device in &changed {
        send_device(home, &call.user, device);
    }
    if of_user {
        send_signing_keys(home, &call.user);
    }
    Ok(json!({ "failures": {} }))
}

/// Adds objects to objects, at every depth. Other values are replaced.
fn add(to: &mut Value, more: &Value) {
    let Some(more) = more.as_object() else {
        *to = more.clone();
        return;
    };
    if !to.is_object() {
        *to = json!({});
    }
    for (key, value) in more {
        add(&mut to[key], value);
    }
}
