//! Homeservers of the harness's own. A [`Homeserver`] is honest and complete; alone it is the reference, which plays as a
//! vendor, with one [`Fault`] or none. A [`Peer`] is one that a scenario tells what to do, and which lies to tell.

mod acl;
mod acting;
mod answering;
mod asking;
mod client;
mod fault;
mod founding;
mod held_room;
mod homeserver;
mod joining;
mod keys;
mod outbox;
mod peer;
mod reply;
mod restricted;
mod signals;
mod taking;
mod transport;
mod visible;
mod waiting;

pub use answering::decoded;
pub use fault::{Endpoint, Fault, reached};
pub use homeserver::{Homeserver, Invite, Received, now_ms};
pub use joining::{Obstacle, Taken, make_target, segment, send_target};
pub use peer::{Peer, Unexpected};
pub use transport::{Answer, NoAnswer, Transport};
