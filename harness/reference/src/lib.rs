//! Homeservers of the harness's own. A [`Homeserver`] is honest and complete; alone it is the reference, which is played as
//! a vendor, with one [`Fault`] or none. A [`Peer`] is a homeserver that a scenario tells what to do, and which lies to
//! tell.
//!
//! Each module uses only modules that stand before it in this order:
//!
//! * what passes: `clock`, `waiting`, `transport`, `response`, `request`, `edu_types`, `room_versions`,
//!   `transaction_limits`, `media_file`;
//! * `fault`: what a faulty server does otherwise, and where;
//! * `store`: what a server stores; `homeserver`: the server itself;
//! * what a server does: `key_documents`, `requests`, `outbox`, `edus`, `events`, `memberships`;
//! * what it answers: `client`, `federation`; and what it is to others: `restart`, `peer`.

mod client;
mod clock;
mod edu_types;
mod edus;
mod events;
mod fault;
mod federation;
mod homeserver;
mod key_documents;
mod media_file;
mod memberships;
mod outbox;
mod peer;
mod request;
mod requests;
mod response;
mod restart;
mod room_versions;
mod store;
mod transaction_limits;
mod transport;
mod waiting;

pub use clock::now_ms;
pub use fault::{Fault, reached};
pub use homeserver::Homeserver;
pub use memberships::remote::{AcceptedMembership, HandshakeError, make_target};
pub use peer::{Peer, UnexpectedRequest};
pub use request::decoded;
pub use store::{ReceivedInvite, ReceivedItem};
pub use transport::{NoResponse, ServerResponse, Transport};
