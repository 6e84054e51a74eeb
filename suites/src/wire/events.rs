//! Events that a server makes (server-server API, PDUs; rooms).

use samklang_matrix::{Event, Verified, auth_types, format_breaches, verify_event};
use samklang_runner::{
    passive::{Finding, Side},
    traffic::{Heard, Traffic},
};

use super::{first_wrong, own_events};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "wire.own-events",
        title: "What a server sends of its own users' events is in the format of the room, hashed and signed.",
        catalogue: &["FC-09"],
        requirements: &["SS-PDU-043"],
        checks: &[
            CheckPlan::new("format", "The event is in the format of its room version, within all limits.")
                .of(&["SS-PDU-007", "SS-PDU-008"]),
            CheckPlan::new("signature", "The server's signature holds.").of(&["SS-PDU-044", "SS-CJSON-017"]),
            CheckPlan::new("content-hash", "The content hash is that of the content.").of(&["SS-PDU-043"]),
        ],
        play: play!(own_events_in_form),
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.authority",
        title: "What a server makes cites what the specification selects as its authority, and nothing else.",
        catalogue: &["SH-10"],
        requirements: &["SS-PDU-025"],
        checks: &[
            CheckPlan::new("nothing-else", "No event cites what is outside the selection for it.")
                .of(&["SS-PDU-025", "SS-PDU-026"]),
            CheckPlan::new("create", "Create events cite nothing.").of(&["SS-PDU-031"]),
        ],
        play: play!(authority),
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.redactions",
        title: "A redaction names its target where the room version says.",
        catalogue: &["MS-09"],
        requirements: &["SS-REDACT-020"],
        checks: &[CheckPlan::new("target", "In the content from version 11 on, at the top level before.")
            .of(&["SS-REDACT-020", "SS-REDACT-023"])],
        play: play!(redactions),
        ..Scenario::PASSIVE
    },
];

async fn own_events_in_form(scene: &Scene) -> Result<(), Failure> {
    scene.judge_wire("format", "pdu.malformed", Side::Asking, format);
    scene.judge_wire("signature", "pdu.bad_signature", Side::Asking, signature);
    scene.judge_wire("content-hash", "pdu.bad_content_hash", Side::Asking, content_hash);
    Ok(())
}

async fn authority(scene: &Scene) -> Result<(), Failure> {
    scene.judge_wire("nothing-else", "pdu.cites_too_much", Side::Asking, nothing_else);
    scene.judge_wire("create", "pdu.create_cites", Side::Asking, create);
    Ok(())
}

async fn redactions(scene: &Scene) -> Result<(), Failure> {
    scene.judge_wire("target", "redaction.no_target", Side::Asking, target);
    Ok(())
}

/// The events that the asking server made, read, but for admitted lies.
fn read(traffic: &Traffic, exchange: &Heard) -> Vec<Event> {
    let events = own_events(traffic, exchange);
    let read = events.iter().filter_map(|event| traffic.read(event));
    read.filter(|event| !traffic.is_admitted(event.id())).collect()
}

fn format(traffic: &Traffic, exchange: &Heard) -> Option<Finding> {
    first_wrong(read(traffic, exchange), |event| {
        let json = Value::Object(event.json().clone());
        let breach = format_breaches(&json, event.version()).into_iter().next()?;
        Some(format!("{}: {breach:?}", event.kind()))
    })
}

fn signature(traffic: &Traffic, exchange: &Heard) -> Option<Finding> {
    first_wrong(read(traffic, exchange), |event| {
        let fault = verify_event(&event, &traffic.keys).err()?;
        Some(format!("{}: {fault}", event.kind()))
    })
}

fn content_hash(traffic: &Traffic, exchange: &Heard) -> Option<Finding> {
    first_wrong(read(traffic, exchange), |event| {
        let mismatch = verify_event(&event, &traffic.keys) == Ok(Verified::ContentHashMismatch);
        mismatch.then(|| format!("{}: the content hash is not that of the content", event.kind()))
    })
}

/// How many events the selection for this one comes to at most: one for each type and state key.
fn nothing_else(traffic: &Traffic, exchange: &Heard) -> Option<Finding> {
    let events = read(traffic, exchange).into_iter().filter(|event| event.kind() != "m.room.create");
    first_wrong(events, |event| {
        let cited = event.auth_events();
        let known: Vec<_> = cited.iter().filter_map(|id| traffic.event(id)).collect();
        let selected = auth_types(&event);
        let stray = known.iter().find(|cited| !selected.iter().any(|(kind, key)| cited.is_state(kind, key)));
        let stray = stray.map(|cited| format!("{} cites {}", event.kind(), cited.kind()));
        let many = || cited.len() > selected.len();
        stray.or_else(|| many().then(|| format!("{} cites {} events", event.kind(), cited.len())))
    })
}

fn create(traffic: &Traffic, exchange: &Heard) -> Option<Finding> {
    let creates = read(traffic, exchange).into_iter().filter(|event| event.kind() == "m.room.create");
    first_wrong(creates, |event| {
        (!event.auth_events().is_empty()).then(|| "a create event cites something".to_owned())
    })
}

fn target(traffic: &Traffic, exchange: &Heard) -> Option<Finding> {
    let redactions = read(traffic, exchange).into_iter().filter(|event| event.kind() == "m.room.redaction");
    first_wrong(redactions, |event| {
        let in_content = event.version().id().parse::<u32>().is_ok_and(|number| number >= 11);
        let place = if in_content { event.content().get("redacts") } else { event.json().get("redacts") };
        (!place.is_some_and(Value::is_string))
            .then(|| "a redaction names no target where its room version looks for it".to_owned())
    })
}
