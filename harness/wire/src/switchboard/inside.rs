//! The path from inside the process to the switchboard if nothing listens. There is no connection; all else is as at
//! the door.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header, request};
use samklang_reference::{NoResponse, ServerResponse};
use samklang_verdict::{Body, Party};

use super::{
    Shared,
    entry::{RecordEntry, listed},
    exchange::{ExchangeOutcome, ReceivedRequest, conclude, converse, in_time, party_of, stranger},
};

/// A path to every name of the stage, for one party.
pub(super) struct Inside {
    pub(super) shared: Arc<Shared>,
    pub(super) party: Party,
}

impl Inside {
    /// Sends `request`, whose URI is path and query, to the server or peer called `server_name`.
    pub(super) async fn send(
        &self,
        server_name: &str,
        request: Request<Bytes>,
    ) -> Result<ServerResponse, NoResponse> {
        let (mut parts, body) = request.into_parts();
        if !body.is_empty() {
            // The HTTP library adds this header on a connection.
            parts.headers.entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(body.len()));
        }
        let target = parts.uri.to_string();
        let shared = &self.shared;
        let from = self.party.clone();
        let mut entry =
            RecordEntry::begin(&shared.recorder, parts.method.as_str(), &target, &parts.headers, from);
        entry.exchange.request_body = Body::of(&body);
        let said = if let Some(name) = shared.directory.named(server_name) {
            entry.exchange.to = party_of(shared, &name);
            self.ask(&name, parts, &target, body, &mut entry).await
        } else {
            entry.exchange.to = stranger(&server_name);
            ExchangeOutcome::Reset(Some(format!("{server_name} is no name of this run")))
        };
        let answer = conclude(said, &mut entry);
        let exchange = Some(entry.exchange.id);
        let Some(answer) = answer else {
            let why = entry.exchange.broken.clone();
            return Err(NoResponse {
                why: why.unwrap_or_else(|| "the connection was reset".into()),
                exchange,
            });
        };
        if let Some(why) = &entry.exchange.broken {
            return Err(NoResponse { why: why.clone(), exchange });
        }
        let (parts, body) = answer.into_parts();
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            let why = "the server switched protocols, which nobody asked for".to_owned();
            return Err(NoResponse { why, exchange });
        }
        Ok(ServerResponse { status: parts.status.as_u16(), headers: listed(&parts.headers), body, exchange })
    }

    /// Sends a request to `name`, a name of this stage.
    async fn ask(
        &self,
        name: &str,
        parts: request::Parts,
        target: &str,
        body: Bytes,
        entry: &mut RecordEntry,
    ) -> ExchangeOutcome {
        let shared = &self.shared;
        if body.len() > shared.settings.body {
            let why = format!("the request has a body of {} bytes, which is too much", body.len());
            return ExchangeOutcome::Reset(Some(why));
        }
        in_time(shared, converse(shared, ReceivedRequest { name, parts, target, body }, entry)).await
    }
}
