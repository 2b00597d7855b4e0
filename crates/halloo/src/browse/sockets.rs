//! One socket that hears beacons, and one for each interface that asks.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use halloo_proto::access::AccessRules;
use halloo_proto::browser::Probe;
use halloo_proto::interfaces::{Interface, announced};
use halloo_proto::ports::candidates;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};

use super::config::BrowserConfig;
use crate::discovery::interfaces;

/// Datagrams read from one socket in one turn, so that a flood on one does not hide what another one hears.
const TURN: usize = 64;

/// The UDP sockets of a browser.
#[derive(Debug)]
pub(super) struct Sockets {
    discovery_port: u16,
    local: bool,
    token: Token,
    /// Without it only replies are heard, which every server of this version gives.
    receiver: Option<UdpSocket>,
    senders: Vec<(Interface, UdpSocket)>,
    /// The interfaces as they were when last looked at.
    interfaces: Vec<Interface>,
    /// Our own addresses, with the length of their networks' prefixes.
    networks: Vec<(IpAddr, u8)>,
}

impl Sockets {
    /// Opens what can be opened, all watched as `token`.
    pub(super) fn open(config: &BrowserConfig, registry: &Registry, token: Token) -> io::Result<Sockets> {
        let (discovery_port, local) = (config.discovery_port, config.local);
        let (senders, interfaces, networks) = (Vec::new(), Vec::new(), Vec::new());
        let mut sockets = Sockets { discovery_port, local, token, receiver: None, senders, interfaces, networks };
        let receiver = interfaces::receiver(discovery_port).and_then(|mut receiver| {
            registry.register(&mut receiver, token, Interest::READABLE)?;
            Ok(receiver)
        });
        sockets.refresh(registry);
        match receiver {
            Ok(receiver) => sockets.receiver = Some(receiver),
            Err(error) if sockets.senders.is_empty() => return Err(error),
            Err(error) => tracing::warn!("cannot listen for beacons on UDP port {discovery_port}: {error}"),
        }
        Ok(sockets)
    }

    /// Looks at the interfaces anew, since networks come and go. Whether there is one that was not there before.
    pub(super) fn refresh(&mut self, registry: &Registry) -> bool {
        let loopback = Interface { name: "loopback".into(), addr: Ipv4Addr::LOCALHOST, default_route: false };
        let mut wanted = vec![loopback];
        if !self.local {
            wanted.extend(announced(interfaces::list()).into_iter().filter(|found| !found.addr.is_loopback()));
        }
        self.networks = interfaces::networks();
        let contains = |list: &[Interface], one: &Interface| list.iter().any(|other| is_same(other, one));
        self.senders.retain_mut(|(interface, socket)| {
            let stays = contains(&wanted, interface);
            if !stays {
                forget(registry, socket);
            }
            stays
        });
        for interface in &wanted {
            if self.senders.iter().any(|(open, _)| is_same(open, interface)) {
                continue;
            }
            match open_sender(interface, registry, self.token) {
                Ok(socket) => self.senders.push((interface.clone(), socket)),
                Err(error) => tracing::debug!("no probe from {} ({}): {error}", interface.addr, interface.name),
            }
        }
        let new = wanted.iter().any(|interface| !contains(&self.interfaces, interface));
        self.interfaces = wanted;
        new
    }

    /// Sends a probe. An interface that cannot take it is opened anew for the next one.
    pub(super) fn send(&mut self, probe: Probe, datagram: &[u8], registry: &Registry) {
        let base = self.discovery_port;
        let (one, ports): (_, Vec<u16>) = match probe {
            Probe::All => (None, vec![base]),
            Probe::AllPorts => (None, candidates(base, false).collect()),
            Probe::One(SocketAddr::V4(to)) => (Some(*to.ip()), vec![to.port()]),
            Probe::One(SocketAddr::V6(_)) => return,
        };
        let through = one.and_then(interfaces::address_towards);
        self.senders.retain_mut(|(interface, socket)| {
            let to = match one {
                Some(_) if through != Some(interface.addr) => return true,
                Some(ip) => ip,
                None => interface.broadcast_to(),
            };
            let sent = ports.iter().try_for_each(|port| socket.send_to(datagram, (to, *port).into()).map(drop));
            match sent {
                // A full buffer loses a datagram, as the network does.
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    tracing::debug!("no probe from {} ({}) to {to}: {error}", interface.addr, interface.name);
                    forget(registry, socket);
                    false
                }
                _ => true,
            }
        });
    }

    /// Reads what waits, within limits. Whether more may wait, of which no new edge will tell.
    pub(super) fn receive(&mut self, mut handle: impl FnMut(&[u8], SocketAddr)) -> bool {
        let mut more = false;
        let mut buffer = [0; 2048];
        for socket in self.receiver.iter().chain(self.senders.iter().map(|(_, socket)| socket)) {
            let mut left = TURN;
            loop {
                if left == 0 {
                    more = true;
                    break;
                }
                left -= 1;
                match socket.recv_from(&mut buffer) {
                    Ok((length, from)) if self.is_near(from.ip()) => handle(&buffer[..length], from),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // Mostly the answer to an earlier probe that nobody listens there.
                    Err(error) => tracing::debug!("cannot read a datagram: {error}"),
                }
            }
        }
        more
    }

    /// Broadcasts cross no router, so whatever claims to come from further away is forged.
    fn is_near(&self, from: IpAddr) -> bool {
        if self.local {
            return from.is_loopback() || self.networks.iter().any(|&(own, _)| own == from);
        }
        AccessRules::default().allows_peer(from, &self.networks)
    }
}

fn is_same(one: &Interface, other: &Interface) -> bool {
    (one.addr, &one.name) == (other.addr, &other.name)
}

fn open_sender(interface: &Interface, registry: &Registry, token: Token) -> io::Result<UdpSocket> {
    let mut socket = UdpSocket::from_std(interfaces::sender(interface)?);
    registry.register(&mut socket, token, Interest::READABLE)?;
    Ok(socket)
}

fn forget(registry: &Registry, socket: &mut UdpSocket) {
    // It is closed next, which ends the watching anyway.
    let _ = registry.deregister(socket);
}
