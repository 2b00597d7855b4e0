//! The UDP sockets of a browser: one that receives beacons, and one for each interface that sends probes.

use std::io;
use std::net::{IpAddr, SocketAddr};

use halloo_proto::access::AccessRules;
use halloo_proto::browser::Probe;
use halloo_proto::interfaces::{Interface, announced};
use halloo_proto::ports::candidates;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};

use super::config::BrowserConfig;
use crate::discovery::interfaces;

/// Maximum datagrams read from one socket in one turn, so that a flood on one socket does not starve the others.
const DATAGRAMS_PER_TURN: usize = 64;

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Sockets {
    discovery_port: u16,
    local: bool,
    token: Token,
    /// Receives beacons. `None` if no port could be bound; then only servers that reply to probes are found.
    receiver: Option<UdpSocket>,
    /// Send probes and receive the replies.
    senders: Vec<(Interface, UdpSocket)>,
    /// The interfaces at the last refresh.
    interfaces: Vec<Interface>,
    /// The addresses of this machine, with their prefix lengths.
    networks: Vec<(IpAddr, u8)>,
}

impl Sockets {
    /// Opens the sockets and registers them as `token`.
    ///
    /// # Errors
    /// When no socket can be opened. A single one that cannot be opened is logged and skipped.
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

    /// Opens and closes senders so that they match the current interfaces. Returns whether there is a new interface.
    pub(super) fn refresh(&mut self, registry: &Registry) -> bool {
        let mut current = vec![Interface::loopback()];
        if !self.local {
            current.extend(announced(interfaces::list()).into_iter().filter(|found| !found.addr.is_loopback()));
        }
        self.networks = interfaces::networks();
        let contains = |list: &[Interface], one: &Interface| list.iter().any(|other| is_same(other, one));
        self.senders.retain_mut(|(interface, socket)| {
            let exists = contains(&current, interface);
            if !exists {
                deregister(registry, socket);
            }
            exists
        });
        for interface in &current {
            if self.senders.iter().any(|(open, _)| is_same(open, interface)) {
                continue;
            }
            match open_sender(interface, registry, self.token) {
                Ok(socket) => self.senders.push((interface.clone(), socket)),
                Err(error) => {
                    tracing::debug!("cannot send probes from {} ({}): {error}", interface.addr, interface.name)
                }
            }
        }
        let new = current.iter().any(|interface| !contains(&self.interfaces, interface));
        self.interfaces = current;
        new
    }

    /// Sends a probe. A sender that fails is closed, and opened again for the next probe.
    pub(super) fn send(&mut self, probe: Probe, datagram: &[u8], registry: &Registry) {
        let base = self.discovery_port;
        let (target, ports): (_, Vec<u16>) = match probe {
            Probe::All => (None, vec![base]),
            Probe::AllPorts => (None, candidates(base, false).collect()),
            Probe::One(SocketAddr::V4(to)) => (Some(*to.ip()), vec![to.port()]),
            Probe::One(SocketAddr::V6(_)) => return,
        };
        let source = target.and_then(interfaces::address_towards);
        self.senders.retain_mut(|(interface, socket)| {
            let to = match target {
                Some(_) if source != Some(interface.addr) => return true,
                Some(ip) => ip,
                None => interface.broadcast_to(),
            };
            let sent = ports.iter().try_for_each(|port| socket.send_to(datagram, (to, *port).into()).map(drop));
            match sent {
                // A full send buffer loses the datagram, which is no worse than a loss on the network.
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    tracing::debug!(
                        "cannot send a probe from {} ({}) to {to}: {error}",
                        interface.addr,
                        interface.name
                    );
                    deregister(registry, socket);
                    false
                }
                _ => true,
            }
        });
    }

    /// Reads a limited number of datagrams. Returns whether more may be left, for which there is no new readiness
    /// event.
    pub(super) fn receive(&mut self, mut handle: impl FnMut(&[u8], SocketAddr)) -> bool {
        let mut more = false;
        let mut buffer = [0; 2048];
        for socket in self.receiver.iter().chain(self.senders.iter().map(|(_, socket)| socket)) {
            let mut left = DATAGRAMS_PER_TURN;
            loop {
                if left == 0 {
                    more = true;
                    break;
                }
                left -= 1;
                match socket.recv_from(&mut buffer) {
                    Ok((length, from)) if self.accepts(from.ip()) => handle(&buffer[..length], from),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // Usually ICMP port unreachable in response to an earlier probe.
                    Err(error) => tracing::debug!("cannot read a datagram: {error}"),
                }
            }
        }
        more
    }

    /// Returns whether datagrams from this address are handled. Routers do not forward broadcasts, so an address
    /// outside the local network is forged.
    fn accepts(&self, from: IpAddr) -> bool {
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

fn deregister(registry: &Registry, socket: &mut UdpSocket) {
    // An error does not matter, because closing the socket deregisters it, too.
    let _ = registry.deregister(socket);
}
