//! The client-server API: who asks is looked up here, and what is asked is passed on to one module for each concept.

mod founding;
mod history;
mod membership;
mod reading;
mod sending;
mod shown;
mod sync;
mod users;

pub(crate) use users::Users;

use bytes::Bytes;
use http::{Request, Response, header};
use serde_json::{Value, json};

use crate::{
    answering::{Asked, read},
    homeserver::Homeserver,
    joining::VERSIONS,
    reply::{Refusal, Reply, Said, refusal, refuse},
};
use users::Login;

/// A request of a user who is logged in.
pub(crate) struct Call<'a> {
    asked: Asked<'a>,
    request: &'a Request<Bytes>,
    user: String,
    device: String,
}

impl Call<'_> {
    fn body(&self) -> &Value {
        &self.asked.body
    }

    /// A text that the body has to hold.
    fn text(&self, key: &str) -> Result<&str, Refusal> {
        let missing = || refusal(400, "M_MISSING_PARAM", format!("the body has no text under {key}"));
        self.body()[key].as_str().ok_or_else(missing)
    }

    /// What of the body goes into a member event.
    fn reason(&self) -> Value {
        self.body()["reason"].as_str().map_or_else(|| json!({}), |reason| json!({ "reason": reason }))
    }
}

/// Answers that say nothing but that all is well.
fn done(_: impl Sized) -> Value {
    json!({})
}

fn unrecognized<T>() -> Result<T, Refusal> {
    refuse(404, "M_UNRECOGNIZED", "no such endpoint")
}

fn not_found<T>(what: impl Into<String>) -> Result<T, Refusal> {
    refuse(404, "M_NOT_FOUND", what)
}

impl Homeserver {
    /// Answers what a client asks.
    pub async fn client(&self, request: &Request<Bytes>) -> Response<Bytes> {
        self.reply_to_client(request).await.unwrap_or_else(Said::from).into()
    }

    async fn reply_to_client(&self, request: &Request<Bytes>) -> Result<Said, Refusal> {
        let mut asked = read(request)?;
        let path = std::mem::take(&mut asked.path);
        let segments: Vec<_> = path.iter().map(String::as_str).collect();
        let ["_matrix", segments @ ..] = segments.as_slice() else { return unrecognized() };
        match (asked.method, segments) {
            ("GET", ["client", "versions"]) => return Ok(json!({ "versions": ["v1.13"] }).into()),
            ("GET", ["client", _, "login"]) => {
                return Ok(json!({"flows": [{"type": "m.login.password"}]}).into());
            }
            ("POST", ["client", _, "login"]) => return self.log_in(&asked.body).map(Said::from),
            ("POST", ["client", _, "register"]) => return Ok(self.register(&asked.body)),
            _ => {}
        }
        let Login { user, device } = self.login_of(request, &asked)?;
        let call = Call { asked, request, user, device };
        match segments {
            ["client", _, rest @ ..] => self.route_call(&call, rest).await.map(Said::from),
            _ => unrecognized(),
        }
    }

    /// Who asks (client-server API, using access tokens).
    fn login_of(&self, request: &Request<Bytes>, asked: &Asked<'_>) -> Result<Login, Refusal> {
        let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|header| header.strip_prefix("Bearer ")).or(asked.value("access_token"));
        let token = token.ok_or_else(|| refusal(401, "M_MISSING_TOKEN", "an access token is needed"))?;
        let login = self.known().users.login(token);
        login.ok_or_else(|| refusal(401, "M_UNKNOWN_TOKEN", "the access token is not known"))
    }

    async fn route_call(&self, call: &Call<'_>, path: &[&str]) -> Reply {
        match (call.asked.method, path) {
            ("GET", ["sync"]) => self.sync(call).await,
            ("POST", ["createRoom"]) => self.create_room(call).await,
            ("POST", ["join", room]) => self.join_by_name(call, room).await,
            ("POST", ["knock", room]) => self.knock_by_name(call, room).await,
            ("GET", ["joined_rooms"]) => Ok(json!({ "joined_rooms": self.rooms_of(&call.user) })),
            (_, ["rooms", room, rest @ ..]) => self.route_room(call, room, rest).await,
            ("GET", ["account", "whoami"]) => {
                Ok(json!({"user_id": call.user, "device_id": call.device, "is_guest": false}))
            }
            ("POST", ["logout", ..]) => self.log_out(call, path.len() > 1),
            ("GET", ["capabilities"]) => {
                let versions: serde_json::Map<_, _> =
                    VERSIONS.iter().map(|version| ((*version).to_owned(), json!("stable"))).collect();
                let rooms = json!({"default": "12", "available": versions});
                Ok(json!({ "capabilities": { "m.room_versions": rooms } }))
            }
            _ => unrecognized(),
        }
    }

    async fn route_room(&self, call: &Call<'_>, room: &str, path: &[&str]) -> Reply {
        match (call.asked.method, path) {
            ("POST", ["join"]) => self.join_by_name(call, room).await,
            ("POST", ["leave"]) => self.leave(room, &call.user, &call.reason()).await.map(done),
            ("POST", ["forget"]) => self.forget(call, room),
            ("POST", ["invite"]) => self.invite_to(call, room).await,
            ("POST", ["kick"]) => self.set_member(call, room, "kick"),
            ("POST", ["ban"]) => self.set_member(call, room, "ban"),
            ("POST", ["unban"]) => self.set_member(call, room, "unban"),
            ("PUT", ["send", kind, transaction]) => self.send_message(call, room, kind, transaction),
            ("PUT", ["redact", id, transaction]) => self.send_redaction(call, room, id, transaction),
            ("PUT", ["state", kind]) => self.send_state(call, room, kind, "").await,
            ("PUT", ["state", kind, state_key]) => self.send_state(call, room, kind, state_key).await,
            ("GET", ["state"]) => self.read_state(call, room),
            ("GET", ["state", kind]) => self.read_one(call, room, kind, ""),
            ("GET", ["state", kind, state_key]) => self.read_one(call, room, kind, state_key),
            ("GET", ["event", id]) => self.read_event(call, room, id),
            ("GET", ["members"]) => self.read_members(call, room),
            ("GET", ["joined_members"]) => self.read_joined(call, room),
            ("GET", ["messages"]) => self.read_messages(call, room).await,
            ("GET", ["context", id]) => self.read_context(call, room, id),
            _ => unrecognized(),
        }
    }
}
