//! A server that already runs and is not part of the run. It is not started: the harness finds it, checks its identity,
//! and opens doors at which it finds the names of the stage.

mod consent;
mod finding;
mod front;
mod tokens;

use std::{fmt, net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use http::HeaderValue;
use rustls::pki_types::ServerName;
use samklang_verdict::{Party, Problem, Role, message};

pub use self::finding::{TargetRequest, find};
use super::{Cast, Deployer, Listening, Progress, Running, ServerStart, TargetTerms};
use samklang_drivers::{accounts::TargetAccount, http::ApiClient};
use samklang_prober::{FoundServer, ProbeSettings};
use samklang_wire::{
    certificates::{Secret, trusting},
    recorder::Recorder,
    switchboard::{Doors, Ground, TargetAddress},
};

/// A server that already runs, as the harness found it.
#[derive(Debug)]
pub struct Target {
    terms: TargetTerms,
    /// The address of its client API, `https://matrix.example`.
    base: String,
    /// Its users by ID, each with an access token.
    users: Vec<(String, Secret)>,
    found: FoundServer,
    settings: ProbeSettings,
    doors: Doors,
    /// The person who consents that lying peers may meet it, in words.
    consent: Option<String>,
}

impl Target {
    /// Its server name.
    pub fn server_name(&self) -> &str {
        &self.terms.server_name
    }

    /// The terms on which it takes part.
    pub fn terms(&self) -> &TargetTerms {
        &self.terms
    }

    /// The version that it reports.
    pub fn version(&self) -> Option<&str> {
        self.found.version.as_deref()
    }

    /// The number of its users that a play may have.
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// The person who consented to hostile peers, and the last day. `None` if there is no consent, or if none was
    /// necessary.
    pub fn consent(&self) -> Option<&str> {
        self.consent.as_deref()
    }

    /// Its users, for use in plays.
    pub fn accounts(&self) -> Vec<TargetAccount> {
        let users = self.users.iter().cloned();
        users.map(|(user_id, token)| TargetAccount::new(user_id, token)).collect()
    }

    /// A client of its client API for this role.
    ///
    /// # Errors
    /// Fails if the HTTP library refuses the set-up.
    pub fn client_api(&self, role: Role, recorder: Recorder) -> Result<ApiClient, Problem> {
        client_api(&self.base, Party::Server { role }, recorder, &self.settings, &self.users)
    }

    /// The address of its federation API, and the names to use there.
    ///
    /// # Errors
    /// Fails if the name at which it was found is invalid.
    pub fn place(&self) -> Result<TargetAddress, Problem> {
        let FoundServer { address, certified_for, host, .. } = &self.found;
        let bad = |error: &dyn fmt::Display| {
            Problem::configuration(message!("target.not-met", name = self.server_name(), why = error))
        };
        Ok(TargetAddress {
            address: *address,
            name: ServerName::try_from(certified_for.clone()).map_err(|error| bad(&error))?,
            host: HeaderValue::try_from(host).map_err(|error| bad(&error))?,
            tls: trusting(self.settings.roots.clone())?,
        })
    }
}

/// A client of the client API at `base` that removes the users' tokens from the responses.
fn client_api(
    base: &str,
    to: Party,
    recorder: Recorder,
    settings: &ProbeSettings,
    users: &[(String, Secret)],
) -> Result<ApiClient, Problem> {
    let secrets = users.iter().map(|(_, token)| token.clone()).collect();
    ApiClient::elsewhere(base.to_owned(), to, recorder, trusting(settings.roots.clone())?, secrets)
        .map_err(|error| Problem::harness(message!("stage.no-client", error = error)))
}

/// Deploys nothing: a server that already runs plays role A, and servers inside this program play all others.
#[derive(Debug)]
pub struct TargetDeployer {
    target: Target,
}

impl TargetDeployer {
    /// A deployer around this server.
    pub fn new(target: Target) -> Self {
        Self { target }
    }
}

#[async_trait]
impl Deployer for TargetDeployer {
    fn name(&self) -> &'static str {
        samklang_verdict::TARGET
    }

    async fn ground(&self) -> Result<Ground, Problem> {
        Ok(Ground::Around(self.target.doors.clone()))
    }

    async fn prepare(&self, _: &Cast, _: &Progress<'_>) -> Result<(), Problem> {
        Ok(())
    }

    fn claim_port(&self) -> Result<Option<u16>, Problem> {
        Ok(None)
    }

    fn target(&self, role: Role) -> Option<&Target> {
        (role == Role::A).then_some(&self.target)
    }

    async fn start(&self, start: ServerStart) -> Result<Arc<dyn Listening>, Problem> {
        Err(start.cast.vendor.cannot_run_as("embedded"))
    }

    async fn clear(&self) -> Result<(), Problem> {
        Ok(())
    }
}

/// A server that is not part of the run, as a running server. It is never stopped.
pub struct Standing;

#[async_trait]
impl Running for Standing {
    async fn stop(&self) -> Result<(), Problem> {
        Ok(())
    }
}

/// Whether there is at least one address and all are on this machine's loopback.
fn all_loopback(addresses: &[SocketAddr]) -> bool {
    !addresses.is_empty() && addresses.iter().all(|address| address.ip().to_canonical().is_loopback())
}
