//! What a homeserver stores, by concept. Nothing here knows of the network, of requests or of the homeserver itself.

pub(crate) mod acl;
pub(crate) mod device_lists;
pub(crate) mod directory;
pub(crate) mod held_room;
pub(crate) mod invite_state;
pub(crate) mod presence;
pub(crate) mod queues;
pub(crate) mod receipts;
mod rooms;
pub(crate) mod to_device;
pub(crate) mod typing;
pub(crate) mod users;
mod visibility;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use samklang_matrix::KeyRing;
use samklang_verdict::ExchangeId;
use serde_json::Value;

pub use self::rooms::ReceivedInvite;
pub(crate) use self::rooms::{RemoteLeave, Rooms, SentKnock};
use self::{
    device_lists::DeviceLists, directory::RoomDirectory, presence::Presences, receipts::Receipts,
    typing::Typing, users::Users,
};
use crate::media_file::MediaFile;

/// A place in the stream of all changes at a server. Each change has a later one than those before it.
pub(crate) type Position = u64;

/// All that a homeserver stores.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) users: Users,
    pub(crate) rooms: Rooms,
    pub(crate) directory: RoomDirectory,
    /// The files, by server and media ID.
    pub(crate) files: BTreeMap<(String, String), Arc<MediaFile>>,
    pub(crate) edus: Edus,
    pub(crate) keys: Keys,
    pub(crate) transactions: Transactions,
    pub(crate) defects: Defects,
    /// Whether the server was started on what one before it had stored.
    pub(crate) restarted: bool,
    position: Position,
}

/// What servers tell each other beside events, as far as it is kept.
#[derive(Default)]
pub(crate) struct Edus {
    pub(crate) typing: Typing,
    pub(crate) receipts: Receipts,
    pub(crate) presences: Presences,
    pub(crate) device_lists: DeviceLists,
    /// The to-device messages received so far, by server and message ID.
    pub(crate) seen_messages: BTreeSet<(String, String)>,
}

/// The signing keys that the server knows.
#[derive(Default)]
pub(crate) struct Keys {
    /// The keys of other servers, and its own.
    pub(crate) ring: KeyRing,
    /// What it publishes in place of its usual key document.
    pub(crate) publication: Option<Value>,
}

/// The transactions that the server received.
#[derive(Default)]
pub(crate) struct Transactions {
    /// What they held, in order.
    pub(crate) received: Vec<ReceivedItem>,
    /// The response to each, by origin and transaction ID: a repeated transaction gets the same response.
    pub(crate) answered: BTreeMap<(String, String), Value>,
}

/// What a server with a fault remembers because of it.
#[derive(Default)]
pub(crate) struct Defects {
    /// Malformed events that it keeps, by ID, with the position at which they were received.
    pub(crate) malformed: BTreeMap<String, (Position, Value)>,
    /// The servers to which it sends nothing more, or from which it accepts nothing more.
    pub(crate) wedged: BTreeSet<String>,
    /// The servers that have sent events since the restart.
    pub(crate) heard_again: BTreeSet<String>,
}

/// A PDU or an EDU that was received in a transaction.
#[derive(Debug, Clone)]
pub struct ReceivedItem {
    /// The server that sent it.
    pub origin: String,
    /// Whether it is a PDU; else it is an EDU.
    pub is_pdu: bool,
    /// As it was received.
    pub json: Value,
    /// The exchange in which it was received.
    pub exchange: Option<ExchangeId>,
}

impl Store {
    /// The position of a change that is being made.
    pub(crate) fn next_position(&mut self) -> Position {
        self.position += 1;
        self.position
    }

    /// The position of the latest change.
    pub(crate) fn position(&self) -> Position {
        self.position
    }
}
