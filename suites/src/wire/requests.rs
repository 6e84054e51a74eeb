//! Requests: their signatures, destinations and bodies (server-server API, request authentication, API standards).

use samklang_matrix::{Credentials, verify_request};
use samklang_runner::{
    passive::{Finding, Said},
    traffic::Traffic,
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
            CheckPlan::new("credentials", "Every request has X-Matrix credentials.")
                .of(&["SS-AUTH-001", "SS-AUTH-019"])
                .asking("request.no_credentials", credentials),
            CheckPlan::new("destination", "The credentials of a request name the destination.")
                .of(&["SS-AUTH-016"])
                .asking("request.no_destination", destination),
            CheckPlan::new(
                "signature",
                "A published key of the sending server signs the request as it is sent.",
            )
            .of(&["SS-AUTH-005", "SS-AUTH-006", "SS-AUTH-012", "SS-AUTH-020", "SS-KEYS-035"])
            .asking("request.bad_signature", signature),
            CheckPlan::new("quotes", "Values in the credentials that are not plain tokens are in quotes.")
                .of(&["SS-AUTH-028"])
                .asking("request.no_quotes", quotes),
        ],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.request-style",
        title: "Requests are written in the form that every server can read.",
        weight: Weight::Should,
        catalogue: &["FC-07"],
        versions: Versions::Newest,
        requirements: &["SS-AUTH-029"],
        checks: &[
            CheckPlan::new("names", "One space follows X-Matrix, and parameter names are in lower case.")
                .of(&["SS-AUTH-029"])
                .asking("request.odd_header", names),
            CheckPlan::new(
                "plain",
                "The credentials have no white space around commas and no backslashes in values.",
            )
            .of(&["SS-AUTH-030"])
            .asking("request.odd_header", plain),
            CheckPlan::new(
                "media-type",
                "Every request with a JSON body has the media type application/json.",
            )
            .of(&["SS-HTTP-002"])
            .asking("request.no_media_type", media_type),
        ],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.request-bodies",
        title: "Every PUT and POST between servers has a JSON object as its body.",
        versions: Versions::Newest,
        requirements: &["SS-HTTP-004"],
        catalogue: &["FC-09"],
        checks: &[CheckPlan::new("object", "The body of a PUT or POST request is a JSON object.")
            .of(&["SS-HTTP-004", "SS-HTTP-006"])
            .asking("request.no_object", object)],
        ..Scenario::PASSIVE
    },
    Scenario {
        id: "wire.names",
        title: "Servers send requests only to servers that take part in the run.",
        catalogue: &["FC-01"],
        versions: Versions::Newest,
        requirements: &["SS-AUTH-015"],
        checks: &[CheckPlan::new("of-the-run", "Every request goes to a server name of the run.")
            .asking("request.to_a_stranger", of_the_run)],
        ..Scenario::PASSIVE
    },
];

/// Whether a request needs credentials (server-server API: all but keys, version, OpenID and well-known).
fn needs_credentials(said: &Said<'_>) -> bool {
    let path = said.path_only();
    let open = ["/_matrix/federation/v1/version", "/_matrix/federation/v1/openid/"];
    path.starts_with("/_matrix/federation/") && !open.iter().any(|open| path.starts_with(open))
}

/// The `Authorization` header of a request that needs credentials.
fn authorization<'a>(said: &'a Said<'_>) -> Option<&'a str> {
    needs_credentials(said).then(|| header(&said.request_headers, "authorization")).flatten()
}

fn credentials(_: &Traffic, said: &Said<'_>) -> Option<Finding> {
    needs_credentials(said).then(|| match authorization(said) {
        Some(value) => {
            let error = Credentials::parse(value).err();
            Finding::of(error.map(|error| message!("wire.credentials", error = error)))
        }
        None => Finding::Breaks(message!("wire.no-credentials")),
    })
}

fn destination(_: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let credentials = Credentials::parse(authorization(said)?).ok()?;
    let missing = credentials.destination.is_none();
    Some(Finding::of(missing.then(|| message!("wire.no-destination"))))
}

fn signature(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let value = authorization(said)?;
    let to = traffic.name(said.to)?;
    let body = match &said.request_body {
        samklang_verdict::Body::Empty => None,
        // The recorder keeps a long body only in part, and then the signature cannot be verified.
        _ if said.request.is_null() => return None,
        _ => Some(&said.request),
    };
    let now = now_ms();
    let (method, path) = (said.method.as_str(), said.path.as_str());
    let verified = verify_request(value, method, path, body, to, &traffic.keys, now);
    Some(match (verified, traffic.name(said.by)) {
        (Ok(claims), Some(from)) if claims.origin == from => Finding::Keeps,
        (Ok(claims), _) => Finding::Breaks(message!("wire.other-origin", origin = claims.origin)),
        (Err(error), _) => Finding::Breaks(message!("wire.request-signature", error = error)),
    })
}

/// The parameters of a header, each with its value as it is written.
fn parameters(value: &str) -> impl Iterator<Item = (&str, &str)> {
    let rest = value.split_once(' ').map_or("", |(_, rest)| rest);
    rest.split(',').filter_map(|parameter| parameter.split_once('='))
}

fn quotes(_: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let value = authorization(said)?;
    let is_token = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let bare =
        parameters(value).find(|(_, written)| !written.trim().starts_with('"') && !is_token(written.trim()));
    Some(Finding::of(bare.map(|(name, _)| message!("wire.no-quotes", parameter = name.trim()))))
}

fn names(_: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let value = authorization(said)?;
    let odd = parameters(value).find(|(name, _)| name.trim().chars().any(char::is_uppercase));
    let wrong = odd.map(|(name, _)| message!("wire.upper-case", parameter = name));
    let spaced = !value.starts_with("X-Matrix ") || value.starts_with("X-Matrix  ");
    Some(Finding::of(wrong.or_else(|| spaced.then(|| message!("wire.scheme-space")))))
}

fn plain(_: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let value = authorization(said)?;
    let rest = value.split_once(' ').map_or("", |(_, rest)| rest);
    let odd = rest.contains([' ', '\t', '\\']);
    Some(Finding::of(odd.then(|| message!("wire.white-space"))))
}

fn media_type(_: &Traffic, said: &Said<'_>) -> Option<Finding> {
    if said.request.is_null() {
        return None;
    }
    Some(Finding::of(not_json("request", said.path_only(), header(&said.request_headers, "content-type"))))
}

fn object(_: &Traffic, said: &Said<'_>) -> Option<Finding> {
    // The recorder keeps a long body only in part.
    let is_kept = !matches!(said.request_body, samklang_verdict::Body::Bytes { .. });
    let carries = matches!(said.method.as_str(), "PUT" | "POST") && needs_credentials(said) && is_kept;
    let is_object = || said.request.is_object();
    let (method, path) = (&said.method, said.path_only());
    let wrong = || message!("wire.request-not-object", method = method, path = path);
    carries.then(|| Finding::of((!is_object()).then(wrong)))
}

fn of_the_run(traffic: &Traffic, said: &Said<'_>) -> Option<Finding> {
    let known = traffic.name(said.to).is_some();
    let (method, path) = (&said.method, said.path_only());
    let server = match said.to {
        Party::Stranger { name } => name.clone(),
        other => format!("{other:?}"),
    };
    let wrong = || message!("wire.to-stranger", method = method, path = path, server = server);
    Some(Finding::of((!known).then(wrong)))
}
