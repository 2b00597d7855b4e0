//! The addresses in the URLs of a server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use halloo_proto::advertised_address::AdvertisedAddress;
use halloo_proto::interface_filter::InterfaceFilter;
use halloo_proto::interfaces::{Interface, addresses, announced};

use crate::Config;
use crate::discovery::interfaces;

/// The settings that determine at which addresses a server is reached.
#[derive(Debug)]
pub(crate) struct ServerAddresses {
    /// The address it listens on; `None` for all.
    pub(crate) bind: Option<IpAddr>,
    advertise: Option<AdvertisedAddress>,
    filter: InterfaceFilter,
}

impl ServerAddresses {
    pub(crate) fn new(config: &Config) -> ServerAddresses {
        ServerAddresses { bind: config.bind, advertise: config.advertise, filter: config.interface_filter() }
    }

    /// Returns the address that others most likely reach, with `local_ip` as that of this machine.
    pub(crate) fn best(&self, local_ip: IpAddr, port: u16) -> SocketAddr {
        let own = self.bind.filter(|ip| !ip.is_unspecified()).unwrap_or(local_ip);
        self.advertised(port).unwrap_or(SocketAddr::new(own, port))
    }

    /// Returns every address: loopback first, then the advertised one or those of the networks, the best first.
    ///
    /// Where the system is short of file descriptors and does not list the networks, `local_ip` takes their place.
    pub(crate) fn all(&self, local_ip: IpAddr, port: u16) -> Vec<SocketAddr> {
        let ips = match (self.bind.filter(|ip| !ip.is_unspecified()), self.advertise) {
            (Some(ip), _) => vec![ip],
            (None, Some(_)) => reachable(Vec::new()),
            (None, None) => match interfaces::list_allowed(&self.filter) {
                Ok(found) if matches!(self.bind, Some(IpAddr::V4(_))) => reachable(interfaces::ipv4(found)),
                Ok(found) => reachable(found),
                Err(_) => reachable(vec![Interface { addr: local_ip, ..Interface::loopback() }]),
            },
        };
        let own = ips.into_iter().map(|ip| SocketAddr::new(ip, port));
        own.chain(self.advertised(port)).collect()
    }

    fn advertised(&self, port: u16) -> Option<SocketAddr> {
        self.advertise.map(|address| address.with_default_port(port).into())
    }
}

/// Returns loopback and the addresses of this machine's networks.
fn reachable(interfaces: Vec<Interface>) -> Vec<IpAddr> {
    let mut ips = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    ips.extend(addresses(&announced(interfaces)).into_iter().filter(|ip| !ip.is_loopback()));
    ips
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_first_then_the_networks() {
        let interface = |addr: [u8; 4]| Interface { addr: addr.into(), ..Interface::loopback() };
        let all = [[127, 0, 0, 1], [203, 0, 113, 5], [192, 168, 1, 5]].map(interface);
        let expected = [[127, 0, 0, 1], [192, 168, 1, 5], [203, 0, 113, 5]].map(IpAddr::from);
        assert_eq!(reachable(all.to_vec()), expected);
        assert_eq!(reachable(Vec::new()), expected[..1]);
    }

    #[test]
    fn advertised_address_takes_the_place_of_the_networks() {
        let mut config = Config { advertise: "203.0.113.5:9000".parse().ok(), ..Config::default() };
        let addresses = ServerAddresses::new(&config);
        assert_eq!(addresses.best([10, 0, 0, 1].into(), 8765).to_string(), "203.0.113.5:9000");
        let all: Vec<String> =
            addresses.all(Ipv4Addr::LOCALHOST.into(), 8765).iter().map(SocketAddr::to_string).collect();
        assert_eq!(all, ["127.0.0.1:8765", "203.0.113.5:9000"]);
        config.bind = Some([10, 0, 0, 1].into());
        assert_eq!(ServerAddresses::new(&config).all(Ipv4Addr::LOCALHOST.into(), 8765)[0].to_string(), "10.0.0.1:8765");
    }
}
