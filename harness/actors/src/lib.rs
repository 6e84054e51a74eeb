//! Those who act on a stage as a scenario says: users at its servers, and scripted peers.

pub mod host;
pub mod peer;
pub mod user;
