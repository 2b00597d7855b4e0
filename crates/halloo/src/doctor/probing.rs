//! Sends a datagram through each network, and receives it again along with the replies of servers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use halloo_proto::announcement::{Announcement, probe as probe_datagram};
use halloo_proto::defaults::DISCOVERY_PORT;
use halloo_proto::interfaces::Interface;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::facts::{Echo, FoundServer};
use crate::discovery::{Ipv6Receiver, interfaces};

/// How long to wait for replies. The last datagram is sent after two fifths of it.
const LISTEN_TIME: Duration = Duration::from_secs(1);
/// When to send. A datagram may be lost, so it is sent several times.
const SENDS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(400)];
/// Maximum servers that are recorded: anyone can send replies.
const MAX_SERVERS: usize = 256;
const MDNS_GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const MDNS_PORT: u16 = 5353;
/// A query for `_halloo._tcp.local` (RFC 1035): header with one question, then name, type PTR, class IN. The first
/// two bytes are an identifier, by which it is recognised when it comes back.
const QUERY: &[u8] = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x07_halloo\x04_tcp\x05local\0\0\x0c\0\x01";

/// What was received.
#[derive(Debug, Default)]
pub(super) struct ProbeResult {
    /// For each interface.
    pub(super) broadcast: Vec<Echo>,
    /// For each interface.
    pub(super) multicast: Vec<Echo>,
    pub(super) discovery_port: Option<u16>,
    pub(super) multicast_error: Option<String>,
    pub(super) servers: Vec<FoundServer>,
}

/// The socket for one network.
struct Sender {
    interface: Interface,
    socket: mio::net::UdpSocket,
}

/// Sends probes through `networks` and loopback, to the usual discovery port and to `own_port`.
pub(super) fn probe(networks: &[Interface], own_port: Option<u16>) -> ProbeResult {
    let mut result = ProbeResult { broadcast: vec![Echo::NotSent; networks.len()], ..ProbeResult::default() };
    result.multicast.clone_from(&result.broadcast);
    if let Err(error) = run(networks, own_port, &mut result) {
        tracing::warn!("cannot probe the networks: {error}");
    }
    result
}

fn run(networks: &[Interface], own_port: Option<u16>, result: &mut ProbeResult) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut senders = senders(networks, result);
    let mut beacons = interfaces::receiver(DISCOVERY_PORT).ok();
    result.discovery_port = beacons.as_ref().and_then(|socket| socket.local_addr().ok()).map(|addr| addr.port());
    let mut mdns = mdns_sockets(networks).unwrap_or_else(|error| {
        result.multicast_error = Some(error.to_string());
        Vec::new()
    });
    // The others count from 0: the senders, then the receivers.
    let group_token = Token(senders.len() + 1 + mdns.len());
    let mut group = result.discovery_port.and_then(|port| Ipv6Receiver::open(port, poll.registry(), group_token).ok());
    if let Some(group) = &mut group {
        group.join(networks);
    }
    let sockets = senders.iter_mut().flatten().map(|sender| &mut sender.socket);
    for (index, socket) in sockets.chain(&mut beacons).chain(&mut mdns).enumerate() {
        poll.registry().register(socket, Token(index), Interest::READABLE)?;
    }

    let mut id = [0; 2];
    // Without entropy, two diagnoses at the same time could mistake each other's datagrams for their own.
    let _ = getrandom::fill(&mut id);
    let nonce = format!("doctor{:02x}{:02x}", id[0], id[1]);
    let query = [&id[..], &QUERY[2..]].concat();
    let port = result.discovery_port.unwrap_or(DISCOVERY_PORT);
    let (start, mut sends) = (Instant::now(), SENDS.into_iter().peekable());
    let mut events = Events::with_capacity(16);
    loop {
        while sends.next_if(|&at| start.elapsed() >= at).is_some() {
            for (index, sender) in senders.iter().enumerate() {
                let Some(sender) = sender else { continue };
                let sent = sender.send(&probe_datagram(&nonce), port);
                if let Some(other) = own_port.filter(|&other| other != port) {
                    // Only datagrams to the usual port decide whether broadcasts come back.
                    let _ = sender.send(&probe_datagram(&nonce), other);
                }
                record_sent(result.broadcast.get_mut(index), sent);
                if !mdns.is_empty() && index < networks.len() && sender.interface.addr.is_ipv4() {
                    let sent = sender.socket.send_to(&query, (MDNS_GROUP, MDNS_PORT).into());
                    record_sent(result.multicast.get_mut(index), sent);
                }
            }
        }
        let elapsed = start.elapsed();
        if elapsed >= LISTEN_TIME {
            return Ok(());
        }
        let next = sends.peek().copied().unwrap_or(LISTEN_TIME);
        match poll.poll(&mut events, Some(next.saturating_sub(elapsed))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for receiver in beacons.iter().chain(group.as_ref().map(Ipv6Receiver::socket)) {
            receive_all(Some(receiver), |datagram, from| {
                let ours = Announcement::parse(datagram).is_some_and(|it| it.nonce.as_ref() == Some(&nonce));
                record_echo(&mut result.broadcast, networks, ours, from);
            });
        }
        for socket in &mdns {
            receive_all(Some(socket), |datagram, from| {
                record_echo(&mut result.multicast, networks, datagram.starts_with(&query), from);
            });
        }
        for sender in senders.iter().flatten() {
            receive_all(Some(&sender.socket), |datagram, from| {
                let reply = Announcement::parse(datagram).filter(|it| it.nonce.as_ref() == Some(&nonce));
                if let Some(reply) = reply.filter(|it| it.service == "websocket_server_reply") {
                    record_reply(&mut result.servers, &reply, from, sender.interface.addr, networks);
                }
            });
        }
    }
}

/// Opens a socket for each network and a last one for loopback; `None` where the system refuses.
fn senders(networks: &[Interface], result: &mut ProbeResult) -> Vec<Option<Sender>> {
    let open = |interface: &Interface| -> io::Result<Sender> {
        let socket = interfaces::sender(interface)?;
        if let IpAddr::V4(ip) = &interface.addr {
            socket.set_multicast_ttl_v4(255)?;
            socket.set_multicast_loop_v4(true)?;
            socket2::SockRef::from(&socket).set_multicast_if_v4(ip)?;
        }
        Ok(Sender { interface: interface.clone(), socket: mio::net::UdpSocket::from_std(socket) })
    };
    let mut senders = Vec::new();
    for (index, interface) in networks.iter().chain([&Interface::loopback()]).enumerate() {
        let opened = open(interface);
        if let (Err(error), Some(echo)) = (&opened, result.broadcast.get_mut(index)) {
            *echo = Echo::Refused(error.to_string());
        }
        senders.push(opened.ok());
    }
    senders
}

/// Opens a socket for each network that receives multicast DNS, besides the other programs that do. One socket for all would
/// exceed the number of groups that a system permits.
fn mdns_sockets(networks: &[Interface]) -> io::Result<Vec<mio::net::UdpSocket>> {
    let ipv4 = networks.iter().filter_map(|interface| match interface.addr {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    });
    ipv4.map(mdns_socket).collect()
}

fn mdns_socket(ip: Ipv4Addr) -> io::Result<mio::net::UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, MDNS_PORT).into())?;
    // An interface without multicast shows by the queries that do not come back.
    let _ = socket.join_multicast_v4(&MDNS_GROUP, &ip);
    Ok(mio::net::UdpSocket::from_std(socket.into()))
}

impl Sender {
    fn send(&self, datagram: &[u8], port: u16) -> io::Result<usize> {
        self.socket.send_to(datagram, self.interface.destination(port))
    }
}

/// Records that a datagram was sent, or why not. It counts as silent until it comes back.
fn record_sent(echo: Option<&mut Echo>, sent: io::Result<usize>) {
    if let Some(echo) = echo
        && *echo != Echo::Received
    {
        *echo = sent.map_or_else(|error| Echo::Refused(error.to_string()), |_| Echo::Silent);
    }
}

fn record_echo(echoes: &mut [Echo], networks: &[Interface], ours: bool, from: SocketAddr) {
    let index = networks.iter().position(|interface| from.ip() == interface.addr);
    if let Some(echo) = index.filter(|_| ours).and_then(|index| echoes.get_mut(index)) {
        *echo = Echo::Received;
    }
}

fn record_reply(
    servers: &mut Vec<FoundServer>,
    reply: &Announcement,
    from: SocketAddr,
    via: IpAddr,
    networks: &[Interface],
) {
    let (Some(id), Some(port)) = (reply.clean_id(), reply.port()) else { return };
    let here = from.ip().is_loopback() || networks.iter().any(|interface| from.ip() == interface.addr);
    let known = servers.iter().position(|server| server.id == id);
    if known.is_none() && servers.len() >= MAX_SERVERS {
        return;
    }
    let index = known.unwrap_or_else(|| {
        let name = reply.display_name();
        let (replied_via, connects, refuses) = Default::default();
        servers.push(FoundServer { id, name, port, here, replied_via, connects, refuses });
        servers.len() - 1
    });
    if let Some(server) = servers.get_mut(index) {
        server.here |= here;
        if !server.replied_via.contains(&via) {
            server.replied_via.push(via);
        }
    }
}

/// Handles the datagrams that wait in a socket.
fn receive_all(socket: Option<&mio::net::UdpSocket>, handle: impl FnMut(&[u8], SocketAddr)) {
    if let Some(socket) = socket {
        receive_each(|buffer| socket.recv_from(buffer), handle);
    }
}

fn receive_each(
    mut receive: impl FnMut(&mut [u8]) -> io::Result<(usize, SocketAddr)>,
    mut handle: impl FnMut(&[u8], SocketAddr),
) {
    let mut buffer = [0; 2048];
    // More than the system keeps for a socket; during a flood, the next turn continues.
    for _ in 0..256 {
        match receive(&mut buffer) {
            Ok((length, from)) => handle(&buffer[..length], from),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            // Usually the notification that nothing listens where an earlier probe went, which Windows reports as a reset.
            // The poll wakes again only after a read has found nothing.
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_behind_an_error_are_received() {
        let from = SocketAddr::from(([127, 0, 0, 1], 8766));
        let reset = || Err(io::ErrorKind::ConnectionReset.into());
        let mut results =
            [reset(), Ok((1, from)), reset(), Ok((2, from)), Err(io::ErrorKind::WouldBlock.into())].into_iter();
        let mut received = Vec::new();
        receive_each(|_| results.next().unwrap(), |datagram, _| received.push(datagram.len()));
        assert_eq!((received, results.len()), (vec![1, 2], 0));
    }
}
