//! One recorded exchange with its bodies read, and its two halves.

use std::sync::Arc;

use samklang_matrix::Event;
use samklang_verdict::{Exchange, Party};
use serde_json::Value;

/// An exchange whose bodies have been read, once for all rules.
pub struct ReadExchange {
    /// The exchange as it was recorded.
    pub recorded: Arc<Exchange>,
    /// The request's body; null where it is empty or not JSON.
    pub request: Value,
    /// The response's body; null where it is empty or not JSON.
    pub response: Value,
    /// The events in the request, whichever server made them.
    pub request_events: Vec<Arc<Event>>,
    /// The events in the response, whichever server made them.
    pub response_events: Vec<Arc<Event>>,
}

/// What one of the two parties sent in an exchange: the request or the response.
pub struct ExchangeHalf<'a> {
    /// The whole exchange as it was recorded.
    pub exchange: &'a Exchange,
    /// The body of the request, whichever half this is.
    pub request: &'a Value,
    /// The body of the response, whichever half this is.
    pub response: &'a Value,
    /// The events in the request, whichever half this is.
    pub request_events: &'a [Arc<Event>],
    /// Whether this half is the request.
    pub is_request: bool,
    /// The party that sent this half.
    pub by: &'a Party,
    /// The other party.
    pub to: &'a Party,
    /// The body of this half.
    pub body: &'a Value,
    /// The events in this half, whichever server made them.
    pub events: &'a [Arc<Event>],
}

impl ReadExchange {
    /// What the requesting party sent.
    pub fn request_half(&self) -> ExchangeHalf<'_> {
        self.half(true)
    }

    /// What the responding party sent.
    pub fn response_half(&self) -> ExchangeHalf<'_> {
        self.half(false)
    }

    fn half(&self, is_request: bool) -> ExchangeHalf<'_> {
        let Self { recorded, request, response, request_events, response_events } = self;
        let (by, to, body, events) = if is_request {
            (&recorded.from, &recorded.to, request, request_events)
        } else {
            (&recorded.to, &recorded.from, response, response_events)
        };
        ExchangeHalf {
            exchange: recorded,
            request,
            response,
            request_events,
            is_request,
            by,
            to,
            body,
            events,
        }
    }
}
