//! What went by before: an event that comes again, a template that was filled in, a transaction that is retried.

use std::collections::BTreeMap;

use samklang_verdict::{Body, Exchange, ExchangeId, Party, Wire};
use serde_json::Value;

use super::{
    carried::{Found, Kind},
    changes::changes,
};

/// How something relates to what went by before.
pub(super) enum Again {
    /// An event that stood in an earlier exchange, and in what it differs.
    Event(ExchangeId, Vec<String>),
    /// An event made from a template, and what its maker added or changed.
    Filled(ExchangeId, Vec<String>),
}

/// What has gone by in a sequence so far.
#[derive(Default)]
pub(super) struct Seen {
    events: BTreeMap<String, (ExchangeId, Value)>,
    templates: BTreeMap<[String; 3], (ExchangeId, Value)>,
    transactions: BTreeMap<(Party, Party, String), (ExchangeId, Body)>,
}

impl Seen {
    /// Compares an event between servers with what is known, and keeps it. `id` is its event id.
    pub(super) fn event(&mut self, at: ExchangeId, found: &Found<'_>, id: Option<&str>) -> Option<Again> {
        let key = ["type", "sender", "state_key"].map(|key| found.text(key).unwrap_or_default().to_owned());
        match found.kind {
            Kind::Template => {
                self.templates.insert(key, (at, found.value.clone()));
                None
            }
            Kind::Pdu => {
                let id = id?;
                if let Some((first, before)) = self.events.get(id) {
                    return Some(Again::Event(*first, changes(before, found.value)));
                }
                self.events.insert(id.to_owned(), (at, found.value.clone()));
                let (template, proposed) = self.templates.remove(&key)?;
                Some(Again::Filled(template, changes(&proposed, found.value)))
            }
            Kind::Edu | Kind::Event => None,
        }
    }

    /// Where the same transaction was sent before, and in what it differs; nothing in that when it is the same, byte for
    /// byte (server-server API, transactions: a retry keeps id and content).
    pub(super) fn transaction(&mut self, exchange: &Exchange) -> Option<(ExchangeId, Option<Vec<String>>)> {
        let is_transaction = exchange.wire == Wire::Federation
            && exchange.path_only().starts_with("/_matrix/federation/v1/send/");
        if !is_transaction {
            return None;
        }
        let key = (exchange.from.clone(), exchange.to.clone(), exchange.path.clone());
        let before = self.transactions.insert(key, (exchange.id, exchange.request_body.clone()));
        let (first, body) = before?;
        let differs = body != exchange.request_body;
        let lines = || match (body.json(), exchange.request_body.json()) {
            (Some(old), Some(new)) => changes(&old, &new),
            _ => Vec::new(),
        };
        Some((first, differs.then(lines)))
    }
}
