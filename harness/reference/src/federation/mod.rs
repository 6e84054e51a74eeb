//! The server-server API: requests of other servers are authenticated here and passed on to one module for each concept.

mod authentication;
mod invites;
mod member_events;
mod notary;
mod room_queries;
mod templates;
mod transactions;
mod user_queries;

use bytes::Bytes;
use http::{Request, Response, header};
use samklang_matrix::endpoints::{self, Endpoint};
use serde_json::{Value, json};

use crate::{
    client::{media, users},
    edus::lacks,
    fault::Fault,
    homeserver::Homeserver,
    key_documents::key_document,
    request::{ParsedRequest, read},
    response::{ErrorResponse, FullResponse, JsonResult, refuse},
};

/// Responds to a request of another server. The request's URI is path and query as sent; its extensions may hold the
/// [`ExchangeId`](samklang_verdict::ExchangeId).
pub(crate) async fn respond(home: &Homeserver, request: &Request<Bytes>) -> Response<Bytes> {
    let endpoint = endpoints::find(request.method().as_str(), request.uri().path()).copied();
    let response = match read(request) {
        Ok(_) if lacks(home, request.uri().path()) => refuse(404, "M_UNRECOGNIZED", "no such endpoint"),
        Ok(parsed) => route(home, endpoint, parsed, request).await,
        Err(error) => Err(error),
    };
    home.identity().full_response(endpoint, response).into()
}

async fn route(
    home: &Homeserver,
    endpoint: Option<Endpoint>,
    mut request: ParsedRequest,
    raw: &Request<Bytes>,
) -> Result<FullResponse, ErrorResponse> {
    if request.path.first().is_none_or(|segment| segment != "_matrix") {
        // Nothing is delegated: the servers of a run are found by their names.
        return refuse(404, "M_NOT_FOUND", "nothing is here");
    }
    let endpoint = endpoint.or_else(|| key_of_old_path(&request));
    if endpoint.is_some_and(|endpoint| is_open(home, raw, &endpoint)) {
        return answer(home, endpoint, request, Access::Open).await;
    }
    authentication::check_body(home, raw, &request.body)?;
    match authentication::authenticate(home, raw, &request.body).await {
        Ok(origin) => request.origin = origin,
        Err(error) => return refuse(401, "M_UNAUTHORIZED", error.to_string()),
    }
    home.queues().note_up(&request.origin);
    if let Some(endpoint) = member_event_of_first_version(&request) {
        return answer(home, Some(endpoint), request, Access::FirstVersion).await;
    }
    if let Some(id) = endpoint.and_then(|endpoint| file_of(endpoint, &request)) {
        if let Some(response) = home.identity().request(endpoint, &mut request) {
            return response.map(FullResponse::from);
        }
        return media::serve(home, &id);
    }
    answer(home, endpoint, request, Access::Authenticated).await
}

/// The endpoint of the server's own keys, where a request also names a key, as servers did in the past.
fn key_of_old_path(request: &ParsedRequest) -> Option<Endpoint> {
    let is_old = request.method == "GET" && request.path.iter().skip(1).take(3).eq(["key", "v2", "server"]);
    is_old.then_some(endpoints::SERVER_KEYS)
}

/// The endpoint of the second version of a request to the first version of `send_join` or `send_leave`.
fn member_event_of_first_version(request: &ParsedRequest) -> Option<Endpoint> {
    let path: Vec<_> = request.path.iter().map(String::as_str).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("PUT", ["_matrix", "federation", "v1", "send_join", _, _]) => Some(endpoints::SEND_JOIN),
        ("PUT", ["_matrix", "federation", "v1", "send_leave", _, _]) => Some(endpoints::SEND_LEAVE),
        _ => None,
    }
}

/// The ID of the file that a request is for.
fn file_of(endpoint: Endpoint, request: &ParsedRequest) -> Option<String> {
    let is_file = [endpoints::MEDIA_DOWNLOAD, endpoints::MEDIA_THUMBNAIL].contains(&endpoint);
    is_file.then(|| request.path.last().cloned())?
}

/// How a request is handled.
#[derive(Clone, Copy)]
enum Access {
    /// Without authentication.
    Open,
    Authenticated,
    /// As an authenticated request to the second version, whose response is wrapped (joining rooms, leaving rooms).
    FirstVersion,
}

/// Has a request handled, between the two seams at which a fault may act.
async fn answer(
    home: &Homeserver,
    endpoint: Option<Endpoint>,
    mut request: ParsedRequest,
    access: Access,
) -> Result<FullResponse, ErrorResponse> {
    let Some(endpoint) = endpoint else { return refuse(404, "M_UNRECOGNIZED", "no such endpoint") };
    let mut response = match home.identity().request(Some(endpoint), &mut request) {
        Some(response) => response,
        None => {
            let values = values(endpoint, &request.path);
            match access {
                Access::Open => route_open(home, &request, endpoint.name, &values).await,
                _ => route_authenticated(home, &request, endpoint.name, &values).await,
            }
        }
    };
    home.identity().response(Some(endpoint), &request, &mut response);
    let response = match access {
        Access::FirstVersion => response.map(|response| json!([200, response])),
        _ => response,
    };
    response.map(FullResponse::from)
}

/// The values of the parameters in an endpoint's path.
fn values(endpoint: Endpoint, path: &[String]) -> Vec<&str> {
    let segments = endpoint.template.split('/').skip(1).zip(path);
    segments.filter(|(wanted, _)| wanted.starts_with('{')).map(|(_, value)| value.as_str()).collect()
}

/// Whether a request needs no authentication.
fn is_open(home: &Homeserver, raw: &Request<Bytes>, endpoint: &Endpoint) -> bool {
    match endpoint.name {
        "server-keys" | "key-query" | "key-queries" | "openid" => true,
        "version" => {
            !home.has(Fault::VersionNeedsCredentials) || raw.headers().contains_key(header::AUTHORIZATION)
        }
        _ => false,
    }
}

/// Routes the requests that are not authenticated.
async fn route_open(home: &Homeserver, request: &ParsedRequest, name: &str, values: &[&str]) -> JsonResult {
    match (name, values) {
        ("server-keys", _) => Ok(key_document(home)),
        ("key-query", [server]) => notary::key_documents(home, &[*server]).await,
        ("key-queries", _) => notary::queried_key_documents(home, &request.body).await,
        ("version", _) => Ok(version(home)),
        _ => users::openid_user(home, request.value("access_token").unwrap_or_default()),
    }
}

async fn route_authenticated(
    home: &Homeserver,
    request: &ParsedRequest,
    name: &str,
    values: &[&str],
) -> JsonResult {
    match (name, values) {
        ("send", [id]) => transactions::receive_transaction(home, request, id).await,
        ("send-join", [room, id]) => member_events::send_join(home, request, room, id).await,
        ("send-leave", [room, id]) => member_events::send_leave(home, request, room, id).await,
        ("send-knock", [room, id]) => member_events::send_knock(home, request, room, id).await,
        ("make-join", [room, user]) => templates::template(home, request, room, user, "join"),
        ("make-leave", [room, user]) => templates::template(home, request, room, user, "leave"),
        ("make-knock", [room, user]) => templates::template(home, request, room, user, "knock"),
        ("invite", [room, id]) => invites::receive(home, request, room, id),
        ("event", [id]) => room_queries::event(home, request, id),
        ("state", [room]) => room_queries::state(home, request, room),
        ("state-ids", [room]) => room_queries::state_ids(home, request, room),
        ("event-auth", [room, id]) => room_queries::event_auth(home, request, room, id),
        ("backfill", [room]) => room_queries::backfill(home, request, room),
        ("get-missing-events", [room]) => room_queries::missing_events(home, request, room),
        ("version", _) => Ok(version(home)),
        _ => user_queries::answer(home, request, name, values),
    }
}

fn version(home: &Homeserver) -> Value {
    let own = if home.is_live() { "Samklang reference" } else { "Samklang peer" };
    let (name, version) = home
        .presented()
        .map_or((own, env!("CARGO_PKG_VERSION")), |[name, version]| (name.as_str(), version.as_str()));
    json!({"server": {"name": name, "version": version}})
}
