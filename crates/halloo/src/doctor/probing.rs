//! Sends a datagram through each network, hears whether it comes back, and who answers.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use halloo_proto::announcement::{Announcement, probe as probe_datagram};
use halloo_proto::defaults::DISCOVERY_PORT;
use halloo_proto::interfaces::Interface;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::facts::{Echo, ServerFacts};
use crate::discovery::interfaces;

/// How long answers are waited for; the last datagram goes out after two fifths of it.
const LISTEN_TIME: Duration = Duration::from_secs(1);
/// When to send: whatever is lost is sent again.
const SENDS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(400)];
const MDNS_GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const MDNS_PORT: u16 = 5353;
/// A question for `_halloo._tcp.local` (RFC 1035): header with one question, then name, type PTR, class IN. The first
/// two bytes are an identifier, by which it is known when it comes back.
const QUESTION: &[u8] = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x07_halloo\x04_tcp\x05local\0\0\x0c\0\x01";

/// What came back.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// For each interface.
    pub(super) broadcast: Vec<Echo>,
    /// For each interface.
    pub(super) multicast: Vec<Echo>,
    pub(super) discovery_port: Option<u16>,
    pub(super) multicast_error: Option<String>,
    pub(super) servers: Vec<ServerFacts>,
}

/// One network: what was asked through it.
struct Asked {
    own: Ipv4Addr,
    to: Ipv4Addr,
    socket: mio::net::UdpSocket,
}

/// Probes through `networks` and through loopback; a server that listens at another port there as well.
pub(super) fn probe(networks: &[Interface], also: Option<u16>) -> Heard {
    let mut heard = Heard { broadcast: vec![Echo::NotTried; networks.len()], ..Heard::default() };
    heard.multicast.clone_from(&heard.broadcast);
    if let Err(error) = run(networks, also, &mut heard) {
        tracing::warn!("cannot probe the networks: {error}");
    }
    heard
}

fn run(networks: &[Interface], also: Option<u16>, heard: &mut Heard) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut asked = senders(networks, heard);
    let mut beacons = interfaces::receiver(DISCOVERY_PORT).ok();
    heard.discovery_port = beacons.as_ref().and_then(|socket| socket.local_addr().ok()).map(|addr| addr.port());
    let mut questions = questions(networks).map_err(|error| heard.multicast_error = Some(error.to_string())).ok();
    let sockets = asked.iter_mut().flatten().map(|asked| &mut asked.socket);
    for (index, socket) in sockets.chain(&mut beacons).chain(&mut questions).enumerate() {
        poll.registry().register(socket, Token(index), Interest::READABLE)?;
    }

    let mut id = [0; 2];
    // Without entropy two examinations at one moment could take each other's datagrams for their own.
    let _ = getrandom::fill(&mut id);
    let nonce = format!("doctor{:02x}{:02x}", id[0], id[1]);
    let question = [&id[..], &QUESTION[2..]].concat();
    let port = heard.discovery_port.unwrap_or(DISCOVERY_PORT);
    let (start, mut sends) = (Instant::now(), SENDS.into_iter().peekable());
    let mut events = Events::with_capacity(16);
    loop {
        while sends.next_if(|&at| start.elapsed() >= at).is_some() {
            for (index, asked) in asked.iter().enumerate() {
                let Some(asked) = asked else { continue };
                let sent = asked.send(&probe_datagram(&nonce), asked.to, port);
                if let Some(other) = also.filter(|&other| other != port) {
                    // Whether datagrams get through is judged by those to the usual port.
                    let _ = asked.send(&probe_datagram(&nonce), asked.to, other);
                }
                note(heard.broadcast.get_mut(index), sent);
                if questions.is_some() && index < networks.len() {
                    note(heard.multicast.get_mut(index), asked.send(&question, MDNS_GROUP, MDNS_PORT));
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
        each(beacons.as_ref(), |datagram, from| {
            let ours = Announcement::parse(datagram).is_some_and(|it| it.nonce.as_ref() == Some(&nonce));
            came_back(&mut heard.broadcast, networks, ours, from);
        });
        each(questions.as_ref(), |datagram, from| {
            came_back(&mut heard.multicast, networks, datagram.starts_with(&question), from);
        });
        for asked in asked.iter().flatten() {
            each(Some(&asked.socket), |datagram, from| {
                let reply = Announcement::parse(datagram).filter(|it| it.nonce.as_ref() == Some(&nonce));
                if let Some(reply) = reply.filter(|it| it.service == "websocket_server_reply") {
                    answered(&mut heard.servers, &reply, from, asked.own, networks);
                }
            });
        }
    }
}

/// One socket for each network and a last one for loopback; `None` where the system gives none.
fn senders(networks: &[Interface], heard: &mut Heard) -> Vec<Option<Asked>> {
    let loopback = Interface { name: "loopback".into(), addr: Ipv4Addr::LOCALHOST, default_route: false };
    let open = |interface: &Interface| -> io::Result<Asked> {
        let socket = interfaces::sender(interface)?;
        socket.set_multicast_ttl_v4(255)?;
        socket.set_multicast_loop_v4(true)?;
        socket2::SockRef::from(&socket).set_multicast_if_v4(&interface.addr)?;
        let socket = mio::net::UdpSocket::from_std(socket);
        Ok(Asked { own: interface.addr, to: interface.broadcast_to(), socket })
    };
    let mut asked = Vec::new();
    for (index, interface) in networks.iter().chain([&loopback]).enumerate() {
        let opened = open(interface);
        if let (Err(error), Some(echo)) = (&opened, heard.broadcast.get_mut(index)) {
            *echo = Echo::Refused(error.to_string());
        }
        asked.push(opened.ok());
    }
    asked
}

/// Listens to multicast DNS beside whoever else does.
fn questions(networks: &[Interface]) -> io::Result<mio::net::UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, MDNS_PORT).into())?;
    let socket: UdpSocket = socket.into();
    for interface in networks {
        // An interface without multicast shows by what does not come back.
        let _ = socket.join_multicast_v4(&MDNS_GROUP, &interface.addr);
    }
    Ok(mio::net::UdpSocket::from_std(socket))
}

impl Asked {
    fn send(&self, datagram: &[u8], to: Ipv4Addr, port: u16) -> io::Result<usize> {
        self.socket.send_to(datagram, SocketAddrV4::new(to, port).into())
    }
}

/// What was sent counts as silent until it is heard.
fn note(echo: Option<&mut Echo>, sent: io::Result<usize>) {
    if let Some(echo) = echo
        && *echo != Echo::Heard
    {
        *echo = sent.map_or_else(|error| Echo::Refused(error.to_string()), |_| Echo::Silent);
    }
}

fn came_back(echoes: &mut [Echo], networks: &[Interface], ours: bool, from: SocketAddr) {
    let index = networks.iter().position(|interface| from.ip() == interface.addr);
    if let Some(echo) = index.filter(|_| ours).and_then(|index| echoes.get_mut(index)) {
        *echo = Echo::Heard;
    }
}

fn answered(
    servers: &mut Vec<ServerFacts>,
    reply: &Announcement,
    from: SocketAddr,
    via: Ipv4Addr,
    networks: &[Interface],
) {
    let (Some(id), Some(port)) = (reply.clean_id(), reply.port()) else { return };
    let here = from.ip().is_loopback() || networks.iter().any(|interface| from.ip() == interface.addr);
    let known = servers.iter().position(|server| server.id == id);
    let index = known.unwrap_or_else(|| {
        let name = reply.display_name();
        let (answered_via, connects, refuses) = Default::default();
        servers.push(ServerFacts { id, name, port, here, answered_via, connects, refuses });
        servers.len() - 1
    });
    if let Some(server) = servers.get_mut(index) {
        server.here |= here;
        if !server.answered_via.contains(&via) {
            server.answered_via.push(via);
        }
    }
}

/// Everything that waits in a socket.
fn each(socket: Option<&mio::net::UdpSocket>, mut handle: impl FnMut(&[u8], SocketAddr)) {
    let mut buffer = [0; 2048];
    // Bounded by what the system keeps for the socket, but for a flood, which the next turn goes on with.
    for _ in 0..256 {
        let Some(Ok((length, from))) = socket.map(|socket| socket.recv_from(&mut buffer)) else { return };
        handle(&buffer[..length], from);
    }
}
