//! Verifies that a request comes from the server that its header names.

use serde_json::Value;

use super::{Credentials, HeaderError, RequestSignature};
use crate::{KeyRing, is_server_name, keys::verify_bytes};

/// The facts about a request whose signature is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRequest {
    /// The sending server.
    pub origin: String,
    /// The id of the key that it signed with.
    pub key_id: String,
    /// Whether the header named the destination.
    pub names_destination: bool,
}

/// Why a request is not authenticated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestAuthError {
    /// The header cannot be read.
    #[error("the Authorization header: {0}")]
    Header(#[from] HeaderError),
    /// The origin is not a server name.
    #[error("the origin {0:?} is not a server name")]
    BadOrigin(String),
    /// The header is for another server.
    #[error("it is for {0:?}")]
    OtherDestination(String),
    /// The algorithm of the key is not known.
    #[error("the algorithm of {0:?} is not known")]
    UnknownAlgorithm(String),
    /// The key is not known, old, or expired.
    #[error("{origin} has no valid key {key_id}")]
    NoUsableKey {
        /// The sending server.
        origin: String,
        /// The id of the key.
        key_id: String,
    },
    /// The signature is not valid for this request.
    #[error("the signature is wrong")]
    BadSignature,
}

impl RequestAuthError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Header(HeaderError::OtherScheme) => "request.other-scheme",
            Self::Header(HeaderError::Malformed(_)) => "request.header-malformed",
            Self::Header(HeaderError::Duplicate(_)) => "request.parameter-duplicate",
            Self::Header(HeaderError::Missing(_)) => "request.parameter-missing",
            Self::BadOrigin(_) => "request.bad-origin",
            Self::OtherDestination(_) => "request.other-destination",
            Self::UnknownAlgorithm(_) => "request.unknown-algorithm",
            Self::NoUsableKey { .. } => "request.no-usable-key",
            Self::BadSignature => "request.bad-signature",
        }
    }
}

/// Verifies a request that `destination` received at `now`, in milliseconds since 1970. `uri` is path and query exactly
/// as they were on the wire; `body` is the parsed body, since white space and order do not count.
///
/// # Errors
/// The first reason for which the request is not authenticated.
pub fn verify_request(
    header: &str,
    method: &str,
    uri: &str,
    body: Option<&Value>,
    destination: &str,
    keys: &KeyRing,
    now: u64,
) -> Result<VerifiedRequest, RequestAuthError> {
    let credentials = Credentials::parse(header)?;
    let Credentials { origin, key, sig, .. } = credentials;
    if !is_server_name(&origin) {
        return Err(RequestAuthError::BadOrigin(origin));
    }
    let names_destination = credentials.destination.is_some();
    if let Some(other) = credentials.destination.filter(|named| named != destination) {
        return Err(RequestAuthError::OtherDestination(other));
    }
    if !key.starts_with("ed25519:") {
        return Err(RequestAuthError::UnknownAlgorithm(key));
    }
    let Some(bytes) = keys.for_request(&origin, &key, now) else {
        return Err(RequestAuthError::NoUsableKey { origin, key_id: key });
    };
    let request = RequestSignature { origin: &origin, destination, method, uri, content: body };
    if !verify_bytes(bytes, &sig, &request.signed_form()) {
        return Err(RequestAuthError::BadSignature);
    }
    Ok(VerifiedRequest { origin, key_id: key, names_destination })
}
