//! The doors at which a server that is not part of the run finds the names of the stage, and their certificate.

use std::{fmt, net::SocketAddr, path::Path, sync::Arc};

use rustls::{
    client::verify_server_name,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use samklang_verdict::{Problem, message};

use super::{TargetRequest, tokens::private_text};
use samklang_wire::switchboard::{Doors, Naming};

/// The doors that `ask` describes, or doors on loopback if it describes none.
///
/// # Errors
/// Fails if only one of listener and name is given, the name is invalid, or the certificate is not valid for its names.
pub(super) fn doors(ask: &TargetRequest) -> Result<Doors, Problem> {
    let naming = match (ask.listen, &ask.name) {
        (None, None) => Naming::Loopback,
        (Some(listen), Some(name)) => zone(listen, name)?,
        _ => return Err(Problem::configuration(message!("target.listen-and-name"))),
    };
    let certificate = match &ask.certificate {
        Some((certificate, key)) => Some(Arc::new(certified(certificate, key, &naming)?)),
        None => None,
    };
    let mark = std::iter::repeat_with(|| fastrand::alphanumeric().to_ascii_lowercase()).take(6).collect();
    Ok(Doors { naming, certificate, mark })
}

/// The naming for `peers.example` or `peers.example:8449`. Without a port, the listener's own port applies.
fn zone(listen: SocketAddr, name: &str) -> Result<Naming, Problem> {
    let bad = || Problem::configuration(message!("target.bad-name", name = name));
    let (zone, port) = match name.split_once(':') {
        Some((zone, port)) => (zone, port.parse().map_err(|_| bad())?),
        None => (name, listen.port()),
    };
    let is_domain = samklang_matrix::is_server_name(zone)
        && zone.parse::<std::net::IpAddr>().is_err()
        && !zone.starts_with(['[', '.'])
        && zone.len() <= 150;
    if !is_domain || port == 0 || listen.port() == 0 {
        return Err(bad());
    }
    Ok(Naming::Zone { listen, zone: zone.to_ascii_lowercase(), port })
}

/// The certificate from two PEM files, if it is valid for the names that `naming` makes.
fn certified(certificate: &Path, key: &Path, naming: &Naming) -> Result<CertifiedKey, Problem> {
    let bad = |error: &dyn fmt::Display| {
        Problem::configuration(message!(
            "target.bad-certificate",
            path = certificate.display(),
            error = error
        ))
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| bad(&error))?;
    let leaf = chain.first().cloned().ok_or_else(|| bad(&"it holds no certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(private_text(key)?.as_bytes())
        .map_err(|error| bad(&format!("its key: {error}")))?;
    let certified =
        CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| bad(&error))?;
    let wanted = match naming {
        Naming::Loopback => "127.0.0.1".to_owned(),
        Naming::Zone { zone, .. } => format!("a.{zone}"),
    };
    let parsed = ParsedCertificate::try_from(&leaf).map_err(|error| bad(&error))?;
    let name = ServerName::try_from(wanted.clone()).map_err(|error| bad(&error))?;
    if verify_server_name(&parsed, &name).is_err() {
        let wanted = match naming {
            Naming::Loopback => wanted,
            Naming::Zone { zone, .. } => format!("*.{zone}"),
        };
        return Err(bad(&format!("it has to be for {wanted}")));
    }
    Ok(certified)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone_of(name: &str) -> Option<(String, u16)> {
        match zone("0.0.0.0:8449".parse().unwrap(), name) {
            Ok(Naming::Zone { zone, port, .. }) => Some((zone, port)),
            _ => None,
        }
    }

    #[test]
    fn names_end_with_a_domain_and_include_a_port() {
        assert_eq!(zone_of("Peers.example"), Some(("peers.example".to_owned(), 8449)));
        assert_eq!(zone_of("peers.example:443"), Some(("peers.example".to_owned(), 443)));
        for bad in ["", "127.0.0.1", "[::1]", "a b", "peers.example:0", "peers.example:x", ".example"] {
            assert_eq!(zone_of(bad), None, "{bad}");
        }
        assert!(zone("0.0.0.0:0".parse().unwrap(), "peers.example:8448").is_err());
    }
}
