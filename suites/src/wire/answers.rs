//! Responses and errors (server-server API, API standards).

use samklang_runner::{
    judging::rule::RuleFinding,
    traffic::{Traffic, exchange::ExchangeHalf},
};
use samklang_verdict::Message;

use super::{endpoint, header};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "wire.answers",
        title: "The server's successful responses to other servers are JSON objects with the media type application/json.",
        catalogue: &["FC-17"],
        versions: Versions::Newest,
        requirements: &["SS-HTTP-005"],
        checks: &[
            CheckPlan::new("media-type", "Every successful response of the server to another server has the media type application/json.")
                .of(&["SS-HTTP-001"])
                .for_responses("answer.no_media_type", media_type),
            CheckPlan::new("object", "Every successful response of the server to another server is a JSON object.")
                .of(&["SS-HTTP-005", "SS-HTTP-006"])
                .for_responses("answer.no_object", object),
        ],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.errors",
        title: "The server's error responses to other servers have the standard form.",
        catalogue: &["FC-17"],
        versions: Versions::Newest,
        requirements: &["SS-ERRORS-004"],
        checks: &[CheckPlan::new("standard", "Every error response of the server to another server contains errcode and error.")
            .of(&["SS-ERRORS-004"])
            .for_responses("answer.no_standard_error", standard)],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.error-style",
        title: "The server's error responses contain proper error codes and, with status 429, when to try again.",
        weight: Weight::Should,
        catalogue: &["FC-17"],
        versions: Versions::Newest,
        requirements: &["SS-ERRORS-005"],
        checks: &[
            CheckPlan::new("namespace", "Every errcode in the server's error responses is in capitals and begins with a namespace.")
                .of(&["SS-ERRORS-005"])
                .for_responses("answer.odd_errcode", namespace),
            CheckPlan::new("retry-after", "Every response of the server with status 429 contains a Retry-After header.")
                .of(&["SS-ERRORS-009"])
                .for_responses("answer.no_retry_after", retry_after),
        ],
        ..Scenario::PASSIVE
    },
];

/// Whether the response should be JSON: only media come as multipart.
fn is_json(half: &ExchangeHalf<'_>) -> bool {
    let media = endpoint(half).is_some_and(|(_, path)| path.first() == Some(&"media"));
    half.exchange.path_only().starts_with(endpoints::ROOT) && !media
}

/// The wrong in a media type that should be `application/json`.
pub(super) fn not_json(kind: &str, path: &str, media_type: Option<&str>) -> Option<Message> {
    let Some(media_type) = media_type else {
        return Some(message!("wire.no-media-type", kind = kind, path = path));
    };
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let wrong = !essence.eq_ignore_ascii_case("application/json");
    wrong.then(|| message!("wire.media-type", kind = kind, path = path, media_type = media_type))
}

fn media_type(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    if !is_json(half) || half.exchange.status != Some(200) {
        return None;
    }
    Some(RuleFinding::of(not_json(
        "response",
        half.exchange.path_only(),
        header(&half.exchange.response_headers, "content-type"),
    )))
}

fn object(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    if !is_json(half) || half.exchange.status != Some(200) {
        return None;
    }
    let right = match &half.exchange.response_body {
        // The recorder keeps a long body only in part.
        samklang_verdict::Body::Bytes { .. } => return None,
        _ => half.response.is_object(),
    };
    Some(RuleFinding::of(
        (!right).then(|| message!("wire.response-not-object", path = half.exchange.path_only())),
    ))
}

fn standard(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let status = half.exchange.status.filter(|status| *status >= 400)?;
    if !half.exchange.path_only().starts_with(endpoints::ROOT) {
        return None;
    }
    let body = half.response;
    let right = body["errcode"].is_string() && body["error"].is_string();
    let (method, path) = (&half.exchange.method, half.exchange.path_only());
    let wrong =
        || message!("wire.no-standard-error", method = method, path = path, status = status, body = body);
    Some(RuleFinding::of((!right).then(wrong)))
}

fn namespace(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let refused = half.exchange.status.is_some_and(|status| status >= 400);
    let errcode = half.response["errcode"].as_str().filter(|_| refused)?;
    let capitals = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    // A namespace of a vendor looks like a Java package name in capitals (client-server API, standard error response).
    let right = errcode.split_once('_').is_some_and(|(space, rest)| {
        space.split('.').all(capitals) && !rest.is_empty() && *rest == rest.to_ascii_uppercase()
    });
    Some(RuleFinding::of((!right).then(|| message!("wire.errcode", errcode = errcode))))
}

fn retry_after(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let has_header = header(&half.exchange.response_headers, "retry-after").is_some();
    (half.exchange.status == Some(429))
        .then(|| RuleFinding::of((!has_header).then(|| message!("wire.no-retry-after"))))
}
