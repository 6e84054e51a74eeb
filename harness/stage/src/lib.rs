//! A stage is a running constellation: servers, names, certificates, the switchboard between them, the recorder
//! behind it, and users who act through their vendor's own API by way of a driver.

pub mod certificates;
pub mod deploy;
pub mod dns;
pub mod driver;
pub mod housekeeping;
mod patience;
pub mod probe;
pub mod recorder;
pub mod stage;
pub mod switchboard;
pub mod user;
pub mod vendor;
pub mod waiting;
