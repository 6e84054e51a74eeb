//! The doors at which a server that is not the run's own finds the names of the stage.

use std::{net::SocketAddr, sync::Arc};

use rustls::sign::CertifiedKey;

/// Where the names of a stage are found by a server that runs already, and what is presented there.
#[derive(Debug, Clone)]
pub struct Doors {
    /// How names are made.
    pub naming: Naming,
    /// What every door presents; certificates of the stage's own authority, when it is none.
    pub certificate: Option<Arc<CertifiedKey>>,
    /// Lower-case letters and digits, unlike in any other run: a server that goes on running remembers the names and the
    /// keys of the runs before.
    pub mark: String,
}

/// How the names of a stage are made that others have to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// `127.0.0.1:<port>`: each has a listener of its own.
    Loopback,
    /// `<label>-<mark>.<zone>:<port>`: all of them lead to one listener. The port is always said, so that nobody looks for
    /// well-known files and service records (server-server API, resolving server names, step 2).
    Zone {
        /// Where the listener stands.
        listen: SocketAddr,
        /// What all names end with, `peers.example`.
        zone: String,
        /// The port that names say.
        port: u16,
    },
}

impl Doors {
    /// The server name for a label; none where the listener's port makes it.
    pub(super) fn name(&self, label: &str) -> Option<String> {
        match &self.naming {
            Naming::Loopback => None,
            Naming::Zone { zone, port, .. } => Some(format!("{label}-{}.{zone}:{port}", self.mark)),
        }
    }
}
