//! The requests of a homeserver to other servers, signed as the specification demands (server-server API, request
//! authentication).

use bytes::Bytes;
use samklang_matrix::{HeaderForge, RequestSignature};
use serde_json::Value;

use crate::{
    fault::{Fault, OutgoingRequest},
    homeserver::Homeserver,
    transport::{NoResponse, ServerResponse},
};

/// Sends a signed request to `server`.
///
/// # Errors
/// When no complete response came.
pub(crate) async fn request(
    home: &Homeserver,
    method: &str,
    server: &str,
    target: &str,
    body: Option<&Value>,
) -> Result<ServerResponse, NoResponse> {
    let mut outgoing =
        OutgoingRequest { method: method.to_owned(), target: target.to_owned(), body: body.cloned() };
    home.identity().outgoing_request(&mut outgoing);
    let OutgoingRequest { method, target, body } = outgoing;
    let signature = signature(home, &method, server, &target, body.as_ref());
    let credentials =
        home.identity().outgoing_credentials(&signature, || HeaderForge::honest(&signature, home.key()));
    let bytes = body.as_ref().map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    request_raw(home, &method, server, &target, bytes, &Vec::from_iter(credentials)).await
}

fn signature<'a>(
    home: &'a Homeserver,
    method: &'a str,
    server: &'a str,
    target: &'a str,
    body: Option<&'a Value>,
) -> RequestSignature<'a> {
    RequestSignature { origin: home.name(), destination: server, method, uri: target, content: body }
}

/// The `Authorization` header of a request, to be sent as it is or altered.
pub(crate) fn header(
    home: &Homeserver,
    method: &str,
    server: &str,
    target: &str,
    body: Option<&Value>,
) -> HeaderForge {
    HeaderForge::honest(&signature(home, method, server, target, body), home.key())
}

/// Sends exactly these bytes to `server`, with these `Authorization` headers.
///
/// # Errors
/// When no complete response came.
pub(crate) async fn request_raw(
    home: &Homeserver,
    method: &str,
    server: &str,
    target: &str,
    body: Bytes,
    authorization: &[String],
) -> Result<ServerResponse, NoResponse> {
    let mut headers: Vec<_> =
        authorization.iter().map(|value| ("authorization".to_owned(), value.clone())).collect();
    if !body.is_empty() && names_content_type(home) {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    home.transport().request(method, server, target, &headers, body).await
}

fn names_content_type(home: &Homeserver) -> bool {
    !home.has(Fault::RequestsWithoutContentType)
}

/// The list of this name in another server's response; empty where there is none.
pub(crate) async fn request_list(
    home: &Homeserver,
    method: &str,
    server: &str,
    target: &str,
    body: Option<&Value>,
    name: &str,
) -> Vec<Value> {
    let response = request(home, method, server, target, body).await;
    let response = response.ok().filter(|response| response.is_success());
    response.and_then(|response| response.json()[name].as_array().cloned()).unwrap_or_default()
}
