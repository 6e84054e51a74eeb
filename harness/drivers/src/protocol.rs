//! The driver for vendors without the Matrix client-server API. It speaks the protocol of `docker/DRIVER.md`: every
//! verb is one request with a JSON object of arguments and one response with a JSON object.

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use samklang_verdict::Party;
use serde_json::{Value, json};

use super::{
    Answered, CallError, CallResult, Driver, HistoryPage, MediaFile, NewRoom, ReceiptKind, Session,
    SyncBatch, SyncEntry, SyncSection,
    http::{ApiClient, ApiResponse, CALL_BOUND},
};

/// The path below which the verbs are.
const ROOT: &str = "/samklang/driver/v1";
/// The `errcode` for a verb that a vendor does not offer; the status is 501.
const NOT_OFFERED: &str = "NOT_OFFERED";
/// The time that a long poll's response may take on top of the requested wait.
const POLL_GRACE: Duration = Duration::from_secs(30);

/// Registers users with the verb `register`.
pub struct ProtocolDriver {
    api: ApiClient,
}

impl ProtocolDriver {
    /// A driver of the protocol behind `api`.
    pub fn new(api: ApiClient) -> Self {
        Self { api }
    }
}

#[async_trait]
impl Driver for ProtocolDriver {
    async fn register(&self, localpart: &str, name: &str) -> CallResult<Box<dyn Session>> {
        let mut session = ProtocolSession {
            api: self.api.clone(),
            me: Party::User { name: name.to_owned() },
            user_id: String::new(),
            token: None,
        };
        let answer = session.ask("register", json!({ "localpart": localpart })).await?;
        session.user_id = answer.text("user_id")?;
        session.token = Some(answer.text("access_token")?);
        Ok(Answered { value: Box::new(session), exchange: answer.reply.exchange })
    }
}

/// A user who is logged in through this protocol.
struct ProtocolSession {
    api: ApiClient,
    me: Party,
    user_id: String,
    token: Option<String>,
}

/// A verb's result: a JSON object, and the response that holds it.
struct VerbResponse {
    object: Value,
    reply: ApiResponse,
}

impl VerbResponse {
    fn read(reply: ApiResponse) -> Result<Self, CallError> {
        let object = reply.json()?;
        let answer = Self { object, reply };
        if answer.object.is_object() { Ok(answer) } else { Err(answer.malformed("it is no object")) }
    }

    fn malformed(&self, what: impl std::fmt::Display) -> CallError {
        CallError::Malformed { what: format!("the answer: {what}"), exchange: self.reply.exchange }
    }

    fn text(&self, key: &str) -> Result<String, CallError> {
        let text = self.object[key].as_str().map(str::to_owned);
        text.ok_or_else(|| self.malformed(format_args!("it has no text under {key:?}")))
    }

    fn object(&self, key: &str) -> Result<Value, CallError> {
        let object = self.object.get(key).filter(|value| value.is_object()).cloned();
        object.ok_or_else(|| self.malformed(format_args!("it has no object under {key:?}")))
    }

    fn objects(&self, key: &str) -> Result<Vec<Value>, CallError> {
        let list = self.object[key].as_array().filter(|list| list.iter().all(Value::is_object));
        list.cloned().ok_or_else(|| self.malformed(format_args!("it has no list of objects under {key:?}")))
    }

    /// An optional text.
    fn optional(&self, key: &str) -> Option<String> {
        self.object[key].as_str().map(str::to_owned)
    }

    fn with<T>(self, value: T) -> Answered<T> {
        Answered { value, exchange: self.reply.exchange }
    }
}

impl ProtocolSession {
    async fn ask(&self, verb: &'static str, arguments: Value) -> Result<VerbResponse, CallError> {
        self.ask_within(verb, arguments, CALL_BOUND).await
    }

    async fn ask_within(
        &self,
        verb: &'static str,
        arguments: Value,
        bound: Duration,
    ) -> Result<VerbResponse, CallError> {
        let mut request = ::http::Request::post(format!("{}{ROOT}/{verb}", self.api.base()))
            .header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(without_nulls(arguments).to_string().into_bytes());
        let request = request.map_err(|error| CallError::Malformed {
            what: format!("the token cannot be sent: {error}"),
            exchange: samklang_verdict::ExchangeId(0),
        })?;
        match self.api.call_well(self.me.clone(), request, bound).await {
            Ok(reply) => VerbResponse::read(reply),
            Err(CallError::Refused(refusal)) if refusal.status == 501 && refusal.errcode == NOT_OFFERED => {
                Err(CallError::NotOffered { verb })
            }
            Err(error) => Err(error),
        }
    }

    async fn done(&self, verb: &'static str, arguments: Value) -> CallResult<()> {
        Ok(self.ask(verb, arguments).await?.with(()))
    }

    async fn text(&self, verb: &'static str, arguments: Value, key: &str) -> CallResult<String> {
        let answer = self.ask(verb, arguments).await?;
        let text = answer.text(key)?;
        Ok(answer.with(text))
    }
}

/// Removes the arguments that are null.
fn without_nulls(arguments: Value) -> Value {
    match arguments {
        Value::Object(map) => map.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}

fn place(word: &str) -> Option<SyncSection> {
    Some(match word {
        "timeline" => SyncSection::Timeline,
        "state" => SyncSection::State,
        "invite" => SyncSection::Invite,
        "knock" => SyncSection::Knock,
        "ephemeral" => SyncSection::Ephemeral,
        "presence" => SyncSection::Presence,
        "to_device" => SyncSection::ToDevice,
        "device_lists" => SyncSection::DeviceLists,
        _ => return None,
    })
}

#[async_trait]
impl Session for ProtocolSession {
    fn user_id(&self) -> &str {
        &self.user_id
    }

    async fn create_room(&self, room: &NewRoom) -> CallResult<String> {
        let plan = json!({
            "version": room.version, "join_rule": room.join_rule.as_str(), "name": room.name, "topic": room.topic,
            "history_visibility": room.history_visibility, "power_levels": room.power_levels,
        });
        self.text("create_room", plan, "room_id").await
    }

    async fn invite(&self, room: &str, user: &str) -> CallResult<()> {
        self.done("invite", json!({"room_id": room, "user_id": user})).await
    }

    async fn join(&self, room: &str, via: &[String]) -> CallResult<()> {
        self.done("join", json!({"room_id": room, "via": via})).await
    }

    async fn knock(&self, room: &str, via: &[String]) -> CallResult<()> {
        self.done("knock", json!({"room_id": room, "via": via})).await
    }

    async fn leave(&self, room: &str) -> CallResult<()> {
        self.done("leave", json!({ "room_id": room })).await
    }

    async fn kick(&self, room: &str, user: &str, reason: Option<&str>) -> CallResult<()> {
        self.done("kick", json!({"room_id": room, "user_id": user, "reason": reason})).await
    }

    async fn ban(&self, room: &str, user: &str, reason: Option<&str>) -> CallResult<()> {
        self.done("ban", json!({"room_id": room, "user_id": user, "reason": reason})).await
    }

    async fn unban(&self, room: &str, user: &str) -> CallResult<()> {
        self.done("unban", json!({"room_id": room, "user_id": user})).await
    }

    async fn send(&self, room: &str, kind: &str, content: &Value) -> CallResult<String> {
        self.text("send", json!({"room_id": room, "type": kind, "content": content}), "event_id").await
    }

    async fn set_state(
        &self,
        room: &str,
        kind: &str,
        state_key: &str,
        content: &Value,
    ) -> CallResult<String> {
        let arguments = json!({"room_id": room, "type": kind, "state_key": state_key, "content": content});
        self.text("set_state", arguments, "event_id").await
    }

    async fn redact(&self, room: &str, event: &str, reason: Option<&str>) -> CallResult<String> {
        self.text("redact", json!({"room_id": room, "event_id": event, "reason": reason}), "event_id").await
    }

    async fn upgrade(&self, room: &str, version: &str) -> CallResult<String> {
        self.text("upgrade", json!({"room_id": room, "version": version}), "room_id").await
    }

    async fn typing(&self, room: &str, on: bool) -> CallResult<()> {
        self.done("typing", json!({"room_id": room, "typing": on})).await
    }

    async fn receipt(
        &self,
        room: &str,
        event: &str,
        kind: ReceiptKind,
        thread: Option<&str>,
    ) -> CallResult<()> {
        let kind = match kind {
            ReceiptKind::Public => "m.read",
            ReceiptKind::Private => "m.read.private",
        };
        let arguments = json!({"room_id": room, "event_id": event, "kind": kind, "thread_id": thread});
        self.done("receipt", arguments).await
    }

    async fn set_presence(&self, presence: &str, status: Option<&str>) -> CallResult<()> {
        self.done("set_presence", json!({"presence": presence, "status": status})).await
    }

    async fn set_profile(&self, field: &str, value: &str) -> CallResult<()> {
        self.done("set_profile", json!({"field": field, "value": value})).await
    }

    async fn profile(&self, user: &str) -> CallResult<Value> {
        let answer = self.ask("profile", json!({ "user_id": user })).await?;
        let profile = answer.object("profile")?;
        Ok(answer.with(profile))
    }

    async fn device_keys(&self, user: &str) -> CallResult<Value> {
        let answer = self.ask("device_keys", json!({ "user_id": user })).await?;
        let keys = answer.object("keys")?;
        Ok(answer.with(keys))
    }

    async fn upload(&self, file: &MediaFile) -> CallResult<String> {
        let arguments = json!({
            "bytes": BASE64_STANDARD.encode(&file.bytes), "content_type": file.content_type, "name": file.name,
        });
        self.text("upload", arguments, "address").await
    }

    async fn download(&self, address: &str) -> CallResult<MediaFile> {
        let answer = self.ask("download", json!({ "address": address })).await?;
        let bytes = BASE64_STANDARD.decode(answer.text("bytes")?);
        let bytes =
            bytes.map_err(|error| answer.malformed(format_args!("its bytes are no base64: {error}")))?;
        let file =
            MediaFile { bytes, content_type: answer.optional("content_type"), name: answer.optional("name") };
        Ok(answer.with(file))
    }

    async fn state(&self, room: &str) -> CallResult<Vec<Value>> {
        let answer = self.ask("state", json!({ "room_id": room })).await?;
        let events = answer.objects("events")?;
        Ok(answer.with(events))
    }

    async fn event(&self, room: &str, event: &str) -> CallResult<Value> {
        let answer = self.ask("event", json!({"room_id": room, "event_id": event})).await?;
        let event = answer.object("event")?;
        Ok(answer.with(event))
    }

    async fn history(&self, room: &str, from: Option<&str>, limit: u32) -> CallResult<HistoryPage> {
        let answer = self.ask("history", json!({"room_id": room, "from": from, "limit": limit})).await?;
        let page = HistoryPage { events: answer.objects("events")?, end: answer.optional("end") };
        Ok(answer.with(page))
    }

    async fn sync(&self, since: Option<&str>, wait_ms: u64) -> CallResult<SyncBatch> {
        let bound = Duration::from_millis(wait_ms) + POLL_GRACE;
        let answer = self.ask_within("sync", json!({"since": since, "wait_ms": wait_ms}), bound).await?;
        let next = answer.text("next")?;
        let exchange = answer.reply.exchange;
        // As with the client-server API, an entry of another shape is skipped. The scenario then misses it.
        let happening = |shown: Value| {
            let place = place(shown["place"].as_str()?)?;
            let event = shown.get("event").filter(|event| event.is_object())?.clone();
            Some(SyncEntry { place, room: shown["room_id"].as_str().map(str::to_owned), event, exchange })
        };
        let happenings = answer.objects("shown")?.into_iter().filter_map(happening).collect();
        Ok(answer.with(SyncBatch { next, happenings }))
    }
}

#[cfg(test)]
mod tests;
