//! Answers: their form, and what each endpoint's has to hold (server-server API).

use samklang_runner::{
    passive::{Finding, Side},
    traffic::{Heard, Traffic},
};

use super::{endpoint, header};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "wire.answers",
        title: "Every answer between servers is a JSON object that holds what its endpoint promises.",
        catalogue: &["FC-17"],
        requirements: &["SS-HTTP-005"],
        checks: &[
            CheckPlan::new("media-type", "Answers in JSON say so.").of(&["SS-HTTP-001"]),
            CheckPlan::new("object", "Every successful answer is a JSON object.")
                .of(&["SS-HTTP-005", "SS-HTTP-006"]),
            CheckPlan::new("fields", "It has the fields of its endpoint, of the right types.").of(&[
                "SS-BACKFILL-003",
                "SS-MISSING-006",
                "SS-TXN-008",
                "SS-STATEQ-009",
            ]),
        ],
        play: play!(answers),
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.errors",
        title: "Every refusal between servers is an error in the standard form.",
        catalogue: &["FC-17"],
        requirements: &["SS-ERRORS-004"],
        checks: &[CheckPlan::new("standard", "A refusal has an errcode and an error.").of(&["SS-ERRORS-004"])],
        play: play!(errors),
        ..Scenario::PASSIVE
    },
];

async fn answers(scene: &Scene) -> Result<(), Failure> {
    scene.judge_wire("media-type", "answer.no_media_type", Side::Answering, media_type);
    scene.judge_wire("object", "answer.no_object", Side::Answering, object);
    scene.judge_wire("fields", "answer.field_missing", Side::Answering, fields);
    Ok(())
}

async fn errors(scene: &Scene) -> Result<(), Failure> {
    scene.judge_wire("standard", "answer.no_standard_error", Side::Answering, standard);
    Ok(())
}

/// Whether the answer is one in JSON: media come in parts.
fn is_json(exchange: &Heard) -> bool {
    let media = endpoint(exchange).is_some_and(|(_, path)| path.first() == Some(&"media"));
    exchange.path_only().starts_with("/_matrix/") && !media
}

fn media_type(_: &Traffic, exchange: &Heard) -> Option<Finding> {
    if !is_json(exchange) || exchange.status != Some(200) {
        return None;
    }
    let said = header(&exchange.response_headers, "content-type").unwrap_or("nothing");
    let right =
        said.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    Some(Finding::of((!right).then(|| format!("{} is answered as {said}", exchange.path_only()))))
}

fn object(_: &Traffic, exchange: &Heard) -> Option<Finding> {
    if !is_json(exchange) || exchange.status != Some(200) {
        return None;
    }
    let right = match &exchange.response_body {
        // Too long to be kept whole.
        samklang_verdict::Body::Bytes { .. } => return None,
        _ => exchange.answer.is_object(),
    };
    Some(Finding::of(
        (!right).then(|| format!("{} is not answered with a JSON object", exchange.path_only())),
    ))
}

/// A field and whether a value will do for it.
type Field = (&'static str, fn(&Value) -> bool);

/// What the answer of an endpoint has to hold (server-server API, the endpoint's definition).
fn promised(version: &str, path: &[&str]) -> &'static [Field] {
    match (version, path.first().copied().unwrap_or_default()) {
        ("v1", "make_join" | "make_leave") => &[("event", Value::is_object)],
        ("v1", "make_knock") => &[("event", Value::is_object), ("room_version", Value::is_string)],
        ("v2", "send_join") => {
            &[("state", Value::is_array), ("auth_chain", Value::is_array), ("event", is_object_or_absent)]
        }
        ("v1", "send_knock") => &[("knock_room_state", Value::is_array)],
        ("v2", "invite") => &[("event", Value::is_object)],
        ("v1", "send") => &[("pdus", Value::is_object)],
        ("v1", "state") => &[("pdus", Value::is_array), ("auth_chain", Value::is_array)],
        ("v1", "state_ids") => &[("pdu_ids", Value::is_array), ("auth_chain_ids", Value::is_array)],
        ("v1", "event_auth") => &[("auth_chain", Value::is_array)],
        ("v1", "event" | "backfill") => {
            &[("origin", Value::is_string), ("origin_server_ts", Value::is_i64), ("pdus", Value::is_array)]
        }
        ("v1", "get_missing_events") => &[("events", Value::is_array)],
        ("v1", "user") => match path.get(1).copied().unwrap_or_default() {
            "devices" => {
                &[("user_id", Value::is_string), ("stream_id", Value::is_i64), ("devices", Value::is_array)]
            }
            _ => &[],
        },
        ("v1", "version") => &[("server", Value::is_object)],
        _ => &[],
    }
}

fn is_object_or_absent(value: &Value) -> bool {
    value.is_object() || value.is_null()
}

fn fields(_: &Traffic, exchange: &Heard) -> Option<Finding> {
    let (version, path) = endpoint(exchange)?;
    let body = &exchange.answer;
    let promised = promised(version, &path);
    if exchange.status != Some(200) || promised.is_empty() {
        return None;
    }
    let wrong = promised.iter().find(|(name, will_do)| !will_do(&body[name]));
    Some(Finding::of(
        wrong.map(|(name, _)| format!("the answer to {} has no right {name}", exchange.path_only())),
    ))
}

fn standard(_: &Traffic, exchange: &Heard) -> Option<Finding> {
    let status = exchange.status.filter(|status| *status >= 400)?;
    if !exchange.path_only().starts_with("/_matrix/") {
        return None;
    }
    let body = &exchange.answer;
    let right = body["errcode"].is_string() && body["error"].is_string();
    let what = || format!("{} {} is refused with {status} and {body}", exchange.method, exchange.path_only());
    Some(Finding::of((!right).then(what)))
}
