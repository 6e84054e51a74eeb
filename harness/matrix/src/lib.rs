//! The Matrix protocol without I/O. Events and messages are read as raw JSON; ruma does the cryptography.

mod auth;
mod canonical;
pub mod endpoints;
mod event;
mod keys;
mod names;
mod request_auth;
mod room_graph;
mod send_join;
mod state;
mod version;

pub use auth::{
    AuthEventsError, JudgedEvent, Power, Rule, Snapshot, StateKey, auth_types, check_auth_events, check_state,
};
pub use canonical::{MAX_INTEGER, canonical_json, non_canonical_number};
pub use event::{
    BreachReason, Event, EventError, FormatBreach, SignatureError, Signer, Verified, add_content_hash,
    canonical_size, content_hash, event_signature, format_breaches, has_content_hash, redact, reference_hash,
    required_signers, sign_event, verify_event,
};
pub use keys::{
    KeyDocument, KeyDocumentError, KeyPublication, KeyRing, MAX_VALIDITY_MS, NotaryAnswer, NotaryError,
    OldKey, SigningKey, notary_answer,
};
pub use names::{is_server_name, is_user_id, server_of};
pub use request_auth::{
    Credentials, HeaderError, HeaderForge, Quoting, RequestAuthError, RequestSignature, VerifiedRequest,
    claimed_origin, sign_request, verify_request,
};
pub use room_graph::{
    Draft, EventOutcome, ReceivedPdu, RoomCreation, RoomError, RoomFault, RoomGraph, Tamper, WireEvent,
};
pub use send_join::{AuthGap, auth_gaps};
pub use state::{EventPool, ResolveError, StateMap, resolve};
pub use version::{EventIds, RoomVersion, StateResolution};
