//! The form of the events that a server makes (server-server API, PDUs; rooms).

use samklang_matrix::{Event, Signer, Verified, format_breaches, verify_event};
use samklang_runner::{
    judging::rule::RuleFinding,
    traffic::{Traffic, exchange::ExchangeHalf},
};

use super::{endpoint, first_wrong, own_events, version_of};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "wire.own-events",
        title: "The server's own events have the format of their room version, a content hash and a signature.",
        catalogue: &["FC-09"],
        requirements: &["SS-PDU-043"],
        checks: &[
            CheckPlan::new("format", "The server's events have the format of their room version and keep to all limits.")
                .of(&["SS-PDU-007"])
                .for_both("pdu.malformed", format),
            CheckPlan::new("no-event-id", "The server's events contain no event_id field.")
                .of(&["SS-PDU-008"])
                .for_both("pdu.event_id", no_event_id),
            CheckPlan::new("signature", "The server's events contain a valid signature of their sender's server.")
                .of(&["SS-PDU-044", "SS-KEYS-035"])
                .for_both("pdu.bad_signature", signature),
            CheckPlan::new("content-hash", "The content hash in the server's events matches their content.")
                .of(&["SS-PDU-043"])
                .for_requests("pdu.bad_content_hash", content_hash),
            CheckPlan::new("unpadded", "Hashes and signatures in the server's events are base64 without padding.")
                .of(&["SS-CJSON-014"])
                .for_both("pdu.padded", unpadded),
            CheckPlan::new("key-ids", "Signatures in the server's events are filed by server name and signing key ID.")
                .of(&["SS-CJSON-017"])
                .for_both("pdu.odd_key_id", key_ids),
            CheckPlan::new(
                "depth",
                "The depth of the server's events is one more than the greatest depth of their prev events.",
            )
            .of(&["SS-PDU-015"])
            .for_requests("pdu.odd_depth", depth),
        ],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.given-events",
        title: "An event that the server returns to a request by another server can be verified.",
        catalogue: &["FC-09"],
        requirements: &["SS-STATEQ-010"],
        checks: &[
            CheckPlan::new("asked-for", "The server answers GET /event with the event of the requested event ID.")
                .of(&["SS-STATEQ-010", "SS-PDU-011"])
                .for_responses("pdu.other_event", asked_for),
            CheckPlan::new("verifiable", "An event in a response of the server has valid signatures.")
                .of(&["SS-STATEQ-010"])
                .for_responses("pdu.bad_signature", verifiable),
        ],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.redactions",
        title: "The server's redaction events contain redacts in the place that the room version prescribes.",
        catalogue: &["MS-09"],
        requirements: &["SS-REDACT-020"],
        checks: &[CheckPlan::new(
            "target",
            "The server's redaction events contain redacts in the content from room version 11 on, at the top level before.",
        )
        .of(&["SS-REDACT-020", "SS-REDACT-023"])
        .for_requests("redaction.no_target", target)],
        ..Scenario::PASSIVE
    },
];

fn format(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(own_events(traffic, half), |event| {
        let json = Value::Object(event.json().clone());
        let breach = format_breaches(&json, event.version()).into_iter().next()?;
        Some(message!("wire.event-format", event = event.kind(), breach = breach))
    })
}

fn no_event_id(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let events = own_events(traffic, half).filter(|event| version_of(event) >= 3);
    first_wrong(events, |event| {
        event.json().contains_key("event_id").then(|| message!("wire.event-id", event = event.kind()))
    })
}

fn signature(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(own_events(traffic, half), |event| {
        let error = verify_event(event, &traffic.keys).err()?;
        // The authorising user's server signs a join only after it has received it (rooms/v8, authorisation rules).
        let concerns = error.role() != Signer::Authoriser;
        concerns.then(|| message!("wire.event-signature", event = event.kind(), error = error))
    })
}

fn content_hash(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(own_events(traffic, half), |event| {
        let mismatch = verify_event(event, &traffic.keys) == Ok(Verified::ContentHashMismatch);
        mismatch.then(|| message!("wire.content-hash", event = event.kind()))
    })
}

/// The signatures on an event, each with its server and its key ID.
fn signatures(event: &Event) -> impl Iterator<Item = (&str, &str, &Value)> {
    let servers = event.json().get("signatures").and_then(Value::as_object).into_iter().flatten();
    servers.flat_map(|(server, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(id, signature)| (server.as_str(), id.as_str(), signature))
    })
}

fn unpadded(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(own_events(traffic, half), |event| {
        let hash = event.json().get("hashes").map(|hashes| &hashes["sha256"]);
        let mut encoded = hash.into_iter().chain(signatures(event).map(|(.., signature)| signature));
        let padded = encoded.any(|text| text.as_str().is_some_and(|text| text.ends_with('=')));
        padded.then(|| message!("wire.event-padding", event = event.kind()))
    })
}

fn key_ids(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    first_wrong(own_events(traffic, half), |event| {
        let odd = signatures(event)
            .find(|(server, id, _)| !samklang_matrix::is_server_name(server) || !super::keys::is_key_id(id));
        odd.map(|(server, id, _)| {
            message!("wire.event-key-id", event = event.kind(), server = server, key_id = id)
        })
    })
}

fn depth(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    // Events with a prev event that did not go over the wire are left out.
    let events = own_events(traffic, half).filter_map(|event| {
        let prev: Option<Vec<_>> = event.prev_events().iter().map(|id| traffic.event(id)).collect();
        let deepest = prev?.iter().map(|event| event.depth()).max()?;
        Some((event, deepest))
    });
    first_wrong(events, |(event, deepest)| {
        let right = event.depth() == deepest + 1 || deepest >= samklang_matrix::MAX_INTEGER;
        let (kind, depth) = (event.kind(), event.depth());
        (!right).then(|| message!("wire.event-depth", event = kind, depth = depth, greatest = deepest))
    })
}

/// The event in the response to `GET /event`, and the ID in the request.
fn given<'a>(half: &'a ExchangeHalf<'_>) -> Option<(&'a Event, String)> {
    let (_, path) = endpoint(half)?;
    let ["event", id] = path.as_slice() else { return None };
    let id = samklang_reference::decoded(id);
    (half.exchange.status == Some(200)).then(|| Some((half.events.first()?.as_ref(), id)))?
}

fn asked_for(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let (event, id) = given(half)?;
    let wrong = || message!("wire.other-event", asked = id, given = event.id());
    Some(RuleFinding::of((event.id() != id).then(wrong)))
}

fn verifiable(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let (event, _) = given(half).filter(|(event, _)| !traffic.is_admitted(event.id()))?;
    let error = verify_event(event, &traffic.keys).err();
    Some(RuleFinding::of(
        error.map(|error| message!("wire.event-signature", event = event.kind(), error = error)),
    ))
}

fn target(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let redactions = own_events(traffic, half).filter(|event| event.kind() == "m.room.redaction");
    first_wrong(redactions, |event| {
        let in_content = version_of(event) >= 11;
        let target = if in_content { event.content().get("redacts") } else { event.json().get("redacts") };
        (!target.is_some_and(Value::is_string)).then(|| message!("wire.redaction-target"))
    })
}
