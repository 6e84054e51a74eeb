//! Read receipts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Position;

/// The kind of a receipt that only its reader sees.
pub(crate) const PRIVATE: &str = "m.read.private";
/// The kind of a receipt that all members of the room see.
pub(crate) const PUBLIC: &str = "m.read";

/// The latest receipts, by room.
#[derive(Default)]
pub(crate) struct Receipts(BTreeMap<String, BTreeMap<ReceiptKey, ReadReceipt>>);

/// What has one latest receipt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReceiptKey {
    pub(crate) user: String,
    pub(crate) kind: String,
    /// `main`, the root of a thread, or `None`.
    pub(crate) thread: Option<String>,
}

/// How far a user has read.
#[derive(Debug, Clone)]
struct ReadReceipt {
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

    /// Stores a receipt.
    pub(crate) fn set(&mut self, room: &str, key: ReceiptKey, event: &str, data: Value, position: Position) {
        let receipt = ReadReceipt { event: event.to_owned(), data, position };
        self.0.entry(room.to_owned()).or_default().insert(key, receipt);
    }

    /// The receipts of a room later than `since`, as `user` is shown them: without the private ones of other users.
    pub(crate) fn since(&self, room: &str, user: &str, since: Option<Position>) -> Vec<Value> {
        let mut contents: Vec<Value> = Vec::new();
        for (key, receipt) in self.0.get(room).into_iter().flatten() {
            let is_new = receipt.position > since.unwrap_or(0);
            if !is_new || (key.kind == PRIVATE && key.user != user) {
                continue;
            }
            // A content has room for one receipt of each user and kind for an event.
            let is_free = |content: &&mut Value| {
                content.get(&receipt.event).and_then(|it| it.get(&key.kind)?.get(&key.user)).is_none()
            };
            match contents.iter_mut().find(is_free) {
                Some(content) => content[&receipt.event][&key.kind][&key.user] = receipt.data.clone(),
                None => contents.push(json!({
                    &receipt.event: {&key.kind: {&key.user: receipt.data}},
                })),
            }
        }
        contents.into_iter().map(|content| json!({"type": "m.receipt", "content": content})).collect()
    }
}
