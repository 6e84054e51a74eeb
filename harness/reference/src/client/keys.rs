//! Keys of devices and of users (client-server API, key distribution, cross-signing).

use std::collections::BTreeMap;

use samklang_matrix::server_of;
use serde_json::{Map, Value, json};

use super::{Account, Call};
use crate::{
    fault::Fault,
    homeserver::Homeserver,
    reply::{Reply, refuse},
    signals::devices::SIGNING,
};

type Object = Map<String, Value>;

/// Users and what is asked of each, by server.
fn by_server(asked: &Value) -> BTreeMap<String, Object> {
    let mut servers: BTreeMap<String, Object> = BTreeMap::new();
    for (user, what) in asked.as_object().into_iter().flatten() {
        if let Some(server) = server_of(user) {
            servers.entry(server.to_owned()).or_default().insert(user.clone(), what.clone());
        }
    }
    servers
}

fn own((user, wanted): (&String, &Value)) -> (String, Value) {
    (user.clone(), wanted.clone())
}

/// How many keys there are of each algorithm, whose name the keys' ids begin with.
pub(super) fn counted(keys: &BTreeMap<String, Value>) -> Value {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::from([("signed_curve25519", 0)]);
    for id in keys.keys() {
        *counts.entry(id.split(':').next().unwrap_or_default()).or_default() += 1;
    }
    json!(counts)
}

impl Account {
    /// The keys of all devices, or of those that are wanted.
    fn device_keys(&self, wanted: &Value) -> Object {
        let wanted: Vec<_> = wanted.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let devices = self.devices.iter().filter(|(id, device)| {
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

    /// Gives out a one-time key of a device's, each but once unless it `keeps` them, or the key that is there for when none
    /// is left.
    fn claim(&mut self, device: &str, algorithm: &str, keeps: bool) -> Option<(String, Value)> {
        let device = self.devices.get_mut(device)?;
        let is_one = |id: &&String| id.split(':').next() == Some(algorithm);
        if let Some(id) = device.one_time_keys.keys().find(is_one).cloned() {
            let key = device.one_time_keys.get(&id)?.clone();
            if !keeps {
                device.one_time_keys.remove(&id);
            }
            return Some((id, key));
        }
        let id = device.fallback_keys.keys().find(is_one).cloned()?;
        device.used_fallback_keys.insert(algorithm.to_owned());
        Some((id.clone(), device.fallback_keys.get(&id)?.clone()))
    }
}

impl Homeserver {
    pub(super) fn upload_keys(&self, call: &Call<'_>) -> Reply {
        let body = call.body();
        let keys = &body["device_keys"];
        if keys.is_object() && (keys["user_id"] != *call.user || keys["device_id"] != *call.device) {
            return refuse(400, "M_INVALID_PARAM", "the device keys are another device's");
        }
        let mut known = self.known();
        let Some(device) = known.users.device_mut(&call.user, &call.device) else {
            return refuse(400, "M_UNKNOWN", "the device is gone");
        };
        let changed = keys.is_object() && device.keys != *keys;
        if changed {
            device.keys = keys.clone();
        }
        let given = |name: &str| body[name].as_object().cloned().unwrap_or_default();
        device.one_time_keys.extend(given("one_time_keys"));
        for (id, key) in given("fallback_keys") {
            let algorithm = id.split(':').next().unwrap_or_default().to_owned();
            device.fallback_keys.retain(|id, _| id.split(':').next() != Some(&algorithm));
            device.used_fallback_keys.remove(&algorithm);
            device.fallback_keys.insert(id, key);
        }
        let counts = counted(&device.one_time_keys);
        drop(known);
        if changed {
            self.device_changed(&call.user, &call.device);
        }
        Ok(json!({ "one_time_key_counts": counts }))
    }

    pub(super) async fn query_keys(&self, call: &Call<'_>) -> Reply {
        let mut answer = json!({
            "device_keys": {}, "master_keys": {}, "self_signing_keys": {}, "user_signing_keys": {}, "failures": {},
        });
        for (server, mut users) in by_server(&call.body()["device_keys"]) {
            if server == self.name() {
                add(&mut answer, &self.own_keys(&Value::Object(users)));
                continue;
            }
            // Of who shares no room nothing is kept, since nobody tells what changes.
            let strangers: Object = {
                let known = self.known();
                users.iter().filter(|(user, _)| !known.is_met(user, self.name())).map(own).collect()
            };
            users.retain(|user, _| !strangers.contains_key(user));
            self.ask_for_keys(&server, strangers, &mut answer).await;
            for user in users.keys() {
                match self.copy_devices(user).await {
                    Some(copy) => {
                        let keys = copy.devices.iter().filter_map(|(id, device)| {
                            let mut keys = device.get("keys").filter(|keys| keys.is_object())?.clone();
                            if device["device_display_name"].is_string() {
                                keys["unsigned"] =
                                    json!({"device_display_name": device["device_display_name"]});
                            }
                            Some((id.clone(), keys))
                        });
                        answer["device_keys"][user] = Value::Object(keys.collect());
                        for key in SIGNING {
                            if let Some(held) = copy.signing.get(key) {
                                answer[format!("{key}s")][user] = held.clone();
                            }
                        }
                    }
                    None => answer["failures"][&server] = json!({"status": 503}),
                }
            }
        }
        // The keys that a user signs others with are the user's own affair.
        let known = self.known();
        let user_signing =
            known.users.accounts.get(&call.user).and_then(|account| account.signing.get("user_signing_key"));
        if let Some(key) = user_signing.filter(|_| call.body()["device_keys"].get(&call.user).is_some()) {
            answer["user_signing_keys"][&call.user] = key.clone();
        }
        Ok(answer)
    }

    /// Adds what another server says of the keys of users of its own (server-server API, end-to-end encryption).
    async fn ask_for_keys(&self, server: &str, users: Object, answer: &mut Value) {
        if users.is_empty() {
            return;
        }
        let body = json!({ "device_keys": users });
        let given = self.ask("POST", server, "/_matrix/federation/v1/user/keys/query", Some(&body)).await;
        let Some(given) = given.ok().filter(|given| given.is_success()) else {
            answer["failures"][server] = json!({"status": 503});
            return;
        };
        let given = given.json();
        for list in ["device_keys", "master_keys", "self_signing_keys"] {
            for user in users.keys().filter(|user| given[list][user.as_str()].is_object()) {
                answer[list][user] = given[list][user].clone();
            }
        }
    }

    /// The keys of users of this server, as anybody is told them.
    pub(crate) fn own_keys(&self, wanted: &Value) -> Value {
        let known = self.known();
        let mut answer = json!({"device_keys": {}, "master_keys": {}, "self_signing_keys": {}});
        for (user, devices) in wanted.as_object().into_iter().flatten() {
            if self.has(Fault::DevicesForOthers)
                && let Some(copy) = known.device_lists.copies.get(user)
            {
                let keys = copy.devices.iter().map(|(id, device)| (id.clone(), device["keys"].clone()));
                answer["device_keys"][user] = Value::Object(keys.collect());
                continue;
            }
            let Some(account) = known.users.accounts.get(user) else { continue };
            answer["device_keys"][user] = Value::Object(account.device_keys(devices));
            for key in SIGNING {
                if let Some(held) = account.signing.get(key) {
                    answer[format!("{key}s")][user] = held.clone();
                }
            }
            if self.has(Fault::UserSigningKeyGiven) {
                answer["user_signing_keys"][user] = json!(account.signing.get("user_signing_key"));
            }
        }
        answer
    }

    pub(super) async fn claim_keys(&self, call: &Call<'_>) -> Reply {
        let mut answer = json!({"one_time_keys": {}, "failures": {}});
        for (server, users) in by_server(&call.body()["one_time_keys"]) {
            let wanted = Value::Object(users);
            if server == self.name() {
                add(&mut answer, &self.claim_own_keys(&wanted));
                continue;
            }
            let target = "/_matrix/federation/v1/user/keys/claim";
            let given = self.ask("POST", &server, target, Some(&json!({ "one_time_keys": wanted }))).await;
            match given.ok().filter(|given| given.is_success()) {
                // A server gives keys of those it was asked for.
                Some(given) => {
                    let given = given.json();
                    for user in wanted.as_object().into_iter().flatten().map(|(user, _)| user) {
                        if given["one_time_keys"][user].is_object() {
                            answer["one_time_keys"][user] = given["one_time_keys"][user].clone();
                        }
                    }
                }
                None => answer["failures"][&server] = json!({"status": 503}),
            }
        }
        Ok(answer)
    }

    /// Gives out one-time keys of users of this server.
    pub(crate) fn claim_own_keys(&self, wanted: &Value) -> Value {
        let mut known = self.known();
        let mut answer = json!({ "one_time_keys": {} });
        for (user, devices) in wanted.as_object().into_iter().flatten() {
            let Some(account) = known.users.account(user) else { continue };
            for (device, algorithm) in devices.as_object().into_iter().flatten() {
                let keeps = self.has(Fault::KeysGivenTwice);
                if let Some((id, key)) = account.claim(device, algorithm.as_str().unwrap_or_default(), keeps)
                {
                    answer["one_time_keys"][user][device] = json!({ id: key });
                }
            }
        }
        drop(known);
        answer
    }

    pub(super) fn upload_signing_keys(&self, call: &Call<'_>) -> Reply {
        let mut told = false;
        if let Some(account) = self.known().users.account(&call.user) {
            for name in ["master_key", "self_signing_key", "user_signing_key"] {
                let key = &call.body()[name];
                if key.is_object() {
                    told |= SIGNING.contains(&name);
                    let mut key = key.clone();
                    if self.has(Fault::SigningKeysOdd) {
                        let public = key["keys"].as_object().and_then(|keys| keys.values().next().cloned());
                        key["keys"] = json!({ "ed25519:1": public });
                    }
                    account.signing.insert(name.to_owned(), key);
                }
            }
        }
        if told {
            self.signing_keys_changed(&call.user);
        }
        Ok(json!({}))
    }

    /// Adds signatures to the user's own keys; those on others' keys are not kept.
    pub(super) fn upload_signatures(&self, call: &Call<'_>) -> Reply {
        let mut changed = Vec::new();
        let mut of_user = false;
        if let Some(account) = self.known().users.account(&call.user) {
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
            self.device_changed(&call.user, device);
        }
        if of_user {
            self.signing_keys_changed(&call.user);
        }
        Ok(json!({ "failures": {} }))
    }
}

/// Adds objects to objects, at every depth. What is no object gives way to what is added.
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
