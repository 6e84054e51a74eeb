//! Requests: their signatures, destinations and bodies (server-server API, request authentication, API standards).

use samklang_matrix::{Credentials, verify_request};
use samklang_runner::{
    judging::rule::RuleFinding,
    traffic::{Traffic, exchange::ExchangeHalf},
};
use samklang_verdict::Party;

use super::{answers::not_json, header};
use crate::prelude::*;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "wire.signed-requests",
        title: "The sending server signs every request as it is sent, for the server that receives it.",
        catalogue: &["FC-07", "FC-08"],
        versions: Versions::Newest,
        requirements: &["SS-AUTH-001"],
        checks: &[
            CheckPlan::new("credentials", "Every request that the server sends contains an X-Matrix Authorization header.")
                .of(&["SS-AUTH-001", "SS-AUTH-019"])
                .for_requests("request.no_credentials", credentials),
            CheckPlan::new("destination", "The X-Matrix header of a request that the server sends contains the destination.")
                .of(&["SS-AUTH-016"])
                .for_requests("request.no_destination", destination),
            CheckPlan::new(
                "signature",
                "A published key of the sending server signs the request as it is sent.",
            )
            .of(&["SS-AUTH-005", "SS-AUTH-006", "SS-AUTH-012", "SS-AUTH-020", "SS-KEYS-035"])
            .for_requests("request.bad_signature", signature),
            CheckPlan::new("quotes", "Values in the server's X-Matrix headers that are not plain tokens are in quotes.")
                .of(&["SS-AUTH-028"])
                .for_requests("request.no_quotes", quotes),
        ],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.request-style",
        title: "The server sends requests in the form that every server can read.",
        weight: Weight::Should,
        catalogue: &["FC-07"],
        versions: Versions::Newest,
        requirements: &["SS-AUTH-029"],
        checks: &[
            CheckPlan::new("names", "In the server's X-Matrix headers one space follows X-Matrix, and parameter names are in lower case.")
                .of(&["SS-AUTH-029"])
                .for_requests("request.odd_header", names),
            CheckPlan::new(
                "plain",
                "The server's X-Matrix headers contain no white space around commas and no backslashes in values.",
            )
            .of(&["SS-AUTH-030"])
            .for_requests("request.odd_header", plain),
            CheckPlan::new(
                "media-type",
                "Every request of the server with a JSON body has the media type application/json.",
            )
            .of(&["SS-HTTP-002"])
            .for_requests("request.no_media_type", media_type),
        ],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.request-bodies",
        title: "The server sends every PUT and POST request with a JSON object as its body.",
        versions: Versions::Newest,
        requirements: &["SS-HTTP-004"],
        catalogue: &["FC-09"],
        checks: &[CheckPlan::new("object", "The body of every PUT or POST request that the server sends is a JSON object.")
            .of(&["SS-HTTP-004", "SS-HTTP-006"])
            .for_requests("request.no_object", object)],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.names",
        title: "The server sends requests only to servers that take part in the run.",
        catalogue: &["FC-01"],
        versions: Versions::Newest,
        requirements: &["SS-AUTH-015"],
        checks: &[CheckPlan::new("of-the-run", "Every request of the server goes to a server name of the run.")
            .for_requests("request.to_a_stranger", of_the_run)],
        ..Scenario::PASSIVE
    },
];

/// Whether a request needs credentials (server-server API: all but keys, version, OpenID and well-known).
fn needs_credentials(half: &ExchangeHalf<'_>) -> bool {
    let path = half.exchange.path_only();
    let open = [endpoints::VERSION.template, endpoints::OPENID.template];
    path.starts_with(endpoints::FEDERATION_ROOT) && !open.iter().any(|open| path.starts_with(open))
}

/// The `Authorization` header of a request that needs credentials.
fn authorization<'a>(half: &'a ExchangeHalf<'_>) -> Option<&'a str> {
    needs_credentials(half).then(|| header(&half.exchange.request_headers, "authorization")).flatten()
}

fn credentials(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    needs_credentials(half).then(|| match authorization(half) {
        Some(value) => {
            let error = Credentials::parse(value).err();
            RuleFinding::of(error.map(|error| message!("wire.credentials", error = error)))
        }
        None => RuleFinding::Breaks(message!("wire.no-credentials")),
    })
}

fn destination(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let credentials = Credentials::parse(authorization(half)?).ok()?;
    let missing = credentials.destination.is_none();
    Some(RuleFinding::of(missing.then(|| message!("wire.no-destination"))))
}

fn signature(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let value = authorization(half)?;
    let to = traffic.name(half.to)?;
    let body = match &half.exchange.request_body {
        samklang_verdict::Body::Empty => None,
        // The recorder keeps a long body only in part, and then the signature cannot be verified.
        _ if half.request.is_null() => return None,
        _ => Some(half.request),
    };
    let now = now_ms();
    let (method, path) = (half.exchange.method.as_str(), half.exchange.path.as_str());
    let verified = verify_request(value, method, path, body, to, &traffic.keys, now);
    Some(match (verified, traffic.name(half.by)) {
        (Ok(claims), Some(from)) if claims.origin == from => RuleFinding::Keeps,
        (Ok(claims), _) => RuleFinding::Breaks(message!("wire.other-origin", origin = claims.origin)),
        (Err(error), _) => RuleFinding::Breaks(message!("wire.request-signature", error = error)),
    })
}

/// The parameters of a header, each with its value as it is written.
fn parameters(value: &str) -> impl Iterator<Item = (&str, &str)> {
    let rest = value.split_once(' ').map_or("", |(_, rest)| rest);
    rest.split(',').filter_map(|parameter| parameter.split_once('='))
}

fn quotes(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let value = authorization(half)?;
    let is_token = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let bare =
        parameters(value).find(|(_, written)| !written.trim().starts_with('"') && !is_token(written.trim()));
    Some(RuleFinding::of(bare.map(|(name, _)| message!("wire.no-quotes", parameter = name.trim()))))
}

fn names(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let value = authorization(half)?;
    let odd = parameters(value).find(|(name, _)| name.trim().chars().any(char::is_uppercase));
    let wrong = odd.map(|(name, _)| message!("wire.upper-case", parameter = name));
    let spaced = !value.starts_with("X-Matrix ") || value.starts_with("X-Matrix  ");
    Some(RuleFinding::of(wrong.or_else(|| spaced.then(|| message!("wire.scheme-space")))))
}

fn plain(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let value = authorization(half)?;
    let rest = value.split_once(' ').map_or("", |(_, rest)| rest);
    let odd = rest.contains([' ', '\t', '\\']);
    Some(RuleFinding::of(odd.then(|| message!("wire.white-space"))))
}

fn media_type(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    if half.request.is_null() {
        return None;
    }
    Some(RuleFinding::of(not_json(
        "request",
        half.exchange.path_only(),
        header(&half.exchange.request_headers, "content-type"),
    )))
}

fn object(_: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    // The recorder keeps a long body only in part.
    let is_kept = !matches!(half.exchange.request_body, samklang_verdict::Body::Bytes { .. });
    let carries =
        matches!(half.exchange.method.as_str(), "PUT" | "POST") && needs_credentials(half) && is_kept;
    let is_object = || half.request.is_object();
    let (method, path) = (&half.exchange.method, half.exchange.path_only());
    let wrong = || message!("wire.request-not-object", method = method, path = path);
    carries.then(|| RuleFinding::of((!is_object()).then(wrong)))
}

fn of_the_run(traffic: &Traffic, half: &ExchangeHalf<'_>) -> Option<RuleFinding> {
    let known = traffic.name(half.to).is_some();
    let (method, path) = (&half.exchange.method, half.exchange.path_only());
    let server = match half.to {
        Party::Stranger { name } => name.clone(),
        other => format!("{other:?}"),
    };
    let wrong = || message!("wire.to-stranger", method = method, path = path, server = server);
    Some(RuleFinding::of((!known).then(wrong)))
}
