//! What requests and answers have to hold, endpoint by endpoint (server-server API, the endpoints' definitions).
//!
//! Media go in parts and have scenarios of their own; `query/{queryType}` leaves its form to extensions, and `v1/invite`
//! to the event. All other endpoints have a row here.

use samklang_runner::passive::{Finding, Said};

use super::forms::{Field, flag, integer, lacking, object, objects, optional, text, texts};
use crate::prelude::*;

/// An endpoint, and what goes to and fro there.
pub(super) struct Endpoint {
    pub(super) method: &'static str,
    /// Segments; `{}` stands for any one of them.
    pub(super) path: &'static str,
    /// Parameters that the query has to have.
    pub(super) query: &'static [&'static str],
    /// What the request's body has to hold.
    pub(super) request: &'static [Field],
    /// What the body of a successful answer has to hold.
    pub(super) answer: &'static [Field],
}

impl Endpoint {
    const fn get(path: &'static str, query: &'static [&'static str], answer: &'static [Field]) -> Self {
        Self { method: "GET", path, query, request: &[], answer }
    }

    const fn put(path: &'static str, request: &'static [Field], answer: &'static [Field]) -> Self {
        Self { method: "PUT", path, query: &[], request, answer }
    }

    const fn post(path: &'static str, request: &'static [Field], answer: &'static [Field]) -> Self {
        Self { method: "POST", path, query: &[], request, answer }
    }

    fn is_of(&self, said: &Said<'_>) -> bool {
        let fits = |(wanted, segment): (&str, &str)| wanted == "{}" || wanted == segment;
        let (wanted, path) = (self.path.split('/'), said.path_only().trim_end_matches('/').split('/'));
        self.method == said.method
            && wanted.clone().count() == path.clone().count()
            && wanted.zip(path).all(fits)
    }

    fn judge_request(&self, said: &Said<'_>) -> Option<Finding> {
        if !self.is_of(said) || is_cut_short(&said.request_body) {
            return None;
        }
        let query = said.path.split_once('?').map_or("", |(_, query)| query);
        let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        let missing = self.query.iter().find(|name| !has(name));
        let missing = missing.map(|name| format!("{} is asked without {name}", self.path));
        Some(Finding::of(missing.or_else(|| lacking(self.path, &said.request, self.request))))
    }

    fn judge_answer(&self, said: &Said<'_>) -> Option<Finding> {
        let concerns = self.is_of(said) && said.status == Some(200) && !is_cut_short(&said.response_body);
        concerns.then(|| Finding::of(lacking(self.path, &said.answer, self.answer)))
    }
}

/// Whether a body was too long to be kept whole.
fn is_cut_short(body: &samklang_verdict::Body) -> bool {
    matches!(body, samklang_verdict::Body::Bytes { .. })
}

/// The fields of a transaction, which single events and history come in as well.
const TRANSACTION: &[Field] = &[text("origin"), integer("origin_server_ts"), objects("pdus")];
const TEMPLATE: &[Field] = &[
    object("event"),
    text("event/type"),
    text("event/room_id"),
    text("event/sender"),
    text("event/state_key"),
    object("event/content"),
    text("event/content/membership"),
    optional(text("room_version")),
];
const MEMBER_EVENT: &[Field] = &[
    text("type"),
    text("sender"),
    text("state_key"),
    integer("origin_server_ts"),
    object("content"),
    text("content/membership"),
];
const ROOMS: &[Field] = &[
    objects("chunk"),
    text("chunk/*/room_id"),
    integer("chunk/*/num_joined_members"),
    flag("chunk/*/world_readable"),
    flag("chunk/*/guest_can_join"),
    optional(text("next_batch")),
    optional(text("prev_batch")),
    optional(integer("total_room_count_estimate")),
];

const NOTARISED: &[Field] =
    &[objects("server_keys"), text("server_keys/*/server_name"), object("server_keys/*/verify_keys")];

/// A check of what an endpoint is asked with.
macro_rules! request {
    ($endpoint:ident, $name:literal, $title:literal $(, $requirements:expr)?) => {
        CheckPlan::new($name, $title)
            $(.of($requirements))?
            .asking("request.field_missing", |_, said| $endpoint.judge_request(said))
    };
}

/// A check of what an endpoint answers.
macro_rules! answer {
    ($endpoint:ident, $name:literal, $title:literal $(, $requirements:expr)?) => {
        CheckPlan::new($name, $title)
            $(.of($requirements))?
            .answering("answer.field_missing", |_, said| $endpoint.judge_answer(said))
    };
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "wire.request-forms",
        title: "Every request between servers has the query parameters and fields that its endpoint requires.",
        catalogue: &["FC-17"],
        versions: Versions::Newest,
        requirements: &["SS-HTTP-004"],
        checks: REQUESTS,
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.answer-forms",
        title: "Every response between servers has the fields of its endpoint, with the right types.",
        catalogue: &["FC-17"],
        versions: Versions::Newest,
        requirements: &["SS-HTTP-005"],
        checks: ANSWERS,
        ..Scenario::PASSIVE
    },
];

const REQUESTS: &[CheckPlan] = &[
    request!(BACKFILL, "backfill", "A backfill request has v and limit."),
    request!(
        MISSING,
        "get-missing-events",
        "A request for missing events has earliest_events and latest_events.",
        &["SS-MISSING-008"]
    ),
    request!(STATE, "state", "A request for the state names an event."),
    request!(STATE_IDS, "state-ids", "A request for the state IDs names an event."),
    request!(TIMESTAMP, "timestamp-to-event", "A request for an event by time has a time and a direction."),
    request!(
        INVITE,
        "invite",
        "An invite request has the room version, the event and state of the room.",
        &["SS-INVITE-004"]
    ),
    request!(SEND_JOIN, "send-join", "A send_join request holds a member event."),
    request!(MAKE_KNOCK, "make-knock", "A make_knock request names room versions in ver.", &["SS-KNOCK-009"]),
    request!(SEND_KNOCK, "send-knock", "A send_knock request holds a member event."),
    request!(SEND_LEAVE, "send-leave", "A send_leave request holds a member event."),
    request!(NOTARIES, "key-queries", "A batch query to a notary has server_keys."),
    request!(OPENID, "openid", "A request for OpenID user info has an access token."),
    request!(ALIAS, "query-directory", "A directory query names a room alias."),
    request!(PROFILE, "query-profile", "A profile query names a user."),
    request!(POLICY, "policy-sign", "A request to a policy server holds an event."),
    request!(
        ON_BIND,
        "3pid-onbind",
        "An onbind request has the third-party identifier, its user and the waiting invites."
    ),
    request!(EXCHANGE, "third-party-invite", "A request to exchange a third-party invite holds an event."),
    request!(SEND, "send", "A transaction has origin, origin_server_ts and PDUs.", &["SS-TXN-001"]),
    request!(CLAIM, "user-keys-claim", "A key claim names users, devices and algorithms."),
    request!(QUERY, "user-keys-query", "A key query names users and their devices."),
];

const ANSWERS: &[CheckPlan] = &[
    answer!(
        BACKFILL,
        "backfill",
        "A backfill response has the fields of a transaction.",
        &["SS-BACKFILL-003"]
    ),
    answer!(
        MISSING,
        "get-missing-events",
        "A response to a request for missing events holds a list of events.",
        &["SS-MISSING-006"]
    ),
    answer!(EVENT_AUTH, "event-auth", "An event_auth response holds the auth chain as a list of events."),
    answer!(
        EVENT,
        "event",
        "A response to a request for an event has the fields of a transaction.",
        &["SS-STATEQ-009"]
    ),
    answer!(STATE, "state", "A state response holds events and their auth chain."),
    answer!(STATE_IDS, "state-ids", "A state_ids response holds the IDs of the state and of its auth chain."),
    answer!(
        TIMESTAMP,
        "timestamp-to-event",
        "A response to a request for an event by time has its ID and its time."
    ),
    answer!(INVITE, "invite", "An invite response holds the event."),
    answer!(MAKE_JOIN, "make-join", "A make_join response holds a template of a member event."),
    answer!(SEND_JOIN, "send-join", "A send_join response holds the state and its auth chain."),
    answer!(MAKE_KNOCK, "make-knock", "A make_knock response holds a template of a member event."),
    answer!(SEND_KNOCK, "send-knock", "A send_knock response holds state of the room."),
    answer!(MAKE_LEAVE, "make-leave", "A make_leave response holds a template of a member event."),
    answer!(NOTARY, "key-query", "A notary answers a query for one server with key documents."),
    answer!(NOTARIES, "key-queries", "A notary answers a batch query with key documents."),
    answer!(KEYS, "server-keys", "A key document has the server's name, keys, validity and signatures."),
    answer!(OPENID, "openid", "A response with OpenID user info names the user."),
    answer!(
        DIRECTORY,
        "public-rooms",
        "A room directory response lists rooms with their members and access."
    ),
    answer!(
        SEARCH,
        "public-rooms-search",
        "A response to a room directory search lists rooms with their members and access."
    ),
    answer!(ALIAS, "query-directory", "A directory response holds the room ID and servers in the room."),
    answer!(PROFILE, "query-profile", "Display name and avatar in a profile response are strings."),
    answer!(SPACE, "hierarchy", "A hierarchy response holds the space and its children."),
    answer!(SEND, "send", "A response to a transaction holds results by event ID.", &["SS-TXN-008"]),
    answer!(
        DEVICES,
        "user-devices",
        "A user devices response holds the stream_id and each device with its keys."
    ),
    answer!(CLAIM, "user-keys-claim", "A key claim response holds one-time keys by user and device."),
    answer!(
        QUERY,
        "user-keys-query",
        "Device keys in a key query response have user, device, algorithms, keys and signatures."
    ),
    answer!(VERSION, "version", "Name and version in a version response are strings."),
    answer!(WELL_KNOWN, "well-known", "A well-known response names a server."),
];

const BACKFILL: Endpoint = Endpoint::get("/_matrix/federation/v1/backfill/{}", &["v", "limit"], TRANSACTION);
const MISSING: Endpoint = Endpoint::post(
    "/_matrix/federation/v1/get_missing_events/{}",
    &[
        texts("earliest_events"),
        texts("latest_events"),
        optional(integer("limit")),
        optional(integer("min_depth")),
    ],
    &[objects("events")],
);
const EVENT_AUTH: Endpoint =
    Endpoint::get("/_matrix/federation/v1/event_auth/{}/{}", &[], &[objects("auth_chain")]);
const EVENT: Endpoint = Endpoint::get("/_matrix/federation/v1/event/{}", &[], TRANSACTION);
const STATE: Endpoint = Endpoint::get(
    "/_matrix/federation/v1/state/{}",
    &["event_id"],
    &[objects("pdus"), objects("auth_chain")],
);
const STATE_IDS: Endpoint = Endpoint::get(
    "/_matrix/federation/v1/state_ids/{}",
    &["event_id"],
    &[texts("pdu_ids"), texts("auth_chain_ids")],
);
const TIMESTAMP: Endpoint = Endpoint::get(
    "/_matrix/federation/v1/timestamp_to_event/{}",
    &["ts", "dir"],
    &[text("event_id"), integer("origin_server_ts")],
);
const INVITE: Endpoint = Endpoint::put(
    "/_matrix/federation/v2/invite/{}/{}",
    &[text("room_version"), object("event"), objects("invite_room_state")],
    &[object("event")],
);
const MAKE_JOIN: Endpoint = Endpoint::get("/_matrix/federation/v1/make_join/{}/{}", &[], TEMPLATE);
const SEND_JOIN: Endpoint = Endpoint::put(
    "/_matrix/federation/v2/send_join/{}/{}",
    MEMBER_EVENT,
    &[
        objects("state"),
        objects("auth_chain"),
        optional(object("event")),
        optional(flag("members_omitted")),
        optional(texts("servers_in_room")),
    ],
);
const MAKE_KNOCK: Endpoint = Endpoint::get("/_matrix/federation/v1/make_knock/{}/{}", &["ver"], TEMPLATE);
const SEND_KNOCK: Endpoint =
    Endpoint::put("/_matrix/federation/v1/send_knock/{}/{}", MEMBER_EVENT, &[objects("knock_room_state")]);
const MAKE_LEAVE: Endpoint = Endpoint::get("/_matrix/federation/v1/make_leave/{}/{}", &[], TEMPLATE);
const SEND_LEAVE: Endpoint = Endpoint::put("/_matrix/federation/v2/send_leave/{}/{}", MEMBER_EVENT, &[]);
const NOTARY: Endpoint = Endpoint::get("/_matrix/key/v2/query/{}", &[], NOTARISED);
const NOTARIES: Endpoint = Endpoint::post("/_matrix/key/v2/query", &[object("server_keys")], NOTARISED);
const KEYS: Endpoint = Endpoint::get(
    "/_matrix/key/v2/server",
    &[],
    &[
        text("server_name"),
        integer("valid_until_ts"),
        object("verify_keys"),
        text("verify_keys/*/key"),
        optional(object("old_verify_keys")),
        object("signatures"),
    ],
);
const OPENID: Endpoint =
    Endpoint::get("/_matrix/federation/v1/openid/userinfo", &["access_token"], &[text("sub")]);
const DIRECTORY: Endpoint = Endpoint::get("/_matrix/federation/v1/publicRooms", &[], ROOMS);
const SEARCH: Endpoint =
    Endpoint::post("/_matrix/federation/v1/publicRooms", &[optional(object("filter"))], ROOMS);
const ALIAS: Endpoint = Endpoint::get(
    "/_matrix/federation/v1/query/directory",
    &["room_alias"],
    &[text("room_id"), texts("servers")],
);
const PROFILE: Endpoint = Endpoint::get(
    "/_matrix/federation/v1/query/profile",
    &["user_id"],
    &[optional(text("displayname")), optional(text("avatar_url"))],
);
const POLICY: Endpoint =
    Endpoint::post("/_matrix/policy/v1/sign", &[text("type"), text("sender"), object("content")], &[]);
const SPACE: Endpoint = Endpoint::get(
    "/_matrix/federation/v1/hierarchy/{}",
    &[],
    &[
        object("room"),
        text("room/room_id"),
        integer("room/num_joined_members"),
        objects("room/children_state"),
        objects("children"),
        text("children/*/room_id"),
        texts("inaccessible_children"),
    ],
);
const ON_BIND: Endpoint = Endpoint::put(
    "/_matrix/federation/v1/3pid/onbind",
    &[text("address"), objects("invites"), text("medium"), text("mxid")],
    &[],
);
const EXCHANGE: Endpoint = Endpoint::put(
    "/_matrix/federation/v1/exchange_third_party_invite/{}",
    &[text("type"), text("room_id"), text("sender"), text("state_key"), object("content")],
    &[],
);
const SEND: Endpoint = Endpoint::put(
    "/_matrix/federation/v1/send/{}",
    &[text("origin"), integer("origin_server_ts"), objects("pdus"), optional(objects("edus"))],
    &[object("pdus"), object("pdus/*"), optional(text("pdus/*/error"))],
);
const DEVICES: Endpoint = Endpoint::get(
    "/_matrix/federation/v1/user/devices/{}",
    &[],
    &[
        text("user_id"),
        integer("stream_id"),
        objects("devices"),
        text("devices/*/device_id"),
        object("devices/*/keys"),
        optional(text("devices/*/device_display_name")),
    ],
);
const CLAIM: Endpoint = Endpoint::post(
    "/_matrix/federation/v1/user/keys/claim",
    &[object("one_time_keys"), text("one_time_keys/*/*")],
    &[object("one_time_keys"), object("one_time_keys/*/*")],
);
const QUERY: Endpoint = Endpoint::post(
    "/_matrix/federation/v1/user/keys/query",
    &[object("device_keys"), texts("device_keys/*")],
    &[
        object("device_keys"),
        text("device_keys/*/*/user_id"),
        text("device_keys/*/*/device_id"),
        texts("device_keys/*/*/algorithms"),
        object("device_keys/*/*/keys"),
        object("device_keys/*/*/signatures"),
    ],
);
const VERSION: Endpoint = Endpoint::get(
    "/_matrix/federation/v1/version",
    &[],
    &[optional(object("server")), optional(text("server/name")), optional(text("server/version"))],
);
const WELL_KNOWN: Endpoint = Endpoint::get("/.well-known/matrix/server", &[], &[text("m.server")]);

/// Every endpoint, by the name of its checks.
#[cfg(test)]
pub(super) const ALL: &[(&str, &Endpoint)] = &[
    ("backfill", &BACKFILL),
    ("get-missing-events", &MISSING),
    ("event-auth", &EVENT_AUTH),
    ("event", &EVENT),
    ("state", &STATE),
    ("state-ids", &STATE_IDS),
    ("timestamp-to-event", &TIMESTAMP),
    ("invite", &INVITE),
    ("make-join", &MAKE_JOIN),
    ("send-join", &SEND_JOIN),
    ("make-knock", &MAKE_KNOCK),
    ("send-knock", &SEND_KNOCK),
    ("make-leave", &MAKE_LEAVE),
    ("send-leave", &SEND_LEAVE),
    ("key-query", &NOTARY),
    ("key-queries", &NOTARIES),
    ("server-keys", &KEYS),
    ("openid", &OPENID),
    ("public-rooms", &DIRECTORY),
    ("public-rooms-search", &SEARCH),
    ("query-directory", &ALIAS),
    ("query-profile", &PROFILE),
    ("policy-sign", &POLICY),
    ("hierarchy", &SPACE),
    ("3pid-onbind", &ON_BIND),
    ("third-party-invite", &EXCHANGE),
    ("send", &SEND),
    ("user-devices", &DEVICES),
    ("user-keys-claim", &CLAIM),
    ("user-keys-query", &QUERY),
    ("version", &VERSION),
    ("well-known", &WELL_KNOWN),
];
