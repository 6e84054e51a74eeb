//! A server that runs already and is not the run's own. Nothing is brought up: it is found, it proves who it is, and the
//! names of the stage are put where it finds them.

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

/// A server that runs already, as it was found.
#[derive(Debug)]
pub struct Target {
    terms: TargetTerms,
    /// `https://matrix.example`, where its client API is.
    base: String,
    /// Its users by id, and the token of each.
    users: Vec<(String, Secret)>,
    found: FoundServer,
    settings: ProbeSettings,
    doors: Doors,
    /// Who answers for it that lying peers may meet it, in words.
    consent: Option<String>,
}

impl Target {
    /// Its server name.
    pub fn server_name(&self) -> &str {
        &self.terms.server_name
    }

    /// On which terms it takes part.
    pub fn terms(&self) -> &TargetTerms {
        &self.terms
    }

    /// What it answers to be the version of.
    pub fn version(&self) -> Option<&str> {
        self.found.version.as_deref()
    }

    /// How many users a play may have there.
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// Who has consented to hostile peers, and until when; none where nobody had to, or nobody has.
    pub fn consent(&self) -> Option<&str> {
        self.consent.as_deref()
    }

    /// Its users, to be lent to plays.
    pub fn accounts(&self) -> Vec<TargetAccount> {
        let users = self.users.iter().cloned();
        users.map(|(user_id, token)| TargetAccount::new(user_id, token)).collect()
    }

    /// A client of its client API, which it plays in this role.
    ///
    /// # Errors
    /// When the HTTP library refuses its set-up.
    pub fn client_api(&self, role: Role, recorder: Recorder) -> Result<ApiClient, Problem> {
        client_api(&self.base, Party::Server { role }, recorder, &self.settings, &self.users)
    }

    /// Where its federation API is, and as whom to address it.
    ///
    /// # Errors
    /// When it was found at what is no name.
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

/// The client API at `base`, whose answers are relieved of the users' tokens.
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

/// Deploys nothing: role A is played by a server that runs already, all others inside this program.
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

/// A server that is not the run's own, as something that runs. It is never stopped.
pub struct Standing;

#[async_trait]
impl Running for Standing {
    async fn stop(&self) -> Result<(), Problem> {
        Ok(())
    }
}

/// Whether all of these are on this machine's loopback, and there is one.
fn all_loopback(addresses: &[SocketAddr]) -> bool {
    !addresses.is_empty() && addresses.iter().all(|address| address.ip().to_canonical().is_loopback())
}
