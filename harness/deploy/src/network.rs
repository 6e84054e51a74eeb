//! The run's own network. It reaches this machine's listeners and nothing else.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, TcpListener},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use samklang_verdict::{Problem, message};

use super::engine::{ANSWER, Engine, REFUSED, no_answer};
use samklang_wire::waiting;

/// The time for repeating a network request that the engine refused.
const NETWORK: Duration = Duration::from_secs(5);

impl Engine {
    /// Makes an internal network and returns the address of its gateway, on which this machine's listeners can bind.
    ///
    /// Engines up to version 24 give containers of an internal network a default route through the gateway, and with it
    /// they reach every other address of the machine. So the network is made twice: first the engine finds a free
    /// subnet, then the network gets a default route to an address that no machine has. Unless `talking`, its
    /// containers reach only the gateway and not one another, so that no traffic bypasses the switchboard.
    ///
    /// # Errors
    /// Fails if the engine refuses, or if the gateway is not an address of this machine.
    pub(crate) async fn make_network(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
        talking: bool,
    ) -> Result<Ipv4Addr, Problem> {
        // Another process's network may take the subnet in between.
        let refusal = Mutex::new(None);
        let made = waiting::until_send(NETWORK, || async {
            match self.try_network(name, labels, talking).await {
                Err(problem) if problem.message.key == REFUSED => {
                    *refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
                    None
                }
                other => Some(other),
            }
        });
        made.await.unwrap_or_else(|passed| {
            let refusal = refusal.into_inner().unwrap_or_else(PoisonError::into_inner);
            Err(refusal.unwrap_or_else(|| self.lost("network create", &no_answer(passed.bound))))
        })
    }

    async fn try_network(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
        talking: bool,
    ) -> Result<Ipv4Addr, Problem> {
        let draft = self.create_network(name, labels, talking, None).await?;
        let config = self.network_config(&draft).await?;
        self.remove_network(&draft).await?;
        let Some((config, gateway)) = without_way_out(config) else {
            return Err(self.refused("network create", "the network has no IPv4 subnet"));
        };
        self.create_network(name, labels, talking, Some(config)).await?;
        TcpListener::bind((gateway, 0)).map(|_| gateway).map_err(|error| {
            Problem::configuration(message!(
                "engine.gateway-not-here",
                gateway = gateway,
                address = self.address(),
                reason = error,
            ))
        })
    }

    async fn create_network(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
        talking: bool,
        config: Option<IpamConfig>,
    ) -> Result<String, Problem> {
        let options = [("com.docker.network.bridge.enable_icc".to_owned(), talking.to_string())];
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            internal: Some(true),
            enable_ipv6: Some(false),
            labels: Some(labels.clone().into_iter().collect()),
            options: Some(options.into_iter().collect()),
            ipam: config.map(|config| Ipam { config: Some(vec![config]), ..Ipam::default() }),
            ..NetworkCreateRequest::default()
        };
        let answer = self.api().create_network(request);
        Ok(self.ask("network create", ANSWER, answer).await?.id)
    }

    async fn network_config(&self, id: &str) -> Result<Option<IpamConfig>, Problem> {
        let network = self.ask("network inspect", ANSWER, self.api().inspect_network(id, None)).await?;
        Ok(network.ipam.and_then(|ipam| ipam.config).and_then(|configs| configs.into_iter().next()))
    }
}

/// The same subnet and gateway, with a default route for its containers that ends at an unused address.
fn without_way_out(config: Option<IpamConfig>) -> Option<(IpamConfig, Ipv4Addr)> {
    let subnet = config?.subnet?;
    let (base, bits) = subnet.split_once('/')?;
    let (IpAddr::V4(base), bits) = (base.parse().ok()?, bits.parse::<u32>().ok()?) else { return None };
    // The subnet has room for the gateway, the dead end and some servers. The last address of a subnet is for
    // broadcasts.
    let size = 1_u32.checked_shl(32_u32.checked_sub(bits)?).filter(|size| *size >= 16)?;
    let gateway = Ipv4Addr::from(u32::from(base) + 1);
    let dead_end = Ipv4Addr::from(u32::from(base) + (size - 2));
    let config = IpamConfig {
        subnet: Some(subnet),
        gateway: Some(gateway.to_string()),
        auxiliary_addresses: Some(
            [("DefaultGatewayIPv4".to_owned(), dead_end.to_string())].into_iter().collect(),
        ),
        ..IpamConfig::default()
    };
    Some((config, gateway))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route_ends_at_an_unused_address_of_the_subnet() {
        let config = |subnet: &str| Some(IpamConfig { subnet: Some(subnet.into()), ..IpamConfig::default() });
        let (made, gateway) = without_way_out(config("172.16.9.0/24")).unwrap();
        assert_eq!((made.gateway.as_deref(), gateway), (Some("172.16.9.1"), Ipv4Addr::new(172, 16, 9, 1)));
        assert_eq!(made.auxiliary_addresses.unwrap()["DefaultGatewayIPv4"], "172.16.9.254");
        assert!(without_way_out(config("172.16.9.0/30")).is_none());
        assert!(without_way_out(config("fd00::/64")).is_none());
        assert!(without_way_out(None).is_none());
    }
}
