//! Finds the address of a server (server-server API, resolving server names; the numbers of the steps are the same).

use std::{fmt, net::IpAddr};

use http::Uri;
use samklang_matrix::is_server_name;
use samklang_verdict::message;
use serde_json::Value;

use super::{
    ProbeFinding, ProbeMark,
    connection::{ProbeFailure, ProbeResponse, Prober},
    said,
    service_records::{self, ServiceRecord},
};

const WELL_KNOWN: &str = samklang_matrix::endpoints::WELL_KNOWN.template;
/// The port of a server whose name has no port.
const PORT: u16 = 8448;
/// At most this many redirects are followed.
const MOST_REDIRECTS: usize = 5;
/// At most this many service records are tried.
const MOST_RECORDS: usize = 4;

/// The address to connect to, and the names to use there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    /// The host to connect to, without brackets.
    pub(super) dial: String,
    pub(super) port: u16,
    /// The host that the certificate has to be valid for.
    pub(super) certified_for: String,
    /// The `Host` header.
    pub(super) host: String,
}

impl Destination {
    fn new(host: &str, port: u16, header: &str) -> Self {
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Self { dial: bare.clone(), port, certified_for: bare, host: header.to_owned() }
    }

    fn of_record(record: ServiceRecord, name: &str) -> Self {
        Self { dial: record.target, port: record.port, ..Self::new(name, PORT, name) }
    }

    /// The `host:port` of the connection.
    pub(super) fn dialled(&self) -> String {
        if self.dial.contains(':') {
            format!("[{}]:{}", self.dial, self.port)
        } else {
            format!("{}:{}", self.dial, self.port)
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.dialled())
    }
}

/// The places at which other servers look for `name`, in their order, and the findings on the way.
pub(super) async fn discover(name: &str, prober: &Prober<'_>) -> (Vec<Destination>, Vec<ProbeFinding>) {
    // Steps 1 and 2.
    if let Some(place) = stated(name) {
        return (vec![place], vec![]);
    }
    let (delegated, well_known) = ask_well_known(name, prober).await;
    let mut findings = vec![well_known];
    // Steps 3.1 and 3.2.
    if let Some(place) = delegated.as_deref().and_then(stated) {
        return (vec![place], findings);
    }
    // Steps 3.3 to 3.5, or steps 4 to 6 if nothing is delegated.
    let name = delegated.as_deref().unwrap_or(name);
    let (records, found) = ask_service_records(name, prober).await;
    findings.push(found);
    let places = match records {
        records if records.is_empty() => vec![Destination::new(name, PORT, name)],
        records => records
            .into_iter()
            .take(MOST_RECORDS)
            .map(|record| Destination::of_record(record, name))
            .collect(),
    };
    (places, findings)
}

/// Whether a text is a server name whose port, if any, is valid.
pub(super) fn is_name_with_port(text: &str) -> bool {
    let port = match text.rfind([':', ']']) {
        Some(colon) if text[colon..].starts_with(':') => text[colon + 1..].parse::<u16>().is_ok(),
        _ => true,
    };
    port && is_server_name(text)
}

/// The place of a name that needs no look-up: one with a port, or an address.
fn stated(name: &str) -> Option<Destination> {
    let after_host = name.rfind(']').unwrap_or(0);
    if let Some(colon) = name[after_host..].find(':').map(|place| after_host + place) {
        let port = name[colon + 1..].parse().ok()?;
        return Some(Destination::new(&name[..colon], port, name));
    }
    let is_address = name.starts_with('[') || name.parse::<IpAddr>().is_ok();
    is_address.then(|| Destination::new(name, PORT, name))
}

/// The server name that `name` delegates to by its well-known file. A missing file, or one that other servers cannot
/// use, is not wrong by itself.
async fn ask_well_known(name: &str, prober: &Prober<'_>) -> (Option<String>, ProbeFinding) {
    let found = |mark, text| ProbeFinding::new("well-known", mark, text);
    let (reply, certificate) = match follow(name, prober).await {
        Ok(found) => found,
        Err(trouble) => {
            return (None, found(ProbeMark::Note, message!("probe.no-well-known", why = said(trouble.why))));
        }
    };
    if reply.status != 200 {
        let why = format!("HTTP {}", reply.status);
        return (None, found(ProbeMark::Note, message!("probe.no-well-known", why = why)));
    }
    let body = serde_json::from_slice::<Value>(&reply.body).unwrap_or_default();
    let Some(delegated) = body.get("m.server") else {
        let text = message!("probe.no-well-known", why = "no JSON object with m.server");
        return (None, found(ProbeMark::Note, text));
    };
    match delegated.as_str() {
        Some(delegated) if is_name_with_port(delegated) && certificate.mark == ProbeMark::Good => {
            let text = message!("probe.well-known", name = name, delegated = said(delegated));
            (Some(delegated.to_owned()), found(ProbeMark::Good, text))
        }
        Some(text) if is_name_with_port(text) => {
            (None, found(ProbeMark::Bad, message!("probe.well-known-distrusted", why = certificate.message)))
        }
        _ => (None, found(ProbeMark::Bad, message!("probe.well-known-bad", delegated = said(delegated)))),
    }
}

/// The response of `name`, or of the place that it redirects to, and the worst finding about a certificate on the way.
async fn follow(name: &str, prober: &Prober<'_>) -> Result<(ProbeResponse, ProbeFinding), ProbeFailure> {
    let (mut place, mut path) = (Destination::new(name, 443, name), WELL_KNOWN.to_owned());
    let mut worst: Option<ProbeFinding> = None;
    for _ in 0..=MOST_REDIRECTS {
        let connection = prober.connect(&place).await?;
        let certificate = prober.judge_certificate(&place.certified_for, &connection.chain);
        if worst.as_ref().is_none_or(|worst| worst.mark < certificate.mark) {
            worst = Some(certificate);
        }
        let reply = connection.get(&place.host, &path).await?;
        match (&reply, worst.clone()) {
            (ProbeResponse { status: 301 | 302 | 303 | 307 | 308, location: Some(location), .. }, _) => {
                (place, path) = redirected(&place, location)?;
            }
            (_, Some(worst)) => return Ok((reply, worst)),
            (_, None) => break,
        }
    }
    Err(ProbeFailure::unknown(format!("more than {MOST_REDIRECTS} redirects")))
}

fn redirected(from: &Destination, location: &str) -> Result<(Destination, String), ProbeFailure> {
    let nowhere = || ProbeFailure::unknown(format!("a redirect to {location}"));
    let uri: Uri = location.parse().map_err(|_| nowhere())?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(host)) => {
            let port = uri.port_u16();
            let header = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
            Ok((Destination::new(host, port.unwrap_or(443), &header), path))
        }
        (None, None) if path.starts_with('/') => Ok((from.clone(), path)),
        _ => Err(nowhere()),
    }
}

/// The service records of `name`, or those of the old name if the new one has none.
async fn ask_service_records(name: &str, prober: &Prober<'_>) -> (Vec<ServiceRecord>, ProbeFinding) {
    let found = |mark, text| ProbeFinding::new("service-records", mark, text);
    for (service, mark) in [("_matrix-fed._tcp", ProbeMark::Good), ("_matrix._tcp", ProbeMark::Note)] {
        let asked = format!("{service}.{name}");
        match service_records::look_up(&asked, prober.settings).await {
            Ok(records) if records.is_empty() => {}
            Ok(records) => {
                let targets: Vec<_> =
                    records.iter().map(|record| format!("{}:{}", record.target, record.port)).collect();
                let text =
                    message!("probe.service-records", asked = asked, targets = said(targets.join(", ")));
                return (records, found(mark, text));
            }
            Err(trouble) => {
                let text = message!("probe.service-records-unknown", asked = asked, why = said(trouble.why));
                return (vec![], found(ProbeMark::Unknown, text));
            }
        }
    }
    (vec![], found(ProbeMark::Note, message!("probe.no-service-records", name = said(name), port = PORT)))
}
