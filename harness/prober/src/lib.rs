//! Examines a server from outside, as any other server meets it: its address, its certificate, its keys and its version
//! (server-server API, resolving server names; TLS; publishing keys).
//!
//! Everything that the server sends is hostile: it is bounded in size and time here, and escaped before it is shown.

mod certificate;
mod connection;
mod discovery;
mod service_records;

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use samklang_matrix::{KeyDocument, KeyDocumentError, endpoints};
use samklang_verdict::{Message, Problem, message};
use serde::Serialize;
use serde_json::Value;

use self::{
    connection::{ProbeConnection, ProbeFailure, ProbeResponse},
    discovery::Destination,
};

/// A key document should be valid for at least this long (SS-KEYS-007), in milliseconds.
const HOUR_MS: u64 = 60 * 60 * 1000;

/// The settings of a probe.
#[derive(Debug, Clone)]
pub struct ProbeSettings {
    /// The authorities whose certificates are trusted.
    pub roots: RootCertStore,
    /// Addresses that replace those that a host and port (`a.test:8448`) resolve to.
    pub routes: BTreeMap<String, SocketAddr>,
    /// The name server for service records, or `None` for the machine's own.
    pub name_server: Option<SocketAddr>,
    /// The bound on each step: a connection with TLS, a response, a look-up.
    pub bound: Duration,
}

/// The result of one check, in the order of gravity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeMark {
    /// It is right.
    Good,
    /// Nothing is wrong, but it is worth knowing.
    Note,
    /// The result is unknown: there was no response, or none within bounds.
    Unknown,
    /// The server does something wrong.
    Bad,
}

/// The finding of one check.
#[derive(Debug, Clone, Serialize)]
pub struct ProbeFinding {
    /// `well-known`, `service-records`, `connection`, `certificate`, `keys` or `version`.
    pub check: &'static str,
    /// Its result.
    pub mark: ProbeMark,
    /// The result in words.
    pub message: Message,
}

impl ProbeFinding {
    fn new(check: &'static str, mark: ProbeMark, message: Message) -> Self {
        Self { check, mark, message }
    }
}

/// The certificates in a PEM file, or those that this machine trusts.
///
/// # Errors
/// Fails if the file cannot be read or holds none, or if this machine trusts no authority.
pub fn roots(file: Option<&Path>) -> Result<RootCertStore, Problem> {
    let mut roots = RootCertStore::empty();
    let Some(path) = file else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let found = (!roots.is_empty()).then_some(roots);
        return found.ok_or_else(|| Problem::configuration(message!("probe.no-roots")));
    };
    let bad = |error: &dyn fmt::Display| {
        Problem::configuration(message!("probe.bad-authority", path = path.display(), error = error))
    };
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| bad(&error))? {
        let certificate = certificate.map_err(|error| bad(&error))?;
        roots.add(certificate).map_err(|error| bad(&error))?;
    }
    if roots.is_empty() { Err(bad(&"it holds no certificate")) } else { Ok(roots) }
}

/// The place at which a server was found.
#[derive(Debug, Clone)]
pub struct FoundServer {
    /// The address at which it accepts connections.
    pub address: SocketAddr,
    /// The host that its certificate has to be valid for.
    pub certified_for: String,
    /// The `Host` header by which it is addressed.
    pub host: String,
    /// The version in its response, if there is one.
    pub version: Option<String>,
}

/// Probes the server of this name and returns the findings in order.
///
/// # Errors
/// Fails if it is not a server name.
pub async fn probe(server_name: &str, settings: &ProbeSettings) -> Result<Vec<ProbeFinding>, Problem> {
    look(server_name, settings).await.map(|(_, findings)| findings)
}

/// As [`probe`], together with the place of the server if it was found.
///
/// # Errors
/// Fails if it is not a server name.
pub async fn look(
    server_name: &str,
    settings: &ProbeSettings,
) -> Result<(Option<FoundServer>, Vec<ProbeFinding>), Problem> {
    if !discovery::is_name_with_port(server_name) {
        return Err(Problem::configuration(message!("probe.no-name", name = said(server_name))));
    }
    let prober = connection::Prober::new(settings)?;
    let (places, mut findings) = discovery::discover(server_name, &prober).await;
    let Some((place, connection)) = reach(&places, &prober, &mut findings).await else {
        return Ok((None, findings));
    };
    let mut found = FoundServer {
        address: connection.address,
        certified_for: place.certified_for.clone(),
        host: place.host.clone(),
        version: None,
    };
    findings.push(prober.judge_certificate(&place.certified_for, &connection.chain));
    let keys = async {
        let reply = connection.get(&place.host, endpoints::SERVER_KEYS.template).await;
        judge("keys", reply, |body| judge_keys(body, server_name))
    };
    let version = async {
        let reply = match prober.connect(place).await {
            Ok(connection) => connection.get(&place.host, endpoints::VERSION.template).await,
            Err(trouble) => Err(trouble),
        };
        let mut said = None;
        let finding = judge("version", reply, |body| {
            said = body["server"]["version"].as_str().map(str::to_owned);
            judge_version(body)
        });
        (finding, said)
    };
    let (keys, (version, said)) = tokio::join!(keys, version);
    found.version = said;
    findings.extend([keys, version]);
    Ok((Some(found), findings))
}

/// Connects to the first place that accepts a connection.
async fn reach<'a>(
    places: &'a [Destination],
    prober: &connection::Prober<'_>,
    findings: &mut Vec<ProbeFinding>,
) -> Option<(&'a Destination, ProbeConnection)> {
    for place in places {
        match prober.connect(place).await {
            Ok(connection) => {
                let text = message!("probe.connected", place = said(place), address = connection.address);
                findings.push(ProbeFinding::new("connection", ProbeMark::Good, text));
                return Some((place, connection));
            }
            Err(trouble) => {
                let text = message!("probe.not-connected", place = said(place), why = said(&trouble.why));
                findings.push(ProbeFinding::new("connection", trouble.mark, text));
            }
        }
    }
    None
}

/// Judges a JSON response with status 200 by `rule`. Any other response is wrong.
fn judge(
    check: &'static str,
    reply: Result<ProbeResponse, ProbeFailure>,
    rule: impl FnOnce(&Value) -> (ProbeMark, Message),
) -> ProbeFinding {
    let (mark, text) = match reply {
        Err(trouble) => (trouble.mark, message!("probe.no-answer", why = said(&trouble.why))),
        Ok(reply) if reply.status != 200 => (ProbeMark::Bad, message!("probe.status", status = reply.status)),
        Ok(reply) => match serde_json::from_slice(&reply.body) {
            Ok(body) => rule(&body),
            Err(error) => (ProbeMark::Bad, message!("probe.no-json", error = said(error))),
        },
    };
    ProbeFinding::new(check, mark, text)
}

fn judge_keys(body: &Value, server_name: &str) -> (ProbeMark, Message) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let now = u64::try_from(now).unwrap_or(u64::MAX);
    match KeyDocument::verify_at(body, server_name, now) {
        Err(KeyDocumentError::Expired { valid_until_ts }) => {
            (ProbeMark::Bad, message!("probe.keys-expired", until = moment(valid_until_ts / 1000)))
        }
        Err(error) => (ProbeMark::Bad, message!("probe.keys-bad", error = said(error))),
        Ok(document) => {
            let ids = document.verify_keys.keys().cloned().collect::<Vec<_>>().join(", ");
            let (ids, until) = (said(ids), moment(document.valid_until_ts / 1000));
            if document.valid_until_ts.saturating_sub(now) < HOUR_MS {
                (ProbeMark::Note, message!("probe.keys-short", ids = ids, until = until))
            } else {
                (ProbeMark::Good, message!("probe.keys", ids = ids, until = until))
            }
        }
    }
}

fn judge_version(body: &Value) -> (ProbeMark, Message) {
    let server = &body["server"];
    match (server["name"].as_str(), server["version"].as_str()) {
        (Some(name), Some(version)) => {
            (ProbeMark::Good, message!("probe.version", name = said(name), version = said(version)))
        }
        _ => (ProbeMark::Note, message!("probe.no-version")),
    }
}

/// A moment in seconds since 1970, in a readable form.
fn moment(seconds: u64) -> String {
    let moment = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    moment.map_or_else(|| format!("{seconds} s after 1970"), |moment| moment.to_string())
}

/// A server's text in one short line that does not affect a terminal: invisible characters and line ends are escaped.
pub fn said(text: impl fmt::Display) -> String {
    const MOST: usize = 300;
    let text = text.to_string();
    let mut plain = String::new();
    for (place, c) in text.chars().enumerate() {
        match c {
            _ if place == MOST => {
                plain.push('…');
                break;
            }
            '"' | '\'' | '\\' => plain.push(c),
            c => plain.extend(c.escape_debug()),
        }
    }
    plain
}

#[cfg(test)]
mod tests;
