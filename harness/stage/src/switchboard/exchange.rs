//! The way of one request through the door.

use std::{
    net::SocketAddr,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{self, HeaderName},
    request,
};
use http_body_util::Full;
use hyper::body::Incoming;
use samklang_verdict::{Body, Party};

use super::{
    Shared,
    client::{BROKEN, EXCHANGE, TOKEN},
    directory::{Route, Service, Traits, origin_of},
    entry::Entry,
    fault::{Asked, Effect},
    pool::{Broken, Excess, gather},
    tap::Heard,
    tasks::lock,
};
use crate::waiting::{let_pass, within};

/// A connection to the door, as its requests see it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) remote: SocketAddr,
    /// The name it was made to, by its TLS handshake or by the listener that took it.
    pub(super) name: String,
    pub(super) heard: Arc<Heard>,
    /// Who sent the last signed request on it.
    pub(super) sender: Mutex<Option<Party>>,
}

/// The connection is to be reset.
#[derive(Debug)]
pub(super) struct Reset;

impl std::fmt::Display for Reset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is reset")
    }
}

impl std::error::Error for Reset {}

/// What the asker gets.
enum Said {
    /// The answer of whoever was asked.
    Answer(Response<Bytes>),
    /// The door's own answer.
    Own(StatusCode, String),
    /// Whoever was asked did not answer; the asker is told by this status, the transcript by these words.
    Nothing(StatusCode, String),
    /// A reset connection, and why if it is no fault that was asked for.
    Reset(Option<String>),
}

/// Answers one request.
pub(super) async fn handle(
    shared: Arc<Shared>,
    line: Arc<Line>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Reset> {
    let (mut parts, body) = request.into_parts();
    let token = parts.headers.remove(TOKEN);
    let caller = token.and_then(|token| shared.directory.caller(token.to_str().ok()?));
    let target = target(&line, &parts);
    let from = caller.clone().unwrap_or_else(|| stranger(&line.remote.ip()));
    let mut entry = Entry::begin(&shared.recorder, parts.method.as_str(), &target, &parts.headers, from);
    entry.exchange.to = party_of(&shared, &line.name);

    let bound = shared.settings.exchange;
    let converse = converse(&shared, &line, caller.as_ref(), (parts, body, &target), &mut entry);
    let said = within(bound, converse).await.unwrap_or_else(|_| {
        Said::Nothing(StatusCode::GATEWAY_TIMEOUT, format!("no complete answer within {bound:?}"))
    });
    let mut answer = match said {
        Said::Answer(answer) => answer,
        Said::Own(status, why) => {
            entry.exchange.status = Some(status.as_u16());
            let answer = own_answer(status, &why);
            entry.exchange.response_body = Body::of(answer.body());
            if entry.exchange.fault.is_none() {
                entry.exchange.broken = Some(why);
            }
            answer
        }
        Said::Nothing(status, why) => {
            let answer = own_answer(status, &why);
            entry.exchange.broken = Some(why);
            answer
        }
        Said::Reset(why) => {
            entry.exchange.broken = why;
            entry.complete();
            line.heard.reset();
            return Err(Reset);
        }
    };
    entry.complete();
    if caller.is_some() {
        answer.headers_mut().insert(EXCHANGE, entry.exchange.id.0.into());
        if let Some(why) = &entry.exchange.broken
            && let Ok(why) = HeaderValue::try_from(why)
        {
            answer.headers_mut().insert(BROKEN, why);
        }
    }
    Ok(answer.map(Full::new))
}

async fn converse(
    shared: &Shared,
    line: &Line,
    caller: Option<&Party>,
    (parts, body, target): (request::Parts, Incoming, &str),
    entry: &mut Entry,
) -> Said {
    let body = match gather(body, shared.settings.body).await {
        Ok(body) => body,
        Err(Excess { why, seen }) => {
            entry.exchange.request_body = Body::of(&seen);
            return Said::Reset(Some(format!("the request broke off: {why}")));
        }
    };
    line.heard.expect_line();
    entry.exchange.request_body = Body::of(&body);
    entry.exchange.from = caller.cloned().unwrap_or_else(|| sender(shared, line, &parts.headers));

    if let Err((status, why)) = check(shared, line, &parts, target, entry) {
        return Said::Own(status, why);
    }
    let exchange = &entry.exchange;
    let asked = Asked {
        from: &exchange.from,
        to: &exchange.to,
        method: parts.method.as_str(),
        path: target,
        body: &body,
    };
    let effect = shared.faults.hit(&asked);
    entry.exchange.fault = effect.as_ref().map(ToString::to_string);
    match effect {
        Some(Effect::Cut) => return Said::Reset(None),
        Some(Effect::Refuse(status)) => return Said::Own(status, "a network fault of the scenario".into()),
        Some(Effect::Lose) => {
            let answer = taken();
            entry.exchange.status = Some(answer.status().as_u16());
            entry.exchange.response_body = Body::of(answer.body());
            return Said::Answer(answer);
        }
        Some(Effect::Delay(span)) => let_pass(span).await,
        Some(Effect::Duplicate) | None => {}
    }
    let Some(route) = shared.directory.route(&line.name) else {
        return Said::Nothing(StatusCode::BAD_GATEWAY, format!("no server is up for {}", line.name));
    };
    let request = onward(parts, body);
    match effect {
        Some(Effect::Duplicate) => {
            let answer = pass_on(&route, request.clone(), entry).await;
            let mut second = entry.again();
            match pass_on(&route, request, &mut second).await {
                Said::Nothing(_, why) => second.exchange.broken = Some(why),
                Said::Reset(why) => second.exchange.broken = why,
                Said::Answer(_) | Said::Own(..) => {}
            }
            second.complete();
            answer
        }
        _ => pass_on(&route, request, entry).await,
    }
}

/// Whether the request may pass: it must be meant for the name that its connection was made to, and name a path that
/// can be passed on as it stands.
fn check(
    shared: &Shared,
    line: &Line,
    parts: &request::Parts,
    target: &str,
    entry: &mut Entry,
) -> Result<(), (StatusCode, String)> {
    let Some(host) = host(parts) else {
        return Err((StatusCode::BAD_REQUEST, "the request has not exactly one Host header".into()));
    };
    if !is_host_of(&host, &line.name, shared.settings.port) {
        let why = format!("Host says {host}, and the connection was made to {}", line.name);
        entry.exchange.to = Party::Stranger { name: host };
        return Err((StatusCode::MISDIRECTED_REQUEST, why));
    }
    if parts.uri.path_and_query().is_none() || parts.method == Method::CONNECT {
        return Err((StatusCode::BAD_REQUEST, "the request names no path".into()));
    }
    if target.contains('#') {
        let why = "the request's path has a bare \"#\", which must be sent as %23 (RFC 9112, section 3.2)";
        return Err((StatusCode::BAD_REQUEST, why.into()));
    }
    Ok(())
}

/// Has the request answered by whoever stands behind the name.
async fn pass_on(route: &Route, mut request: Request<Bytes>, entry: &mut Entry) -> Said {
    let is_head = request.method() == Method::HEAD;
    let (mut parts, body) = match &route.service {
        Service::Peer(peer) => {
            request.extensions_mut().insert(entry.exchange.id);
            request.extensions_mut().insert(entry.exchange.from.clone());
            match AssertUnwindSafe(peer.answer(request)).catch_unwind().await {
                Ok(answer) => answer.into_parts(),
                Err(_) => {
                    return Said::Nothing(StatusCode::INTERNAL_SERVER_ERROR, "the peer panicked".into());
                }
            }
        }
        Service::Server(pool) => match pool.send(request).await {
            Ok(whole) => (whole.parts, whole.body),
            Err(Broken { why, seen: None }) => return Said::Nothing(StatusCode::BAD_GATEWAY, why),
            Err(Broken { why, seen: Some(whole) }) => {
                entry.answered(&whole.parts, &whole.body);
                return Said::Reset(Some(format!("the answer broke off: {why}")));
            }
        },
    };
    entry.answered(&parts, &body);
    remove_hop_by_hop(&mut parts.headers);
    if !is_head {
        keep_true_length(&mut parts.headers, body.len());
    }
    parts.version = Version::HTTP_11;
    Said::Answer(Response::from_parts(parts, body))
}

/// The request as it goes on: what concerned the connection removed, everything else as it came.
fn onward(mut parts: request::Parts, body: Bytes) -> Request<Bytes> {
    parts.uri = parts.uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
    parts.version = Version::HTTP_11;
    remove_hop_by_hop(&mut parts.headers);
    // The body is here already: the promise to wait for it concerned the door.
    parts.headers.remove(header::EXPECT);
    // A compressed answer could not be judged; no server has to compress, and the asker's own wish stands recorded.
    parts.headers.remove(header::ACCEPT_ENCODING);
    keep_true_length(&mut parts.headers, body.len());
    Request::from_parts(parts, body)
}

/// Removes the headers that concern one connection only (RFC 9110, section 7.6.1).
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // A server must not be able to have these removed.
        .filter(|name| ![header::HOST, header::AUTHORIZATION, header::CONTENT_LENGTH].contains(name))
        .collect();
    let always =
        ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];
    for name in always.into_iter().map(HeaderName::from_static).chain(named) {
        headers.remove(name);
    }
}

/// A length that is not the body's own is removed; hyper then states the right one.
fn keep_true_length(headers: &mut HeaderMap, length: usize) {
    let mut stated = headers.get_all(header::CONTENT_LENGTH).iter();
    let is_true = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.parse() == Ok(length));
    if !(stated.next().is_some_and(is_true) && stated.next().is_none()) {
        headers.remove(header::CONTENT_LENGTH);
    }
}

/// Method and target as they stood on the wire, where the tap heard them; else the target as parsed.
fn target(line: &Line, parts: &request::Parts) -> String {
    let parsed = parts.uri.to_string();
    match line.heard.take_line() {
        Some((method, target))
            if method == parts.method.as_str() && target.split('#').next() == Some(parsed.as_str()) =>
        {
            target
        }
        _ => parsed,
    }
}

fn host(parts: &request::Parts) -> Option<String> {
    if let Some(authority) = parts.uri.authority() {
        return Some(authority.to_string());
    }
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?.to_owned();
    hosts.next().is_none().then_some(host)
}

/// Whether `host` names the server `name`, for which the port may be left out (server-server API, "Resolving server
/// names").
fn is_host_of(host: &str, name: &str, port: u16) -> bool {
    let with_port = format!("{name}:{port}");
    host.eq_ignore_ascii_case(name) || host.eq_ignore_ascii_case(&with_port)
}

fn sender(shared: &Shared, line: &Line, headers: &HeaderMap) -> Party {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let origin = authorization.and_then(origin_of);
    let before = lock(&line.sender).clone();
    let traits = Traits { remote: line.remote, to: &line.name, origin, before: before.as_ref() };
    let party = shared.directory.sender(traits);
    if origin.is_some() {
        *lock(&line.sender) = Some(party.clone());
    }
    party
}

/// The party that answers for `name`.
pub(super) fn party_of(shared: &Shared, name: &str) -> Party {
    shared
        .directory
        .route(name)
        .map_or_else(|| Party::Stranger { name: name.to_owned() }, |route| route.party)
}

pub(super) fn stranger(name: &impl ToString) -> Party {
    Party::Stranger { name: name.to_string() }
}

/// The answer of a server that has taken a transaction (server-server API, transactions).
fn taken() -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from_static(br#"{"pdus":{}}"#));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// An answer in the form of a Matrix error, for servers that read it.
fn own_answer(status: StatusCode, why: &str) -> Response<Bytes> {
    let body =
        serde_json::json!({ "errcode": "M_UNKNOWN", "error": format!("Samklang's switchboard: {why}") });
    let mut answer = Response::new(Bytes::from(body.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
