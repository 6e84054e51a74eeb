//! The place of the listeners of a stage.

use std::net::Ipv4Addr;

use super::Doors;

/// The place of a stage's listeners, so that its servers reach them.
#[derive(Debug, Clone)]
pub enum Ground {
    /// The run's own container network: listeners bind to its gateway, names like `a.test` resolve to it, and all
    /// of them share port 8448.
    Network {
        /// The gateway's address.
        gateway: Ipv4Addr,
    },
    /// Loopback: names are `127.0.0.1:<port>`, so no name has to be resolved, and each has a port of its own.
    Loopback,
    /// This process: names like `a.test` mean something only to the switchboard, and nothing listens.
    Memory,
    /// This process, except for a server that already runs and is not part of the run. It finds the other servers at
    /// these doors.
    Around(Doors),
}
