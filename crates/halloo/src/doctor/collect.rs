//! Collects the facts.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use halloo_proto::defaults::{DISCOVERY_PORT, PORT};
use halloo_proto::interfaces::{Interface, announced};

use super::facts::{Echo, Facts, InterfaceFacts, PortFacts};
use super::{firewalls, probing};
use crate::discovery::interfaces;
use crate::port_owners;

/// Limit for a connection to this machine itself, which is established or refused at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Collects the facts about this machine, and probes `own_port` as well as the usual discovery port. It takes about a
/// second, most of which it waits for replies.
pub(super) fn collect(own_port: Option<u16>) -> Facts {
    // The facts contain the error.
    let (listed, list_error) = match interfaces::list() {
        Ok(listed) => (listed, interfaces::list_error()),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let networks: Vec<Interface> = announced(listed).into_iter().filter(|found| !found.addr.is_loopback()).collect();
    let ports = vec![port("TCP", PORT), port("UDP", DISCOVERY_PORT)];
    let probed = probing::probe(&networks, own_port);
    let ranked = networks.iter().enumerate().map(|(index, interface)| InterfaceFacts {
        name: interface.name.clone(),
        addr: interface.addr,
        rank: Some(index + 1),
        reason: interface.reason(),
        default_route: interface.default_route,
        is_virtual: interface.is_virtual(),
        is_tunnel: interface.is_tunnel(),
        broadcast: probed.broadcast.get(index).cloned().unwrap_or_default(),
        multicast: probed.multicast.get(index).cloned().unwrap_or_default(),
    });
    let mut facts = Facts {
        platform: std::env::consts::OS,
        interfaces: ranked.chain(without_link()).collect(),
        interfaces_error: list_error,
        ports,
        discovery_port: probed.discovery_port,
        multicast_error: probed.multicast_error,
        servers: probed.servers,
        firewalls: firewalls::find(),
    };
    let loopback = Interface::loopback();
    for server in facts.servers.iter_mut().filter(|server| server.here) {
        let addresses = networks.iter().chain([&loopback]);
        let (connects, refuses): (Vec<_>, Vec<_>) = addresses.partition(|interface| connects(interface, server.port));
        let addrs = |list: Vec<&Interface>| list.into_iter().map(|interface| interface.addr).collect();
        (server.connects, server.refuses) = (addrs(connects), addrs(refuses));
    }
    facts
}

/// Returns the interfaces that have an address and no link.
fn without_link() -> impl Iterator<Item = InterfaceFacts> {
    interfaces::list_without_link().into_iter().map(|interface| InterfaceFacts {
        addr: interface.addr,
        rank: None,
        reason: "no link".into(),
        default_route: false,
        is_virtual: interface.is_virtual(),
        is_tunnel: interface.is_tunnel(),
        broadcast: Echo::NotSent,
        multicast: Echo::NotSent,
        name: interface.name,
    })
}

fn port(protocol: &'static str, port: u16) -> PortFacts {
    let owners = port_owners::find(protocol, port);
    let bound = match protocol {
        "TCP" => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).map(drop),
        _ => std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).map(drop),
    };
    let in_use = bound.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse);
    PortFacts { protocol, port, in_use: in_use || !owners.is_empty(), owners }
}

fn connects(interface: &Interface, port: u16) -> bool {
    TcpStream::connect_timeout(&interface.at(port), CONNECT_TIMEOUT).is_ok()
}
