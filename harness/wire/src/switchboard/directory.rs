//! The names of a stage: which server answers for each name, and which party sent a request.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use samklang_verdict::{Party, Problem, message};

use super::{PeerService, pool::Pool, tasks::lock};
use crate::certificates::host_of;

/// The party that answers for a name.
#[derive(Clone)]
pub(super) struct Route {
    pub(super) party: Party,
    pub(super) service: Service,
    /// The source address of its own requests, if this distinguishes it from the other servers.
    pub(super) source: Option<IpAddr>,
}

/// How a request reaches it.
#[derive(Clone)]
pub(super) enum Service {
    /// It is a server with its own TLS listener.
    Server(Arc<Pool>),
    /// It is a server inside the process.
    Within(Arc<dyn PeerService>),
}

/// All names of a stage. A name without a route is reserved.
#[derive(Default)]
pub(super) struct NameDirectory {
    names: Mutex<BTreeMap<String, Option<Route>>>,
    /// Callers inside the harness, by the token that their requests carry.
    callers: Mutex<BTreeMap<String, Party>>,
}

/// The facts about a request that help to find its sender.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traits<'a> {
    /// The address that its connection comes from.
    pub(super) remote: SocketAddr,
    /// The server name it is sent to.
    pub(super) to: &'a str,
    /// The `origin` of its `X-Matrix` authorisation.
    pub(super) origin: Option<&'a str>,
    /// The sender of an earlier request on the same connection: a connection belongs to one process.
    pub(super) before: Option<&'a Party>,
}

impl NameDirectory {
    pub(super) fn reserve(&self, name: &str) -> Result<(), Problem> {
        let mut names = lock(&self.names);
        if names.contains_key(name) {
            return Err(Problem::harness(message!("switchboard.name-taken", name = name)));
        }
        names.insert(name.to_owned(), None);
        Ok(())
    }

    pub(super) fn set(&self, name: &str, route: Option<Route>) -> Result<(), Problem> {
        match lock(&self.names).get_mut(name) {
            Some(entry) => {
                *entry = route;
                Ok(())
            }
            None => Err(Problem::harness(message!("switchboard.name-unknown", name = name))),
        }
    }

    /// Removes the routes of all names.
    pub(super) fn empty(&self) {
        for route in lock(&self.names).values_mut() {
            *route = None;
        }
    }

    /// Whether `name` belongs to this stage.
    pub(super) fn knows(&self, name: &str) -> bool {
        lock(&self.names).contains_key(&name.to_ascii_lowercase())
    }

    /// The name of this stage that `asked` means: the same name, or its host if the names have no port.
    pub(super) fn named(&self, asked: &str) -> Option<String> {
        let names = lock(&self.names);
        let host = host_of(asked).to_ascii_lowercase();
        let meant = [asked.to_owned(), asked.to_ascii_lowercase(), host];
        meant.into_iter().find(|name| names.contains_key(name))
    }

    pub(super) fn route(&self, name: &str) -> Option<Route> {
        lock(&self.names).get(name).cloned().flatten()
    }

    pub(super) fn admit(&self, token: String, party: Party) {
        lock(&self.callers).insert(token, party);
    }

    pub(super) fn caller(&self, token: &str) -> Option<Party> {
        lock(&self.callers).get(token).cloned()
    }

    /// The sender of a request that carries no token. The result is a server only if that is certain.
    ///
    /// The sender's address decides if servers have addresses of their own. On loopback they have none. There the name
    /// that signed the request counts (its signature is checked elsewhere), then the sender of an earlier request on
    /// the same connection. An unsigned request without either, such as the first request for keys, is attributed if
    /// only one server can have sent it.
    pub(super) fn sender(&self, traits: Traits<'_>) -> Party {
        let Traits { remote, to, origin, before } = traits;
        let names = lock(&self.names);
        let routes = || names.iter().filter_map(|(name, route)| Some((name, route.as_ref()?)));
        if let Some((_, route)) = routes().find(|(_, route)| route.source == Some(remote.ip())) {
            return route.party.clone();
        }
        let stranger = |name: &dyn ToString| Party::Stranger { name: name.to_string() };
        match (origin, before) {
            (Some(origin), _) => match names.get(origin) {
                Some(Some(route)) if route.source.is_none() => route.party.clone(),
                // The request claims to come from a server that has another address or is not up.
                Some(_) => stranger(&remote.ip()),
                None => stranger(&origin),
            },
            (None, Some(before)) => before.clone(),
            (None, None) => {
                let is_server = |route: &Route| matches!(route.service, Service::Server(_));
                let mut others = routes()
                    .filter(|(name, route)| *name != to && is_server(route) && route.source.is_none());
                let all_up = names.values().all(Option::is_some);
                match (others.next(), others.next()) {
                    (Some((_, only)), None) if all_up && remote.ip().is_loopback() => only.party.clone(),
                    _ => stranger(&remote.ip()),
                }
            }
        }
    }
}

/// The `origin` of an `X-Matrix` authorisation (server-server API, "Request Authentication"). It is read leniently,
/// since it only says which server claims to send the request.
pub(super) fn origin_of(authorization: &str) -> Option<&str> {
    let (scheme, params) = authorization.trim_start().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("x-matrix") {
        return None;
    }
    params.split(',').find_map(|param| {
        let (name, value) = param.split_once('=')?;
        name.trim().eq_ignore_ascii_case("origin").then(|| value.trim().trim_matches('"'))
    })
}
