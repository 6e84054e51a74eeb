//! Whose devices and keys have changed (client-server API, end-to-end encryption; server-server API, device management).

use std::collections::{BTreeMap, BTreeSet};

use samklang_matrix::server_of;
use serde_json::{Map, Value, json};

use crate::{
    client::Account,
    fault::Fault,
    held_room::HeldRoom,
    homeserver::{Homeserver, Known, Position},
    joining::segment,
};

/// What is known of devices beyond the accounts.
#[derive(Default)]
pub(crate) struct DeviceLists {
    /// When a user's devices or keys changed last, by user.
    pub(crate) changes: BTreeMap<String, Position>,
    /// The devices of other servers' users, as far as they were asked for, by user.
    pub(crate) copies: BTreeMap<String, Copy>,
}

/// The devices of another server's user. It is brought up to date by that server's signals.
#[derive(Debug, Clone, Default)]
pub(crate) struct Copy {
    /// The ids of the changes it holds.
    streams: BTreeSet<i64>,
    /// Each with `device_id`, `keys` and `device_display_name`, by id.
    pub(crate) devices: BTreeMap<String, Value>,
    /// `master_key` and `self_signing_key`, as far as there are.
    pub(crate) signing: BTreeMap<String, Value>,
}

/// The cross-signing keys that other servers are told of.
pub(crate) const SIGNING: [&str; 2] = ["master_key", "self_signing_key"];

impl Account {
    /// A device as other servers are told of it.
    fn device_for_servers(&self, id: &str) -> Value {
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
        let ids = self.devices.iter().filter(|(_, device)| !device.keys.is_null()).map(|(id, _)| id);
        let devices: Vec<_> = ids.map(|id| self.device_for_servers(id)).collect();
        let mut answer = json!({"user_id": user, "stream_id": self.device_stream, "devices": devices});
        for key in SIGNING {
            if let Some(held) = self.signing.get(key) {
                answer[key] = held.clone();
            }
        }
        answer
    }
}

impl Copy {
    /// What a server says of a user's devices; none where it is not of the right form.
    fn read(answer: &Value) -> Option<Self> {
        let mut copy = Self { streams: BTreeSet::from([answer["stream_id"].as_i64()?]), ..Self::default() };
        for device in answer["devices"].as_array()? {
            copy.devices.insert(device["device_id"].as_str()?.to_owned(), device.clone());
        }
        copy.take_signing(answer);
        Some(copy)
    }

    fn take_signing(&mut self, keys: &Value) {
        for key in SIGNING.into_iter().filter(|key| keys[key].is_object()) {
            self.signing.insert(key.to_owned(), keys[key].clone());
        }
    }
}

impl Known {
    /// Notes that something of a user's devices or keys has changed.
    fn note_change(&mut self, user: &str) {
        let position = self.next_position();
        self.device_lists.changes.insert(user.to_owned(), position);
    }
}

impl Homeserver {
    /// Tells all who share a room with a user of this server that a device is new, changed or gone.
    pub(crate) fn device_changed(&self, user: &str, device: &str) {
        let mut known = self.known();
        known.note_change(user);
        let servers = known.servers_with(user);
        let content = known.users.account(user).map(|account| {
            let before = account.device_stream;
            if !self.has(Fault::DeviceStreamStands) {
                account.device_stream += 1;
            }
            let mut content = account.device_for_servers(device);
            content["user_id"] = json!(user);
            content["stream_id"] = json!(account.device_stream);
            content["prev_id"] = json!(if before == 0 { vec![] } else { vec![before] });
            if self.has(Fault::DeviceNamesNull) && content.get("device_display_name").is_none() {
                content["device_display_name"] = Value::Null;
            }
            if self.has(Fault::DeviceChainBroken) {
                content["prev_id"] = json!([]);
            }
            if !account.devices.contains_key(device) {
                content["deleted"] = json!(true);
            }
            content
        });
        drop(known);
        if let Some(content) = content.filter(|_| !self.has(Fault::DeviceChangesNotTold)) {
            self.send_edu(&servers, "m.device_list_update", &content);
        }
        self.announce();
    }

    /// Tells all who share a room with a user of this server of new cross-signing keys.
    pub(crate) fn signing_keys_changed(&self, user: &str) {
        let mut known = self.known();
        known.note_change(user);
        let servers = known.servers_with(user);
        let mut content = json!({ "user_id": user });
        let told: &[&str] = if self.has(Fault::UserSigningKeyTold) {
            &[SIGNING[0], SIGNING[1], "user_signing_key"]
        } else {
            &SIGNING
        };
        for key in told.iter().copied() {
            let held = known.users.accounts.get(user).and_then(|account| account.signing.get(key));
            if let Some(held) = held {
                content[key] = held.clone();
            }
        }
        drop(known);
        if !self.has(Fault::SigningKeysNotTold) {
            self.send_edu(&servers, "m.signing_key_update", &content);
        }
        self.announce();
    }

    /// Tells servers that get to know a user of this server by the user's coming of that user's devices.
    pub(super) fn tell_newcomer_devices(&self, room: &str, user: &str) {
        if !self.is_own(user) {
            return;
        }
        let (servers, contents) = {
            let known = self.known();
            let Some(held) = known.rooms.get(room) else { return };
            let elsewhere = known.rooms_of(user).filter(|other| other.room.id() != room);
            let told: BTreeSet<_> = elsewhere.flat_map(HeldRoom::servers).collect();
            let servers: BTreeSet<_> = held.servers().difference(&told).cloned().collect();
            let account = known.users.accounts.get(user);
            let contents: Vec<_> = account
                .into_iter()
                .flat_map(|account| {
                    let ids =
                        account.devices.iter().filter(|(_, device)| !device.keys.is_null()).map(|(id, _)| id);
                    ids.map(|id| {
                        let mut content = account.device_for_servers(id);
                        content["user_id"] = json!(user);
                        content["stream_id"] = json!(account.device_stream);
                        content["prev_id"] = json!([]);
                        content
                    })
                })
                .collect();
            (servers, contents)
        };
        for content in contents {
            self.send_edu(&servers, "m.device_list_update", &content);
        }
    }

    /// A copy of the devices of who shares no room any more would grow old.
    pub(super) fn forget_devices(&self, user: &str) {
        let mut known = self.known();
        let gone: Vec<_> = if self.is_own(user) {
            known.device_lists.copies.keys().cloned().collect()
        } else {
            vec![user.to_owned()]
        };
        for user in gone {
            if !known.is_met(&user, self.name()) {
                known.device_lists.copies.remove(&user);
            }
        }
    }

    pub(super) fn hear_device(&self, origin: &str, content: &Value) {
        let text = |key: &str| content[key].as_str();
        let (Some(user), Some(device), Some(stream)) =
            (text("user_id"), text("device_id"), content["stream_id"].as_i64())
        else {
            return;
        };
        let mut known = self.known();
        if self.has(Fault::DevicesOfOwnHeard)
            && let Some(account) = known.users.account(user)
        {
            account.devices.entry(device.to_owned()).or_default().keys = content["keys"].clone();
        }
        let unowned = self.has(Fault::DevicesOfOthersHeard) && known.is_met(user, self.name());
        if !unowned && !known.concerns(origin, user, self.name()) {
            return;
        }
        let follows: Vec<_> =
            content["prev_id"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
        // What was not asked for yet is asked for when somebody wants to know.
        if let Some(copy) = known.device_lists.copies.get_mut(user) {
            if follows.iter().any(|stream| !copy.streams.contains(stream)) {
                drop(known);
                let user = user.to_owned();
                self.in_background(|me| async move { me.fetch_devices_anew(&user).await });
                return;
            }
            copy.streams.insert(stream);
            if content["deleted"] == true {
                copy.devices.remove(device);
            } else {
                let fields = ["device_id", "device_display_name", "keys"];
                let entry: Map<_, _> = fields
                    .into_iter()
                    .filter_map(|key| Some((key.to_owned(), content.get(key)?.clone())))
                    .collect();
                copy.devices.insert(device.to_owned(), Value::Object(entry));
            }
        }
        known.note_change(user);
    }

    pub(super) fn hear_signing_keys(&self, origin: &str, content: &Value) {
        let Some(user) = content["user_id"].as_str() else { return };
        let mut known = self.known();
        if self.has(Fault::SigningKeysOfOwnHeard)
            && let Some(account) = known.users.account(user)
        {
            account.signing.insert("master_key".to_owned(), content["master_key"].clone());
        }
        let unowned = self.has(Fault::SigningKeysOfOthersHeard) && known.is_met(user, self.name());
        if !(unowned || known.concerns(origin, user, self.name()))
            || !SIGNING.iter().any(|key| content[key].is_object())
        {
            return;
        }
        if let Some(copy) = known.device_lists.copies.get_mut(user) {
            copy.take_signing(content);
        }
        known.note_change(user);
    }

    /// A change that this copy lacks cannot be had by itself: the whole list is fetched (device management).
    async fn fetch_devices_anew(&self, user: &str) {
        self.known().device_lists.copies.remove(user);
        self.copy_devices(user).await;
        self.known().note_change(user);
        self.announce();
    }

    /// The devices of another server's user: the copy that is held, or a new one, which is kept as long as the user
    /// shares a room, since only then its server tells what changes.
    pub(crate) async fn copy_devices(&self, user: &str) -> Option<Copy> {
        if let Some(copy) = self.known().device_lists.copies.get(user) {
            return Some(copy.clone());
        }
        let target = format!("/_matrix/federation/v1/user/devices/{}", segment(user));
        let answer = self.ask("GET", server_of(user)?, &target, None).await.ok()?;
        let copy = Copy::read(&answer.json()).filter(|_| answer.is_success())?;
        let mut known = self.known();
        if known.is_met(user, self.name()) {
            known.device_lists.copies.insert(user.to_owned(), copy.clone());
        }
        Some(copy)
    }
}
