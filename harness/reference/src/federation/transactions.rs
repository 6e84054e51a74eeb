//! Transactions of other servers (server-server API, transactions).

use samklang_matrix::{Event, EventOutcome, ReceivedPdu, RoomVersion};
use serde_json::{Map, Value, json};

use crate::{
    edu_types::is_well_formed,
    edus::receive_edu,
    events::receive::{receive_event, version_of},
    fault::Fault,
    homeserver::Homeserver,
    memberships::leaves::receive_leave,
    request::ParsedRequest,
    response::{ErrorResponse, JsonResult, refuse},
    store::{ReceivedItem, acl},
    transaction_limits::{MOST_EDUS, MOST_PDUS},
};

/// The lists of a transaction, and the most that each may hold.
const LIMITS: [(&str, usize); 2] = [("pdus", MOST_PDUS), ("edus", MOST_EDUS)];

/// The origin and the ID of a transaction, by which a repeated one is recognised.
type TransactionKey = (String, String);

/// What becomes of a PDU.
enum PduOutcome {
    /// It was processed, with this result under its event ID.
    Processed(String, Value),
    /// It is malformed, and has no event ID.
    Dropped,
    /// It is of a room that the server is not in.
    UnknownRoom,
}

/// Processes a transaction. A transaction that was processed before changes nothing and gets the same response.
pub(super) async fn receive_transaction(home: &Homeserver, request: &ParsedRequest, id: &str) -> JsonResult {
    let key = transaction_key(home, request, id);
    if let Some(response) = earlier_response(home, request, &key) {
        return Ok(response);
    }
    if request.body["origin"] != request.origin {
        return refuse(403, "M_FORBIDDEN", "the transaction's origin is not the server that sends it");
    }
    for (list, most) in LIMITS {
        if is_too_long(home, &request.body[list], most) {
            return refuse(400, "M_BAD_JSON", format!("more than {most} {list}"));
        }
    }
    if is_blocked(home, &request.origin) {
        return refuse(500, "M_UNKNOWN", "the server accepts no EDUs any more");
    }
    if loses_pdus(home, request) {
        return Ok(json!({ "pdus": {} }));
    }
    let items = |list: &str| request.body[list].as_array().cloned().unwrap_or_default();
    let mut results = Map::new();
    for pdu in items("pdus") {
        let outcome = receive_pdu(home, request, &pdu).await;
        let is_broken = is_broken(&outcome);
        refuse_for_pdu(home, &outcome, is_broken)?;
        if let PduOutcome::Processed(id, result) = outcome {
            results.insert(home.identity().pdu_result_id(id), result);
        }
        if is_broken && drops_the_rest(home) {
            break;
        }
    }
    for mut edu in items("edus") {
        home.identity().incoming_edu(&mut edu)?;
        block_sender(home, &request.origin, &edu);
        receive_edu(home, &request.origin, &edu);
        record(home, request, false, edu);
    }
    let response = json!({ "pdus": results });
    home.store().transactions.answered.insert(key, response.clone());
    Ok(response)
}

/// Processes a PDU of a transaction.
async fn receive_pdu(home: &Homeserver, request: &ParsedRequest, pdu: &Value) -> PduOutcome {
    record(home, request, true, pdu.clone());
    let Some(room) = pdu["room_id"].as_str() else { return PduOutcome::Dropped };
    let Some(version) = version_of(home, room) else {
        receive_leave(home, pdu).await;
        return PduOutcome::UnknownRoom;
    };
    keep_malformed(home, pdu, &version);
    let Ok(event) = Event::read(pdu, &version) else { return PduOutcome::Dropped };
    let id = event.id().to_owned();
    if home.identity().refuses_pdu(&request.origin, &event) || refuses_after_soft_failed(home, room, &event) {
        return PduOutcome::Processed(id, json!({"error": "the server does not accept such events"}));
    }
    if home.store().rooms.get(room).is_some_and(|held| !acl::admits(held, &request.origin)) {
        let error = "the room's server ACL denies the sending server";
        return PduOutcome::Processed(id, json!({ "error": error }));
    }
    let result = match receive_event(home, room, pdu, &request.origin).await {
        Ok(ReceivedPdu::Held { outcome: EventOutcome::Rejected(rule), .. }) => {
            json!({ "error": rule.to_string() })
        }
        // An event that is soft-failed, or waits for missing events, was accepted.
        Ok(ReceivedPdu::Held { .. }) => json!({}),
        Ok(ReceivedPdu::BadSignature(fault)) => json!({ "error": fault.to_string() }),
        Ok(ReceivedPdu::Malformed(breaches)) => json!({ "error": format!("{breaches:?}") }),
        Err(error) => json!({ "error": error.to_string() }),
    };
    stop_queue(home, &request.origin, &result);
    PduOutcome::Processed(id, home.identity().pdu_result(result))
}

/// Records what a transaction holds, for the scenarios of peers.
fn record(home: &Homeserver, request: &ParsedRequest, is_pdu: bool, json: Value) {
    let origin = request.origin.clone();
    let item = ReceivedItem { origin, is_pdu, json, exchange: request.exchange };
    home.store().transactions.received.push(item);
}

fn transaction_key(home: &Homeserver, request: &ParsedRequest, id: &str) -> TransactionKey {
    let origin = if home.has(Fault::TransactionIdsShared) { "" } else { &request.origin };
    (origin.to_owned(), id.to_owned())
}

/// The response to a transaction that was processed before.
fn earlier_response(home: &Homeserver, request: &ParsedRequest, key: &TransactionKey) -> Option<Value> {
    let response = home.store().transactions.answered.get(key).cloned()?;
    if home.has(Fault::RepeatedTransactionsProcessed) {
        forget_transaction(home, &request.origin, &response);
        return None;
    }
    Some(response)
}

/// Has the contents of a transaction be new again.
fn forget_transaction(home: &Homeserver, origin: &str, response: &Value) {
    let mut store = home.store();
    store.edus.seen_messages.retain(|(server, _)| server != origin);
    for id in response["pdus"].as_object().into_iter().flat_map(Map::keys) {
        store.rooms.values_mut().for_each(|held| held.show_again(id));
    }
}

fn is_too_long(home: &Homeserver, list: &Value, most: usize) -> bool {
    let most = if home.has(Fault::TransactionUnderLimit) { most - 1 } else { most };
    let is_too_long = list.as_array().is_some_and(|list| list.len() > most);
    is_too_long && !home.has(Fault::TransactionOverLimit)
}

fn is_broken(outcome: &PduOutcome) -> bool {
    match outcome {
        PduOutcome::Processed(_, result) => result["error"].is_string(),
        PduOutcome::Dropped | PduOutcome::UnknownRoom => true,
    }
}

/// Refuses a whole transaction for one of its PDUs.
fn refuse_for_pdu(home: &Homeserver, outcome: &PduOutcome, is_broken: bool) -> Result<(), ErrorResponse> {
    if matches!(outcome, PduOutcome::UnknownRoom) && home.has(Fault::UnknownRoomRefused) {
        return refuse(404, "M_NOT_FOUND", "the room of an event is not known");
    }
    if is_broken && home.has(Fault::TransactionRefusedForOnePdu) {
        return refuse(400, "M_BAD_JSON", "an event of the transaction is broken");
    }
    Ok(())
}

/// Whether the server drops the PDUs after a broken one.
fn drops_the_rest(home: &Homeserver) -> bool {
    home.has(Fault::PdusAfterBrokenLost)
}

fn refuses_after_soft_failed(home: &Homeserver, room: &str, event: &Event) -> bool {
    home.has(Fault::EventsAfterSoftFailedRefused) && is_after_soft_failed(home, room, event)
}

fn is_after_soft_failed(home: &Homeserver, room: &str, event: &Event) -> bool {
    let store = home.store();
    let Some(held) = store.rooms.get(room) else { return false };
    let is_soft_failed = |id: &String| matches!(held.room.outcome(id), Some(EventOutcome::SoftFailed(_)));
    event.prev_events().iter().any(is_soft_failed)
}

/// Keeps a PDU, whatever is wrong with it, to return it to servers or to show it to users.
fn keep_malformed(home: &Homeserver, pdu: &Value, version: &RoomVersion) {
    if !(home.has(Fault::MalformedKept) || home.has(Fault::MalformedShown)) {
        return;
    }
    let Some(object) = pdu.as_object() else { return };
    let id = format!("${}", samklang_matrix::reference_hash(object, version));
    let mut store = home.store();
    let position = store.next_position();
    store.defects.malformed.insert(id, (position, pdu.clone()));
}

/// Sends nothing more to the sender of a broken event.
fn stop_queue(home: &Homeserver, origin: &str, result: &Value) {
    if home.has(Fault::MalformedStopsQueue) && result["error"].is_string() {
        home.store().defects.wedged.insert(origin.to_owned());
    }
}

/// Accepts nothing more from the sender of malformed cross-signing keys.
fn block_sender(home: &Homeserver, origin: &str, edu: &Value) {
    if edu["edu_type"] == "m.signing_key_update"
        && home.has(Fault::MalformedKeysBlockSender)
        && !is_well_formed(edu)
    {
        home.store().defects.wedged.insert(origin.to_owned());
    }
}

fn is_blocked(home: &Homeserver, origin: &str) -> bool {
    home.has(Fault::MalformedKeysBlockSender) && home.store().defects.wedged.contains(origin)
}

/// Whether the server loses the PDUs of a transaction: the first ones of a server after a restart.
fn loses_pdus(home: &Homeserver, request: &ParsedRequest) -> bool {
    home.has(Fault::FirstPdusLost)
        && request.body["pdus"].as_array().is_some_and(|pdus| !pdus.is_empty())
        && is_first_since_restart(home, &request.origin)
}

fn is_first_since_restart(home: &Homeserver, server: &str) -> bool {
    let mut store = home.store();
    store.restarted && store.defects.heard_again.insert(server.to_owned())
}
