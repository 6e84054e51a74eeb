//! The transactions of a homeserver to other servers (server-server API, transactions).

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use samklang_matrix::endpoints::SEND;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    clock::now_ms,
    edu_types::OutgoingEdu,
    fault::Fault,
    homeserver::Homeserver,
    requests,
    store::queues::ServerQueue,
    transaction_limits::{MOST_EDUS, MOST_PDUS},
    waiting::at_most,
};

/// How long the server waits after a transaction that failed before it repeats it: at first, and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(8)];

/// Sends an event to these servers.
pub(crate) fn send_pdu(home: &Homeserver, servers: &BTreeSet<String>, pdu: &Value) {
    if let Some(pdu) = home.identity().outgoing_pdu(pdu) {
        enqueue(home, servers, |queue| queue.pdus.push_back(pdu.clone()));
    }
}

/// Sends an EDU to these servers.
pub(crate) fn send_edu(home: &Homeserver, servers: &BTreeSet<String>, kind: OutgoingEdu, content: Value) {
    if let Some(edu) = home.identity().outgoing_edu(kind, content) {
        enqueue(home, servers, |queue| queue.edus.push_back(edu.clone()));
    }
}

fn enqueue(home: &Homeserver, servers: &BTreeSet<String>, put: impl Fn(&mut ServerQueue)) {
    // A scripted server sends only what its scenario sends.
    if !home.is_live() {
        return;
    }
    let wedged = home.store().defects.wedged.clone();
    for server in servers.iter().filter(|server| *server != home.name() && !wedged.contains(*server)) {
        let mut queues = home.queues().lock();
        let queue = queues.entry(server.clone()).or_default();
        put(queue);
        if !std::mem::replace(&mut queue.busy, true) {
            drop(queues);
            empty_in_background(home, server.clone());
        }
    }
}

/// Goes on with what was to be sent before a restart.
pub(crate) fn resume(home: &Homeserver) {
    let mut queues = home.queues().lock();
    let servers: Vec<_> = queues.keys().cloned().collect();
    queues.values_mut().for_each(|queue| queue.busy = true);
    drop(queues);
    servers.into_iter().for_each(|server| empty_in_background(home, server));
}

fn empty_in_background(home: &Homeserver, server: String) {
    home.in_background(|home| async move { empty(&home, &server).await });
}

/// Sends to a server until nothing more waits for it.
async fn empty(home: &Homeserver, server: &str) {
    loop {
        let (under_way, is_up) = {
            let mut queues = home.queues().lock();
            let queue = queues.entry(server.to_owned()).or_default();
            // A transaction that was under way when the server was stopped comes first.
            if queue.under_way.is_none() {
                let next = queue.next(limits(home));
                queue.under_way = next.map(|(pdus, edus)| transaction(home, &pdus, &edus));
            }
            queue.busy = queue.under_way.is_some();
            (queue.under_way.clone(), Arc::clone(&queue.is_up))
        };
        let Some((target, transaction)) = under_way else { return };
        deliver(home, server, &target, &transaction, &is_up).await;
        if let Some(queue) = home.queues().lock().get_mut(server) {
            queue.under_way = None;
        }
    }
}

/// How many PDUs and EDUs go into a transaction.
fn limits(home: &Homeserver) -> [usize; 2] {
    if home.has(Fault::TransactionsTooLong) { [usize::MAX; 2] } else { [MOST_PDUS, MOST_EDUS] }
}

/// The target of a transaction, and the transaction.
fn transaction(home: &Homeserver, pdus: &[Value], edus: &[Value]) -> (String, Value) {
    let transaction = json!({
        "origin": home.name(), "origin_server_ts": now_ms(), "pdus": pdus, "edus": edus,
    });
    let transaction = home.identity().outgoing_transaction(transaction);
    (SEND.raw_path(&[&home.transaction_id()]), transaction)
}

/// Sends a transaction until the server accepts it, always under the same ID.
async fn deliver(home: &Homeserver, server: &str, target: &str, transaction: &Value, is_up: &Notify) {
    let [mut pause, longest] = PAUSES;
    loop {
        let listening = is_up.notified();
        let response = requests::request(home, "PUT", server, target, Some(transaction)).await;
        if gives_up(home) || response.is_ok_and(|response| response.is_success()) {
            return;
        }
        at_most(pause, listening).await;
        pause = (pause * 2).min(longest);
    }
}

fn gives_up(home: &Homeserver) -> bool {
    home.has(Fault::PdusSentOnce)
}
