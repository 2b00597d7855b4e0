//! Collects the facts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use halloo_proto::defaults::{DISCOVERY_PORT, PORT};
use halloo_proto::interfaces::{Interface, announced};

use super::facts::{Echo, Facts, InterfaceFacts, PortFacts};
use super::{firewalls, holders, probing};
use crate::discovery::interfaces;

/// For a connection to this very machine, which is made or refused at once.
const CONNECT_TIME: Duration = Duration::from_secs(1);

/// Looks at everything, and for a server at `also`; takes about a second, most of which is listening for answers.
pub(super) fn examine(also: Option<u16>) -> Facts {
    let networks: Vec<Interface> =
        announced(interfaces::list()).into_iter().filter(|found| !found.addr.is_loopback()).collect();
    let ports = vec![port("TCP", PORT), port("UDP", DISCOVERY_PORT)];
    let heard = probing::probe(&networks, also);
    let ranked = networks.iter().enumerate().map(|(index, interface)| InterfaceFacts {
        name: interface.name.clone(),
        addr: interface.addr,
        rank: Some(index + 1),
        reason: interface.reason(),
        default_route: interface.default_route,
        is_virtual: interface.is_virtual(),
        is_tunnel: interface.is_tunnel(),
        broadcast: heard.broadcast.get(index).cloned().unwrap_or_default(),
        multicast: heard.multicast.get(index).cloned().unwrap_or_default(),
    });
    let mut facts = Facts {
        platform: std::env::consts::OS,
        interfaces: ranked.chain(left_out()).collect(),
        ports,
        discovery_port: heard.discovery_port,
        multicast_error: heard.multicast_error,
        servers: heard.servers,
        firewalls: firewalls::find(),
    };
    for server in facts.servers.iter_mut().filter(|server| server.here) {
        let own = networks.iter().map(|interface| interface.addr).chain([Ipv4Addr::LOCALHOST]);
        (server.connects, server.refuses) = own.partition(|&addr| connects(addr, server.port));
    }
    facts
}

/// Interfaces that have an address and no link.
fn left_out() -> impl Iterator<Item = InterfaceFacts> {
    let found = if_addrs::get_if_addrs().unwrap_or_default().into_iter();
    let down = found.filter(|interface| !interface.is_oper_up() && !interface.is_loopback());
    down.filter_map(|interface| {
        let IpAddr::V4(addr) = interface.ip() else { return None };
        let known = Interface { name: interface.name, addr, default_route: false };
        Some(InterfaceFacts {
            addr,
            rank: None,
            reason: "no link".into(),
            default_route: false,
            is_virtual: known.is_virtual(),
            is_tunnel: known.is_tunnel(),
            broadcast: Echo::NotTried,
            multicast: Echo::NotTried,
            name: known.name,
        })
    })
}

fn port(protocol: &'static str, port: u16) -> PortFacts {
    let holders = holders::of(protocol, port);
    let bound = match protocol {
        "TCP" => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).map(drop),
        _ => std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).map(drop),
    };
    let in_use = bound.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse);
    PortFacts { protocol, port, in_use: in_use || !holders.is_empty(), holders }
}

fn connects(addr: Ipv4Addr, port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from((addr, port)), CONNECT_TIME).is_ok()
}
