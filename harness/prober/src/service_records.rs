//! Service records (RFC 2782).

use std::net::SocketAddr;

use hickory_resolver::{
    Name, ResolveError, TokioResolver,
    config::{NameServerConfigGroup, ResolverConfig, ResolverOpts},
    name_server::TokioConnectionProvider,
    proto::{ProtoErrorKind, op::ResponseCode},
};
use samklang_wire::waiting::within;

use super::{ProbeSettings, connection::ProbeFailure};

/// The place at which a service is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServiceRecord {
    priority: u16,
    weight: u16,
    pub(super) target: String,
    pub(super) port: u16,
}

/// The records of `name`, in the order in which they are tried; empty if the name has none.
pub(super) async fn look_up(
    name: &str,
    settings: &ProbeSettings,
) -> Result<Vec<ServiceRecord>, ProbeFailure> {
    let unknown = |error: &dyn std::fmt::Display| ProbeFailure::unknown(error.to_string());
    // A name with a dot at its end is looked up unchanged, without the search domains of this machine.
    let asked = Name::from_ascii(format!("{name}.")).map_err(|error| unknown(&error))?;
    let resolver = resolver(settings).map_err(|error| unknown(&error))?;
    match within(settings.bound, resolver.srv_lookup(asked)).await {
        Ok(Ok(found)) => {
            let mut records: Vec<_> = found
                .iter()
                .map(|record| ServiceRecord {
                    priority: record.priority(),
                    weight: record.weight(),
                    target: record.target().to_ascii().trim_end_matches('.').to_owned(),
                    port: record.port(),
                })
                .collect();
            records.sort_by_key(|record| (record.priority, u16::MAX - record.weight));
            Ok(records)
        }
        Ok(Err(error)) => match response_code(&error) {
            Some(ResponseCode::NoError | ResponseCode::NXDomain) => Ok(vec![]),
            Some(code) => Err(ProbeFailure::unknown(format!("the name server says {code}"))),
            None => Err(unknown(&error)),
        },
        Err(_) => Err(ProbeFailure::unknown("no name server answered in time")),
    }
}

/// Queries the name server in `settings`, or those of this machine. It uses UDP, and TCP if the response is too long
/// for UDP.
fn resolver(settings: &ProbeSettings) -> Result<TokioResolver, ResolveError> {
    let mut builder = match settings.name_server {
        Some(server) => TokioResolver::builder_with_config(only(server), TokioConnectionProvider::default()),
        None => TokioResolver::builder_tokio()?,
    };
    let ResolverOpts { timeout, cache_size, .. } = builder.options_mut();
    (*timeout, *cache_size) = (settings.bound, 0);
    Ok(builder.build())
}

fn only(server: SocketAddr) -> ResolverConfig {
    let servers = NameServerConfigGroup::from_ips_clear(&[server.ip()], server.port(), true);
    ResolverConfig::from_parts(None, vec![], servers)
}

/// The response code of the name server, if it answered that there are no records or that it cannot tell.
fn response_code(error: &ResolveError) -> Option<ResponseCode> {
    match error.proto()?.kind() {
        ProtoErrorKind::NoRecordsFound { response_code, .. } => Some(*response_code),
        _ => None,
    }
}
