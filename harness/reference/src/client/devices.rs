//! The user's devices (client-server API, device management).

use serde_json::{Value, json};

use super::{Call, not_found};
use crate::{homeserver::Homeserver, reply::Reply};

impl Homeserver {
    pub(super) fn list_devices(&self, call: &Call<'_>) -> Reply {
        let known = self.known();
        let account = known.users.accounts.get(&call.user);
        let devices = account.into_iter().flat_map(|account| &account.devices);
        let shown = devices.map(|(id, device)| json!({"device_id": id, "display_name": device.display_name}));
        Ok(json!({ "devices": shown.collect::<Vec<_>>() }))
    }

    pub(super) fn one_device(&self, call: &Call<'_>, id: &str) -> Reply {
        let known = self.known();
        match known.users.device(&call.user, id) {
            Some(device) => Ok(json!({"device_id": id, "display_name": device.display_name})),
            None => not_found("no such device"),
        }
    }

    pub(super) fn rename_device(&self, call: &Call<'_>, id: &str) -> Reply {
        match self.known().users.device_mut(&call.user, id) {
            Some(device) => device.display_name = call.body()["display_name"].as_str().map(str::to_owned),
            None => return not_found("no such device"),
        }
        self.device_changed(&call.user, id);
        Ok(json!({}))
    }

    pub(super) fn delete_devices(&self, call: &Call<'_>, ids: &[String]) -> Reply {
        for id in ids {
            if self.known().users.remove_device(&call.user, id) {
                self.device_changed(&call.user, id);
            }
        }
        Ok(json!({}))
    }

    pub(super) fn delete_named_devices(&self, call: &Call<'_>) -> Reply {
        let named = call.body()["devices"].as_array().into_iter().flatten();
        let ids: Vec<_> = named.filter_map(Value::as_str).map(str::to_owned).collect();
        self.delete_devices(call, &ids)
    }
}
