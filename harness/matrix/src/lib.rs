//! The Matrix protocol without I/O. What a server sent is looked at as raw JSON; ruma does the cryptography.

mod event;
mod keys;
mod request_auth;
mod send_join;

pub use event::{Event, EventError, canonical_size, content_hash};
pub use keys::{KeyDocument, KeyDocumentError, SigningKey};
pub use request_auth::{RequestSignature, claimed_origin, sign_request};
pub use send_join::{AuthGap, auth_gaps};
