//! The sockets of multicast DNS: one for each interface and address family, because the system limits in how many groups
//! one socket can be.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::mdns::{Destination, GROUP_V4, GROUP_V6, Link, MAX_PACKET_BYTES, PORT, Transmit};
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::links::LocalLink;
use super::read_budget::ReadBudget;
use crate::discovery::is_shortage;

/// Maximum packets read from one socket in one turn, so that a flood on one interface does not starve the others.
const PACKETS_PER_TURN: usize = 32;
/// Delay until a socket is registered again after that has failed.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// The time to live of each packet, which shows that no router has forwarded it (RFC 6762 section 11).
const HOPS: u32 = 255;

/// A socket on one interface. It sends from `address`.
#[derive(Debug)]
struct LinkSocket {
    link: Link,
    address: IpAddr,
    socket: UdpSocket,
    budget: ReadBudget,
    /// Until when it is not read, and not registered, so that a flood does not wake the poll.
    paused_until: Option<Time>,
    /// Whether a pause was logged, which happens once.
    is_flood_logged: bool,
}

impl LinkSocket {
    fn new(link: &Link, address: IpAddr, socket: UdpSocket) -> LinkSocket {
        let (budget, paused_until, is_flood_logged) = (ReadBudget::default(), None, false);
        LinkSocket { link: link.clone(), address, socket, budget, paused_until, is_flood_logged }
    }

    /// Pauses if the budget is used up. Returns whether it did.
    fn pause(&mut self, registry: &Registry, now: Time) -> bool {
        let Some(until) = self.budget.poll_pause(now) else { return false };
        // If this fails, the poll wakes for packets that stay unread, which only costs time.
        let _ = registry.deregister(&mut self.socket);
        self.paused_until = Some(until);
        if !std::mem::replace(&mut self.is_flood_logged, true) {
            let name = &self.link.name;
            tracing::warn!(
                "too many packets of multicast DNS on {name}: most of them are ignored, and a search by multicast DNS may \
                 take longer; stop the device that sends them"
            );
        }
        true
    }
}

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Sockets {
    registry: Registry,
    token: Token,
    links: Vec<LocalLink>,
    open: Vec<LinkSocket>,
}

impl Sockets {
    /// Creates sockets that wake the poll of `registry` with `token`; none yet.
    pub(super) fn new(registry: Registry, token: Token) -> Sockets {
        Sockets { registry, token, links: Vec::new(), open: Vec::new() }
    }

    /// Opens and closes sockets so that they match the interfaces, and returns these. A socket that cannot be opened is
    /// logged, and tried again the next time. The result is an error if that is worth a try soon: the system is short of
    /// file descriptors.
    pub(super) fn refresh(&mut self, links: Vec<LocalLink>) -> (Vec<Link>, io::Result<()>) {
        let mut opened = Ok(());
        let is_same = |open: &LinkSocket, link: &Link| {
            (open.link.index, &open.link.name) == (link.index, &link.name) && link.addresses.contains(&open.address)
        };
        self.open.retain(|open| links.iter().any(|link| is_same(open, &link.link)));
        for LocalLink { link, .. } in &links {
            for is_ipv4 in [true, false] {
                let is_open = self.open.iter().any(|open| is_same(open, link) && open.address.is_ipv4() == is_ipv4);
                let address = link.addresses.iter().find(|ip| ip.is_ipv4() == is_ipv4);
                let Some(address) = address.filter(|_| !is_open) else { continue };
                match self.open(link, *address) {
                    Ok(socket) => self.open.push(LinkSocket::new(link, *address, socket)),
                    Err(error) => {
                        tracing::debug!("cannot use multicast DNS on {} ({address}): {error}", link.name);
                        if is_shortage(&error) {
                            opened = Err(error);
                        }
                    }
                }
            }
        }
        self.links = links;
        (self.links.iter().map(|link| link.link.clone()).collect(), opened)
    }

    pub(super) fn close(&mut self) {
        self.open.clear();
        self.links.clear();
    }

    /// Sends a packet. A failure is logged, since the network may just be changing.
    pub(super) fn send(&self, transmit: &Transmit) {
        for open in self.open.iter().filter(|open| open.link.index == transmit.interface) {
            let to = match (transmit.to, open.address) {
                (Destination::Multicast, IpAddr::V4(_)) => SocketAddr::new(GROUP_V4.into(), PORT),
                (Destination::Multicast, IpAddr::V6(_)) => group_v6(open.link.index).into(),
                (Destination::Unicast(to), _) if to.is_ipv4() == open.address.is_ipv4() => to,
                (Destination::Unicast(_), _) => continue,
            };
            if let Err(error) = open.socket.send_to(&transmit.bytes, to) {
                tracing::debug!("cannot send multicast DNS from {} ({}): {error}", open.link.name, open.address);
            }
        }
    }

    /// Returns when [`Sockets::resume`] is due; `Time::NEVER` if no socket is paused.
    pub(super) fn poll_timeout(&self) -> Time {
        self.open.iter().filter_map(|open| open.paused_until).min().unwrap_or(Time::NEVER)
    }

    /// Registers the sockets again whose pause is over. The poll then wakes for what waits.
    pub(super) fn resume(&mut self, now: Time) {
        for open in self.open.iter_mut().filter(|open| open.paused_until.is_some_and(|until| until <= now)) {
            let registered = self.registry.register(&mut open.socket, self.token, Interest::READABLE);
            open.paused_until = registered.is_err().then(|| now + RETRY_DELAY);
        }
    }

    /// Reads a limited number of packets, and passes each on with its source and the index of the interface. Returns
    /// whether more may be left, for which there is no new readiness event.
    pub(super) fn receive(&mut self, now: Time, mut handle: impl FnMut(&[u8], SocketAddr, u32)) -> bool {
        let mut more = false;
        let mut buffer = [0; MAX_PACKET_BYTES];
        for open in self.open.iter_mut().filter(|open| open.paused_until.is_none()) {
            let mut left = PACKETS_PER_TURN;
            loop {
                if open.pause(&self.registry, now) {
                    break;
                }
                if left == 0 {
                    more = true;
                    break;
                }
                left -= 1;
                match open.socket.recv_from(&mut buffer) {
                    Ok((length, from)) => {
                        open.budget.take(length, now);
                        if let Some(interface) = interface_of(&self.links, from.ip(), open.link.index) {
                            handle(&buffer[..length], from, interface);
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // Usually ICMP port unreachable in response to a unicast.
                    Err(error) => tracing::debug!("cannot read multicast DNS on {}: {error}", open.link.name),
                }
            }
        }
        more
    }

    fn open(&self, link: &Link, address: IpAddr) -> io::Result<UdpSocket> {
        let socket = match address {
            IpAddr::V4(ip) => open_v4(link, ip)?,
            IpAddr::V6(_) => open_v6(link.index)?,
        };
        let mut socket = UdpSocket::from_std(socket.into());
        self.registry.register(&mut socket, self.token, Interest::READABLE)?;
        Ok(socket)
    }
}

/// Returns the interface on whose network `source` is; `None` if it is on none. Where a system delivers a packet to the
/// sockets of other interfaces, too, the source decides.
fn interface_of(links: &[LocalLink], source: IpAddr, received_on: u32) -> Option<u32> {
    let has_source = |link: &&LocalLink| link.has(source);
    let first = links.iter().find(|link| link.link.index == received_on).filter(has_source);
    first.or_else(|| links.iter().find(has_source)).map(|link| link.link.index)
}

/// Opens a socket that shares the port with the other responders of this machine.
fn shared(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn open_v4(link: &Link, address: Ipv4Addr) -> io::Result<Socket> {
    let socket = shared(Domain::IPV4)?;
    // Otherwise this socket gets what any program on this machine has joined on any interface.
    #[cfg(target_os = "linux")]
    socket.set_multicast_all_v4(false)?;
    // Bound to the group where a system permits it, so that unicasts to the port reach the system's responder.
    let bind_to = |ip| socket.bind(&SocketAddrV4::new(ip, PORT).into());
    if cfg!(any(target_os = "linux", target_os = "android")) {
        bind_to(GROUP_V4).or_else(|_| bind_to(Ipv4Addr::UNSPECIFIED))?;
    } else {
        bind_to(Ipv4Addr::UNSPECIFIED)?;
    }
    join_v4(&socket, link.index, address)?;
    socket.set_multicast_if_v4(&address)?;
    // A system where two interfaces have the same address needs to know which one; not all permit it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket.bind_device(Some(link.name.as_bytes()));
    // Other programs on this machine also search.
    socket.set_multicast_loop_v4(true)?;
    socket.set_multicast_ttl_v4(HOPS)?;
    socket.set_ttl_v4(HOPS)?;
    Ok(socket)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn join_v4(socket: &Socket, index: u32, _: Ipv4Addr) -> io::Result<()> {
    socket.join_multicast_v4_n(&GROUP_V4, &socket2::InterfaceIndexOrAddress::Index(index))
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn join_v4(socket: &Socket, _: u32, address: Ipv4Addr) -> io::Result<()> {
    socket.join_multicast_v4(&GROUP_V4, &address)
}

fn open_v6(index: u32) -> io::Result<Socket> {
    let socket = shared(Domain::IPV6)?;
    socket.set_only_v6(true)?;
    // With its interface, which keeps the packets of others away.
    if cfg!(any(target_os = "linux", target_os = "android")) {
        socket.bind(&group_v6(index).into())?;
    } else {
        socket.bind(&SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, PORT, 0, 0).into())?;
    }
    socket.join_multicast_v6(&GROUP_V6, index)?;
    socket.set_multicast_if_v6(index)?;
    socket.set_multicast_loop_v6(true)?;
    socket.set_multicast_hops_v6(HOPS)?;
    socket.set_unicast_hops_v6(HOPS)?;
    Ok(socket)
}

fn group_v6(index: u32) -> SocketAddrV6 {
    SocketAddrV6::new(GROUP_V6, PORT, 0, index)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use halloo_proto::interfaces::Interface;
    use halloo_test_support::{TEST_TIMEOUT, in_namespace};
    use mio::{Events, Poll};

    use super::*;
    use crate::mdns::links::local_links;

    /// Two cables whose ends are both here, so that one end accepts what the other sends.
    const CABLES: &str =
        "echo 1 >/proc/sys/net/ipv4/conf/all/accept_local; echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter
        for n in 1 2; do
            ip link add a$n type veth peer name b$n
            for end in a b; do
                echo 0 >/proc/sys/net/ipv4/conf/$end$n/rp_filter
                ip addr add 10.9.$n.1$([ $end = a ] || echo 0)/24 dev $end$n
                ip addr add fd00:$n::$end/64 dev $end$n nodad
                ip link set $end$n up
            done
        done";

    /// Opens sockets on these interfaces of the first and the second cable, in both address families.
    fn sockets(poll: &Poll, names: [(&str, [u8; 4], &str); 2]) -> (Sockets, Vec<Link>) {
        let mut links = Vec::new();
        for (name, addr, ipv6) in names {
            let interface = Interface { name: name.into(), addr: addr.into(), ..Interface::loopback() };
            let mut found = local_links(&[interface]).unwrap();
            found[0].link.addresses.push(ipv6.parse().unwrap());
            links.extend(found);
        }
        let mut sockets = Sockets::new(poll.registry().try_clone().unwrap(), Token(0));
        let (links, opened) = sockets.refresh(links);
        opened.unwrap();
        assert_eq!(sockets.open.len(), 4);
        (sockets, links)
    }

    #[test]
    fn packet_arrives_in_both_address_families_and_only_on_its_interface() {
        let name = "mdns::sockets::tests::packet_arrives_in_both_address_families_and_only_on_its_interface";
        if !in_namespace(name, CABLES) {
            return;
        }
        let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(8));
        let (senders, from) = sockets(&poll, [("a1", [10, 9, 1, 1], "fd00:1::a"), ("a2", [10, 9, 2, 1], "fd00:2::a")]);
        let (mut receivers, to) =
            sockets(&poll, [("b1", [10, 9, 1, 10], "fd00:1::b"), ("b2", [10, 9, 2, 10], "fd00:2::b")]);
        for (number, link) in from.iter().enumerate() {
            let bytes = vec![number as u8];
            senders.send(&Transmit { interface: link.index, to: Destination::Multicast, bytes });
        }
        let mut received = Vec::new();
        let mut more = false;
        while received.len() < 4 || more {
            poll.poll(&mut events, Some(TEST_TIMEOUT)).unwrap();
            assert!(more || !events.is_empty(), "{received:?}");
            more = receivers.receive(Time::ZERO, |packet, from, interface| {
                received.push((interface, packet[0], from.is_ipv4(), from.port()));
            });
        }
        // Nothing else arrives.
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        receivers.receive(Time::ZERO, |packet, from, interface| {
            received.push((interface, packet[0], from.is_ipv4(), from.port()));
        });
        received.sort_unstable();
        let expected = [(0, false), (0, true), (1, false), (1, true)];
        let mut expected = expected.map(|(number, ipv4)| (to[number].index, number as u8, ipv4, PORT));
        expected.sort_unstable();
        assert_eq!(received, expected);
    }

    #[test]
    fn flooded_socket_does_not_wake_the_poll_and_is_read_again_after_a_pause() {
        let name = "mdns::sockets::tests::flooded_socket_does_not_wake_the_poll_and_is_read_again_after_a_pause";
        if !in_namespace(name, CABLES) {
            return;
        }
        let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(8));
        let (senders, from) = sockets(&poll, [("a1", [10, 9, 1, 1], "fd00:1::a"), ("a2", [10, 9, 2, 1], "fd00:2::a")]);
        let (mut receivers, _) =
            sockets(&poll, [("b1", [10, 9, 1, 10], "fd00:1::b"), ("b2", [10, 9, 2, 10], "fd00:2::b")]);
        let packet = Transmit { interface: from[0].index, to: Destination::Multicast, bytes: vec![0; 60] };
        let mut read = 0;
        while receivers.poll_timeout() == Time::NEVER {
            senders.send(&packet);
            receivers.receive(Time::ZERO, |_, _, _| read += 1);
            assert!(read < 10_000, "a flood is read without end");
        }
        // The second address family has a budget of its own.
        let resume_at = receivers.poll_timeout();
        let receivers_of = |sockets: &Sockets| sockets.open.iter().filter(|open| open.paused_until.is_some()).count();
        while receivers_of(&receivers) < 2 {
            senders.send(&packet);
            receivers.receive(Time::ZERO, |_, _, _| read += 1);
        }
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        senders.send(&packet);
        poll.poll(&mut events, Some(Duration::from_millis(50))).unwrap();
        assert!(events.is_empty(), "a paused socket wakes the poll: {events:?}");
        let later = resume_at + Duration::from_secs(1);
        receivers.resume(later);
        assert_eq!(receivers.poll_timeout(), Time::NEVER);
        poll.poll(&mut events, Some(TEST_TIMEOUT)).unwrap();
        let before = read;
        receivers.receive(later, |_, _, _| read += 1);
        assert!(read > before, "what arrived during the pause waits");
    }
}
