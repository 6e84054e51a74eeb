//! The actors of a scenario on a stage: users at its servers, and scripted peers.

pub mod host;
pub mod peer;
pub mod user;
