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
        checks: RESPONSES,
        ..Scenario::PASSIVE
    },
];

const REQUESTS: &[CheckPlan] = &[
    request!(BACKFILL, "A backfill request has v and limit."),
    request!(
        GET_MISSING_EVENTS,
        "A request for missing events has earliest_events and latest_events.",
        &["SS-MISSING-008"]
    ),
    request!(STATE, "A request for the state names an event."),
    request!(STATE_IDS, "A request for the state IDs names an event."),
    request!(TIMESTAMP_TO_EVENT, "A request for an event by time has a time and a direction."),
    request!(
        INVITE,
        "An invite request has the room version, the event and state of the room.",
        &["SS-INVITE-004"]
    ),
    request!(SEND_JOIN, "A send_join request holds a member event."),
    request!(MAKE_KNOCK, "A make_knock request names room versions in ver.", &["SS-KNOCK-009"]),
    request!(SEND_KNOCK, "A send_knock request holds a member event."),
    request!(SEND_LEAVE, "A send_leave request holds a member event."),
    request!(KEY_QUERIES, "A batch query to a notary has server_keys."),
    request!(OPENID, "A request for OpenID user info has an access token."),
    request!(QUERY_DIRECTORY, "A directory query names a room alias."),
    request!(QUERY_PROFILE, "A profile query names a user."),
    request!(POLICY_SIGN, "A request to a policy server holds an event."),
    request!(ON_BIND, "An onbind request has the third-party identifier, its user and the waiting invites."),
    request!(EXCHANGE_THIRD_PARTY_INVITE, "A request to exchange a third-party invite holds an event."),
    request!(SEND, "A transaction has origin, origin_server_ts and PDUs.", &["SS-TXN-001"]),
    request!(USER_KEYS_CLAIM, "A key claim names users, devices and algorithms."),
    request!(USER_KEYS_QUERY, "A key query names users and their devices."),
];

const RESPONSES: &[CheckPlan] = &[
    response!(BACKFILL, "A backfill response has the fields of a transaction.", &["SS-BACKFILL-003"]),
    response!(
        GET_MISSING_EVENTS,
        "A response to a request for missing events holds a list of events.",
        &["SS-MISSING-006"]
    ),
    response!(EVENT_AUTH, "An event_auth response holds the auth chain as a list of events."),
    response!(
        EVENT,
        "A response to a request for an event has the fields of a transaction.",
        &["SS-STATEQ-009"]
    ),
    response!(STATE, "A state response holds events and their auth chain."),
    response!(STATE_IDS, "A state_ids response holds the IDs of the state and of its auth chain."),
    response!(TIMESTAMP_TO_EVENT, "A response to a request for an event by time has its ID and its time."),
    response!(INVITE, "An invite response holds the event."),
    response!(MAKE_JOIN, "A make_join response holds a template of a member event."),
    response!(SEND_JOIN, "A send_join response holds the state and its auth chain."),
    response!(MAKE_KNOCK, "A make_knock response holds a template of a member event."),
    response!(SEND_KNOCK, "A send_knock response holds state of the room."),
    response!(MAKE_LEAVE, "A make_leave response holds a template of a member event."),
    response!(KEY_QUERY, "A notary answers a query for one server with key documents."),
    response!(KEY_QUERIES, "A notary answers a batch query with key documents."),
    response!(SERVER_KEYS, "A key document has the server's name, keys, validity and signatures."),
    response!(OPENID, "A response with OpenID user info names the user."),
    response!(PUBLIC_ROOMS, "A room directory response lists rooms with their members and access."),
    response!(
        PUBLIC_ROOMS_SEARCH,
        "A response to a room directory search lists rooms with their members and access."
    ),
    response!(QUERY_DIRECTORY, "A directory response holds the room ID and servers in the room."),
    response!(QUERY_PROFILE, "Display name and avatar in a profile response are strings."),
    response!(HIERARCHY, "A hierarchy response holds the space and its children."),
    response!(SEND, "A response to a transaction holds results by event ID.", &["SS-TXN-008"]),
    response!(USER_DEVICES, "A user devices response holds the stream_id and each device with its keys."),
    response!(USER_KEYS_CLAIM, "A key claim response holds one-time keys by user and device."),
    response!(
        USER_KEYS_QUERY,
        "Device keys in a key query response have user, device, algorithms, keys and signatures."
    ),
    response!(VERSION, "Name and version in a version response are strings."),
    response!(WELL_KNOWN, "A well-known response names a server."),
];
