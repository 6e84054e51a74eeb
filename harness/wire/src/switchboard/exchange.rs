//! The path of one request through the switchboard, both from the door and from inside the process.

use std::panic::AssertUnwindSafe;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{self, HeaderName},
    request,
};
use samklang_verdict::{Body, Party};

use super::{
    Shared,
    directory::{Route, Service},
    entry::RecordEntry,
    fault::{Effect, RoutedRequest},
    pool::BrokenResponse,
};
use crate::{
    patience::{self, AGAIN},
    waiting::{let_pass, within},
};

/// A request that has arrived in full, and the name that it was sent to.
pub(super) struct ReceivedRequest<'a> {
    pub(super) name: &'a str,
    pub(super) parts: request::Parts,
    /// Path and query as sent.
    pub(super) target: &'a str,
    pub(super) body: Bytes,
}

/// The response that the sender of the request gets.
pub(super) enum ExchangeOutcome {
    /// The response of the server that got the request.
    Answer(Response<Bytes>),
    /// The switchboard's own answer.
    Own(StatusCode, String),
    /// The server sent no response. The sender gets this status; the transcript gets these words.
    Nothing(StatusCode, String),
    /// A reset connection. If no network fault caused it, this is the reason.
    Reset(Option<String>),
}

/// Waits for the outcome, for as long as an exchange may take.
pub(super) async fn in_time(
    shared: &Shared,
    saying: impl Future<Output = ExchangeOutcome>,
) -> ExchangeOutcome {
    let bound = shared.settings.exchange;
    within(bound, saying).await.unwrap_or_else(|_| {
        ExchangeOutcome::Nothing(StatusCode::GATEWAY_TIMEOUT, format!("no complete answer within {bound:?}"))
    })
}

/// Completes the record of an exchange with its outcome. `None` means that the connection is to be reset.
pub(super) fn conclude(said: ExchangeOutcome, entry: &mut RecordEntry) -> Option<Response<Bytes>> {
    let answer = match said {
        ExchangeOutcome::Answer(answer) => Some(answer),
        ExchangeOutcome::Own(status, why) => {
            entry.exchange.status = Some(status.as_u16());
            let answer = own_answer(status, &why);
            entry.exchange.response_body = Body::of(answer.body());
            if entry.exchange.fault.is_none() {
                entry.exchange.broken = Some(why);
            }
            Some(answer)
        }
        ExchangeOutcome::Nothing(status, why) => {
            let answer = own_answer(status, &why);
            entry.exchange.broken = Some(why);
            Some(answer)
        }
        ExchangeOutcome::Reset(why) => {
            entry.exchange.broken = why;
            None
        }
    };
    entry.complete();
    answer
}

/// Passes a request on for its response. The faults in force apply.
pub(super) async fn converse(
    shared: &Shared,
    brought: ReceivedRequest<'_>,
    entry: &mut RecordEntry,
) -> ExchangeOutcome {
    let ReceivedRequest { name, parts, target, body } = brought;
    if let Err((status, why)) = check(shared, name, &parts, target, entry) {
        return ExchangeOutcome::Own(status, why);
    }
    let exchange = &entry.exchange;
    let asked = RoutedRequest {
        from: &exchange.from,
        to: &exchange.to,
        method: parts.method.as_str(),
        path: target,
        body: &body,
    };
    let effect = shared.faults.hit(&asked);
    entry.exchange.fault = effect.as_ref().map(ToString::to_string);
    match effect {
        Some(Effect::Cut) => return ExchangeOutcome::Reset(None),
        Some(Effect::Refuse(status)) => {
            return ExchangeOutcome::Own(status, "a network fault of the scenario".into());
        }
        Some(Effect::Lose) => {
            let answer = taken();
            entry.exchange.status = Some(answer.status().as_u16());
            entry.exchange.response_body = Body::of(answer.body());
            return ExchangeOutcome::Answer(answer);
        }
        Some(Effect::Delay(span)) => let_pass(span).await,
        Some(Effect::Duplicate) | None => {}
    }
    let Some(route) = shared.directory.route(name) else {
        return ExchangeOutcome::Nothing(StatusCode::BAD_GATEWAY, format!("no server is up for {name}"));
    };
    let request = onward(parts, body);
    match effect {
        Some(Effect::Duplicate) => {
            let answer = pass_on(&route, request.clone(), entry).await;
            let mut second = entry.again();
            match pass_on(&route, request, &mut second).await {
                ExchangeOutcome::Nothing(_, why) => second.exchange.broken = Some(why),
                ExchangeOutcome::Reset(why) => second.exchange.broken = why,
                ExchangeOutcome::Answer(_) | ExchangeOutcome::Own(..) => {}
            }
            second.complete();
            answer
        }
        _ => match &route.service {
            Service::Server(pool) if pool.is_patient() => patiently(&route, &request, entry).await,
            _ => pass_on(&route, request, entry).await,
        },
    }
}

/// Passes a request on, and repeats it while the server rate-limits it. Each attempt is recorded.
async fn patiently(route: &Route, request: &Request<Bytes>, entry: &mut RecordEntry) -> ExchangeOutcome {
    let mut said = pass_on(route, request.clone(), entry).await;
    for _ in 0..AGAIN {
        let ExchangeOutcome::Answer(answer) = &said else { break };
        let header = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let Some(pause) = patience::pause(answer.status().as_u16(), answer.body(), header) else { break };
        let_pass(pause).await;
        let mut before = std::mem::replace(entry, entry.again());
        before.complete();
        drop(before);
        said = pass_on(route, request.clone(), entry).await;
    }
    said
}

/// Checks whether the request may pass. Its `Host` must be the name that its connection was made to, and its path must
/// be one that can be passed on unchanged.
fn check(
    shared: &Shared,
    name: &str,
    parts: &request::Parts,
    target: &str,
    entry: &mut RecordEntry,
) -> Result<(), (StatusCode, String)> {
    let Some(host) = host(parts) else {
        return Err((StatusCode::BAD_REQUEST, "the request has not exactly one Host header".into()));
    };
    if !is_host_of(&host, name, shared.settings.port) {
        let why = format!("Host says {host}, and the connection was made to {name}");
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

/// Passes the request to the server or peer behind the name.
async fn pass_on(route: &Route, mut request: Request<Bytes>, entry: &mut RecordEntry) -> ExchangeOutcome {
    let is_head = request.method() == Method::HEAD;
    let (mut parts, body) = match &route.service {
        Service::Within(service) => {
            request.extensions_mut().insert(entry.exchange.id);
            request.extensions_mut().insert(entry.exchange.from.clone());
            match AssertUnwindSafe(service.answer(request)).catch_unwind().await {
                Ok(answer) => answer.into_parts(),
                Err(_) => {
                    return ExchangeOutcome::Nothing(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "the server panicked".into(),
                    );
                }
            }
        }
        Service::Server(pool) => match pool.send(request).await {
            Ok(whole) => (whole.parts, whole.body),
            Err(BrokenResponse { why, seen: None }) => {
                return ExchangeOutcome::Nothing(StatusCode::BAD_GATEWAY, why);
            }
            Err(BrokenResponse { why, seen: Some(whole) }) => {
                entry.answered(&whole.parts, &whole.body);
                return ExchangeOutcome::Reset(Some(format!("the answer broke off: {why}")));
            }
        },
    };
    entry.answered(&parts, &body);
    remove_hop_by_hop(&mut parts.headers);
    if !is_head {
        keep_true_length(&mut parts.headers, body.len());
    }
    parts.version = Version::HTTP_11;
    ExchangeOutcome::Answer(Response::from_parts(parts, body))
}

/// The request as it is passed on: without the headers of its connection, and otherwise unchanged.
fn onward(mut parts: request::Parts, body: Bytes) -> Request<Bytes> {
    parts.uri = parts.uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
    parts.version = Version::HTTP_11;
    remove_hop_by_hop(&mut parts.headers);
    // The body is already here, so `Expect` concerned only the door.
    parts.headers.remove(header::EXPECT);
    // A compressed response could not be judged. No server has to compress, and the record keeps the sender's own
    // header.
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

/// Removes a content length that differs from the body's length. hyper then adds the right one.
fn keep_true_length(headers: &mut HeaderMap, length: usize) {
    let mut stated = headers.get_all(header::CONTENT_LENGTH).iter();
    let is_true = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.parse() == Ok(length));
    if !(stated.next().is_some_and(is_true) && stated.next().is_none()) {
        headers.remove(header::CONTENT_LENGTH);
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

/// Whether `host` names the server `name`. The port may be left out (server-server API, "Resolving server names").
fn is_host_of(host: &str, name: &str, port: u16) -> bool {
    let with_port = format!("{name}:{port}");
    host.eq_ignore_ascii_case(name) || host.eq_ignore_ascii_case(&with_port)
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

/// The response of a server that has accepted a transaction (server-server API, transactions).
fn taken() -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from_static(br#"{"pdus":{}}"#));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// A response in the form of a Matrix error, for servers that read it.
fn own_answer(status: StatusCode, why: &str) -> Response<Bytes> {
    let body =
        serde_json::json!({ "errcode": "M_UNKNOWN", "error": format!("Samklang's switchboard: {why}") });
    let mut answer = Response::new(Bytes::from(body.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
