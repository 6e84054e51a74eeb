//! Who has read what (client-server API, receipts; server-server API, receipts).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    fault::Fault,
    homeserver::{Homeserver, Position, now_ms},
};

/// A receipt's kind that is the reader's own affair.
pub(crate) const PRIVATE: &str = "m.read.private";
/// The other kind.
pub(crate) const PUBLIC: &str = "m.read";

/// The latest receipts, by room.
#[derive(Default)]
pub(crate) struct Receipts(BTreeMap<String, BTreeMap<Reading, Receipt>>);

/// What there is one latest receipt of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reading {
    pub(crate) user: String,
    pub(crate) kind: String,
    /// `main`, a thread's root, or none.
    pub(crate) thread: Option<String>,
}

/// How far somebody has read.
#[derive(Debug, Clone)]
struct Receipt {
    event: String,
    /// `ts`, and `thread_id` where there is one.
    data: Value,
    position: Position,
}

impl Receipts {
    /// When the latest receipt of a room came; 0 where there is none.
    pub(crate) fn position(&self, room: &str) -> Position {
        let receipts = self.0.get(room).into_iter().flatten();
        receipts.map(|(_, receipt)| receipt.position).max().unwrap_or(0)
    }

    fn note(&mut self, room: &str, reading: Reading, event: &str, data: Value, position: Position) {
        let receipt = Receipt { event: event.to_owned(), data, position };
        self.0.entry(room.to_owned()).or_default().insert(reading, receipt);
    }

    /// The receipts of a room later than `since`, as `user` is shown them: others' private ones are not among them.
    pub(crate) fn since(&self, room: &str, user: &str, since: Option<Position>) -> Vec<Value> {
        let mut contents: Vec<Value> = Vec::new();
        for (reading, receipt) in self.0.get(room).into_iter().flatten() {
            let is_new = receipt.position > since.unwrap_or(0);
            if !is_new || (reading.kind == PRIVATE && reading.user != user) {
                continue;
            }
            // One event has room for one receipt of each reader and kind.
            let is_free = |content: &&mut Value| {
                content.get(&receipt.event).and_then(|it| it.get(&reading.kind)?.get(&reading.user)).is_none()
            };
            match contents.iter_mut().find(is_free) {
                Some(content) => content[&receipt.event][&reading.kind][&reading.user] = receipt.data.clone(),
                None => contents.push(json!({
                    &receipt.event: {&reading.kind: {&reading.user: receipt.data}},
                })),
            }
        }
        contents.into_iter().map(|content| json!({"type": "m.receipt", "content": content})).collect()
    }
}

impl Homeserver {
    /// Notes what a user of this server has read. Public receipts are told to the other servers of the room, private
    /// ones to nobody.
    pub(crate) fn reads(&self, room: &str, reading: Reading, event: &str) {
        let mut data = json!({ "ts": now_ms() });
        if let Some(thread) = &reading.thread {
            data["thread_id"] = json!(thread);
        }
        let mut known = self.known();
        let servers = known.rooms.get(room).map(|held| held.servers()).unwrap_or_default();
        let position = known.next_position();
        let Reading { user, kind, .. } = reading.clone();
        known.receipts.note(room, reading, event, data.clone(), position);
        drop(known);
        if self.has(Fault::ReceiptsNotTold) {
            // nothing is told
        } else if kind != PRIVATE
            || self.has(Fault::PrivateReceiptsTold)
            || self.has(Fault::PrivateReceiptsToldAsPublic)
        {
            let kind = if self.has(Fault::PrivateReceiptsToldAsPublic) { PUBLIC.to_owned() } else { kind };
            let mut receipt = json!({"event_ids": [event], "data": data});
            if self.has(Fault::ReceiptsOfSeveral) {
                receipt["event_ids"] = json!([event, event]);
            } else if self.has(Fault::ReceiptsAlwaysThreaded) {
                receipt["data"]["thread_id"] = json!("main");
            }
            self.send_edu(&servers, "m.receipt", &json!({room: {kind: {user: receipt}}}));
        }
        self.announce();
    }

    pub(super) fn hear_receipts(&self, origin: &str, content: &Value) {
        for (room, kinds) in content.as_object().into_iter().flatten() {
            for (user, receipt) in kinds[PUBLIC].as_object().into_iter().flatten() {
                let event = receipt["event_ids"].as_array().and_then(|ids| ids.last()?.as_str());
                let (Some(event), true) = (event, receipt["data"]["ts"].is_u64()) else { continue };
                let mut known = self.known();
                let unowned = self.has(Fault::ReceiptsOfOthersHeard) && known.may_speak(origin, user, room);
                if !unowned && !known.has_say(origin, user, room) {
                    continue;
                }
                let mut thread = receipt["data"]["thread_id"].as_str().map(str::to_owned);
                if self.has(Fault::ReceiptThreadsMixed) {
                    thread = None;
                }
                let mut data = json!({ "ts": receipt["data"]["ts"] });
                if let Some(thread) = &thread {
                    data["thread_id"] = json!(thread);
                }
                let position = known.next_position();
                let reading = Reading { user: user.clone(), kind: PUBLIC.to_owned(), thread };
                known.receipts.note(room, reading, event, data, position);
            }
        }
    }
}
