//! Requests and responses have the query parameters and fields that the table of endpoints requires (server-server API).
//!
//! Media come in a response of several parts and have scenarios of their own; extensions define `query/{queryType}`, and
//! the request of `v1/invite` is an event. All other endpoints have a check here.

use samklang_matrix::endpoints::{self, Endpoint};
use samklang_runner::{judging::rule::RuleFinding, traffic::exchange::ExchangeHalf};
use samklang_verdict::Body;

use super::wrong_field;
use crate::prelude::*;

fn judge_request(endpoint: &Endpoint, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    if !endpoint.matches(&half.exchange.method, &half.exchange.path)
        || is_cut_short(&half.exchange.request_body)
    {
        return None;
    }
    let has = |wanted: &str| endpoints::query(&half.exchange.path).any(|(name, _)| name == wanted);
    let missing = endpoint.query.iter().find(|name| !has(name));
    let missing = missing.map(|name| message!("wire.no-parameter", of = endpoint.template, name = name));
    Some(RuleFinding::of(missing.or_else(|| wrong_field(endpoint.template, half.request, endpoint.request))))
}

fn judge_response(endpoint: &Endpoint, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let concerns = endpoint.matches(&half.exchange.method, &half.exchange.path)
        && half.exchange.status == Some(200)
        && !is_cut_short(&half.exchange.response_body);
    concerns.then(|| RuleFinding::of(wrong_field(endpoint.template, half.response, endpoint.response)))
}

/// Whether a body was too long to be recorded in full.
fn is_cut_short(body: &Body) -> bool {
    matches!(body, Body::Bytes { .. })
}

/// A check of the requests to an endpoint; it has the endpoint's name.
macro_rules! request {
    ($endpoint:ident, $title:literal $(, $requirements:expr)?) => {
        CheckPlan::new(endpoints::$endpoint.name, $title)
            $(.of($requirements))?
            .for_requests("request.field_missing", |_, half| judge_request(&endpoints::$endpoint, half))
    };
}

/// A check of an endpoint's responses; it has the endpoint's name.
macro_rules! response {
    ($endpoint:ident, $title:literal $(, $requirements:expr)?) => {
        CheckPlan::new(endpoints::$endpoint.name, $title)
            $(.of($requirements))?
            .for_responses("answer.field_missing", |_, half| judge_response(&endpoints::$endpoint, half))
    };
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "wire.request-forms",
        title: "Every request that the server sends contains the query parameters and fields that its endpoint requires.",
        catalogue: &["FC-17"],
        versions: Versions::Newest,
        requirements: &["SS-HTTP-004"],
        checks: REQUESTS,
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.answer-forms",
        title: "Every response that the server sends contains the fields of its endpoint, with the right types.",
        catalogue: &["FC-17"],
        versions: Versions::Newest,
        requirements: &["SS-HTTP-005"],
        checks: RESPONSES,
        ..Scenario::PASSIVE
    },
];

const REQUESTS: &[CheckPlan] = &[
    request!(BACKFILL, "A request to GET /backfill contains v and limit."),
    request!(
        GET_MISSING_EVENTS,
        "A request to POST /get_missing_events contains earliest_events and latest_events.",
        &["SS-MISSING-008"]
    ),
    request!(STATE, "A request to GET /state contains an event_id."),
    request!(STATE_IDS, "A request to GET /state_ids contains an event_id."),
    request!(TIMESTAMP_TO_EVENT, "A request to GET /timestamp_to_event contains ts and dir."),
    request!(
        INVITE,
        "A request to PUT /invite contains the room version, the event and state of the room.",
        &["SS-INVITE-004"]
    ),
    request!(SEND_JOIN, "A request to PUT /send_join contains a member event."),
    request!(MAKE_KNOCK, "A request to GET /make_knock lists room versions in ver.", &["SS-KNOCK-009"]),
    request!(SEND_KNOCK, "A request to PUT /send_knock contains a member event."),
    request!(SEND_LEAVE, "A request to PUT /send_leave contains a member event."),
    request!(KEY_QUERIES, "A batch key query to a notary contains server_keys."),
    request!(OPENID, "A request to GET /openid/userinfo contains an access token."),
    request!(QUERY_DIRECTORY, "A request to GET /query/directory contains a room alias."),
    request!(QUERY_PROFILE, "A request to GET /query/profile contains a user ID."),
    request!(POLICY_SIGN, "A request to a policy server for a signature contains an event."),
    request!(
        ON_BIND,
        "A request to PUT /3pid/onbind contains the third-party identifier, its user and the waiting invites."
    ),
    request!(EXCHANGE_THIRD_PARTY_INVITE, "A request to PUT /exchange_third_party_invite contains an event."),
    request!(SEND, "A transaction (PUT /send) contains origin, origin_server_ts and PDUs.", &["SS-TXN-001"]),
    request!(USER_KEYS_CLAIM, "A request to POST /user/keys/claim contains users, devices and algorithms."),
    request!(USER_KEYS_QUERY, "A request to POST /user/keys/query contains users and their devices."),
];

const RESPONSES: &[CheckPlan] = &[
    response!(
        BACKFILL,
        "A response to GET /backfill contains the fields of a transaction.",
        &["SS-BACKFILL-003"]
    ),
    response!(
        GET_MISSING_EVENTS,
        "A response to POST /get_missing_events contains a list of events.",
        &["SS-MISSING-006"]
    ),
    response!(EVENT_AUTH, "A response to GET /event_auth contains the auth chain as a list of events."),
    response!(EVENT, "A response to GET /event contains the fields of a transaction.", &["SS-STATEQ-009"]),
    response!(STATE, "A response to GET /state contains events and their auth chain."),
    response!(
        STATE_IDS,
        "A response to GET /state_ids contains the IDs of the state events and of their auth chain."
    ),
    response!(
        TIMESTAMP_TO_EVENT,
        "A response to GET /timestamp_to_event contains an event ID and its timestamp."
    ),
    response!(INVITE, "A response to PUT /invite contains the event."),
    response!(MAKE_JOIN, "A response to GET /make_join contains a template of a member event."),
    response!(SEND_JOIN, "A response to PUT /send_join contains the state and its auth chain."),
    response!(MAKE_KNOCK, "A response to GET /make_knock contains a template of a member event."),
    response!(SEND_KNOCK, "A response to PUT /send_knock contains state of the room."),
    response!(MAKE_LEAVE, "A response to GET /make_leave contains a template of a member event."),
    response!(KEY_QUERY, "A notary's response to a key query for one server contains key documents."),
    response!(KEY_QUERIES, "A notary's response to a batch key query contains key documents."),
    response!(SERVER_KEYS, "A key document contains the server's name, keys, validity and signatures."),
    response!(OPENID, "A response to GET /openid/userinfo contains a user ID."),
    response!(PUBLIC_ROOMS, "A response to GET /publicRooms lists rooms with their members and access."),
    response!(
        PUBLIC_ROOMS_SEARCH,
        "A response to POST /publicRooms lists rooms with their members and access."
    ),
    response!(
        QUERY_DIRECTORY,
        "A response to GET /query/directory contains the room ID and servers in the room."
    ),
    response!(
        QUERY_PROFILE,
        "A response to GET /query/profile contains display name and avatar as strings, if it contains them."
    ),
    response!(HIERARCHY, "A response to GET /hierarchy contains the space and its children."),
    response!(SEND, "A response to a transaction (PUT /send) contains results by event ID.", &["SS-TXN-008"]),
    response!(
        USER_DEVICES,
        "A response to GET /user/devices contains the stream_id and each device with its keys."
    ),
    response!(
        USER_KEYS_CLAIM,
        "A response to POST /user/keys/claim contains one-time keys by user and device."
    ),
    response!(
        USER_KEYS_QUERY,
        "A response to POST /user/keys/query contains device keys with user, device, algorithms, keys and signatures."
    ),
    response!(
        VERSION,
        "A response to GET /version contains name and version as strings, if it contains them."
    ),
    response!(WELL_KNOWN, "A response to GET /.well-known/matrix/server contains a server name."),
];
