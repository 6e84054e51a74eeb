//! The devices of other servers' users, and when devices changed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Position, Store};

/// What is known of devices beside the accounts.
#[derive(Default)]
pub(crate) struct DeviceLists {
    /// When a user's devices or keys changed last, by user.
    pub(crate) changes: BTreeMap<String, Position>,
    /// The devices of other servers' users, as far as they were requested, by user.
    pub(crate) copies: BTreeMap<String, DeviceListCopy>,
}

/// The devices of another server's user. EDUs of that server keep it up to date.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeviceListCopy {
    /// The stream IDs of the updates that it includes.
    pub(crate) streams: BTreeSet<i64>,
    /// Each with `device_id`, `keys` and `device_display_name`, by ID.
    pub(crate) devices: BTreeMap<String, Value>,
    /// `master_key` and `self_signing_key`, as far as there are.
    pub(crate) signing: BTreeMap<String, Value>,
}

/// The cross-signing keys that other servers are told.
pub(crate) const SIGNING: [&str; 2] = ["master_key", "self_signing_key"];

impl DeviceListCopy {
    /// Reads a server's response about a user's devices; `None` where it has the wrong form.
    pub(crate) fn read(response: &Value) -> Option<Self> {
        let mut copy = Self { streams: BTreeSet::from([response["stream_id"].as_i64()?]), ..Self::default() };
        for device in response["devices"].as_array()? {
            copy.devices.insert(device["device_id"].as_str()?.to_owned(), device.clone());
        }
        copy.set_signing(response);
        Some(copy)
    }

    /// Stores the cross-signing keys that `keys` holds.
    pub(crate) fn set_signing(&mut self, keys: &Value) {
        for key in SIGNING.into_iter().filter(|key| keys[key].is_object()) {
            self.signing.insert(key.to_owned(), keys[key].clone());
        }
    }
}

impl Store {
    /// Notes that a user's devices or keys have changed.
    pub(crate) fn note_device_change(&mut self, user: &str) {
        let position = self.next_position();
        self.edus.device_lists.changes.insert(user.to_owned(), position);
    }
}
