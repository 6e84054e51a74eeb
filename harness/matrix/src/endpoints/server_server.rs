//! The server-server API. A field of the specification that differs between products without harm is not listed.

use super::{Endpoint, Field, boolean, integer, object, objects, optional, string, strings};

/// Every endpoint of the server-server API. Where a path fits two of them, the one without parameters comes first.
pub const ALL: &[&Endpoint] = &[
    &BACKFILL,
    &GET_MISSING_EVENTS,
    &EVENT_AUTH,
    &EVENT,
    &STATE,
    &STATE_IDS,
    &TIMESTAMP_TO_EVENT,
    &INVITE,
    &INVITE_V1,
    &MAKE_JOIN,
    &SEND_JOIN,
    &MAKE_KNOCK,
    &SEND_KNOCK,
    &MAKE_LEAVE,
    &SEND_LEAVE,
    &KEY_QUERY,
    &KEY_QUERIES,
    &SERVER_KEYS,
    &OPENID,
    &PUBLIC_ROOMS,
    &PUBLIC_ROOMS_SEARCH,
    &QUERY_DIRECTORY,
    &QUERY_PROFILE,
    &QUERY_OTHER,
    &POLICY_SIGN,
    &HIERARCHY,
    &ON_BIND,
    &EXCHANGE_THIRD_PARTY_INVITE,
    &SEND,
    &USER_DEVICES,
    &USER_KEYS_CLAIM,
    &USER_KEYS_QUERY,
    &MEDIA_DOWNLOAD,
    &MEDIA_THUMBNAIL,
    &VERSION,
    &WELL_KNOWN,
];

macro_rules! section {
    ($heading:literal) => {
        concat!("content/server-server-api.md#", $heading)
    };
}

const HISTORY: &str = section!("backfilling-and-retrieving-missing-events");
const EVENTS: &str = section!("retrieving-events");
const INVITING: &str = section!("inviting-to-a-room");
const JOINING: &str = section!("joining-rooms");
const KNOCKING: &str = section!("knocking-rooms");
const LEAVING: &str = section!("leaving-rooms-rejecting-invites");
const NOTARIES: &str = section!("querying-keys-through-another-server");
const DIRECTORY: &str = section!("published-room-directory");
const QUERIES: &str = section!("querying-for-information");
const THIRD_PARTY: &str = section!("third-party-invites");
const ENCRYPTION: &str = section!("end-to-end-encryption");
const MEDIA: &str = section!("content-repository");

/// A response that has the form of a transaction.
const TRANSACTION: &[Field] = &[string("origin"), integer("origin_server_ts"), objects("pdus")];
/// The template of a member event.
const TEMPLATE: &[Field] = &[
    object("event"),
    string("event/type"),
    string("event/room_id"),
    string("event/sender"),
    string("event/state_key"),
    object("event/content"),
    string("event/content/membership"),
    optional(string("room_version")),
];
const MEMBER_EVENT: &[Field] = &[
    string("type"),
    string("sender"),
    string("state_key"),
    integer("origin_server_ts"),
    object("content"),
    string("content/membership"),
];
const ROOMS: &[Field] = &[
    objects("chunk"),
    string("chunk/*/room_id"),
    integer("chunk/*/num_joined_members"),
    boolean("chunk/*/world_readable"),
    boolean("chunk/*/guest_can_join"),
    optional(string("next_batch")),
    optional(string("prev_batch")),
    optional(integer("total_room_count_estimate")),
];
const KEY_DOCUMENTS: &[Field] =
    &[objects("server_keys"), string("server_keys/*/server_name"), object("server_keys/*/verify_keys")];

/// The events before given events.
pub const BACKFILL: Endpoint = Endpoint::get("backfill", "/_matrix/federation/v1/backfill/{roomId}", HISTORY)
    .query(&["v", "limit"])
    .response(TRANSACTION);
/// The events between given events.
pub const GET_MISSING_EVENTS: Endpoint =
    Endpoint::post("get-missing-events", "/_matrix/federation/v1/get_missing_events/{roomId}", HISTORY)
        .request(&[
            strings("earliest_events"),
            strings("latest_events"),
            optional(integer("limit")),
            optional(integer("min_depth")),
        ])
        .response(&[objects("events")]);
/// The auth chain of an event.
pub const EVENT_AUTH: Endpoint = Endpoint::get(
    "event-auth",
    "/_matrix/federation/v1/event_auth/{roomId}/{eventId}",
    section!("retrieving-event-authorisation-information"),
)
.response(&[objects("auth_chain")]);
/// One event.
pub const EVENT: Endpoint =
    Endpoint::get("event", "/_matrix/federation/v1/event/{eventId}", EVENTS).response(TRANSACTION);
/// The state before an event.
pub const STATE: Endpoint = Endpoint::get("state", "/_matrix/federation/v1/state/{roomId}", EVENTS)
    .query(&["event_id"])
    .response(&[objects("pdus"), objects("auth_chain")]);
/// The event ids of the state before an event.
pub const STATE_IDS: Endpoint =
    Endpoint::get("state-ids", "/_matrix/federation/v1/state_ids/{roomId}", EVENTS)
        .query(&["event_id"])
        .response(&[strings("pdu_ids"), strings("auth_chain_ids")]);
/// The event that is closest to a time.
pub const TIMESTAMP_TO_EVENT: Endpoint =
    Endpoint::get("timestamp-to-event", "/_matrix/federation/v1/timestamp_to_event/{roomId}", EVENTS)
        .query(&["ts", "dir"])
        .response(&[string("event_id"), integer("origin_server_ts")]);
/// An invite, for the invited user's server to sign.
pub const INVITE: Endpoint =
    Endpoint::put("invite", "/_matrix/federation/v2/invite/{roomId}/{eventId}", INVITING)
        .request(&[string("room_version"), object("event"), objects("invite_room_state")])
        .response(&[object("event")]);
/// The first version of [`INVITE`], whose request is the event itself.
pub const INVITE_V1: Endpoint =
    Endpoint::put("invite-v1", "/_matrix/federation/v1/invite/{roomId}/{eventId}", INVITING);
/// The template of a join.
pub const MAKE_JOIN: Endpoint =
    Endpoint::get("make-join", "/_matrix/federation/v1/make_join/{roomId}/{userId}", JOINING)
        .response(TEMPLATE);
/// A join, for the resident server to accept.
pub const SEND_JOIN: Endpoint =
    Endpoint::put("send-join", "/_matrix/federation/v2/send_join/{roomId}/{eventId}", JOINING)
        .request(MEMBER_EVENT)
        .response(&[
            objects("state"),
            objects("auth_chain"),
            optional(object("event")),
            optional(boolean("members_omitted")),
            optional(strings("servers_in_room")),
        ]);
/// The template of a knock.
pub const MAKE_KNOCK: Endpoint =
    Endpoint::get("make-knock", "/_matrix/federation/v1/make_knock/{roomId}/{userId}", KNOCKING)
        .query(&["ver"])
        .response(TEMPLATE);
/// A knock, for the resident server to accept.
pub const SEND_KNOCK: Endpoint =
    Endpoint::put("send-knock", "/_matrix/federation/v1/send_knock/{roomId}/{eventId}", KNOCKING)
        .request(MEMBER_EVENT)
        .response(&[objects("knock_room_state")]);
/// The template of a leave.
pub const MAKE_LEAVE: Endpoint =
    Endpoint::get("make-leave", "/_matrix/federation/v1/make_leave/{roomId}/{userId}", LEAVING)
        .response(TEMPLATE);
/// A leave, for the resident server to accept.
pub const SEND_LEAVE: Endpoint =
    Endpoint::put("send-leave", "/_matrix/federation/v2/send_leave/{roomId}/{eventId}", LEAVING)
        .request(MEMBER_EVENT);
/// The keys of one server, from a notary.
pub const KEY_QUERY: Endpoint =
    Endpoint::get("key-query", "/_matrix/key/v2/query/{serverName}", NOTARIES).response(KEY_DOCUMENTS);
/// The keys of several servers, from a notary.
pub const KEY_QUERIES: Endpoint = Endpoint::post("key-queries", "/_matrix/key/v2/query", NOTARIES)
    .request(&[object("server_keys")])
    .response(KEY_DOCUMENTS);
/// The server's own keys.
pub const SERVER_KEYS: Endpoint =
    Endpoint::get("server-keys", "/_matrix/key/v2/server", section!("publishing-keys")).response(&[
        string("server_name"),
        integer("valid_until_ts"),
        object("verify_keys"),
        string("verify_keys/*/key"),
        optional(object("old_verify_keys")),
        object("signatures"),
    ]);
/// The user that an OpenID token belongs to.
pub const OPENID: Endpoint =
    Endpoint::get("openid", "/_matrix/federation/v1/openid/userinfo", section!("openid"))
        .query(&["access_token"])
        .response(&[string("sub")]);
/// The room directory.
pub const PUBLIC_ROOMS: Endpoint =
    Endpoint::get("public-rooms", "/_matrix/federation/v1/publicRooms", DIRECTORY).response(ROOMS);
/// A search in the room directory.
pub const PUBLIC_ROOMS_SEARCH: Endpoint =
    Endpoint::post("public-rooms-search", "/_matrix/federation/v1/publicRooms", DIRECTORY)
        .request(&[optional(object("filter"))])
        .response(ROOMS);
/// The room of an alias.
pub const QUERY_DIRECTORY: Endpoint =
    Endpoint::get("query-directory", "/_matrix/federation/v1/query/directory", QUERIES)
        .query(&["room_alias"])
        .response(&[string("room_id"), strings("servers")]);
/// The profile of a user.
pub const QUERY_PROFILE: Endpoint =
    Endpoint::get("query-profile", "/_matrix/federation/v1/query/profile", QUERIES)
        .query(&["user_id"])
        .response(&[optional(string("displayname")), optional(string("avatar_url"))]);
/// A query of another type; extensions say what it holds.
pub const QUERY_OTHER: Endpoint =
    Endpoint::get("query-other", "/_matrix/federation/v1/query/{queryType}", QUERIES);
/// An event, for a policy server to sign.
pub const POLICY_SIGN: Endpoint = Endpoint::post(
    "policy-sign",
    "/_matrix/policy/v1/sign",
    section!("asking-for-a-policy-server-signature-on-an-event"),
)
.request(&[string("type"), string("sender"), object("content")]);
/// A space and its children.
pub const HIERARCHY: Endpoint =
    Endpoint::get("hierarchy", "/_matrix/federation/v1/hierarchy/{roomId}", section!("spaces")).response(&[
        object("room"),
        string("room/room_id"),
        integer("room/num_joined_members"),
        objects("room/children_state"),
        objects("children"),
        string("children/*/room_id"),
        strings("inaccessible_children"),
    ]);
/// A third-party identifier has been bound to a user.
pub const ON_BIND: Endpoint = Endpoint::put("3pid-onbind", "/_matrix/federation/v1/3pid/onbind", THIRD_PARTY)
    .request(&[string("address"), objects("invites"), string("medium"), string("mxid")]);
/// A third-party invite, to be exchanged for an invite of a user.
pub const EXCHANGE_THIRD_PARTY_INVITE: Endpoint = Endpoint::put(
    "third-party-invite",
    "/_matrix/federation/v1/exchange_third_party_invite/{roomId}",
    THIRD_PARTY,
)
.request(&[string("type"), string("room_id"), string("sender"), string("state_key"), object("content")]);
/// A transaction.
pub const SEND: Endpoint =
    Endpoint::put("send", "/_matrix/federation/v1/send/{txnId}", section!("transactions"))
        .request(&[string("origin"), integer("origin_server_ts"), objects("pdus"), optional(objects("edus"))])
        .response(&[object("pdus"), object("pdus/*"), optional(string("pdus/*/error"))]);
/// The devices of a user.
pub const USER_DEVICES: Endpoint = Endpoint::get(
    "user-devices",
    "/_matrix/federation/v1/user/devices/{userId}",
    section!("device-management"),
)
.response(&[
    string("user_id"),
    integer("stream_id"),
    objects("devices"),
    string("devices/*/device_id"),
    object("devices/*/keys"),
    optional(string("devices/*/device_display_name")),
]);
/// One-time keys of devices, which are used up.
pub const USER_KEYS_CLAIM: Endpoint =
    Endpoint::post("user-keys-claim", "/_matrix/federation/v1/user/keys/claim", ENCRYPTION)
        .request(&[object("one_time_keys"), string("one_time_keys/*/*")])
        .response(&[object("one_time_keys"), object("one_time_keys/*/*")]);
/// The device keys of users.
pub const USER_KEYS_QUERY: Endpoint =
    Endpoint::post("user-keys-query", "/_matrix/federation/v1/user/keys/query", ENCRYPTION)
        .request(&[object("device_keys"), strings("device_keys/*")])
        .response(&[
            object("device_keys"),
            string("device_keys/*/*/user_id"),
            string("device_keys/*/*/device_id"),
            strings("device_keys/*/*/algorithms"),
            object("device_keys/*/*/keys"),
            object("device_keys/*/*/signatures"),
        ]);
/// A file, in a response of several parts.
pub const MEDIA_DOWNLOAD: Endpoint =
    Endpoint::get("media-download", "/_matrix/federation/v1/media/download/{mediaId}", MEDIA);
/// A small picture of a file, in a response of several parts.
pub const MEDIA_THUMBNAIL: Endpoint =
    Endpoint::get("media-thumbnail", "/_matrix/federation/v1/media/thumbnail/{mediaId}", MEDIA)
        .query(&["width", "height"]);
/// The name and version of the implementation.
pub const VERSION: Endpoint =
    Endpoint::get("version", "/_matrix/federation/v1/version", section!("server-implementation")).response(
        &[optional(object("server")), optional(string("server/name")), optional(string("server/version"))],
    );
/// The delegation of a server name.
pub const WELL_KNOWN: Endpoint =
    Endpoint::get("well-known", "/.well-known/matrix/server", section!("resolving-server-names"))
        .response(&[string("m.server")]);
