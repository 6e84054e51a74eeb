//! `samklang run --target`: a server that runs already takes part, and no server is brought up.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use samklang_deploy::{
    Cast,
    target::{self, Target, TargetRequest},
    vendor::{ClientApi, Vendor, VendorShelf},
};
use samklang_prober as probe;
use samklang_prober::ProbeSettings;
use samklang_verdict::{Problem, Role, message};

use super::{args::route, play::OUR_OWN, runtime};

/// The time that each step of finding the server may take: a connection, an answer.
const STEP: Duration = Duration::from_secs(10);

/// The server that runs already, and how it and the servers of the run meet.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "A server that runs already")]
pub(super) struct TargetOptions {
    /// Judge a server that runs already, at the address of its client API: https://matrix.example. Name a vendor to use
    /// what its descriptor declares of the product
    #[arg(long, value_name = "URL", requires = "token_file", conflicts_with_all = ["image", "deploy", "direct"])]
    pub(super) target: Option<String>,
    /// Its users: a file with one access token a line, alone or after the user's id. Only its owner may read the file
    #[arg(long, value_name = "FILE", requires = "target")]
    token_file: Option<PathBuf>,
    /// The server name that it has to have; by default that of its users
    #[arg(long, value_name = "NAME", requires = "target")]
    server_name: Option<String>,
    /// The address at which Samklang's own servers listen; by default each at a port of its own on loopback
    #[arg(long, value_name = "ADDRESS:PORT", requires = "name", requires = "target")]
    listen: Option<SocketAddr>,
    /// The domain of their server names: all names below peers.example have to lead to the listener. With a port, if the
    /// listener is reached at another port than it listens on: peers.example:443
    #[arg(long, value_name = "DOMAIN[:PORT]", requires = "listen", requires = "target")]
    name: Option<String>,
    /// Their certificate, PEM: for *.peers.example, or for 127.0.0.1
    #[arg(long, value_name = "FILE", requires = "key", requires = "target")]
    certificate: Option<PathBuf>,
    /// The key of that certificate, PEM. Only its owner may read the file
    #[arg(long, value_name = "FILE", requires = "certificate", requires = "target")]
    key: Option<PathBuf>,
    /// Trust only the certificate authorities in this PEM file
    #[arg(long, value_name = "FILE", requires = "target")]
    ca: Option<PathBuf>,
    /// Connect to this address instead of the one that a host and port resolve to, when the server is looked up as other
    /// servers do; may be repeated
    #[arg(long, value_name = "HOST:PORT=ADDRESS:PORT", value_parser = route, requires = "target")]
    connect_to: Vec<(String, SocketAddr)>,
    /// A file with the consent that hostile peers may meet a server that is not on loopback: by whom, and until when
    #[arg(long, value_name = "FILE", requires = "target")]
    consent: Option<PathBuf>,
}

impl TargetOptions {
    /// Finds the server that the options name; `None` without --target.
    ///
    /// # Errors
    /// As [`target::find`].
    pub(super) fn find(&self, today: &str) -> Result<Option<Target>, Problem> {
        let (Some(url), Some(token_file)) = (&self.target, &self.token_file) else { return Ok(None) };
        let ask = TargetRequest {
            url: url.clone(),
            token_file: token_file.clone(),
            server_name: self.server_name.clone(),
            listen: self.listen,
            name: self.name.clone(),
            certificate: self.certificate.clone().zip(self.key.clone()),
            consent: self.consent.clone(),
            settings: ProbeSettings {
                roots: probe::roots(self.ca.as_deref())?,
                routes: self.connect_to.iter().cloned().collect(),
                name_server: None,
                bound: STEP,
            },
            today: today.to_owned(),
        };
        let runtime = runtime()?;
        let found = runtime.block_on(target::find(ask));
        // Does not wait for a look-up of the system that still runs.
        runtime.shutdown_background();
        found.map(Some)
    }
}

/// Casts the server in role A and a homeserver inside this program in role B. The descriptor of `vendor` declares the
/// product of the server.
///
/// # Errors
/// When a vendor is not known, or the other one is not inside this program.
pub(super) fn casts(
    shelf: &VendorShelf,
    target: &Target,
    vendor: Option<&str>,
    other: Option<&str>,
) -> Result<Vec<Cast>, Problem> {
    let (product, asked) = match vendor.map(Vendor::parse_spec) {
        Some((name, version)) => (shelf.load(name)?, version),
        None => (Vendor::of_server(target.server_name())?, None),
    };
    if product.client_api != ClientApi::Matrix {
        let text = message!("target.no-matrix-api", vendor = product.title);
        return Err(Problem::configuration(text));
    }
    let version = match asked {
        Some(_) => product.version(asked)?,
        // The version that the server itself answers, if it is one of the vendor's.
        None => product.version(target.version()).or_else(|_| product.version(None))?,
    };
    let (other, other_version) = Vendor::parse_spec(other.unwrap_or(OUR_OWN));
    let other = shelf.load(other)?;
    if !other.is_embedded() {
        return Err(Problem::configuration(message!("target.other-not-inside", vendor = other.title)));
    }
    let other_version = other.version(other_version)?;
    let terms = Some(target.terms().clone());
    Ok(vec![
        Cast {
            role: Role::A,
            vendor: Arc::new(product),
            version,
            image: None,
            upgrade_to: None,
            target: terms,
        },
        Cast {
            role: Role::B,
            vendor: Arc::new(other),
            version: other_version,
            image: None,
            upgrade_to: None,
            target: None,
        },
    ])
}
