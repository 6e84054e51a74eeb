//! The form of events that a server makes (server-server API, PDUs; rooms).

use samklang_matrix::{Event, Signer, Verified, format_breaches, verify_event};
use samklang_runner::{
    passive::{Finding, Said},
    traffic::Traffic,
};

use super::{endpoint, first_wrong, own_events, version_of};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "wire.own-events",
        title: "A server's own events have the format of their room version, a content hash and a signature.",
        catalogue: &["FC-09"],
        requirements: &["SS-PDU-043"],
        checks: &[
            CheckPlan::new("format", "An event has the format of its room version and keeps to all limits.")
                .of(&["SS-PDU-007"])
                .saying("pdu.malformed", format),
            CheckPlan::new("no-event-id", "An event has no event_id field.")
                .of(&["SS-PDU-008"])
                .saying("pdu.event_id", no_event_id),
            CheckPlan::new("signature", "An event has a valid signature of its sender's server.")
                .of(&["SS-PDU-044", "SS-KEYS-035"])
                .saying("pdu.bad_signature", signature),
            CheckPlan::new("content-hash", "The content hash of an event matches its content.")
                .of(&["SS-PDU-043"])
                .asking("pdu.bad_content_hash", content_hash),
            CheckPlan::new("unpadded", "Hashes and signatures of an event are base64 without padding.")
                .of(&["SS-CJSON-014"])
                .saying("pdu.padded", unpadded),
            CheckPlan::new("key-ids", "Signatures of an event are filed by server name and key ID.")
                .of(&["SS-CJSON-017"])
                .saying("pdu.odd_key_id", key_ids),
            CheckPlan::new(
                "depth",
                "The depth of an event is one more than the greatest depth of its prev events.",
            )
            .of(&["SS-PDU-015"])
            .asking("pdu.odd_depth", depth),
        ],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.given-events",
        title: "An event that a server hands out on request can be verified.",
        catalogue: &["FC-09"],
        requirements: &["SS-STATEQ-010"],
        checks: &[
            CheckPlan::new("asked-for", "A request for an event is answered with the event of that ID.")
                .of(&["SS-STATEQ-010", "SS-PDU-011"])
                .answering("pdu.other_event", asked_for),
            CheckPlan::new("verifiable", "An event in a response has valid signatures.")
                .of(&["SS-STATEQ-010"])
                .answering("pdu.bad_signature", verifiable),
        ],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.redactions",
        title: "A redaction names its target in the place that the room version prescribes.",
        catalogue: &["MS-09"],
        requirements: &["SS-REDACT-020"],
        checks: &[CheckPlan::new(
            "target",
            "A redaction has redacts in its content from version 11 on, and at the top level before.",
        )
        .of(&["SS-REDACT-020", "SS-REDACT-023"])
        .asking("redaction.no_target", target)],
        ..Scenario::PASSIVE
    },
];

fn format(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    first_wrong(own_events(traffic, said), |event| {
        let json = Value::Object(event.json().clone());
        let breach = format_breaches(&json, event.version()).into_iter().next()?;
        Some(format!("{}: {breach}", event.kind()))
    })
}

fn no_event_id(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let events = own_events(traffic, said).filter(|event| version_of(event) >= 3);
    first_wrong(events, |event| {
        event.json().contains_key("event_id").then(|| format!("{} carries an event_id", event.kind()))
    })
}

fn signature(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    first_wrong(own_events(traffic, said), |event| {
        let fault = verify_event(event, &traffic.keys).err()?;
        // Who authorises a join signs it only once it has been brought there (rooms/v8, authorisation rules).
        (fault.role() != Signer::Authoriser).then(|| format!("{}: {fault}", event.kind()))
    })
}

fn content_hash(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    first_wrong(own_events(traffic, said), |event| {
        let mismatch = verify_event(event, &traffic.keys) == Ok(Verified::ContentHashMismatch);
        mismatch.then(|| format!("{}: the content hash is not that of the content", event.kind()))
    })
}

/// The signatures on an event: server, key id, signature.
fn signatures(event: &Event) -> impl Iterator<Item = (&str, &str, &Value)> {
    let servers = event.json().get("signatures").and_then(Value::as_object).into_iter().flatten();
    servers.flat_map(|(server, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(id, signature)| (server.as_str(), id.as_str(), signature))
    })
}

fn unpadded(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    first_wrong(own_events(traffic, said), |event| {
        let hash = event.json().get("hashes").map(|hashes| &hashes["sha256"]);
        let mut encoded = hash.into_iter().chain(signatures(event).map(|(.., signature)| signature));
        let padded = encoded.any(|text| text.as_str().is_some_and(|text| text.ends_with('=')));
        padded.then(|| format!("{}: base64 ends with padding", event.kind()))
    })
}

fn key_ids(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    first_wrong(own_events(traffic, said), |event| {
        let odd = signatures(event)
            .find(|(server, id, _)| !samklang_matrix::is_server_name(server) || !super::keys::is_key_id(id));
        odd.map(|(server, id, _)| format!("{}: a signature of {server} by {id}", event.kind()))
    })
}

fn depth(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    // Those whose predecessors did not all go over the wire say nothing.
    let events = own_events(traffic, said).filter_map(|event| {
        let prev: Option<Vec<_>> = event.prev_events().iter().map(|id| traffic.event(id)).collect();
        let deepest = prev?.iter().map(|event| event.depth()).max()?;
        Some((event, deepest))
    });
    first_wrong(events, |(event, deepest)| {
        let right = event.depth() == deepest + 1 || deepest >= samklang_matrix::MAX_INTEGER;
        (!right).then(|| format!("{} has depth {} after {deepest}", event.kind(), event.depth()))
    })
}

/// The event that `GET /event` is answered with, and the id that was asked for.
fn given<'a>(said: &'a Said<'_>) -> Option<(&'a Event, String)> {
    let (_, path) = endpoint(said)?;
    let ["event", id] = path.as_slice() else { return None };
    let id = samklang_reference::decoded(id);
    (said.status == Some(200)).then(|| Some((said.events.first()?.as_ref(), id)))?
}

fn asked_for(_: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let (event, id) = given(said)?;
    Some(Finding::of((event.id() != id).then(|| format!("{id} is answered with {}", event.id()))))
}

fn verifiable(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let (event, _) = given(said).filter(|(event, _)| !traffic.is_admitted(event.id()))?;
    let fault = verify_event(event, &traffic.keys).err();
    Some(Finding::of(fault.map(|fault| format!("{}: {fault}", event.kind()))))
}

fn target(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let redactions = own_events(traffic, said).filter(|event| event.kind() == "m.room.redaction");
    first_wrong(redactions, |event| {
        let in_content = version_of(event) >= 11;
        let place = if in_content { event.content().get("redacts") } else { event.json().get("redacts") };
        (!place.is_some_and(Value::is_string))
            .then(|| "a redaction names no target where its room version looks for it".to_owned())
    })
}
