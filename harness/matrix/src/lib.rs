//! The Matrix protocol without I/O. What a server sent is looked at as raw JSON; ruma does the cryptography.

mod auth;
mod canonical;
mod dag;
pub mod endpoints;
mod event;
mod keys;
mod names;
mod request_auth;
mod send_join;
mod state;
mod version;

pub use auth::{Cited, Power, Refusal, Rule, Snapshot, StateKey, auth_types, check_auth_events, check_state};
pub use canonical::{MAX_INTEGER, canonical_json, non_canonical_number};
pub use dag::{Built, Draft, Founding, Outcome, Quirk, Receipt, Room, RoomError, Tamper};
pub use event::{
    Breach, BreachReason, Event, EventError, SignatureFault, Signer, Verified, add_content_hash,
    canonical_size, content_hash, event_signature, format_breaches, has_content_hash, redact, reference_hash,
    required_signers, sign_event, verify_event,
};
pub use keys::{
    KeyDocument, KeyDocumentError, KeyPublication, KeyRing, MAX_VALIDITY_MS, NotaryAnswer, NotaryFault,
    OldKey, SigningKey, notary_answer,
};
pub use names::{is_server_name, is_user_id, server_of};
pub use request_auth::{
    Claims, Credentials, HeaderError, HeaderForge, Quoting, RequestAuthError, RequestSignature,
    claimed_origin, sign_request, verify_request,
};
pub use send_join::{AuthGap, auth_gaps};
pub use state::{EventPool, ResolveError, StateMap, resolve};
pub use version::{EventIds, RoomVersion, StateResolution};
