//! Plays scenarios on a stage and judges what they show.

pub mod event;
pub mod evidence;
pub mod expectation;
pub mod judge;
pub mod normalise;
mod on_wire;
pub mod order;
pub mod passive;
pub mod plan;
mod renewing;
pub mod run;
pub mod scenario;
pub mod scene;
pub mod schedule;
pub mod selftest;
pub mod suite;
pub mod table;
pub mod tally;
pub mod traffic;
pub mod trials;
pub mod wire;
