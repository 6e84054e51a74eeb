//! Homeservers of the harness's own. A [`Peer`] has a name and a signing key: it can sign what it asks of a server,
//! and answers a server that wants to verify it. Rooms and lies build on it.

mod peer;

pub use peer::Peer;
