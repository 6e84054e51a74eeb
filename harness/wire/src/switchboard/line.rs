//! A connection to the door, and the requests that come on it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header, request};
use http_body_util::Full;
use hyper::body::Incoming;
use samklang_verdict::{Body, Party};

use super::{
    Shared,
    client::{BROKEN, EXCHANGE, TOKEN},
    directory::{Traits, origin_of},
    entry::RecordEntry,
    exchange::{ExchangeOutcome, ReceivedRequest, conclude, converse, in_time, party_of, stranger},
    pool::{IncompleteBody, gather},
    tap::ConnectionNotes,
    tasks::lock,
};

/// A connection to the door, as its requests see it.
#[derive(Debug)]
pub(super) struct DoorConnection {
    pub(super) remote: SocketAddr,
    /// The name that it was made to, from its TLS handshake or from the listener that accepted it.
    pub(super) name: String,
    pub(super) heard: Arc<ConnectionNotes>,
    /// The sender of the last signed request on it.
    pub(super) sender: Mutex<Option<Party>>,
}

/// The error for a connection that is to be reset.
#[derive(Debug)]
pub(super) struct Reset;

impl std::fmt::Display for Reset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is reset")
    }
}

impl std::error::Error for Reset {}

/// Answers one request.
pub(super) async fn handle(
    shared: Arc<Shared>,
    line: Arc<DoorConnection>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Reset> {
    let (mut parts, body) = request.into_parts();
    let token = parts.headers.remove(TOKEN);
    let caller = token.and_then(|token| shared.directory.caller(token.to_str().ok()?));
    let target = target(&line, &parts);
    let from = caller.clone().unwrap_or_else(|| stranger(&line.remote.ip()));
    let mut entry =
        RecordEntry::begin(&shared.recorder, parts.method.as_str(), &target, &parts.headers, from);
    entry.exchange.to = party_of(&shared, &line.name);

    let saying = async {
        let body = match take_in(&shared, &line, body, &mut entry).await {
            Ok(body) => body,
            Err(why) => return ExchangeOutcome::Reset(Some(format!("the request broke off: {why}"))),
        };
        if caller.is_none() {
            entry.exchange.from = sender(&shared, &line, &parts.headers);
        }
        let brought = ReceivedRequest { name: &line.name, parts, target: &target, body };
        converse(&shared, brought, &mut entry).await
    };
    let said = in_time(&shared, saying).await;
    let Some(mut answer) = conclude(said, &mut entry) else {
        line.heard.reset();
        return Err(Reset);
    };
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

/// The whole body of a request, or the reason why it is missing.
async fn take_in(
    shared: &Shared,
    line: &DoorConnection,
    body: Incoming,
    entry: &mut RecordEntry,
) -> Result<Bytes, String> {
    match gather(body, shared.settings.body).await {
        Ok(body) => {
            line.heard.expect_line();
            entry.exchange.request_body = Body::of(&body);
            Ok(body)
        }
        Err(IncompleteBody { why, seen }) => {
            entry.exchange.request_body = Body::of(&seen);
            Err(why)
        }
    }
}

/// Method and target as they stood on the wire, if the tap read them. Otherwise the target as parsed.
fn target(line: &DoorConnection, parts: &request::Parts) -> String {
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

fn sender(shared: &Shared, line: &DoorConnection, headers: &HeaderMap) -> Party {
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
