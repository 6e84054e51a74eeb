//! The client-server API: the user of a request is found by the access token here, and the request is passed on to one
//! module for each concept.

mod create_room;
mod devices;
pub(crate) mod directory;
pub(crate) mod encryption_keys;
mod ephemeral;
mod events;
pub(crate) mod hierarchy;
mod history;
pub(crate) mod media;
mod membership;
pub(crate) mod profile;
mod relations;
mod room_state;
mod sending;
mod sync;
mod upgrade;
pub(crate) mod users;

use bytes::Bytes;
use http::{Request, Response, header};
use serde_json::{Map, Value, json};

use crate::{
    edus::lacks,
    homeserver::Homeserver,
    memberships::local,
    request::{ParsedRequest, read, read_head},
    response::{ErrorResponse, FullResponse, JsonResult, error_response, refuse},
    room_versions::{DEFAULT_ROOM_VERSION, ROOM_VERSIONS},
    store::users::LoginSession,
};

/// A request of a user who is logged in.
pub(crate) struct ClientRequest {
    request: ParsedRequest,
    user: String,
    device: String,
}

impl ClientRequest {
    fn method(&self) -> &str {
        &self.request.method
    }

    fn body(&self) -> &Value {
        &self.request.body
    }

    /// A text that the body has to hold.
    fn text(&self, key: &str) -> Result<&str, ErrorResponse> {
        let missing =
            || error_response(400, "M_MISSING_PARAM", format!("field `{key}` is missing or not a text"));
        self.body()[key].as_str().ok_or_else(missing)
    }

    /// The reason that the user gives, for the content of a member event.
    fn reason(&self) -> Value {
        self.body()["reason"].as_str().map_or_else(|| json!({}), |reason| json!({ "reason": reason }))
    }
}

/// The empty object: the response where there is nothing to say.
fn done(_: impl Sized) -> Value {
    json!({})
}

fn unrecognized<T>() -> Result<T, ErrorResponse> {
    refuse(404, "M_UNRECOGNIZED", "no such endpoint")
}

fn not_found<T>(what: impl Into<String>) -> Result<T, ErrorResponse> {
    refuse(404, "M_NOT_FOUND", what)
}

/// Responds to a request of a client.
pub(crate) async fn respond(home: &Homeserver, request: &Request<Bytes>) -> Response<Bytes> {
    if lacks(home, request.uri().path()) {
        return unrecognized().unwrap_or_else(FullResponse::from).into();
    }
    route(home, request).await.unwrap_or_else(FullResponse::from).into()
}

async fn route(home: &Homeserver, raw: &Request<Bytes>) -> Result<FullResponse, ErrorResponse> {
    // A file that is uploaded is not JSON.
    let is_file = raw.uri().path().ends_with("/upload") && raw.uri().path().contains("/media/");
    let mut request = if is_file { read_head(raw) } else { read(raw)? };
    let path = request.path.clone();
    let segments: Vec<_> = path.iter().map(String::as_str).collect();
    let ["_matrix", segments @ ..] = segments.as_slice() else { return unrecognized() };
    if let Some(response) = route_open(home, &request, segments) {
        return response;
    }
    let LoginSession { user, device } = session_of(home, raw, &request)?;
    if let Some(response) = home.identity().client_request(raw.uri().path(), &mut request) {
        return response.map(FullResponse::from);
    }
    let call = ClientRequest { request, user, device };
    let mut response = match (call.method(), segments) {
        ("POST", ["media", "v3", "upload"]) => media::upload(home, &call, raw),
        (_, ["client", "v1", "media", rest @ ..]) => return route_media(home, rest).await,
        (_, ["client", _, rest @ ..]) => route_session(home, &call, rest).await,
        _ => unrecognized(),
    };
    home.identity().client_response(raw.uri().path(), call.method(), &mut response);
    response.map(FullResponse::from)
}

/// Routes the requests that need no access token.
fn route_open(
    home: &Homeserver,
    request: &ParsedRequest,
    path: &[&str],
) -> Option<Result<FullResponse, ErrorResponse>> {
    let response = match (request.method.as_str(), path) {
        ("GET", ["client", "versions"]) => Ok(json!({ "versions": ["v1.13"] })),
        ("GET", ["client", _, "login"]) => Ok(json!({"flows": [{"type": "m.login.password"}]})),
        ("POST", ["client", _, "login"]) => users::log_in(home, &request.body),
        ("POST", ["client", _, "register"]) => return Some(Ok(users::register(home, &request.body))),
        _ => return None,
    };
    Some(response.map(FullResponse::from))
}

/// The session of the request's access token (client-server API, using access tokens).
fn session_of(
    home: &Homeserver,
    raw: &Request<Bytes>,
    request: &ParsedRequest,
) -> Result<LoginSession, ErrorResponse> {
    let header = raw.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|header| header.strip_prefix("Bearer ")).or(request.value("access_token"));
    let token = token.ok_or_else(|| error_response(401, "M_MISSING_TOKEN", "an access token is needed"))?;
    let session = home.store().users.session(token);
    session.ok_or_else(|| error_response(401, "M_UNKNOWN_TOKEN", "the access token is not known"))
}

async fn route_media(home: &Homeserver, path: &[&str]) -> Result<FullResponse, ErrorResponse> {
    match path {
        ["config"] => Ok(media::config().into()),
        ["download", server, id] | ["thumbnail", server, id] => media::download(home, server, id, None).await,
        ["download", server, id, name] => media::download(home, server, id, Some(name)).await,
        _ => unrecognized(),
    }
}

async fn route_session(home: &Homeserver, call: &ClientRequest, path: &[&str]) -> JsonResult {
    match (call.method(), path) {
        ("GET", ["sync"]) => sync::sync(home, call).await,
        ("POST", ["createRoom"]) => create_room::create_room(home, call).await,
        ("POST", ["join", room]) => membership::join_by_name(home, call, room).await,
        ("POST", ["knock", room]) => membership::knock_by_name(home, call, room).await,
        ("GET", ["joined_rooms"]) => Ok(json!({ "joined_rooms": membership::rooms_of(home, &call.user) })),
        ("GET", ["rooms", room, "hierarchy"]) => hierarchy::read_hierarchy(home, call, room).await,
        ("GET", ["room_summary", name]) => hierarchy::read_summary(home, call, name).await,
        (method @ ("POST" | "PUT"), ["rooms", room, rest @ ..]) => {
            route_room_changes(home, call, method, room, rest).await
        }
        ("GET", ["rooms", room, rest @ ..]) => route_room_reads(home, call, room, rest).await,
        (_, ["directory" | "publicRooms", ..]) => route_directory(home, call, path).await,
        (_, ["keys" | "devices" | "delete_devices" | "sendToDevice", ..]) => {
            route_devices(home, call, path).await
        }
        _ => route_user(home, call, path).await,
    }
}

async fn route_user(home: &Homeserver, call: &ClientRequest, path: &[&str]) -> JsonResult {
    match (call.method(), path) {
        ("GET", ["account", "whoami"]) => {
            Ok(json!({"user_id": call.user, "device_id": call.device, "is_guest": false}))
        }
        ("POST", ["logout"]) => users::log_out(home, call, false),
        ("POST", ["logout", "all"]) => users::log_out(home, call, true),
        ("GET", ["capabilities"]) => Ok(capabilities()),
        ("GET", ["profile", user]) => profile::read_profile(home, user, None).await,
        ("GET", ["profile", user, field]) => profile::read_profile(home, user, Some(field)).await,
        ("PUT" | "DELETE", ["profile", user, field]) => profile::change_profile(home, call, user, field),
        ("PUT", ["presence", user, "status"]) => ephemeral::set_presence(home, call, user),
        ("GET", ["presence", user, "status"]) => ephemeral::presence_of(home, call, user),
        ("GET" | "PUT", ["user", user, "account_data", kind]) => {
            ephemeral::account_data(home, call, user, None, kind)
        }
        ("GET" | "PUT", ["user", user, "rooms", room, "account_data", kind]) => {
            ephemeral::account_data(home, call, user, Some(room), kind)
        }
        ("POST", ["user", user, "openid", "request_token"]) => users::issue_openid_token(home, call, user),
        ("GET", ["pushrules", ..]) => Ok(json!({ "global": {} })),
        _ => unrecognized(),
    }
}

async fn route_room_changes(
    home: &Homeserver,
    call: &ClientRequest,
    method: &str,
    room: &str,
    path: &[&str],
) -> JsonResult {
    match (method, path) {
        ("POST", ["join"]) => membership::join_by_name(home, call, room).await,
        ("POST", ["leave"]) => local::leave(home, room, &call.user, &call.reason()).await.map(done),
        ("POST", ["forget"]) => membership::forget(home, call, room),
        ("POST", ["invite"]) => membership::invite_to(home, call, room).await,
        ("POST", [verb @ ("kick" | "ban" | "unban")]) => membership::set_member(home, call, room, verb),
        ("POST", ["upgrade"]) => upgrade::upgrade(home, call, room),
        ("POST", ["receipt", kind, event]) => ephemeral::set_receipt(home, call, room, kind, event),
        ("POST", ["read_markers"]) => ephemeral::set_read_markers(home, call, room),
        ("PUT", ["typing", user]) => ephemeral::set_typing(home, call, room, user),
        ("PUT", ["send", kind, transaction]) => sending::send_message(home, call, room, kind, transaction),
        ("PUT", ["redact", id, transaction]) => sending::send_redaction(home, call, room, id, transaction),
        ("PUT", ["state", kind]) => sending::send_state(home, call, room, kind, "").await,
        ("PUT", ["state", kind, state_key]) => sending::send_state(home, call, room, kind, state_key).await,
        _ => unrecognized(),
    }
}

async fn route_room_reads(home: &Homeserver, call: &ClientRequest, room: &str, path: &[&str]) -> JsonResult {
    match path {
        ["state"] => room_state::read_state(home, call, room),
        ["state", kind] => room_state::read_one(home, call, room, kind, ""),
        ["state", kind, state_key] => room_state::read_one(home, call, room, kind, state_key),
        ["event", id] => room_state::read_event(home, call, room, id),
        ["members"] => room_state::read_members(home, call, room),
        ["joined_members"] => room_state::read_joined(home, call, room),
        ["messages"] => history::read_messages(home, call, room).await,
        ["context", id] => history::read_context(home, call, room, id),
        ["relations", id, wanted @ ..] => relations::read_relations(home, call, room, id, wanted),
        ["threads"] => relations::read_threads(home, call, room),
        ["aliases"] => directory::room_aliases(home, call, room),
        _ => unrecognized(),
    }
}

async fn route_directory(home: &Homeserver, call: &ClientRequest, path: &[&str]) -> JsonResult {
    match (call.method(), path) {
        ("GET", ["directory", "room", alias]) => directory::read_alias(home, alias).await,
        ("PUT", ["directory", "room", alias]) => directory::set_alias(home, call, alias),
        ("DELETE", ["directory", "room", alias]) => directory::delete_alias(home, call, alias),
        ("GET" | "PUT", ["directory", "list", "room", room]) => directory::visibility(home, call, room),
        ("GET" | "POST", ["publicRooms"]) => directory::public_rooms(home, call).await,
        _ => unrecognized(),
    }
}

async fn route_devices(home: &Homeserver, call: &ClientRequest, path: &[&str]) -> JsonResult {
    match (call.method(), path) {
        ("POST", ["keys", "upload"]) => encryption_keys::upload_keys(home, call),
        ("POST", ["keys", "query"]) => encryption_keys::query_keys(home, call).await,
        ("POST", ["keys", "claim"]) => encryption_keys::claim_keys(home, call).await,
        ("GET", ["keys", "changes"]) => sync::read_changes(home, call),
        ("POST", ["keys", "device_signing", "upload"]) => encryption_keys::upload_signing_keys(home, call),
        ("POST", ["keys", "signatures", "upload"]) => encryption_keys::upload_signatures(home, call),
        ("GET", ["devices"]) => devices::list_devices(home, call),
        ("GET", ["devices", id]) => devices::one_device(home, call, id),
        ("PUT", ["devices", id]) => devices::rename_device(home, call, id),
        ("DELETE", ["devices", id]) => devices::delete_devices(home, call, &[(*id).to_owned()]),
        ("POST", ["delete_devices"]) => devices::delete_named_devices(home, call),
        ("PUT", ["sendToDevice", kind, transaction]) => {
            ephemeral::send_to_device(home, call, kind, transaction)
        }
        _ => unrecognized(),
    }
}

fn capabilities() -> Value {
    let versions = ROOM_VERSIONS.iter().map(|version| ((*version).to_owned(), json!("stable")));
    let rooms = json!({"default": DEFAULT_ROOM_VERSION, "available": versions.collect::<Map<_, _>>()});
    json!({ "capabilities": { "m.room_versions": rooms } })
}
