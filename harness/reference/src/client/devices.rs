//! The devices of a user (client-server API, device management).

use serde_json::{Value, json};

use super::{ClientRequest, not_found};
use crate::{edus::device_lists::send_device, homeserver::Homeserver, response::JsonResult};

pub(super) fn list_devices(home: &Homeserver, call: &ClientRequest) -> JsonResult {
    let store = home.store();
    let account = store.users.accounts.get(&call.user);
    let devices = account.into_iter().flat_map(|account| &account.devices);
    let shown = devices.map(|(id, device)| json!({"device_id": id, "display_name": device.display_name}));
    Ok(json!({ "devices": shown.collect::<Vec<_>>() }))
}

pub(super) fn one_device(home: &Homeserver, call: &ClientRequest, id: &str) -> JsonResult {
    let store = home.store();
    match store.users.device(&call.user, id) {
        Some(device) => Ok(json!({"device_id": id, "display_name": device.display_name})),
        None => not_found("there is no such device"),
    }
}

pub(super) fn rename_device(home: &Homeserver, call: &ClientRequest, id: &str) -> JsonResult {
    match home.store().users.device_mut(&call.user, id) {
        Some(device) => device.display_name = call.body()["display_name"].as_str().map(str::to_owned),
        None => return not_found("there is no such device"),
    }
    send_device(home, &call.user, id);
    Ok(json!({}))
}

pub(super) fn delete_devices(home: &Homeserver, call: &ClientRequest, ids: &[String]) -> JsonResult {
    for id in ids {
        if home.store().users.remove_device(&call.user, id) {
            send_device(home, &call.user, id);
        }
    }
    Ok(json!({}))
}

pub(super) fn delete_named_devices(home: &Homeserver, call: &ClientRequest) -> JsonResult {
    let named = call.body()["devices"].as_array().into_iter().flatten();
    let ids: Vec<_> = named.filter_map(Value::as_str).map(str::to_owned).collect();
    delete_devices(home, call, &ids)
}
