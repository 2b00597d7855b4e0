//! The UDP sockets of a browser: one that receives beacons, and one for each interface that sends probes.

use std::io;
use std::net::{IpAddr, SocketAddr};

use halloo_proto::access::AccessRules;
use halloo_proto::announcement::{self, MAX_DATAGRAM_SIZE};
use halloo_proto::browser::Probe;
use halloo_proto::interface_filter::InterfaceFilter;
use halloo_proto::interfaces::{Interface, searched, towards};
use halloo_proto::ports::candidates;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};

use super::config::BrowserConfig;
use crate::discovery::{Ipv6Receiver, interfaces};

/// Maximum datagrams read from one socket in one turn, so that a flood on one socket does not starve the others.
const DATAGRAMS_PER_TURN: usize = 64;

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Sockets {
    discovery_port: u16,
    local: bool,
    filter: InterfaceFilter,
    token: Token,
    /// Receives beacons. `None` if no port could be bound; then only servers that reply to probes are found.
    receiver: Option<UdpSocket>,
    /// Receives beacons over IPv6.
    ipv6_receiver: Option<Ipv6Receiver>,
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
        let filter = config.interface_filter();
        interfaces::log_unmatched(&filter);
        let (senders, interfaces, networks) = (Vec::new(), Vec::new(), Vec::new());
        let (receiver, ipv6_receiver) = (None, None);
        let mut sockets =
            Sockets { discovery_port, local, filter, token, receiver, ipv6_receiver, senders, interfaces, networks };
        let receiver = interfaces::receiver(discovery_port).and_then(|mut receiver| {
            registry.register(&mut receiver, token, Interest::READABLE)?;
            if !local {
                sockets.listen_on_ipv6(receiver.local_addr()?.port(), registry);
            }
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

    /// Returns the interfaces at the last refresh.
    #[cfg(feature = "mdns")]
    pub(super) fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// Returns the addresses of this machine, with their prefix lengths, at the last refresh.
    #[cfg(feature = "mdns")]
    pub(super) fn networks(&self) -> &[(IpAddr, u8)] {
        &self.networks
    }

    /// Most networks have IPv4 as well, so an error is only logged.
    fn listen_on_ipv6(&mut self, port: u16, registry: &Registry) {
        let opened = Ipv6Receiver::open(port, registry, self.token);
        let log = |error: &io::Error| tracing::debug!("no discovery over IPv6 on UDP port {port}: {error}");
        self.ipv6_receiver = opened.inspect_err(log).ok();
    }

    /// Opens and closes senders so that they match the current interfaces. Returns whether there is a new interface. If
    /// the system cannot list them for lack of file descriptors, those of the last refresh stay until the next.
    pub(super) fn refresh(&mut self, registry: &Registry) -> bool {
        let listed = if self.local { Ok(Vec::new()) } else { interfaces::list_allowed(&self.filter) };
        let (current, networks) = match (listed, interfaces::networks(&self.filter)) {
            (Ok(current), Ok(networks)) => (searched(current), networks),
            (Err(error), _) | (_, Err(error)) => {
                tracing::debug!("cannot list the network interfaces: {error}");
                return false;
            }
        };
        self.networks = networks;
        if let Some(receiver) = &mut self.ipv6_receiver {
            receiver.join(&current);
        }
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

    /// Sends a probe, by broadcast with this nonce. A sender that fails is closed, and opened again for the next probe.
    pub(super) fn send(&mut self, probe: Probe, nonce: &str, registry: &Registry) {
        let base = self.discovery_port;
        let own;
        let (target, ports, nonce): (_, Vec<u16>, _) = match probe {
            Probe::All => (None, vec![base], nonce),
            Probe::AllPorts => (None, candidates(base, false).collect(), nonce),
            Probe::One(to, one) => {
                own = one.to_string();
                (Some(to), vec![to.port()], own.as_str())
            }
        };
        let source = target.and_then(|to| towards(&self.interfaces, to));
        self.senders.retain_mut(|(interface, socket)| {
            if target.is_some() && !source.is_some_and(|source| is_same(source, interface)) {
                return true;
            }
            let datagram = match target {
                None => to_all(nonce, interface, &self.interfaces),
                Some(_) => announcement::probe(nonce),
            };
            let to = |port| target.unwrap_or_else(|| interface.destination(port));
            let sent = ports.iter().try_for_each(|&port| socket.send_to(&datagram, to(port)).map(drop));
            match sent {
                // A full send buffer loses the datagram, which is no worse than a loss on the network.
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    tracing::debug!("cannot send a probe from {} ({}): {error}", interface.addr, interface.name);
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
        // One byte more, which shows that a datagram is too large.
        let mut buffer = [0; MAX_DATAGRAM_SIZE + 1];
        let receivers = self.receiver.iter().chain(self.ipv6_receiver.as_ref().map(Ipv6Receiver::socket));
        for socket in receivers.chain(self.senders.iter().map(|(_, socket)| socket)) {
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
        let is_near = self.filter.is_empty() || interfaces::is_attached(from, &self.networks);
        is_near && AccessRules::default().allows_peer(from, &self.networks)
    }
}

fn is_same(one: &Interface, other: &Interface) -> bool {
    (one.addr, one.index, &one.name) == (other.addr, other.index, &other.name)
}

/// Returns the probe to all servers on the network of `interface`.
fn to_all(nonce: &str, interface: &Interface, others: &[Interface]) -> Vec<u8> {
    let ipv4 = others.iter().filter(|other| other.name == interface.name).find_map(|other| match other.addr {
        IpAddr::V4(ip) if interface.addr.is_ipv6() => Some(ip),
        _ => None,
    });
    ipv4.map_or_else(|| announcement::probe(nonce), |ip| announcement::probe_besides(nonce, ip))
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
