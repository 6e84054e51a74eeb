//! Changes of devices and of cross-signing keys (client-server API, end-to-end encryption; server-server API, device
//! management).

use std::collections::BTreeSet;

use samklang_matrix::{endpoints::paths, server_of};
use serde_json::{Map, Value, json};

use super::may_send_about;
use crate::{
    edu_types::OutgoingEdu,
    fault::Fault,
    homeserver::Homeserver,
    outbox, requests,
    store::{
        Rooms, Store,
        device_lists::{DeviceListCopy, SIGNING},
        held_room::HeldRoom,
        users::UserAccount,
    },
};

/// Tells all servers that share a room with a user of this server that a device is new, changed or gone.
pub(crate) fn send_device(home: &Homeserver, user: &str, device: &str) {
    let mut store = home.store();
    store.note_device_change(user);
    let servers = store.rooms.servers_sharing_with(user);
    let content = store.users.account_mut(user).map(|account| {
        let before = account.device_stream;
        account.device_stream = stream_after(home, before);
        let mut content = device_update(account, user, device);
        content["prev_id"] = json!(if before == 0 { vec![] } else { vec![before] });
        if !account.devices.contains_key(device) {
            content["deleted"] = json!(true);
        }
        content
    });
    drop(store);
    if let Some(content) = content {
        outbox::send_edu(home, &servers, OutgoingEdu::DeviceChange, content);
    }
    home.announce();
}

/// The stream ID of the update after another.
fn stream_after(home: &Homeserver, before: i64) -> i64 {
    if home.has(Fault::DeviceStreamIdsConstant) { before } else { before + 1 }
}

fn device_update(account: &UserAccount, user: &str, device: &str) -> Value {
    let mut content = account.device_for_servers(device);
    content["user_id"] = json!(user);
    content["stream_id"] = json!(account.device_stream);
    content["prev_id"] = json!([]);
    content
}

/// Tells all servers that share a room with a user of this server the user's new cross-signing keys.
pub(crate) fn send_signing_keys(home: &Homeserver, user: &str) {
    let mut store = home.store();
    store.note_device_change(user);
    let servers = store.rooms.servers_sharing_with(user);
    let mut content = json!({ "user_id": user });
    for key in keys_for_servers(home) {
        let held = store.users.accounts.get(user).and_then(|account| account.signing.get(*key));
        if let Some(held) = held {
            content[key] = held.clone();
        }
    }
    drop(store);
    outbox::send_edu(home, &servers, OutgoingEdu::SigningKeys, content);
    home.announce();
}

/// The cross-signing keys that the server sends.
fn keys_for_servers(home: &Homeserver) -> &'static [&'static str] {
    if home.has(Fault::UserSigningKeySent) { &[SIGNING[0], SIGNING[1], "user_signing_key"] } else { &SIGNING }
}

/// Tells the servers that did not share a room with a user of this server before the user joined this one the user's
/// devices.
pub(super) fn send_devices_of_new_member(home: &Homeserver, room: &str, user: &str) {
    if !home.is_own(user) {
        return;
    }
    let (servers, contents) = {
        let store = home.store();
        let Some(held) = store.rooms.get(room) else { return };
        let elsewhere = store.rooms.joined_by(user).filter(|other| other.room.id() != room);
        let told: BTreeSet<_> = elsewhere.flat_map(HeldRoom::servers).collect();
        let servers: BTreeSet<_> = held.servers().difference(&told).cloned().collect();
        let account = store.users.accounts.get(user).into_iter();
        let updates = account.flat_map(|account| {
            account.devices_with_keys().map(|id| device_update(account, user, id)).collect::<Vec<_>>()
        });
        (servers, updates.collect::<Vec<_>>())
    };
    for content in contents {
        outbox::send_edu(home, &servers, OutgoingEdu::NewMembersDevice, content);
    }
}

/// Drops the copies of device lists that no server updates any more, since their users share no room.
pub(super) fn drop_unshared_copies(home: &Homeserver, user: &str) {
    let mut store = home.store();
    let gone: Vec<_> = if home.is_own(user) {
        store.edus.device_lists.copies.keys().cloned().collect()
    } else {
        vec![user.to_owned()]
    };
    for user in gone {
        if !store.rooms.share(&user, home.name()) {
            store.edus.device_lists.copies.remove(&user);
        }
    }
}

pub(super) fn receive_device(home: &Homeserver, origin: &str, content: &Value) {
    let text = |key: &str| content[key].as_str();
    let (Some(user), Some(device), Some(stream)) =
        (text("user_id"), text("device_id"), content["stream_id"].as_i64())
    else {
        return;
    };
    let mut store = home.store();
    overwrite_own_device(home, &mut store, user, device, content);
    if !accepts_device(home, &store.rooms, origin, user) {
        return;
    }
    let before: Vec<_> =
        content["prev_id"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
    // A list that was not requested yet is requested when a client needs it.
    if let Some(copy) = store.edus.device_lists.copies.get_mut(user) {
        if before.iter().any(|stream| !copy.streams.contains(stream)) {
            drop(store);
            let user = user.to_owned();
            home.in_background(|home| async move { fetch_again(&home, &user).await });
            return;
        }
        copy.streams.insert(stream);
        update(copy, device, content);
    }
    store.note_device_change(user);
}

/// Applies an update to a copy.
fn update(copy: &mut DeviceListCopy, device: &str, content: &Value) {
    if content["deleted"] == true {
        copy.devices.remove(device);
        return;
    }
    let fields = ["device_id", "device_display_name", "keys"];
    let entry: Map<_, _> =
        fields.into_iter().filter_map(|key| Some((key.to_owned(), content.get(key)?.clone()))).collect();
    copy.devices.insert(device.to_owned(), Value::Object(entry));
}

/// The change that a faulty server makes to an update of its own users' devices.
fn overwrite_own_device(home: &Homeserver, store: &mut Store, user: &str, device: &str, content: &Value) {
    if home.has(Fault::OwnDevicesOverwritten)
        && let Some(account) = store.users.account_mut(user)
    {
        account.devices.entry(device.to_owned()).or_default().keys = content["keys"].clone();
    }
}

fn accepts_device(home: &Homeserver, rooms: &Rooms, origin: &str, user: &str) -> bool {
    let careless = home.has(Fault::DevicesOfOtherServersAccepted) && rooms.share(user, home.name());
    careless || may_send_about(rooms, origin, user, home.name())
}

pub(super) fn receive_signing_keys(home: &Homeserver, origin: &str, content: &Value) {
    let Some(user) = content["user_id"].as_str() else { return };
    let mut store = home.store();
    overwrite_own_signing_keys(home, &mut store, user, content);
    if !accepts_signing_keys(home, &store.rooms, origin, user)
        || !SIGNING.iter().any(|key| content[key].is_object())
    {
        return;
    }
    if let Some(copy) = store.edus.device_lists.copies.get_mut(user) {
        copy.set_signing(content);
    }
    store.note_device_change(user);
}

/// The change that a faulty server makes to an update of its own users' cross-signing keys.
fn overwrite_own_signing_keys(home: &Homeserver, store: &mut Store, user: &str, content: &Value) {
    if home.has(Fault::OwnSigningKeysOverwritten)
        && let Some(account) = store.users.account_mut(user)
    {
        account.signing.insert("master_key".to_owned(), content["master_key"].clone());
    }
}

fn accepts_signing_keys(home: &Homeserver, rooms: &Rooms, origin: &str, user: &str) -> bool {
    let careless = home.has(Fault::SigningKeysOfOtherServersAccepted) && rooms.share(user, home.name());
    careless || may_send_about(rooms, origin, user, home.name())
}

/// Fetches the whole list of a user's devices: a single update that the copy lacks cannot be requested (device management).
async fn fetch_again(home: &Homeserver, user: &str) {
    home.store().edus.device_lists.copies.remove(user);
    devices_of(home, user).await;
    home.store().note_device_change(user);
    home.announce();
}

/// The devices of another server's user: the copy that is held, or a new one. A copy is kept as long as the user shares a
/// room, since only then the user's server sends updates.
pub(crate) async fn devices_of(home: &Homeserver, user: &str) -> Option<DeviceListCopy> {
    if let Some(copy) = home.store().edus.device_lists.copies.get(user) {
        return Some(copy.clone());
    }
    let target = paths::user_devices(user);
    let response = requests::request(home, "GET", server_of(user)?, &target, None).await.ok()?;
    let copy = DeviceListCopy::read(&response.json()).filter(|_| response.is_success())?;
    let mut store = home.store();
    if store.rooms.share(user, home.name()) {
        store.edus.device_lists.copies.insert(user.to_owned(), copy.clone());
    }
    Some(copy)
}
