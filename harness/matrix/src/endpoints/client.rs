//! The endpoints of the client-server API that the harness calls by path; ruma's types call the others. Their bodies are
//! not listed: no rule judges them.

use super::{Endpoint, encoded_opaque};

/// The beginning of the path of each of these endpoints.
pub const ROOT: &str = "/_matrix/client";

/// Every endpoint in this table.
pub const ALL: &[&Endpoint] = &[
    &VERSIONS,
    &REGISTER,
    &LOGIN,
    &WHOAMI,
    &PROFILE,
    &SET_PROFILE_FIELD,
    &SYNC,
    &LEAVE,
    &FORGET,
    &UPLOAD_KEYS,
    &CLAIM_KEYS,
    &UPLOAD_SIGNING_KEYS,
    &RENAME_DEVICE,
    &SEND_TO_DEVICE,
    &ALIAS,
    &SET_ALIAS,
    &SET_VISIBILITY,
    &OPENID_TOKEN,
    &ROOM_SUMMARY,
    &THREADS,
];

macro_rules! section {
    ($file:literal) => {
        concat!("content/client-server-api/", $file)
    };
}

const ALIASES: &str = section!("_index.md#room-aliases");
const KEYS: &str = section!("modules/end_to_end_encryption.md#key-management-api");

/// The versions of the specification that the server supports.
pub const VERSIONS: Endpoint =
    Endpoint::get("versions", "/_matrix/client/versions", section!("_index.md#api-versions"));
/// Registers a user.
pub const REGISTER: Endpoint = Endpoint::post(
    "register",
    "/_matrix/client/v3/register",
    section!("_index.md#legacy-account-registration"),
);
/// Logs a user in.
pub const LOGIN: Endpoint =
    Endpoint::post("login", "/_matrix/client/v3/login", section!("_index.md#legacy-login"));
/// The user and device of an access token.
pub const WHOAMI: Endpoint = Endpoint::get(
    "whoami",
    "/_matrix/client/v3/account/whoami",
    section!("_index.md#current-account-information"),
);
/// A profile.
pub const PROFILE: Endpoint =
    Endpoint::get("profile", "/_matrix/client/v3/profile/{userId}", section!("_index.md#profiles"));
/// Sets one field of the user's own profile.
pub const SET_PROFILE_FIELD: Endpoint = Endpoint::put(
    "set-profile-field",
    "/_matrix/client/v3/profile/{userId}/{keyName}",
    section!("_index.md#profiles"),
);
/// News for a user.
pub const SYNC: Endpoint = Endpoint::get("sync", "/_matrix/client/v3/sync", section!("_index.md#syncing"));
/// Leaves a room.
pub const LEAVE: Endpoint =
    Endpoint::post("leave", "/_matrix/client/v3/rooms/{roomId}/leave", section!("_index.md#leaving-rooms"));
/// Forgets a room.
pub const FORGET: Endpoint =
    Endpoint::post("forget", "/_matrix/client/v3/rooms/{roomId}/forget", section!("_index.md#leaving-rooms"));
/// Publishes the keys of a device.
pub const UPLOAD_KEYS: Endpoint = Endpoint::post("upload-keys", "/_matrix/client/v3/keys/upload", KEYS);
/// VerifiedRequest one-time keys.
pub const CLAIM_KEYS: Endpoint = Endpoint::post("claim-keys", "/_matrix/client/v3/keys/claim", KEYS);
/// Publishes cross-signing keys.
pub const UPLOAD_SIGNING_KEYS: Endpoint = Endpoint::post(
    "upload-signing-keys",
    "/_matrix/client/v3/keys/device_signing/upload",
    section!("modules/end_to_end_encryption.md#cross-signing"),
);
/// Gives a device another name.
pub const RENAME_DEVICE: Endpoint = Endpoint::put(
    "rename-device",
    "/_matrix/client/v3/devices/{deviceId}",
    section!("modules/device_management.md"),
);
/// Sends to-device messages.
pub const SEND_TO_DEVICE: Endpoint = Endpoint::put(
    "send-to-device",
    "/_matrix/client/v3/sendToDevice/{eventType}/{txnId}",
    section!("modules/send_to_device.md"),
);
/// The room of an alias.
pub const ALIAS: Endpoint = Endpoint::get("alias", "/_matrix/client/v3/directory/room/{roomAlias}", ALIASES);
/// Gives a room an alias.
pub const SET_ALIAS: Endpoint =
    Endpoint::put("set-alias", "/_matrix/client/v3/directory/room/{roomAlias}", ALIASES);
/// Publishes a room in the room directory, or removes it.
pub const SET_VISIBILITY: Endpoint = Endpoint::put(
    "set-visibility",
    "/_matrix/client/v3/directory/list/room/{roomId}",
    section!("_index.md#published-room-directory"),
);
/// An OpenID token for a user.
pub const OPENID_TOKEN: Endpoint = Endpoint::post(
    "openid-token",
    "/_matrix/client/v3/user/{userId}/openid/request_token",
    section!("modules/openid.md"),
);
/// The summary of a room.
pub const ROOM_SUMMARY: Endpoint = Endpoint::get(
    "room-summary",
    "/_matrix/client/v1/room_summary/{roomIdOrAlias}",
    section!("_index.md#room-summaries"),
);
/// The threads of a room.
pub const THREADS: Endpoint = Endpoint::get(
    "threads",
    "/_matrix/client/v1/rooms/{roomId}/threads",
    section!("modules/threading.md#querying-threads-in-a-room"),
);

/// [`PROFILE`].
pub fn profile(user_id: &str) -> String {
    PROFILE.path(&[user_id])
}

/// [`SET_PROFILE_FIELD`].
pub fn profile_field(user_id: &str, key_name: &str) -> String {
    SET_PROFILE_FIELD.path(&[user_id, key_name])
}

/// [`LEAVE`].
pub fn leave(room_id: &str) -> String {
    LEAVE.path(&[room_id])
}

/// [`FORGET`].
pub fn forget(room_id: &str) -> String {
    FORGET.path(&[room_id])
}

/// [`RENAME_DEVICE`].
pub fn device(device_id: &str) -> String {
    RENAME_DEVICE.path(&[device_id])
}

/// [`SEND_TO_DEVICE`].
pub fn send_to_device(event_type: &str, transaction_id: &str) -> String {
    SEND_TO_DEVICE.raw_path(&[&encoded_opaque(event_type), &encoded_opaque(transaction_id)])
}

/// [`ALIAS`] and [`SET_ALIAS`].
pub fn alias(room_alias: &str) -> String {
    ALIAS.path(&[room_alias])
}

/// [`SET_VISIBILITY`].
pub fn visibility(room_id: &str) -> String {
    SET_VISIBILITY.path(&[room_id])
}

/// [`OPENID_TOKEN`].
pub fn openid_token(user_id: &str) -> String {
    OPENID_TOKEN.path(&[user_id])
}

/// [`ROOM_SUMMARY`].
pub fn room_summary(room: &str) -> String {
    ROOM_SUMMARY.path(&[room])
}

/// [`THREADS`].
pub fn threads(room_id: &str) -> String {
    THREADS.path(&[room_id])
}
