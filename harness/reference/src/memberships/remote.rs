//! Joins, knocks and leaves by way of a resident server (server-server API, joining rooms, leaving rooms, knocking upon a
//! room).

use samklang_matrix::{
    Event, EventOutcome, RoomFault, RoomGraph, RoomVersion, Verified, add_content_hash, endpoints::paths,
    sign_event, verify_event,
};
use samklang_verdict::ExchangeId;
use serde_json::{Value, json};

use super::leaves::record_leave;
use crate::{
    clock::now_ms,
    events::{publish::publish, receive::fetch_signers_keys, send::merge},
    fault::Fault,
    homeserver::Homeserver,
    requests,
    room_versions::ROOM_VERSIONS,
    store::{SentKnock, held_room::HeldRoom},
    transport::{NoResponse, ServerResponse},
};

/// Why a handshake with another server failed.
#[derive(Debug, Clone)]
pub enum HandshakeError {
    /// No complete response came.
    NoResponse(NoResponse),
    /// The response is an error.
    Refused(ServerResponse),
    /// The response has the wrong form.
    Malformed {
        /// What is wrong with it.
        what: String,
        /// The exchange in the transcript.
        exchange: Option<ExchangeId>,
    },
}

impl From<NoResponse> for HandshakeError {
    fn from(error: NoResponse) -> Self {
        Self::NoResponse(error)
    }
}

/// A membership that a resident server has accepted.
#[derive(Debug, Clone)]
pub struct AcceptedMembership {
    /// The member event, signed.
    pub event: Value,
    /// The response to it.
    pub response: ServerResponse,
}

/// The response, unless it is an error.
pub(crate) fn success(response: ServerResponse) -> Result<ServerResponse, HandshakeError> {
    if response.is_success() { Ok(response) } else { Err(HandshakeError::Refused(response)) }
}

fn malformed(what: impl Into<String>, response: &ServerResponse) -> HandshakeError {
    HandshakeError::Malformed { what: what.into(), exchange: response.exchange }
}

/// The target of a request for a template. It names all room versions that are known.
pub fn make_target(membership: &str, room: &str, user: &str) -> String {
    paths::make_member(membership, room, user, &ROOM_VERSIONS)
}

/// Requests the template of a member event of a user: the version and the event of the response.
///
/// # Errors
/// When the server refuses, or the response has no version or event.
pub(crate) async fn template_for(
    home: &Homeserver,
    membership: &str,
    server: &str,
    room: &str,
    user: &str,
) -> Result<(RoomVersion, Value), HandshakeError> {
    let target = make_target(membership, room, user);
    let response = success(requests::request(home, "GET", server, &target, None).await?)?;
    let body = response.json();
    let version = template_version(home, &body).map_err(|error| malformed(error, &response))?;
    let event = &body["event"];
    if !event.is_object() {
        return Err(malformed("the template has no event", &response));
    }
    if home.is_live() && !is_as_requested(home, event, membership, room, user) {
        let what = format!("the template is not for a {membership} of {user} in {room}");
        return Err(malformed(what, &response));
    }
    Ok((version, event.clone()))
}

/// The room version that the response with a template names. Without one, the room is of version 1 or 2.
fn template_version(home: &Homeserver, body: &Value) -> Result<RoomVersion, String> {
    let version = body["room_version"].as_str().unwrap_or("1");
    let careless = home.has(Fault::TemplateVersionUnchecked) && !ROOM_VERSIONS.contains(&version);
    RoomVersion::new(if careless { "11" } else { version }).map_err(|error| error.to_string())
}

/// Whether a template is what was requested: otherwise the server does not sign it.
fn is_as_requested(home: &Homeserver, event: &Value, membership: &str, room: &str, user: &str) -> bool {
    (event["type"] == "m.room.member" || home.has(Fault::TemplateTypeUnchecked))
        && (event["content"]["membership"] == membership || home.has(Fault::TemplateMembershipUnchecked))
        && (event["sender"] == user || home.has(Fault::TemplateSenderUnchecked))
        && (event["state_key"] == user || home.has(Fault::TemplateTargetUnchecked))
        && (event["room_id"] == room || home.has(Fault::TemplateRoomUnchecked))
}

/// Turns a template into the event to send: with its own time, content hash and signature, and without what only a finished
/// event has.
pub(crate) fn finished(home: &Homeserver, template: &Value, version: &RoomVersion) -> Value {
    let mut event = template.clone();
    if let Some(object) = event.as_object_mut() {
        for key in ["hashes", "signatures", "unsigned", "event_id"] {
            object.remove(key);
        }
        object.insert("origin_server_ts".into(), now_ms().into());
        add_content_hash(object);
        sign_event(object, home.name(), home.key(), version);
    }
    event
}

/// Sends a finished member event to a resident server.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn submit(
    home: &Homeserver,
    membership: &str,
    server: &str,
    room: &str,
    id: &str,
    event: &Value,
) -> Result<AcceptedMembership, HandshakeError> {
    let target = paths::send_member(membership, room, id);
    if membership != "knock" && uses_first_version(home) {
        let target = target.replacen("/v2/", "/v1/", 1);
        let mut response = success(requests::request(home, "PUT", server, &target, Some(event)).await?)?;
        response.body = response.json()[1].to_string().into();
        return Ok(AcceptedMembership { event: event.clone(), response });
    }
    let response = success(requests::request(home, "PUT", server, &target, Some(event)).await?)?;
    Ok(AcceptedMembership { event: event.clone(), response })
}

fn uses_first_version(home: &Homeserver) -> bool {
    home.has(Fault::JoinByFirstVersion)
}

/// Has a user join, leave or knock by way of the resident `server`. After a join the server takes part in the room. `more`
/// is what the member event's content holds beside the membership, such as the user's profile.
///
/// # Errors
/// When the server refuses a step, or its responses do not make a room.
pub(crate) async fn change_membership(
    home: &Homeserver,
    membership: &str,
    server: &str,
    room: &str,
    user: &str,
    more: &Value,
) -> Result<AcceptedMembership, HandshakeError> {
    let (version, mut template) = template_for(home, membership, server, room, user).await?;
    if home.is_live() && replaces_content(home) {
        template["content"] = own_content(&template["content"], membership, more);
    }
    let event = finished(home, &template, &version);
    let id = Event::read(&event, &version)
        .map_err(|error| HandshakeError::Malformed { what: error.to_string(), exchange: None })?;
    let accepted = submit(home, membership, server, room, id.id(), &event).await?;
    match membership {
        "join" => accept_join_response(home, room, &version, &accepted).await?,
        "knock" => record_knock(home, room, user, server, &version, &accepted).await,
        _ => record_leave(home, room, user, &accepted.event),
    }
    Ok(accepted)
}

fn replaces_content(home: &Homeserver) -> bool {
    !home.has(Fault::TemplateMembershipUnchecked)
}

/// The content of a member event that this server signs: of the template's content only what a join needs.
fn own_content(template: &Value, membership: &str, more: &Value) -> Value {
    let mut content = json!({ "membership": membership });
    let authoriser = &template["join_authorised_via_users_server"];
    if authoriser.is_string() {
        content["join_authorised_via_users_server"] = authoriser.clone();
    }
    merge(&mut content, more);
    content
}

/// Takes part in a room that a user has joined by way of a resident server.
async fn accept_join_response(
    home: &Homeserver,
    room: &str,
    version: &RoomVersion,
    accepted: &AcceptedMembership,
) -> Result<(), HandshakeError> {
    let body = accepted.response.json();
    let wrong = |what: String| malformed(what, &accepted.response);
    // The resident server may have had to sign the join as well.
    let signed = &body["event"];
    let id = |pdu: &Value| Event::read(pdu, version).map(|event| event.id().to_owned()).ok();
    let join =
        if id(signed).is_some() && id(signed) == id(&accepted.event) { signed } else { &accepted.event };
    if !home.is_live() {
        let copy = home.empty_room(version, room).from_send_join(&body, join);
        let copy = copy.map_err(|error| wrong(error.to_string()))?;
        home.store().rooms.insert(HeldRoom::new(copy));
        return Ok(());
    }
    let lists = valid_lists(home, room, version, &body).await;
    if !has_create(home, &lists, version) {
        return Err(wrong("the response has no create event of the room's version".into()));
    }
    let empty = empty_copy(home, version, room);
    let copy = empty.from_send_join(&lists, join).map_err(|error| wrong(error.to_string()))?;
    if !is_authorised(home, &copy, id(join)) {
        return Err(wrong("the state in the response does not authorise the join".into()));
    }
    let mut store = home.store();
    let held = match store.rooms.remove(room) {
        Some(earlier) => earlier.rejoined(copy),
        None => HeldRoom::new(copy),
    };
    store.rooms.insert(held);
    drop(store);
    publish(home, room);
    Ok(())
}

/// Whether the lists of a response hold the create event of the room's version.
fn has_create(home: &Homeserver, lists: &Value, version: &RoomVersion) -> bool {
    let mut all = ["auth_chain", "state"].into_iter().filter_map(|list| lists[list].as_array()).flatten();
    let is_create = |pdu: &Value| {
        pdu["type"] == "m.room.create"
            && pdu["content"]["room_version"].as_str().unwrap_or("1") == version.id()
    };
    all.any(is_create) || home.has(Fault::JoinResponseWithoutCreate)
}

/// The room to which the state of a response is added.
fn empty_copy(home: &Homeserver, version: &RoomVersion, room: &str) -> RoomGraph {
    let careless = home.has(Fault::JoinResponseUnauthorised) || home.has(Fault::JoinResponseWithoutCreate);
    match careless {
        true => home.empty_room(version, room).with_fault(Some(RoomFault::RejectedChangesState)),
        false => home.empty_room(version, room),
    }
}

/// Whether the state of a response authorises the join.
fn is_authorised(home: &Homeserver, copy: &RoomGraph, join: Option<String>) -> bool {
    let accepted = join.and_then(|id| copy.outcome(&id).cloned()) == Some(EventOutcome::Accepted);
    accepted || home.has(Fault::JoinResponseWithoutCreate)
}

/// The lists of a response to a join without the invalid events (server-server API, joining rooms; checks performed on
/// receipt of a PDU).
async fn valid_lists(home: &Homeserver, room: &str, version: &RoomVersion, body: &Value) -> Value {
    let list = |name: &str| body[name].as_array().cloned().unwrap_or_default();
    let (chain, state) = (list("auth_chain"), list("state"));
    if skips_verification(home) {
        return json!({"auth_chain": chain, "state": state});
    }
    fetch_signers_keys(home, version, chain.iter().chain(&state)).await;
    let store = home.store();
    let valid = |pdu: Value| {
        let event = Event::read(&pdu, version).ok().filter(|event| belongs_to(home, event, room))?;
        match verify_event(&event, &store.keys.ring).ok()? {
            Verified::All => Some(pdu),
            Verified::ContentHashMismatch => Some(Value::Object(event.redacted().json().clone())),
        }
    };
    let all_valid = |list: Vec<Value>| list.into_iter().filter_map(valid).collect::<Vec<_>>();
    json!({"auth_chain": all_valid(chain), "state": all_valid(state)})
}

fn skips_verification(home: &Homeserver) -> bool {
    home.has(Fault::JoinResponseUnverified)
}

fn belongs_to(home: &Homeserver, event: &Event, room: &str) -> bool {
    event.room_id() == Some(room) || home.has(Fault::RoomsMixed)
}

/// Records a knock, with the valid events of the response (server-server API, knocking upon a room).
async fn record_knock(
    home: &Homeserver,
    room: &str,
    user: &str,
    server: &str,
    version: &RoomVersion,
    accepted: &AcceptedMembership,
) {
    let shown = accepted.response.json()["knock_room_state"].as_array().cloned().unwrap_or_default();
    fetch_signers_keys(home, version, &shown).await;
    let mut store = home.store();
    let is_valid = |pdu: &Value| {
        Event::read(pdu, version).is_ok_and(|event| verify_event(&event, &store.keys.ring).is_ok())
    };
    let room_state = shown.into_iter().filter(|pdu| !home.is_live() || is_valid(pdu)).collect();
    let position = store.next_position();
    let knock = SentKnock { event: accepted.event.clone(), room_state, via: server.to_owned(), position };
    store.rooms.knocks.insert((room.to_owned(), user.to_owned()), knock);
    drop(store);
    home.announce();
}
