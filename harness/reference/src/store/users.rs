//! The accounts of a server's users, their devices and their access tokens.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Position, device_lists::SIGNING};

/// The users of a server.
#[derive(Default)]
pub(crate) struct Users {
    /// By user ID.
    pub(crate) accounts: BTreeMap<String, UserAccount>,
    /// By access token.
    logins: BTreeMap<String, LoginSession>,
    /// The registrations that have begun.
    pub(crate) registrations: BTreeSet<String>,
    /// The users behind the OpenID tokens that were issued.
    pub(crate) openid: BTreeMap<String, String>,
}

/// A user's account.
#[derive(Debug, Default)]
pub(crate) struct UserAccount {
    pub(crate) password: String,
    /// The profile's fields.
    pub(crate) profile: Map<String, Value>,
    /// By device ID.
    pub(crate) devices: BTreeMap<String, UserDevice>,
    /// The rooms that the user has left and forgotten.
    pub(crate) forgotten: BTreeSet<String>,
    /// The account data, by room (empty for all rooms) and type, with the position of its latest change.
    pub(crate) data: BTreeMap<(String, String), (Value, Position)>,
    /// The cross-signing keys, by `master_key`, `self_signing_key` and `user_signing_key`.
    pub(crate) signing: BTreeMap<String, Value>,
    /// The stream ID of the latest change of a device.
    pub(crate) device_stream: i64,
}

/// A device of a user.
#[derive(Debug, Default)]
pub(crate) struct UserDevice {
    pub(crate) display_name: Option<String>,
    /// The event ID that each transaction of the client resulted in, by request and transaction ID.
    pub(crate) sent: BTreeMap<(String, String), String>,
    /// The device keys, signed by the device; null where there are none.
    pub(crate) keys: Value,
    /// The one-time keys, by ID: each is returned once.
    pub(crate) one_time_keys: BTreeMap<String, Value>,
    /// The fallback keys, by ID.
    pub(crate) fallback_keys: BTreeMap<String, Value>,
    /// The algorithms whose fallback key was returned.
    pub(crate) used_fallback_keys: BTreeSet<String>,
    /// The to-device messages that the client has not acknowledged.
    pub(crate) inbox: Vec<ToDeviceMessage>,
}

/// A to-device message that waits for its device.
#[derive(Debug, Clone)]
pub(crate) struct ToDeviceMessage {
    pub(crate) event: Value,
    pub(crate) position: Position,
}

impl UserDevice {
    /// The algorithms that have a fallback key which was not returned yet.
    pub(crate) fn unused_fallback_keys(&self) -> BTreeSet<&str> {
        let algorithms = self.fallback_keys.keys().map(|id| algorithm_of(id));
        algorithms.filter(|algorithm| !self.used_fallback_keys.contains(*algorithm)).collect()
    }

    /// How many one-time keys there are of each algorithm.
    pub(crate) fn one_time_key_counts(&self) -> Value {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::from([("signed_curve25519", 0)]);
        for id in self.one_time_keys.keys() {
            *counts.entry(algorithm_of(id)).or_default() += 1;
        }
        json!(counts)
    }
}

/// The algorithm of a key, with which its ID begins.
pub(crate) fn algorithm_of(key_id: &str) -> &str {
    key_id.split(':').next().unwrap_or_default()
}

impl UserAccount {
    /// The IDs of the devices that have keys.
    pub(crate) fn devices_with_keys(&self) -> impl Iterator<Item = &String> {
        self.devices.iter().filter(|(_, device)| !device.keys.is_null()).map(|(id, _)| id)
    }

    /// A device as other servers are told it.
    pub(crate) fn device_for_servers(&self, id: &str) -> Value {
        let mut shown = json!({ "device_id": id });
        let Some(device) = self.devices.get(id) else { return shown };
        if let Some(name) = &device.display_name {
            shown["device_display_name"] = json!(name);
        }
        if !device.keys.is_null() {
            shown["keys"] = device.keys.clone();
        }
        shown
    }

    /// All devices that have keys, and the cross-signing keys (server-server API, `GET /user/devices`).
    pub(crate) fn devices_for_servers(&self, user: &str) -> Value {
        let devices: Vec<_> = self.devices_with_keys().map(|id| self.device_for_servers(id)).collect();
        let mut response = json!({"user_id": user, "stream_id": self.device_stream, "devices": devices});
        for key in SIGNING {
            if let Some(held) = self.signing.get(key) {
                response[key] = held.clone();
            }
        }
        response
    }
}

/// A user and the device that the user's client is logged in with.
#[derive(Debug, Clone)]
pub(crate) struct LoginSession {
    pub(crate) user: String,
    pub(crate) device: String,
}

impl Users {
    /// The session of an access token.
    pub(crate) fn session(&self, token: &str) -> Option<LoginSession> {
        self.logins.get(token).cloned()
    }

    pub(crate) fn account_mut(&mut self, user: &str) -> Option<&mut UserAccount> {
        self.accounts.get_mut(user)
    }

    pub(crate) fn device(&self, user: &str, device: &str) -> Option<&UserDevice> {
        self.accounts.get(user)?.devices.get(device)
    }

    pub(crate) fn device_mut(&mut self, user: &str, device: &str) -> Option<&mut UserDevice> {
        self.accounts.get_mut(user)?.devices.get_mut(device)
    }

    /// Invalidates all access tokens.
    pub(crate) fn forget_logins(&mut self) {
        self.logins.clear();
    }

    /// Removes a device; returns whether there was one.
    pub(crate) fn remove_device(&mut self, user: &str, device: &str) -> bool {
        self.log_out(user, device);
        self.accounts.get_mut(user).is_some_and(|account| account.devices.remove(device).is_some())
    }

    /// Logs a user in with a device and an access token.
    pub(crate) fn log_in(&mut self, user: &str, device: &str, display_name: Option<&str>, token: &str) {
        let account = self.accounts.entry(user.to_owned()).or_default();
        let held = account.devices.entry(device.to_owned()).or_default();
        if let Some(name) = display_name {
            held.display_name = Some(name.to_owned());
        }
        self.log_out(user, device);
        let session = LoginSession { user: user.to_owned(), device: device.to_owned() };
        self.logins.insert(token.to_owned(), session);
    }

    fn log_out(&mut self, user: &str, device: &str) {
        self.logins.retain(|_, session| session.user != user || session.device != device);
    }
}
