//! Drivers: how a user acts at a server. There is one driver for each kind of client API; all have the same verbs.
//!
//! Ids are plain strings here, because a server may return anything. Every response names its exchange, so that a
//! verdict can rest on it.

pub mod accounts;
pub mod chat_rest;
pub mod http;
pub mod matrix;
mod matrix_sync;
pub mod protocol;
#[cfg(test)]
mod stand_in;

use async_trait::async_trait;
use samklang_verdict::ExchangeId;
use serde_json::Value;

/// The result of a call, with the exchange that shows it.
#[derive(Debug, Clone)]
pub struct Answered<T> {
    /// The result.
    pub value: T,
    /// The exchange.
    pub exchange: ExchangeId,
}

/// The reason why a call failed.
#[derive(Debug, Clone)]
pub enum CallError {
    /// The server refused the call with a proper error.
    Refused(ApiRefusal),
    /// The response does not have the shape that the API defines.
    Malformed {
        /// The mismatch.
        what: String,
        /// The exchange.
        exchange: ExchangeId,
    },
    /// No complete response came: the connection broke, the time ran out, or the body was too large.
    Broken {
        /// The reason.
        what: String,
        /// The exchange.
        exchange: ExchangeId,
    },
    /// The vendor's API has no such verb.
    NotOffered {
        /// The verb.
        verb: &'static str,
    },
    /// The server has no free user: the driver cannot register users there, and the listed accounts are all in use.
    NoFurtherUser {
        /// The number of accounts.
        users: usize,
    },
}

/// A proper error response.
#[derive(Debug, Clone)]
pub struct ApiRefusal {
    /// The HTTP status.
    pub status: u16,
    /// `errcode`; empty where the body has none.
    pub errcode: String,
    /// `error`; empty where the body has none.
    pub error: String,
    /// The exchange.
    pub exchange: ExchangeId,
}

/// The answer to a call.
pub type CallResult<T> = Result<Answered<T>, CallError>;

/// The join rule of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinRule {
    /// Only invited users may join.
    Invite,
    /// Any user may join.
    Public,
    /// Only invited users may join; other users may knock.
    Knock,
}

impl JoinRule {
    /// The value in `m.room.join_rules`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Public => "public",
            Self::Knock => "knock",
        }
    }
}

/// The room to create.
#[derive(Debug, Clone)]
pub struct NewRoom {
    /// The room version, for instance `11`.
    pub version: String,
    /// The join rule.
    pub join_rule: JoinRule,
    /// `m.room.history_visibility`, if it differs from the preset's.
    pub history_visibility: Option<String>,
    /// The room's name.
    pub name: Option<String>,
    /// The room's topic.
    pub topic: Option<String>,
    /// The keys of `m.room.power_levels` that differ from the server's defaults.
    pub power_levels: Option<Value>,
}

/// A receipt's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptKind {
    /// `m.read`
    Public,
    /// `m.read.private`
    Private,
}

/// A file as a user downloads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// The file name in `Content-Disposition`.
    pub name: Option<String>,
}

/// A page of a room's history.
#[derive(Debug, Clone)]
pub struct HistoryPage {
    /// The events, in the order in which the server returns them.
    pub events: Vec<Value>,
    /// The token of the next page; `None` at the end.
    pub end: Option<String>,
}

/// The part of a sync response that held an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SyncSection {
    /// A room's timeline.
    Timeline,
    /// A room's state before the timeline.
    State,
    /// The stripped state of a room that the user is invited to.
    Invite,
    /// The stripped state of a room that the user knocks on.
    Knock,
    /// Typing and receipts.
    Ephemeral,
    /// Presence.
    Presence,
    /// To-device messages.
    ToDevice,
    /// Device list updates, as one event that holds `changed` and `left`.
    DeviceLists,
}

/// An entry of a sync response.
#[derive(Debug, Clone)]
pub struct SyncEntry {
    /// The part of the response that held it.
    pub place: SyncSection,
    /// The room; `None` for presence, to-device messages and device lists.
    pub room: Option<String>,
    /// The event as the response holds it.
    pub event: Value,
    /// The exchange that shows it.
    pub exchange: ExchangeId,
}

/// One sync response.
#[derive(Debug, Clone)]
pub struct SyncBatch {
    /// The token for the next sync.
    pub next: String,
    /// The entries, in order.
    pub happenings: Vec<SyncEntry>,
}

/// Registers users at a server.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Registers a user with this localpart; `name` is the user's name in the scenario.
    async fn register(&self, localpart: &str, name: &str) -> CallResult<Box<dyn Session>>;
    /// Undoes the changes to accounts of a server that goes on running after the run.
    async fn tidy(&self) {}
}

/// A logged-in user. The verbs are those of the Matrix client-server API; a driver for another API maps them.
#[async_trait]
pub trait Session: Send + Sync {
    /// The full user id.
    fn user_id(&self) -> &str;
    /// Creates a room; returns its id.
    async fn create_room(&self, room: &NewRoom) -> CallResult<String>;
    /// Invites a user.
    async fn invite(&self, room: &str, user: &str) -> CallResult<()>;
    /// Joins a room through the named servers.
    async fn join(&self, room: &str, via: &[String]) -> CallResult<()>;
    /// Knocks on a room through the named servers.
    async fn knock(&self, room: &str, via: &[String]) -> CallResult<()>;
    /// Leaves a room or rejects an invite to it.
    async fn leave(&self, room: &str) -> CallResult<()>;
    /// Kicks a user from a room or withdraws the user's invite.
    async fn kick(&self, room: &str, user: &str, reason: Option<&str>) -> CallResult<()>;
    /// Bans a user.
    async fn ban(&self, room: &str, user: &str, reason: Option<&str>) -> CallResult<()>;
    /// Unbans a user.
    async fn unban(&self, room: &str, user: &str) -> CallResult<()>;
    /// Sends an event that is not a state event; returns its id.
    async fn send(&self, room: &str, kind: &str, content: &Value) -> CallResult<String>;
    /// Sends a state event; returns its id.
    async fn set_state(&self, room: &str, kind: &str, state_key: &str, content: &Value)
    -> CallResult<String>;
    /// Redacts an event; returns the redaction's id.
    async fn redact(&self, room: &str, event: &str, reason: Option<&str>) -> CallResult<String>;
    /// Upgrades a room to another version; returns the new room's id.
    async fn upgrade(&self, room: &str, version: &str) -> CallResult<String>;
    /// Starts or stops typing.
    async fn typing(&self, room: &str, on: bool) -> CallResult<()>;
    /// Sends a receipt for an event; `thread` is a thread's root or `main`.
    async fn receipt(
        &self,
        room: &str,
        event: &str,
        kind: ReceiptKind,
        thread: Option<&str>,
    ) -> CallResult<()>;
    /// Sets the user's presence.
    async fn set_presence(&self, presence: &str, status: Option<&str>) -> CallResult<()>;
    /// Sets `displayname` or `avatar_url`.
    async fn set_profile(&self, field: &str, value: &str) -> CallResult<()>;
    /// Reads a user's profile.
    async fn profile(&self, user: &str) -> CallResult<Value>;
    /// Queries a user's device keys and cross-signing keys; returns the response as it is.
    async fn device_keys(&self, _user: &str) -> CallResult<Value> {
        Err(CallError::NotOffered { verb: "device_keys" })
    }
    /// Queries the server's capabilities; returns the response as it is.
    async fn capabilities(&self) -> CallResult<Value> {
        Err(CallError::NotOffered { verb: "capabilities" })
    }
    /// Sends a request for which there is no verb to the Matrix client API. `path` begins below `/_matrix/client`; a
    /// null body means no body. Returns the response as it is.
    async fn ask_api(&self, _method: &str, _path: &str, _body: &Value) -> CallResult<Value> {
        Err(CallError::NotOffered { verb: "ask_api" })
    }
    /// Logs the user in again; returns the id of the new device.
    async fn add_device(&self) -> CallResult<String> {
        Err(CallError::NotOffered { verb: "add_device" })
    }
    /// Uploads a file; returns its `mxc://` address.
    async fn upload(&self, file: &MediaFile) -> CallResult<String>;
    /// Downloads a file by its `mxc://` address.
    async fn download(&self, address: &str) -> CallResult<MediaFile>;
    /// Reads the current state of a room.
    async fn state(&self, room: &str) -> CallResult<Vec<Value>>;
    /// Reads one event.
    async fn event(&self, room: &str, event: &str) -> CallResult<Value>;
    /// Reads a room's history backwards, from its end or from the end of a page.
    async fn history(&self, room: &str, from: Option<&str>, limit: u32) -> CallResult<HistoryPage>;
    /// Syncs from the token `since`; the server may hold the request for at most `wait_ms`.
    async fn sync(&self, since: Option<&str>, wait_ms: u64) -> CallResult<SyncBatch>;
}
