//! Where the listeners of a stage stand.

use std::net::Ipv4Addr;

use super::Doors;

/// Where a stage's listeners stand, so that its servers reach them.
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
    /// This process: names like `a.test` mean something to the switchboard alone, and nothing listens.
    Memory,
    /// This process, but for a server that runs already and is not the run's own: it finds the others at these doors.
    Around(Doors),
}
