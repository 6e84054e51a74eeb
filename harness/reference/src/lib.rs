//! Homeservers of the harness's own. A [`Peer`] has a name, a key, and rooms in which it takes part; it answers what
//! servers ask of each other and asks it of others, honest in everything but the lies that a scenario has it tell.

mod answering;
mod joining;
mod peer;
mod transport;

pub use answering::{Lie, decoded};
pub use joining::{Obstacle, Taken, make_target, segment, send_target};
pub use peer::{Invite, Peer, Received, Unexpected, now_ms};
pub use transport::{Answer, NoAnswer, Transport};
