//! The doors at which a server that is not part of the run finds the names of the stage.

use std::{net::SocketAddr, sync::Arc};

use rustls::sign::CertifiedKey;

/// The place where a server that already runs finds the names of a stage, and the certificate presented there.
#[derive(Debug, Clone)]
pub struct Doors {
    /// How names are made.
    pub naming: Naming,
    /// The certificate that every door presents. If there is none, doors present certificates of the stage's own
    /// authority.
    pub certificate: Option<Arc<CertifiedKey>>,
    /// Lower-case letters and digits, different in each run. A server that keeps running remembers the names and the
    /// keys of earlier runs.
    pub mark: String,
}

/// How a stage makes names that servers outside have to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// `127.0.0.1:<port>`: each name has a listener of its own.
    Loopback,
    /// `<label>-<mark>.<zone>:<port>`: all names lead to one listener. The name always has a port, so that servers do
    /// not look for well-known files and service records (server-server API, resolving server names, step 2).
    Zone {
        /// The address of the listener.
        listen: SocketAddr,
        /// The ending of all names, `peers.example`.
        zone: String,
        /// The port in all names.
        port: u16,
    },
}

impl Doors {
    /// The server name for a label, or `None` if the name depends on the listener's port.
    pub(super) fn name(&self, label: &str) -> Option<String> {
        match &self.naming {
            Naming::Loopback => None,
            Naming::Zone { zone, port, .. } => Some(format!("{label}-{}.{zone}:{port}", self.mark)),
        }
    }
}
