//! The driver for Rocket.Chat's REST API (<https://developer.rocket.chat/apidocs>). There a federated room is a group
//! and an event is a message. The driver recognises events by the ids of federation that the product stores: a room's
//! `federation.mrid`, a message's `federation.eventId`, a reaction's `federationReactionEventIds`.
//!
//! Many verbs are not offered. `chat.update`, `chat.delete`, `groups.rename` and `groups.setTopic` exist, but no
//! response tells the id of the resulting event, so a scenario could not follow it. Typing and receipts of single
//! messages use another protocol (DDP).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use samklang_matrix::endpoints::encoded as segment;
use samklang_verdict::{ExchangeId, Party};
use serde_json::{Value, json};

use super::{
    Answered, ApiRefusal, CallError, CallResult, Driver, HistoryPage, JoinRule, MediaFile, NewRoom,
    ReceiptKind, Session, SyncBatch, SyncEntry, SyncSection,
    http::{ApiClient, ApiResponse, CALL_BOUND},
};
use samklang_wire::waiting;

/// The administrator, whom the image creates at its first start. The driver creates users as the administrator
/// (docker/CONTRACT.md).
const ADMIN: [&str; 2] = ["samklang", "complement"];
/// The time limit for federation to add its ids to a room or a message.
const FEDERATED: Duration = Duration::from_secs(10);
/// The number of messages in a page.
const PAGE: u32 = 100;
/// The interval at which a poll looks for news.
const LOOK: Duration = Duration::from_millis(250);

/// Registers users with `users.create`.
pub struct ChatRestDriver {
    api: ApiClient,
    server_name: String,
    admin: tokio::sync::OnceCell<ApiCredentials>,
}

/// The credentials of an API user: `X-User-Id` and `X-Auth-Token`.
#[derive(Debug, Clone)]
struct ApiCredentials {
    user: String,
    secret: String,
}

/// The API as one party uses it, with or without credentials.
#[derive(Clone)]
struct ApiSession {
    api: ApiClient,
    me: Party,
    token: Option<ApiCredentials>,
}

impl ChatRestDriver {
    /// A driver of the API behind `api`; `server_name` is the server name in its users' ids.
    pub fn new(api: ApiClient, server_name: &str) -> Self {
        Self { api, server_name: server_name.to_owned(), admin: tokio::sync::OnceCell::new() }
    }

    fn line(&self, me: Party, token: Option<ApiCredentials>) -> ApiSession {
        ApiSession { api: self.api.clone(), me, token }
    }
}

#[async_trait]
impl Driver for ChatRestDriver {
    async fn register(&self, localpart: &str, name: &str) -> CallResult<Box<dyn Session>> {
        let nobody = self.line(Party::Harness, None);
        let admin = self.admin.get_or_try_init(|| async { Ok(nobody.log_in(ADMIN).await?.0) }).await?;
        let password: String = std::iter::repeat_with(fastrand::alphanumeric).take(24).collect();
        let plan = json!({
            "username": localpart, "name": localpart, "email": format!("{localpart}@example.org"),
            "password": password, "verified": true, "joinDefaultChannels": false, "requirePasswordChange": false,
        });
        self.line(Party::Harness, Some(admin.clone())).post("users.create", &plan).await?;
        let me = Party::User { name: name.to_owned() };
        let (token, exchange) = self.line(me.clone(), None).log_in([localpart, &password]).await?;
        let session = ChatRestSession {
            line: self.line(me, Some(token)),
            username: localpart.to_owned(),
            user_id: format!("@{localpart}:{}", self.server_name),
            server_name: self.server_name.clone(),
            rooms: Mutex::default(),
            seen: Mutex::default(),
        };
        Ok(Answered { value: Box::new(session), exchange })
    }
}

/// A successful response.
struct Told {
    body: Value,
    exchange: ExchangeId,
}

impl Told {
    fn malformed(&self, what: impl std::fmt::Display) -> CallError {
        CallError::Malformed { what: format!("the answer: {what}"), exchange: self.exchange }
    }

    fn text(&self, pointer: &str) -> Result<String, CallError> {
        let text = self.body.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| self.malformed(format_args!("it has no text at {pointer}")))
    }

    fn list(&self, key: &str) -> Result<Vec<Value>, CallError> {
        let list = self.body[key].as_array().filter(|list| list.iter().all(Value::is_object));
        list.cloned().ok_or_else(|| self.malformed(format_args!("it has no list of objects under {key:?}")))
    }

    fn with<T>(&self, value: T) -> Answered<T> {
        Answered { value, exchange: self.exchange }
    }
}

impl ApiSession {
    async fn log_in(&self, [user, password]: [&str; 2]) -> Result<(ApiCredentials, ExchangeId), CallError> {
        let told = self.call("POST", "login", Some(&json!({"user": user, "password": password}))).await?;
        let token =
            ApiCredentials { user: told.text("/data/userId")?, secret: told.text("/data/authToken")? };
        Ok((token, told.exchange))
    }

    async fn get(&self, path: &str) -> Result<Told, CallError> {
        self.call("GET", path, None).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Told, CallError> {
        self.call("POST", path, Some(body)).await
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Told, CallError> {
        let mut request = ::http::Request::builder()
            .method(method)
            .uri(format!("{}/api/v1/{path}", self.api.base()))
            .header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("x-user-id", &token.user).header("x-auth-token", &token.secret);
        }
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let request = request.body(body).map_err(|error| CallError::Malformed {
            what: format!("what the server gave cannot be sent: {error}"),
            exchange: ExchangeId(0),
        })?;
        let reply = self.api.call(self.me.clone(), request, CALL_BOUND).await?;
        told(&reply)
    }
}

/// A response is successful if its status is 2xx and its body does not deny it. Other bodies hold `error` and some hold
/// `errorType`.
fn told(reply: &ApiResponse) -> Result<Told, CallError> {
    let is_well = (200..300).contains(&reply.status);
    let body = if is_well { reply.json()? } else { reply.json().unwrap_or_default() };
    let said_no = body["success"] == false || body["status"] == "error";
    if is_well && !said_no {
        let told = Told { body, exchange: reply.exchange };
        return if told.body.is_object() { Ok(told) } else { Err(told.malformed("it is no object")) };
    }
    let text = |key: &str| body[key].as_str().unwrap_or_default().chars().take(500).collect::<String>();
    let error = if text("error").is_empty() { text("message") } else { text("error") };
    // A refusal may have the status 200.
    let status = if is_well { 400 } else { reply.status };
    Err(CallError::Refused(ApiRefusal {
        status,
        errcode: text("errorType"),
        error,
        exchange: reply.exchange,
    }))
}

/// A user who is logged in through this API.
struct ChatRestSession {
    line: ApiSession,
    username: String,
    user_id: String,
    server_name: String,
    /// The product's room ids, by Matrix room id.
    rooms: Mutex<BTreeMap<String, String>>,
    seen: Mutex<PollState>,
}

/// The entries that the user was shown so far.
#[derive(Default)]
struct PollState {
    things: BTreeSet<(String, String)>,
    polls: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn not_offered<T>(verb: &'static str) -> CallResult<T> {
    Err(CallError::NotOffered { verb })
}

impl ChatRestSession {
    /// The Matrix id of a room, once federation has given it one.
    async fn matrix_id(&self, rid: &str) -> CallResult<String> {
        let path = format!("rooms.info?roomId={}", segment(rid));
        let last = Mutex::new(None);
        let found = waiting::until_send(FEDERATED, || async {
            match self.line.get(&path).await {
                Ok(told) => match told.body["room"]["federation"]["mrid"].as_str() {
                    Some(id) if id.starts_with('!') => Some(Ok(told.with(id.to_owned()))),
                    _ => {
                        *lock(&last) = Some(told.malformed("the room has no federation.mrid"));
                        None
                    }
                },
                Err(error) => Some(Err(error)),
            }
        });
        let found = found.await.unwrap_or_else(|_| Err(missing(&last, "federation.mrid")))?;
        lock(&self.rooms).insert(found.value.clone(), rid.to_owned());
        Ok(found)
    }

    /// The product's id of a room.
    async fn rid(&self, room: &str) -> Result<String, CallError> {
        if let Some(rid) = lock(&self.rooms).get(room) {
            return Ok(rid.clone());
        }
        let told = self.line.get("subscriptions.get").await?;
        for subscription in told.list("update")? {
            if let Some(rid) = subscription["rid"].as_str()
                && is_federated(&subscription)
                && self.matrix_id(rid).await.is_ok_and(|id| id.value == room)
            {
                return Ok(rid.to_owned());
            }
        }
        let (errcode, error) = ("M_NOT_FOUND".to_owned(), format!("the user has no room {room}"));
        Err(CallError::Refused(ApiRefusal { status: 404, errcode, error, exchange: told.exchange }))
    }

    /// The product's name of a Matrix user: the localpart for its own users, the whole id for others.
    fn username<'a>(&self, user: &'a str) -> &'a str {
        let own = user.strip_suffix(&self.server_name).and_then(|rest| rest.strip_suffix(':'));
        own.and_then(|rest| rest.strip_prefix('@')).unwrap_or(user)
    }

    /// The Matrix id of a user with this name at the product.
    fn id_of(&self, username: &str) -> String {
        if username.starts_with('@') {
            username.to_owned()
        } else {
            format!("@{username}:{}", self.server_name)
        }
    }

    /// The event id of a message, once federation has added it.
    async fn message(
        &self,
        id: &str,
        part: impl Fn(&Value) -> Option<String> + Send + Sync,
    ) -> CallResult<String> {
        let path = format!("chat.getMessage?msgId={}", segment(id));
        let last = Mutex::new(None);
        let found = waiting::until_send(FEDERATED, || async {
            match self.line.get(&path).await {
                Ok(told) => match part(&told.body["message"]).filter(|id| id.starts_with('$')) {
                    Some(id) => Some(Ok(told.with(id))),
                    None => {
                        *lock(&last) = Some(told.malformed("the message has no federation.eventId"));
                        None
                    }
                },
                Err(error) => Some(Err(error)),
            }
        });
        found.await.unwrap_or_else(|_| Err(missing(&last, "federation.eventId")))
    }

    async fn page(&self, room: &str, offset: u32, count: u32) -> Result<(Told, Vec<Value>), CallError> {
        let rid = segment(&self.rid(room).await?);
        let path = format!("groups.history?roomId={rid}&count={count}&offset={offset}");
        let told = self.line.get(&path).await?;
        let messages = told.list("messages")?;
        Ok((told, messages))
    }

    /// The event that a message stands for; `None` if federation does not know the message.
    fn event_of(&self, room: &str, message: &Value) -> Option<Value> {
        let sender = self.id_of(message["u"]["username"].as_str()?);
        let membership = match message["t"].as_str() {
            None => None,
            Some("uj" | "ult") => Some("join"),
            Some("ul") => Some("leave"),
            // The product's other notices about the room are not Matrix events.
            Some(_) => return None,
        };
        if let Some(membership) = membership {
            return Some(json!({
                "type": "m.room.member", "room_id": room, "sender": sender, "state_key": sender,
                "content": {"membership": membership},
            }));
        }
        let id = message["federation"]["eventId"].as_str().filter(|id| id.starts_with('$'))?;
        Some(json!({
            "type": "m.room.message", "room_id": room, "sender": sender, "event_id": id,
            "content": {"msgtype": "m.text", "body": message["msg"].as_str()?},
        }))
    }

    /// Finds the message that stands for an event among the room's last messages.
    async fn message_of(&self, room: &str, event: &str) -> Result<(Told, Value), CallError> {
        let (told, messages) = self.page(room, 0, PAGE).await?;
        let found = messages.into_iter().find(|message| message["federation"]["eventId"] == *event);
        let none = || ApiRefusal {
            status: 404,
            errcode: "M_NOT_FOUND".into(),
            error: format!("no message is the event {event}"),
            exchange: told.exchange,
        };
        match found {
            Some(message) => Ok((told, message)),
            None => Err(CallError::Refused(none())),
        }
    }

    /// The entries that the user was not shown yet.
    async fn news(&self) -> Result<(Vec<SyncEntry>, ExchangeId), CallError> {
        let told = self.line.get("subscriptions.get").await?;
        let mut news = Vec::new();
        for subscription in told.list("update")? {
            let Some(rid) = subscription["rid"].as_str() else { continue };
            // A room without federation, such as the product's general room, is not a Matrix room.
            let known = lock(&self.rooms).iter().find(|(_, own)| *own == rid).map(|(id, _)| id.clone());
            let room = match known {
                Some(room) => room,
                None if is_federated(&subscription) => self.matrix_id(rid).await?.value,
                None => continue,
            };
            let invited = subscription["status"] == "INVITED";
            let (place, membership) =
                if invited { (SyncSection::Invite, "invite") } else { (SyncSection::State, "join") };
            let own = json!({
                "type": "m.room.member", "state_key": self.user_id, "room_id": room,
                "sender": self.id_of(subscription["inviter"]["username"].as_str().unwrap_or(&self.username)),
                "content": {"membership": membership},
            });
            self.show(&mut news, place, &room, &format!("own {membership}"), own, told.exchange);
            if invited {
                continue;
            }
            let (page, messages) = self.page(&room, 0, PAGE).await?;
            // The response lists the newest message first.
            for message in messages.iter().rev() {
                if let (Some(id), Some(event)) = (message["_id"].as_str(), self.event_of(&room, message)) {
                    self.show(&mut news, SyncSection::Timeline, &room, id, event, page.exchange);
                }
            }
        }
        Ok((news, told.exchange))
    }

    fn show(
        &self,
        news: &mut Vec<SyncEntry>,
        place: SyncSection,
        room: &str,
        id: &str,
        event: Value,
        exchange: ExchangeId,
    ) {
        if lock(&self.seen).things.insert((room.to_owned(), id.to_owned())) {
            news.push(SyncEntry { place, room: Some(room.to_owned()), event, exchange });
        }
    }
}

/// Whether a subscription is to a federated room.
fn is_federated(subscription: &Value) -> bool {
    subscription["federated"] == true || subscription["federation"].is_object()
}

/// The error of the last attempt. There always is one, since at least one attempt was made.
fn missing(last: &Mutex<Option<CallError>>, what: &str) -> CallError {
    let none = || CallError::Malformed { what: format!("no {what} came"), exchange: ExchangeId(0) };
    lock(last).take().unwrap_or_else(none)
}

#[async_trait]
impl Session for ChatRestSession {
    fn user_id(&self) -> &str {
        &self.user_id
    }

    async fn create_room(&self, room: &NewRoom) -> CallResult<String> {
        // Room names are unique at the product, so the driver makes up its own and cannot set the scenario's.
        let more = room.name.is_some() || room.topic.is_some() || room.history_visibility.is_some();
        if room.join_rule != JoinRule::Invite || more || room.power_levels.is_some() {
            return not_offered("create_room");
        }
        let name: String = std::iter::repeat_with(fastrand::lowercase).take(16).collect();
        let plan = json!({"name": name, "members": [], "extraData": {"federated": true}});
        let told = self.line.post("groups.create", &plan).await?;
        let id = self.matrix_id(&told.text("/group/_id")?).await?.value;
        Ok(told.with(id))
    }

    async fn invite(&self, room: &str, user: &str) -> CallResult<()> {
        let plan = json!({"roomId": self.rid(room).await?, "username": self.username(user)});
        Ok(self.line.post("groups.invite", &plan).await?.with(()))
    }

    async fn join(&self, room: &str, _via: &[String]) -> CallResult<()> {
        let plan = json!({"roomId": self.rid(room).await?, "action": "accept"});
        Ok(self.line.post("rooms.invite", &plan).await?.with(()))
    }

    async fn knock(&self, _room: &str, _via: &[String]) -> CallResult<()> {
        not_offered("knock")
    }

    async fn leave(&self, room: &str) -> CallResult<()> {
        let rid = self.rid(room).await?;
        let told = self.line.get(&format!("subscriptions.getOne?roomId={}", segment(&rid))).await?;
        if told.body["subscription"]["status"] == "INVITED" {
            let plan = json!({"roomId": rid, "action": "reject"});
            return Ok(self.line.post("rooms.invite", &plan).await?.with(()));
        }
        Ok(self.line.post("groups.leave", &json!({ "roomId": rid })).await?.with(()))
    }

    async fn kick(&self, room: &str, user: &str, reason: Option<&str>) -> CallResult<()> {
        if reason.is_some() {
            return not_offered("kick with a reason");
        }
        let plan = json!({"roomId": self.rid(room).await?, "username": self.username(user)});
        Ok(self.line.post("groups.kick", &plan).await?.with(()))
    }

    async fn ban(&self, _room: &str, _user: &str, _reason: Option<&str>) -> CallResult<()> {
        not_offered("ban")
    }

    async fn unban(&self, _room: &str, _user: &str) -> CallResult<()> {
        not_offered("unban")
    }

    async fn send(&self, room: &str, kind: &str, content: &Value) -> CallResult<String> {
        if kind == "m.reaction" {
            let about = &content["m.relates_to"];
            let (Some(event), Some(key)) = (about["event_id"].as_str(), about["key"].as_str()) else {
                return not_offered("send");
            };
            let (_, message) = self.message_of(room, event).await?;
            let id = message["_id"].as_str().unwrap_or_default();
            let told = self
                .line
                .post("chat.react", &json!({"messageId": id, "emoji": key, "shouldReact": true}))
                .await?;
            let own = |message: &Value| {
                let all = message["reactions"].as_object()?.values();
                let mut ids =
                    all.filter_map(|reaction| reaction["federationReactionEventIds"].as_object()).flatten();
                ids.find(|(_, by)| **by == *self.username).map(|(id, _)| id.clone())
            };
            return Ok(told.with(self.message(id, own).await?.value));
        }
        let is_plain =
            kind == "m.room.message" && content["msgtype"] == "m.text" && content["m.relates_to"].is_null();
        let (true, Some(body), None) = (is_plain, content["body"].as_str(), content.get("formatted_body"))
        else {
            return not_offered("send");
        };
        let plan = json!({"message": {"rid": self.rid(room).await?, "msg": body}});
        let told = self.line.post("chat.sendMessage", &plan).await?;
        let id = told.text("/message/_id")?;
        let event = |message: &Value| message["federation"]["eventId"].as_str().map(str::to_owned);
        Ok(told.with(self.message(&id, event).await?.value))
    }

    async fn set_state(&self, _room: &str, _kind: &str, _key: &str, _content: &Value) -> CallResult<String> {
        not_offered("set_state")
    }

    async fn redact(&self, _room: &str, _event: &str, _reason: Option<&str>) -> CallResult<String> {
        not_offered("redact")
    }

    async fn upgrade(&self, _room: &str, _version: &str) -> CallResult<String> {
        not_offered("upgrade")
    }

    async fn typing(&self, _room: &str, _on: bool) -> CallResult<()> {
        not_offered("typing")
    }

    async fn receipt(&self, _: &str, _: &str, _kind: ReceiptKind, _thread: Option<&str>) -> CallResult<()> {
        not_offered("receipt")
    }

    async fn set_presence(&self, _presence: &str, _status: Option<&str>) -> CallResult<()> {
        not_offered("set_presence")
    }

    async fn set_profile(&self, _field: &str, _value: &str) -> CallResult<()> {
        not_offered("set_profile")
    }

    async fn profile(&self, user: &str) -> CallResult<Value> {
        let told = self.line.get(&format!("users.info?username={}", segment(self.username(user)))).await?;
        let name = told.text("/user/name")?;
        Ok(told.with(json!({ "displayname": name })))
    }

    async fn upload(&self, _file: &MediaFile) -> CallResult<String> {
        not_offered("upload")
    }

    async fn download(&self, _address: &str) -> CallResult<MediaFile> {
        not_offered("download")
    }

    async fn state(&self, _room: &str) -> CallResult<Vec<Value>> {
        not_offered("state")
    }

    async fn event(&self, room: &str, event: &str) -> CallResult<Value> {
        let (told, message) = self.message_of(room, event).await?;
        let shown = self.event_of(room, &message);
        shown.map(|event| told.with(event)).ok_or_else(|| told.malformed("the message is no event"))
    }

    async fn history(&self, room: &str, from: Option<&str>, limit: u32) -> CallResult<HistoryPage> {
        let offset = from.and_then(|from| from.parse().ok()).unwrap_or(0);
        let count = limit.min(PAGE);
        let (told, messages) = self.page(room, offset, count).await?;
        let is_last = messages.len() < usize::try_from(count).unwrap_or(usize::MAX);
        let end = (!is_last).then(|| offset.saturating_add(count).to_string());
        let events = messages.iter().filter_map(|message| self.event_of(room, message)).collect();
        Ok(told.with(HistoryPage { events, end }))
    }

    async fn sync(&self, _since: Option<&str>, wait_ms: u64) -> CallResult<SyncBatch> {
        let look = || async {
            match self.news().await {
                Ok((news, _)) if news.is_empty() => {
                    waiting::let_pass(LOOK).await;
                    None
                }
                other => Some(other),
            }
        };
        let found = waiting::until_send(Duration::from_millis(wait_ms), look).await;
        let (happenings, exchange) = match found {
            Ok(found) => found?,
            Err(_) => self.news().await?,
        };
        let next = {
            let mut seen = lock(&self.seen);
            seen.polls += 1;
            seen.polls.to_string()
        };
        Ok(Answered { value: SyncBatch { next, happenings }, exchange })
    }
}

#[cfg(test)]
mod tests;
