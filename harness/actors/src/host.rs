//! A server as a scenario sees it.

use std::sync::Arc;

use samklang_stage::StageServer;
use samklang_verdict::Role;

use crate::user::{Failure, Ledger, User};

/// A server as a scenario sees it.
#[derive(Clone)]
pub struct Host {
    /// The running server.
    pub server: Arc<StageServer>,
    ledger: Arc<Ledger>,
}

impl Host {
    /// This server, for the scenario with this ledger.
    pub fn new(server: Arc<StageServer>, ledger: Arc<Ledger>) -> Self {
        Self { server, ledger }
    }

    /// Registers a user at the server.
    ///
    /// # Errors
    /// When the server does not register the user.
    pub async fn register(&self, name: &str) -> Result<User, Failure> {
        User::register(&self.server, name, Arc::clone(&self.ledger)).await
    }

    /// Whether the product declares this feature.
    pub fn declares(&self, feature: &str) -> bool {
        self.server.cast.vendor.features.iter().any(|declared| declared == feature)
    }

    /// The server's role in the constellation.
    pub fn role(&self) -> Role {
        self.server.role
    }

    /// The server's name.
    pub fn name(&self) -> &str {
        &self.server.name
    }
}
