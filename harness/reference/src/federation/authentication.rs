//! The authentication of other servers' requests (server-server API, request authentication).

use bytes::Bytes;
use http::{Request, header};
use samklang_matrix::{HeaderError, RequestAuthError, claimed_origin, verify_request};
use serde_json::Value;

use crate::{
    clock::now_ms,
    fault::Fault,
    homeserver::Homeserver,
    key_documents::fetch_keys,
    response::{ErrorResponse, refuse},
};

/// Refuses a body that a faulty server takes for another than the one that was signed: one that is not written canonically.
///
/// # Errors
/// When it is.
pub(super) fn check_body(
    home: &Homeserver,
    request: &Request<Bytes>,
    body: &Value,
) -> Result<(), ErrorResponse> {
    if home.has(Fault::RequestBodySignedAsWritten)
        && !body.is_null()
        && body.to_string().as_bytes() != &request.body()[..]
    {
        return refuse(401, "M_UNAUTHORIZED", "the body is not the one that was signed");
    }
    Ok(())
}

/// The server that signed a request. Its keys are fetched if they are not known.
///
/// # Errors
/// When the request is not authenticated.
pub(super) async fn authenticate(
    home: &Homeserver,
    request: &Request<Bytes>,
    body: &Value,
) -> Result<String, RequestAuthError> {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let header = header.unwrap_or_default();
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let target = home.identity().signed_target(target);
    let content = (!request.body().is_empty()).then_some(body);
    if home.identity().cannot_read(header) {
        return Err(HeaderError::Malformed(0).into());
    }
    let verify = || {
        let ring = &home.store().keys.ring;
        verify_request(header, request.method().as_str(), &target, content, home.name(), ring, now_ms())
    };
    let verified = match verify() {
        Err(RequestAuthError::NoUsableKey { origin, .. }) => {
            fetch_keys(home, &origin).await;
            verify()
        }
        other => other,
    };
    match verified {
        Ok(claims) => Ok(claims.origin),
        Err(error) if overlooks(home, &error) => Ok(claimed_origin(header).unwrap_or_default()),
        Err(error) => Err(error),
    }
}

/// Whether the server overlooks why a request is not authenticated.
fn overlooks(home: &Homeserver, error: &RequestAuthError) -> bool {
    match error {
        RequestAuthError::Header(HeaderError::Missing(_)) => home.has(Fault::RequestHeaderGapsAccepted),
        RequestAuthError::Header(_) => home.has(Fault::UnsignedRequestsAccepted),
        RequestAuthError::BadOrigin(_) => home.has(Fault::RequestOriginFormUnchecked),
        RequestAuthError::OtherDestination(_) => home.has(Fault::RequestDestinationIgnored),
        RequestAuthError::UnknownAlgorithm(_) => home.has(Fault::RequestAlgorithmIgnored),
        RequestAuthError::NoUsableKey { .. } => home.has(Fault::RequestKeyUnknownAccepted),
        RequestAuthError::BadSignature => home.has(Fault::RequestSignatureUnchecked),
    }
}
