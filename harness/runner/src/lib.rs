//! Plays scenarios on a stage and judges what they show.
//!
//! Each module uses only the modules below it in this list:
//!
//! | module | what is in it |
//! |---|---|
//! | [`selftest`] | the suite held against a server with faults |
//! | [`run`] | a whole run: its order, its progress, its result and its files |
//! | [`schedule`] | which trials a selection comes to, and in which order they are played |
//! | [`suite`] | scenarios with the data they are judged by: requirements, profile, kill matrix |
//! | [`scenario`] | what a scenario declares, and the function that plays it |
//! | [`scene`] | one scenario's share of a stage: servers, peers, network faults, the wire, its checks |
//! | [`judging`] | checks, verdicts, blame, rules about traffic, stored expectations |
//! | [`traffic`] | recorded exchanges, read once and asked questions |

pub mod judging;
pub mod run;
pub mod scenario;
pub mod scene;
pub mod schedule;
pub mod selftest;
pub mod suite;
pub mod traffic;
