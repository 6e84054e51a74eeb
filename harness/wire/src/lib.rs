//! The wire between the servers of a stage: names and certificates, the switchboard that all federation traffic passes,
//! the recorder that keeps the traffic, and the module that waits.

pub mod certificates;
pub mod dns;
pub mod patience;
pub mod recorder;
pub mod switchboard;
pub mod waiting;
