//! The driver for vendors with the Matrix client-server API. ruma builds paths and request bodies; responses are read
//! as raw JSON, since a typed response would hide what a server adds or leaves out.

use std::{borrow::Cow, collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use ruma::{
    OwnedEventId, OwnedMxcUri, OwnedRoomId, OwnedRoomOrAliasId, OwnedServerName, OwnedTransactionId,
    OwnedUserId, RoomVersionId, UInt,
    api::{
        MatrixVersion, OutgoingRequest, OutgoingRequestExt, SupportedVersions,
        auth_scheme::{AuthScheme, SendAccessToken},
        client,
        path_builder::PathBuilder,
    },
    events::{AnyMessageLikeEventContent, AnyStateEventContent},
    serde::Raw,
};
use samklang_matrix::endpoints::client as endpoints;
use samklang_verdict::Party;
use serde_json::{Value, json};

use super::{
    Answered, CallError, CallResult, Driver, HistoryPage, JoinRule, MediaFile, NewRoom, ReceiptKind, Session,
    SyncBatch,
    accounts::Lease,
    http::{ApiClient, ApiResponse, CALL_BOUND},
    matrix_sync,
};

/// Registers users with user-interactive authentication, stage `m.login.dummy`.
pub struct MatrixDriver {
    api: ApiClient,
}

impl MatrixDriver {
    /// A driver of the client API behind `api`.
    pub fn new(api: ApiClient) -> Self {
        Self { api }
    }
}

/// A user who is logged in through the Matrix client API.
pub(super) struct MatrixSession {
    pub(super) api: ApiClient,
    pub(super) me: Party,
    pub(super) user_id: String,
    pub(super) token: String,
    /// The lent account; `None` for a user that this driver registered.
    pub(super) lent: Option<Lease>,
    /// The password; `None` for a lent account.
    pub(super) password: Option<String>,
}

#[async_trait]
impl Driver for MatrixDriver {
    async fn register(&self, localpart: &str, name: &str) -> CallResult<Box<dyn Session>> {
        let me = Party::User { name: name.to_owned() };
        let password: String = std::iter::repeat_with(fastrand::alphanumeric).take(24).collect();
        let ask = async |auth: Option<Value>| {
            let mut body = json!({"username": localpart, "password": password});
            if let Some(auth) = auth {
                body["auth"] = auth;
            }
            let request = self.api.json_request("POST", endpoints::REGISTER.template, None, Some(&body))?;
            self.api.call(me.clone(), request, CALL_BOUND).await
        };
        // The server refuses the first call and returns the session that the second call has to name.
        let mut reply = ask(None).await?;
        if reply.status == 401 {
            let session = reply.json()?["session"].clone();
            reply = ask(Some(json!({"type": "m.login.dummy", "session": session}))).await?;
        }
        let answer = accepted(&reply)?;
        let text = |key: &'static str| text_of(&answer, key, &reply);
        let session = MatrixSession {
            api: self.api.clone(),
            me,
            user_id: text("user_id")?,
            token: text("access_token")?,
            password: Some(password),
            lent: None,
        };
        Ok(Answered { value: Box::new(session), exchange: reply.exchange })
    }
}

/// The error for a request that cannot be built: an id from a server is invalid.
fn unsendable(error: &dyn std::fmt::Display) -> CallError {
    CallError::Malformed { what: error.to_string(), exchange: samklang_verdict::ExchangeId(0) }
}

fn accepted(reply: &ApiResponse) -> Result<Value, CallError> {
    let answer = reply.json()?;
    if (200..300).contains(&reply.status) {
        return Ok(answer);
    }
    let text = |key: &str| answer[key].as_str().unwrap_or_default().chars().take(500).collect();
    Err(CallError::Refused(super::ApiRefusal {
        status: reply.status,
        errcode: text("errcode"),
        error: text("error"),
        exchange: reply.exchange,
    }))
}

fn text_of(answer: &Value, key: &str, reply: &ApiResponse) -> Result<String, CallError> {
    answer[key].as_str().map(str::to_owned).ok_or_else(|| CallError::Malformed {
        what: format!("the answer has no text under {key:?}"),
        exchange: reply.exchange,
    })
}

/// Parses an id from a server, for a request that needs a valid one.
fn id<T>(text: &str) -> Result<T, CallError>
where
    T: for<'a> TryFrom<&'a str>,
    for<'a> <T as TryFrom<&'a str>>::Error: std::fmt::Display,
{
    T::try_from(text).map_err(|error| unsendable(&format!("{text:?} is not a well-formed id: {error}")))
}

fn raw<T>(content: &Value) -> Result<Raw<T>, CallError> {
    serde_json::value::to_raw_value(content).map(Raw::from_json).map_err(|error| unsendable(&error))
}

fn transaction() -> OwnedTransactionId {
    let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(16).collect();
    OwnedTransactionId::from(random)
}

/// The time that a long poll's response may take on top of the requested wait.
const POLL_GRACE: Duration = Duration::from_secs(30);
/// The timeout of a typing notification: so long that no scenario mistakes its expiry for the user's stop.
const TYPING: Duration = Duration::from_secs(300);

impl MatrixSession {
    /// Notes a room that a lent user has to leave afterwards.
    fn was_in(&self, room: &str) {
        if let Some(lease) = &self.lent {
            lease.was_in(room);
        }
    }

    async fn ask<R>(&self, request: R, bound: Duration) -> Result<ApiResponse, CallError>
    where
        R: OutgoingRequest,
        R::Authentication: for<'a> AuthScheme<Input<'a> = SendAccessToken<'a>>,
        R::PathBuilder: for<'a> PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let versions =
            SupportedVersions { versions: BTreeSet::from([MatrixVersion::V1_13]), features: BTreeSet::new() };
        let request = request
            .try_into_http_request::<Vec<u8>>(
                self.api.base(),
                SendAccessToken::IfRequired(&self.token),
                Cow::Owned(versions),
            )
            .map_err(|error| unsendable(&error))?;
        self.api.call_well(self.me.clone(), request, bound).await
    }

    async fn done<R>(&self, request: R) -> CallResult<()>
    where
        R: OutgoingRequest,
        R::Authentication: for<'a> AuthScheme<Input<'a> = SendAccessToken<'a>>,
        R::PathBuilder: for<'a> PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let reply = self.ask(request, CALL_BOUND).await?;
        Ok(Answered { value: (), exchange: reply.exchange })
    }

    async fn json<R>(&self, request: R) -> CallResult<Value>
    where
        R: OutgoingRequest,
        R::Authentication: for<'a> AuthScheme<Input<'a> = SendAccessToken<'a>>,
        R::PathBuilder: for<'a> PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let reply = self.ask(request, CALL_BOUND).await?;
        Ok(Answered { value: reply.json()?, exchange: reply.exchange })
    }

    async fn text<R>(&self, request: R, key: &str) -> CallResult<String>
    where
        R: OutgoingRequest,
        R::Authentication: for<'a> AuthScheme<Input<'a> = SendAccessToken<'a>>,
        R::PathBuilder: for<'a> PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let reply = self.ask(request, CALL_BOUND).await?;
        Ok(Answered { value: text_of(&reply.json()?, key, &reply)?, exchange: reply.exchange })
    }
}

fn servers(via: &[String]) -> Result<Vec<OwnedServerName>, CallError> {
    via.iter().map(|name| id(name)).collect()
}

fn create_request(room: &NewRoom) -> Result<client::room::create_room::v3::Request, CallError> {
    use client::room::create_room::v3::{Request, RoomPreset};
    let mut request = Request::new();
    request.room_version = Some(id::<RoomVersionId>(&room.version)?);
    request.name.clone_from(&room.name);
    request.topic.clone_from(&room.topic);
    request.preset = Some(if room.join_rule == JoinRule::Public {
        RoomPreset::PublicChat
    } else {
        RoomPreset::PrivateChat
    });
    let state = |kind: &str, content: Value| raw(&json!({"type": kind, "state_key": "", "content": content}));
    if room.join_rule == JoinRule::Knock {
        request
            .initial_state
            .push(state("m.room.join_rules", json!({"join_rule": room.join_rule.as_str()}))?);
    }
    if let Some(visibility) = &room.history_visibility {
        request
            .initial_state
            .push(state("m.room.history_visibility", json!({"history_visibility": visibility}))?);
    }
    request.power_level_content_override = room.power_levels.as_ref().map(raw).transpose()?;
    Ok(request)
}

#[async_trait]
impl Session for MatrixSession {
    fn user_id(&self) -> &str {
        &self.user_id
    }

    async fn create_room(&self, room: &NewRoom) -> CallResult<String> {
        let made = self.text(create_request(room)?, "room_id").await?;
        self.was_in(&made.value);
        Ok(made)
    }

    async fn invite(&self, room: &str, user: &str) -> CallResult<()> {
        use client::membership::invite_user::v3::{InvitationRecipient, InviteUserId, Request};
        let recipient = InvitationRecipient::UserId(InviteUserId::new(id(user)?));
        self.done(Request::new(id(room)?, recipient)).await
    }

    async fn join(&self, room: &str, via: &[String]) -> CallResult<()> {
        use client::membership::join_room_by_id_or_alias::v3::Request;
        let mut request = Request::new(id::<OwnedRoomOrAliasId>(room)?);
        request.via = servers(via)?;
        self.was_in(room);
        self.done(request).await
    }

    async fn knock(&self, room: &str, via: &[String]) -> CallResult<()> {
        use client::knock::knock_room::v3::Request;
        let mut request = Request::new(id::<OwnedRoomOrAliasId>(room)?);
        request.via = servers(via)?;
        self.was_in(room);
        self.done(request).await
    }

    async fn leave(&self, room: &str) -> CallResult<()> {
        self.done(client::membership::leave_room::v3::Request::new(id(room)?)).await
    }

    async fn kick(&self, room: &str, user: &str, reason: Option<&str>) -> CallResult<()> {
        use client::membership::kick_user::v3::Request;
        let mut request = Request::new(id(room)?, id(user)?);
        request.reason = reason.map(str::to_owned);
        self.done(request).await
    }

    async fn ban(&self, room: &str, user: &str, reason: Option<&str>) -> CallResult<()> {
        use client::membership::ban_user::v3::Request;
        let mut request = Request::new(id(room)?, id(user)?);
        request.reason = reason.map(str::to_owned);
        self.done(request).await
    }

    async fn unban(&self, room: &str, user: &str) -> CallResult<()> {
        self.done(client::membership::unban_user::v3::Request::new(id(room)?, id(user)?)).await
    }

    async fn send(&self, room: &str, kind: &str, content: &Value) -> CallResult<String> {
        use client::message::send_message_event::v3::Request;
        let content = raw::<AnyMessageLikeEventContent>(content)?;
        let request = Request::new_raw(id::<OwnedRoomId>(room)?, transaction(), kind.into(), content);
        self.text(request, "event_id").await
    }

    async fn set_state(
        &self,
        room: &str,
        kind: &str,
        state_key: &str,
        content: &Value,
    ) -> CallResult<String> {
        use client::state::send_state_event::v3::Request;
        let content = raw::<AnyStateEventContent>(content)?;
        let request = Request::new_raw(id::<OwnedRoomId>(room)?, kind.into(), state_key.to_owned(), content);
        self.text(request, "event_id").await
    }

    async fn redact(&self, room: &str, event: &str, reason: Option<&str>) -> CallResult<String> {
        use client::redact::redact_event::v3::Request;
        let mut request = Request::new(id(room)?, id::<OwnedEventId>(event)?, transaction());
        request.reason = reason.map(str::to_owned);
        self.text(request, "event_id").await
    }

    async fn upgrade(&self, room: &str, version: &str) -> CallResult<String> {
        use client::room::upgrade_room::v3::Request;
        let made = self.text(Request::new(id(room)?, id(version)?), "replacement_room").await?;
        self.was_in(&made.value);
        Ok(made)
    }

    async fn typing(&self, room: &str, on: bool) -> CallResult<()> {
        use client::typing::create_typing_event::v3::{Request, Typing, TypingInfo};
        let state = if on { Typing::Yes(TypingInfo::new(TYPING)) } else { Typing::No };
        self.done(Request::new(id::<OwnedUserId>(&self.user_id)?, id(room)?, state)).await
    }

    async fn receipt(
        &self,
        room: &str,
        event: &str,
        kind: ReceiptKind,
        thread: Option<&str>,
    ) -> CallResult<()> {
        use client::receipt::create_receipt::v3::{ReceiptType, Request};
        use ruma::events::receipt::ReceiptThread;
        let kind = match kind {
            ReceiptKind::Public => ReceiptType::Read,
            ReceiptKind::Private => ReceiptType::ReadPrivate,
        };
        let mut request = Request::new(id(room)?, kind, id(event)?);
        request.thread = match thread {
            None => ReceiptThread::Unthreaded,
            Some("main") => ReceiptThread::Main,
            Some(root) => ReceiptThread::Thread(id(root)?),
        };
        self.done(request).await
    }

    async fn set_presence(&self, presence: &str, status: Option<&str>) -> CallResult<()> {
        use client::presence::set_presence::v3::Request;
        let mut request = Request::new(id::<OwnedUserId>(&self.user_id)?, presence.into());
        request.status_msg = status.map(str::to_owned);
        self.done(request).await
    }

    async fn set_profile(&self, field: &str, value: &str) -> CallResult<()> {
        use client::profile::{ProfileFieldValue, set_profile_field::v3::Request};
        if let Some(lease) = &self.lent {
            lease.changes_profile();
        }
        let value = ProfileFieldValue::new(field, json!(value)).map_err(|error| unsendable(&error))?;
        self.done(Request::new(id::<OwnedUserId>(&self.user_id)?, value)).await
    }

    async fn profile(&self, user: &str) -> CallResult<Value> {
        // ruma sends no token here, because the endpoint needs none. Some servers require it all the same.
        let user: OwnedUserId = id(user)?;
        let path = format!("{}{}", self.api.base(), endpoints::PROFILE.raw_path(&[user.as_str()]));
        let request = ::http::Request::get(path).header("authorization", format!("Bearer {}", self.token));
        let request = request.body(Vec::new()).map_err(|error| unsendable(&error))?;
        let reply = self.api.call_well(self.me.clone(), request, CALL_BOUND).await?;
        Ok(Answered { value: reply.json()?, exchange: reply.exchange })
    }

    async fn device_keys(&self, user: &str) -> CallResult<Value> {
        use client::keys::get_keys::v3::Request;
        let mut request = Request::new();
        request.device_keys.insert(id(user)?, Vec::new());
        let reply = self.ask(request, CALL_BOUND).await?;
        Ok(Answered { value: accepted(&reply)?, exchange: reply.exchange })
    }

    async fn capabilities(&self) -> CallResult<Value> {
        let reply = self.ask(client::discovery::get_capabilities::v3::Request::new(), CALL_BOUND).await?;
        Ok(Answered { value: accepted(&reply)?, exchange: reply.exchange })
    }

    async fn ask_api(&self, method: &str, path: &str, body: &Value) -> CallResult<Value> {
        // A lent account only reads here: the driver could not undo other requests.
        if self.lent.is_some() && method != "GET" {
            return Err(CallError::NotOffered { verb: "ask_api" });
        }
        let body = Some(body).filter(|body| !body.is_null());
        let request =
            self.api.json_request(method, &format!("{}{path}", endpoints::ROOT), Some(&self.token), body)?;
        let reply = self.api.call_well(self.me.clone(), request, CALL_BOUND).await?;
        Ok(Answered { value: accepted(&reply)?, exchange: reply.exchange })
    }

    async fn add_device(&self) -> CallResult<String> {
        let Some(password) = &self.password else { return Err(CallError::NotOffered { verb: "add_device" }) };
        let identifier = json!({"type": "m.id.user", "user": self.user_id});
        let body = json!({"type": "m.login.password", "identifier": identifier, "password": password});
        let request = self.api.json_request("POST", endpoints::LOGIN.template, None, Some(&body))?;
        let reply = self.api.call_well(self.me.clone(), request, CALL_BOUND).await?;
        Ok(Answered { value: text_of(&accepted(&reply)?, "device_id", &reply)?, exchange: reply.exchange })
    }

    async fn upload(&self, file: &MediaFile) -> CallResult<String> {
        use client::media::create_content::v3::Request;
        let mut request = Request::new(file.bytes.clone());
        request.content_type.clone_from(&file.content_type);
        request.filename.clone_from(&file.name);
        self.text(request, "content_uri").await
    }

    async fn download(&self, address: &str) -> CallResult<MediaFile> {
        use client::authenticated_media::get_content::v1::Request;
        let address: OwnedMxcUri = address.into();
        let (server, media) = address.parts().map_err(|error| unsendable(&error))?;
        let reply = self.ask(Request::new(media.to_owned(), server.to_owned()), CALL_BOUND).await?;
        let disposition = reply.header("content-disposition").map(str::to_owned);
        let name = disposition
            .and_then(|text| ruma::http_headers::ContentDisposition::try_from(text.as_bytes()).ok())
            .and_then(|disposition| disposition.filename);
        let content_type = reply.header("content-type").map(str::to_owned);
        Ok(Answered { exchange: reply.exchange, value: MediaFile { bytes: reply.body, content_type, name } })
    }

    async fn state(&self, room: &str) -> CallResult<Vec<Value>> {
        let answer = self.json(client::state::get_state_events::v3::Request::new(id(room)?)).await?;
        match answer.value {
            Value::Array(events) => Ok(Answered { value: events, exchange: answer.exchange }),
            _ => Err(CallError::Malformed {
                what: "the room's state is no list of events".into(),
                exchange: answer.exchange,
            }),
        }
    }

    async fn event(&self, room: &str, event: &str) -> CallResult<Value> {
        self.json(client::room::get_room_event::v3::Request::new(id(room)?, id(event)?)).await
    }

    async fn history(&self, room: &str, from: Option<&str>, limit: u32) -> CallResult<HistoryPage> {
        use client::message::get_message_events::v3::Request;
        let mut request = Request::backward(id(room)?).from(from.map(str::to_owned));
        request.limit = UInt::from(limit);
        let answer = self.json(request).await?;
        let Value::Array(events) = answer.value["chunk"].clone() else {
            let what = "the page has no list under \"chunk\"".into();
            return Err(CallError::Malformed { what, exchange: answer.exchange });
        };
        let end = answer.value["end"].as_str().map(str::to_owned);
        Ok(Answered { value: HistoryPage { events, end }, exchange: answer.exchange })
    }

    async fn sync(&self, since: Option<&str>, wait_ms: u64) -> CallResult<SyncBatch> {
        let filter = r#"{"room":{"timeline":{"limit":500},"state":{"lazy_load_members":false}}}"#;
        let mut query = vec![("filter", filter.to_owned()), ("timeout", wait_ms.to_string())];
        query.extend(since.map(|since| ("since", since.to_owned())));
        let mut url = reqwest::Url::parse(self.api.base()).map_err(|error| unsendable(&error))?;
        url.set_path(endpoints::SYNC.template);
        url.query_pairs_mut().extend_pairs(query);
        let request =
            ::http::Request::get(url.as_str()).header("authorization", format!("Bearer {}", self.token));
        let request = request.body(Vec::new()).map_err(|error| unsendable(&error))?;
        let bound = Duration::from_millis(wait_ms) + POLL_GRACE;
        let reply = self.api.call_well(self.me.clone(), request, bound).await?;
        let answer = reply.json()?;
        let next = text_of(&answer, "next_batch", &reply)?;
        let happenings = matrix_sync::happenings(&answer, reply.exchange);
        Ok(Answered { value: SyncBatch { next, happenings }, exchange: reply.exchange })
    }
}
