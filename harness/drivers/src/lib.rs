//! Drivers: how a user acts at a server. One driver for each kind of API that vendors offer; the verbs are the same.
//!
//! Identifiers are plain strings here, since a server may hand out anything. Every answer names the exchange that
//! shows it, so that a verdict can rest on it.

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

/// A server's answer, with the exchange that shows it.
#[derive(Debug, Clone)]
pub struct Answered<T> {
    /// What was asked for.
    pub value: T,
    /// The exchange.
    pub exchange: ExchangeId,
}

/// Why a call did not succeed.
#[derive(Debug, Clone)]
pub enum CallError {
    /// The server said no in due form.
    Refused(ApiRefusal),
    /// The answer is not what the API promises.
    Malformed {
        /// What is wrong with it.
        what: String,
        /// The exchange.
        exchange: ExchangeId,
    },
    /// No complete answer came: the connection broke, the bound passed, the body was too large.
    Broken {
        /// What happened.
        what: String,
        /// The exchange.
        exchange: ExchangeId,
    },
    /// The vendor's API has no such verb.
    NotOffered {
        /// The verb.
        verb: &'static str,
    },
    /// No user is left: nobody can be registered at the server, and it has only these.
    NoFurtherUser {
        /// How many there are.
        users: usize,
    },
}

/// A refusal in due form.
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

/// Who may join a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinRule {
    /// Only who is invited.
    Invite,
    /// Anybody.
    Public,
    /// Who is invited, and others may knock.
    Knock,
}

impl JoinRule {
    /// As `m.room.join_rules` writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Public => "public",
            Self::Knock => "knock",
        }
    }
}

/// A room to be made.
#[derive(Debug, Clone)]
pub struct NewRoom {
    /// Its version, for instance `11`.
    pub version: String,
    /// Who may join.
    pub join_rule: JoinRule,
    /// `m.room.history_visibility`, where it is to be another than the preset's.
    pub history_visibility: Option<String>,
    /// The room's name.
    pub name: Option<String>,
    /// The room's topic.
    pub topic: Option<String>,
    /// Keys of `m.room.power_levels` that are to differ from the server's defaults.
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

/// A file as a user gets it.
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
    /// Events, in the order of the walk.
    pub events: Vec<Value>,
    /// Where to go on; none at the end.
    pub end: Option<String>,
}

/// Where in a sync something stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SyncSection {
    /// A room's timeline.
    Timeline,
    /// A room's state before the timeline.
    State,
    /// What an invited user is shown of the room.
    Invite,
    /// What a knocking user is shown of the room.
    Knock,
    /// Typing and receipts.
    Ephemeral,
    /// Presence.
    Presence,
    /// What was sent to the device alone.
    ToDevice,
    /// Whose devices have changed, as one event that holds `changed` and `left`.
    DeviceLists,
}

/// Something that a sync showed.
#[derive(Debug, Clone)]
pub struct SyncEntry {
    /// Where it stood.
    pub place: SyncSection,
    /// The room; none for presence and what concerns devices.
    pub room: Option<String>,
    /// The event as it stood there.
    pub event: Value,
    /// The exchange that shows it.
    pub exchange: ExchangeId,
}

/// One answer to a sync.
#[derive(Debug, Clone)]
pub struct SyncBatch {
    /// Where to go on.
    pub next: String,
    /// What it showed, in order.
    pub happenings: Vec<SyncEntry>,
}

/// Makes users at a server.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Makes a user with this localpart; `name` is what the scenario calls it.
    async fn register(&self, localpart: &str, name: &str) -> CallResult<Box<dyn Session>>;
    /// Leaves the server as it was found, where it goes on running when the run has ended.
    async fn tidy(&self) {}
}

/// A user who is logged in. The verbs are those of the Matrix client-server API; a driver for another API maps them.
#[async_trait]
pub trait Session: Send + Sync {
    /// The user's full id.
    fn user_id(&self) -> &str;
    /// Makes a room; answers with its id.
    async fn create_room(&self, room: &NewRoom) -> CallResult<String>;
    /// Invites a user.
    async fn invite(&self, room: &str, user: &str) -> CallResult<()>;
    /// Joins a room by way of the named servers.
    async fn join(&self, room: &str, via: &[String]) -> CallResult<()>;
    /// Knocks on a room by way of the named servers.
    async fn knock(&self, room: &str, via: &[String]) -> CallResult<()>;
    /// Leaves a room, or rejects its invite.
    async fn leave(&self, room: &str) -> CallResult<()>;
    /// Removes a user from a room, or takes the user's invite back.
    async fn kick(&self, room: &str, user: &str, reason: Option<&str>) -> CallResult<()>;
    /// Bans a user.
    async fn ban(&self, room: &str, user: &str, reason: Option<&str>) -> CallResult<()>;
    /// Lifts a ban.
    async fn unban(&self, room: &str, user: &str) -> CallResult<()>;
    /// Sends an event that is no state; answers with its id.
    async fn send(&self, room: &str, kind: &str, content: &Value) -> CallResult<String>;
    /// Sends a state event; answers with its id.
    async fn set_state(&self, room: &str, kind: &str, state_key: &str, content: &Value)
    -> CallResult<String>;
    /// Redacts an event; answers with the redaction's id.
    async fn redact(&self, room: &str, event: &str, reason: Option<&str>) -> CallResult<String>;
    /// Replaces a room by one of another version; answers with the new room's id.
    async fn upgrade(&self, room: &str, version: &str) -> CallResult<String>;
    /// Starts or stops typing.
    async fn typing(&self, room: &str, on: bool) -> CallResult<()>;
    /// Says how far the user has read; `thread` is a thread's root or `main`.
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
    /// Asks for a user's device keys and cross-signing keys; answers as the API does.
    async fn device_keys(&self, _user: &str) -> CallResult<Value> {
        Err(CallError::NotOffered { verb: "device_keys" })
    }
    /// Asks what the server says it can do; answers as the API does.
    async fn capabilities(&self) -> CallResult<Value> {
        Err(CallError::NotOffered { verb: "capabilities" })
    }
    /// Asks the Matrix client API something for which there is no verb; `path` begins below `/_matrix/client`, and a null
    /// body is none. Answers as the API does.
    async fn ask_api(&self, _method: &str, _path: &str, _body: &Value) -> CallResult<Value> {
        Err(CallError::NotOffered { verb: "ask_api" })
    }
    /// Logs the user in once more; answers with the id of the new device.
    async fn add_device(&self) -> CallResult<String> {
        Err(CallError::NotOffered { verb: "add_device" })
    }
    /// Stores a file; answers with its `mxc://` address.
    async fn upload(&self, file: &MediaFile) -> CallResult<String>;
    /// Fetches a file by its `mxc://` address.
    async fn download(&self, address: &str) -> CallResult<MediaFile>;
    /// Reads a room's whole current state.
    async fn state(&self, room: &str) -> CallResult<Vec<Value>>;
    /// Reads one event.
    async fn event(&self, room: &str, event: &str) -> CallResult<Value>;
    /// Reads a room's history backwards, from its end or from where a page ended.
    async fn history(&self, room: &str, from: Option<&str>, limit: u32) -> CallResult<HistoryPage>;
    /// Waits for news since the batch `since`, for at most `wait_ms` on the server's side.
    async fn sync(&self, since: Option<&str>, wait_ms: u64) -> CallResult<SyncBatch>;
}
