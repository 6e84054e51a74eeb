//! The client-server API: who asks is looked up here, and what is asked is passed on to one module for each concept.

mod devices;
mod directory;
mod founding;
mod hierarchy;
mod history;
mod keys;
mod media;
mod membership;
mod profile;
mod reading;
mod relations;
mod sending;
mod shown;
mod signalling;
mod sync;
mod upgrading;
mod users;

pub(crate) use directory::Directory;
pub(crate) use media::Files;
pub(crate) use shown::stripped;
pub(crate) use users::{Account, Users};

use bytes::Bytes;
use http::{Request, Response, header};
use serde_json::{Map, Value, json};

use crate::{
    answering::{Asked, read, read_head},
    fault::Fault,
    homeserver::Homeserver,
    joining::VERSIONS,
    reply::{Refusal, Reply, Said, refusal, refuse},
};
use founding::DEFAULT_VERSION;
use users::Login;

/// A request of a user who is logged in.
pub(crate) struct Call<'a> {
    asked: Asked<'a>,
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
        if self.leaves_out(request.uri().path()) {
            return unrecognized().unwrap_or_else(Said::from).into();
        }
        self.reply_to_client(request).await.unwrap_or_else(Said::from).into()
    }

    async fn reply_to_client(&self, request: &Request<Bytes>) -> Result<Said, Refusal> {
        // What is uploaded is no JSON.
        let is_file = request.uri().path().ends_with("/upload") && request.uri().path().contains("/media/");
        let mut asked = if is_file { read_head(request) } else { read(request)? };
        let path = std::mem::take(&mut asked.path);
        let segments: Vec<_> = path.iter().map(String::as_str).collect();
        let ["_matrix", segments @ ..] = segments.as_slice() else { return unrecognized() };
        if let Some(said) = self.reply_to_anybody(&asked, segments) {
            return said;
        }
        let Login { user, device } = self.login_of(request, &asked)?;
        let call = Call { asked, user, device };
        match (call.asked.method, segments) {
            ("POST", ["media", "v3", "upload"]) => self.store(&call, request).map(Said::from),
            (_, ["client", "v1", "media", rest @ ..]) => self.route_media(rest).await,
            (_, ["client", _, rest @ ..]) => self.route_call(&call, rest).await.map(Said::from),
            _ => unrecognized(),
        }
    }

    /// What is answered to who is not logged in.
    fn reply_to_anybody(&self, asked: &Asked<'_>, path: &[&str]) -> Option<Result<Said, Refusal>> {
        let reply = match (asked.method, path) {
            ("GET", ["client", "versions"]) => Ok(json!({ "versions": ["v1.13"] })),
            ("GET", ["client", _, "login"]) => Ok(json!({"flows": [{"type": "m.login.password"}]})),
            ("POST", ["client", _, "login"]) => self.log_in(&asked.body),
            ("POST", ["client", _, "register"]) => return Some(Ok(self.register(&asked.body))),
            _ => return None,
        };
        Some(reply.map(Said::from))
    }

    /// Who asks (client-server API, using access tokens).
    fn login_of(&self, request: &Request<Bytes>, asked: &Asked<'_>) -> Result<Login, Refusal> {
        let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|header| header.strip_prefix("Bearer ")).or(asked.value("access_token"));
        let token = token.ok_or_else(|| refusal(401, "M_MISSING_TOKEN", "an access token is needed"))?;
        let login = self.known().users.login(token);
        login.ok_or_else(|| refusal(401, "M_UNKNOWN_TOKEN", "the access token is not known"))
    }

    async fn route_media(&self, path: &[&str]) -> Result<Said, Refusal> {
        match path {
            ["config"] => Self::media_config().map(Said::from),
            ["download", server, id] | ["thumbnail", server, id] => self.hand_out(server, id, None).await,
            ["download", server, id, name] => self.hand_out(server, id, Some(name)).await,
            _ => unrecognized(),
        }
    }

    async fn route_call(&self, call: &Call<'_>, path: &[&str]) -> Reply {
        match (call.asked.method, path) {
            ("GET", ["sync"]) => self.sync(call).await,
            ("POST", ["createRoom"]) => self.create_room(call).await,
            ("POST", ["join", room]) => self.join_by_name(call, room).await,
            ("POST", ["knock", room]) => self.knock_by_name(call, room).await,
            ("GET", ["joined_rooms"]) => Ok(json!({ "joined_rooms": self.rooms_of(&call.user) })),
            ("GET", ["rooms", room, "hierarchy"]) => self.read_hierarchy(call, room).await,
            ("GET", ["room_summary", name]) => self.read_summary(call, name).await,
            (method @ ("POST" | "PUT"), ["rooms", room, rest @ ..]) => {
                self.route_doing(call, method, room, rest).await
            }
            ("GET", ["rooms", room, rest @ ..]) => self.route_reading(call, room, rest).await,
            (_, ["directory" | "publicRooms", ..]) => self.route_directory(call, path).await,
            (_, ["keys" | "devices" | "delete_devices" | "sendToDevice", ..]) => {
                self.route_devices(call, path).await
            }
            _ => self.route_user(call, path).await,
        }
    }

    async fn route_user(&self, call: &Call<'_>, path: &[&str]) -> Reply {
        match (call.asked.method, path) {
            ("GET", ["account", "whoami"]) => {
                Ok(json!({"user_id": call.user, "device_id": call.device, "is_guest": false}))
            }
            ("POST", ["logout"]) => self.log_out(call, false),
            ("POST", ["logout", "all"]) => self.log_out(call, true),
            ("GET", ["capabilities"]) if self.has(Fault::CapabilitiesBare) => {
                Ok(json!({ "capabilities": {"m.room_versions": {"default": "12", "available": {}}} }))
            }
            ("GET", ["capabilities"]) => Ok(capabilities()),
            ("GET", ["profile", user]) => self.read_profile(user, None).await,
            ("GET", ["profile", user, field]) => self.read_profile(user, Some(field)).await,
            ("PUT" | "DELETE", ["profile", user, field]) => self.change_profile(call, user, field),
            ("PUT", ["presence", user, "status"]) => self.set_presence(call, user),
            ("GET", ["presence", user, "status"]) => self.presence_of(call, user),
            ("GET" | "PUT", ["user", user, "account_data", kind]) => {
                self.account_data(call, user, None, kind)
            }
            ("GET" | "PUT", ["user", user, "rooms", room, "account_data", kind]) => {
                self.account_data(call, user, Some(room), kind)
            }
            ("POST", ["user", user, "openid", "request_token"]) => self.give_openid_token(call, user),
            ("GET", ["pushrules", ..]) => Ok(json!({ "global": {} })),
            _ => unrecognized(),
        }
    }

    async fn route_doing(&self, call: &Call<'_>, method: &str, room: &str, path: &[&str]) -> Reply {
        match (method, path) {
            ("POST", ["join"]) => self.join_by_name(call, room).await,
            ("POST", ["leave"]) => self.leave(room, &call.user, &call.reason()).await.map(done),
            ("POST", ["forget"]) => self.forget(call, room),
            ("POST", ["invite"]) => self.invite_to(call, room).await,
            ("POST", [verb @ ("kick" | "ban" | "unban")]) => self.set_member(call, room, verb),
            ("POST", ["upgrade"]) => self.upgrade(call, room),
            ("POST", ["receipt", kind, event]) => self.set_receipt(call, room, kind, event),
            ("POST", ["read_markers"]) => self.set_read_markers(call, room),
            ("PUT", ["typing", user]) => self.set_typing(call, room, user),
            ("PUT", ["send", kind, transaction]) => self.send_message(call, room, kind, transaction),
            ("PUT", ["redact", id, transaction]) => self.send_redaction(call, room, id, transaction),
            ("PUT", ["state", kind]) => self.send_state(call, room, kind, "").await,
            ("PUT", ["state", kind, state_key]) => self.send_state(call, room, kind, state_key).await,
            _ => unrecognized(),
        }
    }

    async fn route_reading(&self, call: &Call<'_>, room: &str, path: &[&str]) -> Reply {
        match path {
            ["state"] => self.read_state(call, room),
            ["state", kind] => self.read_one(call, room, kind, ""),
            ["state", kind, state_key] => self.read_one(call, room, kind, state_key),
            ["event", id] => self.read_event(call, room, id),
            ["members"] => self.read_members(call, room),
            ["joined_members"] => self.read_joined(call, room),
            ["messages"] => self.read_messages(call, room).await,
            ["context", id] => self.read_context(call, room, id),
            ["relations", id, wanted @ ..] => self.read_relations(call, room, id, wanted),
            ["threads"] => self.read_threads(call, room),
            ["aliases"] => self.room_aliases(call, room),
            _ => unrecognized(),
        }
    }

    async fn route_directory(&self, call: &Call<'_>, path: &[&str]) -> Reply {
        match (call.asked.method, path) {
            ("GET", ["directory", "room", alias]) => self.read_alias(alias).await,
            ("PUT", ["directory", "room", alias]) => self.set_alias(call, alias),
            ("DELETE", ["directory", "room", alias]) => self.delete_alias(call, alias),
            ("GET" | "PUT", ["directory", "list", "room", room]) => self.visibility(call, room),
            ("GET" | "POST", ["publicRooms"]) => self.public_rooms(call).await,
            _ => unrecognized(),
        }
    }

    async fn route_devices(&self, call: &Call<'_>, path: &[&str]) -> Reply {
        match (call.asked.method, path) {
            ("POST", ["keys", "upload"]) => self.upload_keys(call),
            ("POST", ["keys", "query"]) => self.query_keys(call).await,
            ("POST", ["keys", "claim"]) => self.claim_keys(call).await,
            ("GET", ["keys", "changes"]) => self.read_changes(call),
            ("POST", ["keys", "device_signing", "upload"]) => self.upload_signing_keys(call),
            ("POST", ["keys", "signatures", "upload"]) => self.upload_signatures(call),
            ("GET", ["devices"]) => self.list_devices(call),
            ("GET", ["devices", id]) => self.one_device(call, id),
            ("PUT", ["devices", id]) => self.rename_device(call, id),
            ("DELETE", ["devices", id]) => self.delete_devices(call, &[(*id).to_owned()]),
            ("POST", ["delete_devices"]) => self.delete_named_devices(call),
            ("PUT", ["sendToDevice", kind, transaction]) => self.send_notes(call, kind, transaction),
            _ => unrecognized(),
        }
    }
}

fn capabilities() -> Value {
    let versions = VERSIONS.iter().map(|version| ((*version).to_owned(), json!("stable")));
    let rooms = json!({"default": DEFAULT_VERSION, "available": versions.collect::<Map<_, _>>()});
    json!({ "capabilities": { "m.room_versions": rooms } })
}
