//! The record of an exchange while it happens. However the exchange ends, it is recorded.

use bytes::Bytes;
use http::{HeaderMap, response};
use samklang_verdict::{Body, Exchange, Party, Wire};

use crate::recorder::{Begun, Recorder, redact_headers, redact_path};

/// The record of an exchange that has begun. Dropping it records the exchange: hyper drops the handler of a request
/// whose sender has gone.
#[derive(Debug)]
pub(super) struct RecordEntry {
    recorder: Recorder,
    begun: Begun,
    complete: bool,
    pub(super) exchange: Exchange,
}

impl RecordEntry {
    pub(super) fn begin(
        recorder: &Recorder,
        method: &str,
        path: &str,
        headers: &HeaderMap,
        from: Party,
    ) -> Self {
        let begun = recorder.begin();
        let path = redact_path(path).into_owned();
        tracing::debug!(exchange = %begun.id, ?from, method, path, "request arrives");
        let exchange = Exchange {
            id: begun.id,
            wire: Wire::Federation,
            at_us: begun.at_us,
            took_us: 0,
            to: Party::Stranger { name: String::new() },
            from,
            method: method.to_owned(),
            path,
            request_headers: listed(headers),
            request_body: Body::Empty,
            status: None,
            response_headers: Vec::new(),
            response_body: Body::Empty,
            broken: None,
            fault: None,
        };
        Self { recorder: recorder.clone(), begun, complete: false, exchange }
    }

    /// A record for a repetition of the same request.
    pub(super) fn again(&self) -> Self {
        let begun = self.recorder.begin();
        let mut exchange = self.exchange.clone();
        (exchange.id, exchange.at_us) = (begun.id, begun.at_us);
        (exchange.status, exchange.response_headers, exchange.response_body) =
            (None, Vec::new(), Body::Empty);
        exchange.broken = None;
        Self { recorder: self.recorder.clone(), begun, complete: false, exchange }
    }

    /// Adds a response, or the part of it that arrived.
    pub(super) fn answered(&mut self, parts: &response::Parts, body: &Bytes) {
        self.exchange.status = Some(parts.status.as_u16());
        self.exchange.response_headers = listed(&parts.headers);
        self.exchange.response_body = Body::of(body);
        self.exchange.took_us = self.begun.took_us();
    }

    /// Marks the exchange as complete.
    pub(super) fn complete(&mut self) {
        self.complete = true;
    }
}

impl Drop for RecordEntry {
    fn drop(&mut self) {
        let exchange = &mut self.exchange;
        if !self.complete && exchange.broken.is_none() {
            exchange.broken =
                Some("the asking side went away, or the stage ended, before the answer was complete".into());
        }
        if exchange.status.is_none() || exchange.took_us == 0 {
            exchange.took_us = self.begun.took_us();
        }
        tracing::debug!(
            exchange = %exchange.id,
            to = ?exchange.to,
            status = exchange.status,
            broken = exchange.broken,
            "exchange ends",
        );
        self.recorder.finish(exchange.clone());
    }
}

/// Headers in the form in which they are recorded.
pub(super) fn listed(headers: &HeaderMap) -> Vec<(String, String)> {
    let listed: Vec<_> = headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    redact_headers(&listed)
}
