//! What goes out to other servers: one queue for each, in order, kept until it was taken (server-server API,
//! transactions).

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    fault::{Fault, misshapen},
    homeserver::{Homeserver, now_ms},
    signals::SIGNALS,
};

/// The most PDUs and EDUs of a transaction.
pub(crate) const MOST_PDUS: usize = 50;
pub(crate) const MOST_EDUS: usize = 100;
/// How long a server that did not take a transaction is left alone: at first, and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(8)];

/// All queues, by server.
#[derive(Default)]
pub(crate) struct Outbox(Mutex<BTreeMap<String, Queue>>);

/// What one server is to get.
#[derive(Default)]
struct Queue {
    pdus: VecDeque<Value>,
    edus: VecDeque<Value>,
    /// The transaction that is being sent, and where to: it is kept until it was taken.
    under_way: Option<(String, Value)>,
    /// Whether somebody is sending from it.
    busy: bool,
    /// The server was heard from: it is up.
    heard: Arc<Notify>,
}

impl Queue {
    /// What fits into one transaction.
    fn take(&mut self, most: [usize; 2]) -> Option<(Vec<Value>, Vec<Value>)> {
        let pdus: Vec<_> = self.pdus.drain(..self.pdus.len().min(most[0])).collect();
        let edus: Vec<_> = self.edus.drain(..self.edus.len().min(most[1])).collect();
        (!pdus.is_empty() || !edus.is_empty()).then_some((pdus, edus))
    }
}

impl Outbox {
    fn queues(&self) -> MutexGuard<'_, BTreeMap<String, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that is still to be sent, for the server that takes over.
    pub(crate) fn taken(&self) -> Self {
        let mut queues = std::mem::take(&mut *self.queues());
        queues.values_mut().for_each(|queue| queue.busy = false);
        Self(Mutex::new(queues))
    }

    /// A server that asks something is up: what waits for it goes out at once.
    pub(crate) fn hear_from(&self, server: &str) {
        if let Some(queue) = self.queues().get(server) {
            queue.heard.notify_waiters();
        }
    }
}

impl Homeserver {
    /// Sends an event to these servers.
    pub(crate) fn send_pdu(&self, servers: &BTreeSet<String>, pdu: &Value) {
        if self.has(Fault::PdusNotSent) {
            return;
        }
        let mut pdu = pdu.clone();
        if self.has(Fault::PduUnsigned) {
            pdu["signatures"] = json!({});
        } else if self.has(Fault::PduCarriesId) {
            pdu["event_id"] = json!("$a:b");
        } else if self.has(Fault::SignaturesOfNoKey) {
            pdu["signatures"][self.name()]["key"] = json!("c2lnbmVk");
        } else if self.has(Fault::SignaturesPadded) {
            for signatures in pdu["signatures"].as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
                for (_, signature) in signatures.as_object_mut().into_iter().flatten() {
                    *signature = json!(format!("{}==", signature.as_str().unwrap_or_default()));
                }
            }
        }
        self.enqueue(servers, |queue| queue.pdus.push_back(pdu.clone()));
    }

    /// Sends a signal of this type to these servers.
    pub(crate) fn send_edu(&self, servers: &BTreeSet<String>, kind: &str, content: &Value) {
        let mut edu = json!({"edu_type": kind, "content": content});
        if SIGNALS.iter().any(|known| *known == kind && self.has(Fault::SignalMisshapen(known))) {
            edu["content"] = misshapen(content);
        }
        if self.has(Fault::EdusWithoutType) {
            edu["edu_type"] = Value::Null;
        }
        self.enqueue(servers, |queue| queue.edus.push_back(edu.clone()));
    }

    fn enqueue(&self, servers: &BTreeSet<String>, put: impl Fn(&mut Queue)) {
        // What a scripted server sends, its scenario sends.
        if !self.is_live() {
            return;
        }
        let wedged = self.known().wedged.clone();
        for server in servers.iter().filter(|server| *server != self.name() && !wedged.contains(*server)) {
            let mut queues = self.outbox.queues();
            let queue = queues.entry(server.clone()).or_default();
            put(queue);
            if !std::mem::replace(&mut queue.busy, true) {
                drop(queues);
                self.send_to(server.clone());
            }
        }
    }

    /// Goes on with what was to be sent before a restart.
    pub(crate) fn send_what_is_left(&self) {
        let mut queues = self.outbox.queues();
        let servers: Vec<_> = queues.keys().cloned().collect();
        queues.values_mut().for_each(|queue| queue.busy = true);
        drop(queues);
        servers.into_iter().for_each(|server| self.send_to(server));
    }

    fn send_to(&self, server: String) {
        self.in_background(|me| async move { me.drain(&server).await });
    }

    /// Sends to a server until there is nothing more for it.
    async fn drain(&self, server: &str) {
        loop {
            let (under_way, heard) = {
                let mut queues = self.outbox.queues();
                let queue = queues.entry(server.to_owned()).or_default();
                // One that was under way when the server was stopped comes first.
                if queue.under_way.is_none() {
                    let long = self.has(Fault::TransactionsTooLong);
                    let items = queue.take(if long { [usize::MAX; 2] } else { [MOST_PDUS, MOST_EDUS] });
                    queue.under_way = items.map(|(pdus, edus)| self.bundled(&pdus, &edus));
                }
                queue.busy = queue.under_way.is_some();
                (queue.under_way.clone(), Arc::clone(&queue.heard))
            };
            let Some((target, transaction)) = under_way else { return };
            self.deliver(server, &target, &transaction, &heard).await;
            if let Some(queue) = self.outbox.queues().get_mut(server) {
                queue.under_way = None;
            }
        }
    }

    /// A transaction, and where it is sent.
    fn bundled(&self, pdus: &[Value], edus: &[Value]) -> (String, Value) {
        let mut transaction = json!({
            "origin": self.name(), "origin_server_ts": now_ms(), "pdus": pdus, "edus": edus,
        });
        if self.has(Fault::TransactionOriginForged) {
            transaction["origin"] = json!("elsewhere.test");
        }
        if self.has(Fault::TransactionWithoutTime) {
            transaction["origin_server_ts"] = Value::Null;
        }
        (format!("/_matrix/federation/v1/send/{}", self.transaction_id()), transaction)
    }

    /// Sends a transaction until it is taken, always under the same id.
    async fn deliver(&self, server: &str, target: &str, transaction: &Value, heard: &Notify) {
        let [mut pause, longest] = PAUSES;
        loop {
            let listening = heard.notified();
            let answer = self.ask("PUT", server, target, Some(transaction)).await;
            if self.has(Fault::PdusSentOnce) || answer.is_ok_and(|answer| answer.is_success()) {
                return;
            }
            crate::waiting::at_most(pause, listening).await;
            pause = (pause * 2).min(longest);
        }
    }
}
