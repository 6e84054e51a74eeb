//! Repetitions: an event that is sent again, a template that was filled in, a transaction that is retried.

use std::collections::BTreeMap;

use samklang_verdict::{Body, Exchange, ExchangeId, Party, Wire};
use serde_json::Value;

use super::{
    body_events::{BodyEvent, BodyEventKind},
    changes::changes,
};

/// How an event relates to earlier exchanges.
pub(super) enum Repetition {
    /// An event of an earlier exchange, and the differences.
    Event(ExchangeId, Vec<String>),
    /// An event made from a template, and the added or changed members.
    Filled(ExchangeId, Vec<String>),
}

/// The events, templates and transactions so far.
#[derive(Default)]
pub(super) struct SeenSoFar {
    events: BTreeMap<String, (ExchangeId, Value)>,
    templates: BTreeMap<[String; 3], (ExchangeId, Value)>,
    transactions: BTreeMap<(Party, Party, String), (ExchangeId, Body)>,
}

impl SeenSoFar {
    /// Compares an event between servers with the earlier ones, and stores it. `id` is its event id.
    pub(super) fn event(
        &mut self,
        at: ExchangeId,
        found: &BodyEvent<'_>,
        id: Option<&str>,
    ) -> Option<Repetition> {
        let key = ["type", "sender", "state_key"].map(|key| found.text(key).unwrap_or_default().to_owned());
        match found.kind {
            BodyEventKind::Template => {
                self.templates.insert(key, (at, found.value.clone()));
                None
            }
            BodyEventKind::Pdu => {
                let id = id?;
                if let Some((first, before)) = self.events.get(id) {
                    return Some(Repetition::Event(*first, changes(before, found.value)));
                }
                self.events.insert(id.to_owned(), (at, found.value.clone()));
                let (template, proposed) = self.templates.remove(&key)?;
                Some(Repetition::Filled(template, changes(&proposed, found.value)))
            }
            BodyEventKind::Edu | BodyEventKind::Event => None,
        }
    }

    /// The exchange that sent the same transaction before, and the differences; `None` if it is the same byte for byte
    /// (server-server API, transactions: a retry keeps id and content).
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
