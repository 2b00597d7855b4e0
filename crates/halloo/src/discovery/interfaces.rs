//! The interfaces of this machine, and sockets for discovery on them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, UdpSocket};

use halloo_proto::interfaces::{self as ranking, Interface};
use socket2::{Domain, Protocol, Socket, Type};

use super::route_table;

/// The prefix length of a network that is not known: that of most home networks.
const ASSUMED_PREFIX: u8 = 24;

/// What to do when the system does not list its interfaces.
pub(crate) const LIST_ADVICE: &str = if cfg!(any(target_os = "linux", target_os = "android")) {
    "a sandbox may forbid AF_NETLINK: in a systemd unit, add it to `RestrictAddressFamilies`"
} else {
    "check the permissions of this program"
};

/// Returns every IPv4 address of every interface that is up. Where the system does not list them, those that its routes
/// lead to; the error is logged once.
pub(crate) fn list() -> Vec<Interface> {
    let default = default_route();
    let found = match if_addrs::get_if_addrs() {
        Ok(found) => found,
        Err(error) => {
            warn_once(&error);
            return routed(default);
        }
    };
    let usable = found.into_iter().filter(if_addrs::Interface::is_oper_up);
    let with_v4 = usable.filter_map(|interface| match &interface.addr {
        if_addrs::IfAddr::V4(v4) => Some(Interface {
            addr: v4.ip,
            prefix: v4.prefixlen,
            default_route: default == Some(v4.ip),
            name: interface.name,
        }),
        if_addrs::IfAddr::V6(_) => None,
    });
    with_v4.collect()
}

/// Returns every address of this machine, also of interfaces that are down: connections to it stay on this machine.
pub(crate) fn own_addresses() -> Vec<IpAddr> {
    if_addrs::get_if_addrs().unwrap_or_default().iter().map(if_addrs::Interface::ip).collect()
}

/// Returns why the system does not list its interfaces, if it does not.
pub(crate) fn list_error() -> Option<String> {
    if_addrs::get_if_addrs().err().map(|error| error.to_string())
}

fn warn_once(error: &io::Error) {
    static WARNING: std::sync::Once = std::sync::Once::new();
    WARNING.call_once(|| {
        tracing::warn!("cannot list the network interfaces: {error}; using those of the routes; {LIST_ADVICE}");
    });
}

/// Returns the addresses that the routes lead to: one for each attached network, or that of the default route.
fn routed(default: Option<Ipv4Addr>) -> Vec<Interface> {
    let attached = route_table::attached_routes().into_iter().filter_map(|route| {
        let addr = source_towards(Ipv4Addr::from_bits(route.network.to_bits() | 1))?;
        Some(Interface { name: route.interface, addr, prefix: route.prefix, default_route: default == Some(addr) })
    });
    let mut found: Vec<Interface> = attached.filter(|interface| !interface.addr.is_loopback()).collect();
    if let Some(addr) = default.filter(|&addr| found.iter().all(|interface| interface.addr != addr)) {
        found.push(Interface { name: "default route".into(), addr, prefix: ASSUMED_PREFIX, default_route: true });
    }
    found.push(Interface::loopback());
    found
}

/// Opens a socket that broadcasts through `interface`.
pub(crate) fn sender(interface: &Interface) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    // Where the system does not permit this, the source address selects the interface as far as it can.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if !interface.addr.is_loopback() {
        let _ = socket.bind_device(Some(interface.name.as_bytes()));
    }
    // Here a broadcast follows the default route whatever its source, and is not sent if there is none.
    #[cfg(target_vendor = "apple")]
    if !interface.addr.is_loopback() {
        let _ = socket.bind_device_by_index_v4(index(&interface.name));
    }
    socket.bind(&SocketAddrV4::new(interface.addr, 0).into())?;
    Ok(socket.into())
}

/// Returns the index of an interface.
#[cfg(target_vendor = "apple")]
fn index(name: &str) -> Option<std::num::NonZeroU32> {
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    found.into_iter().find(|interface| interface.name == name)?.index.and_then(std::num::NonZeroU32::new)
}

/// Opens a socket on the discovery port, which the servers and browsers of this machine share. Falls back to the next
/// ports only if a program uses the port exclusively.
pub(crate) fn receiver(base: u16) -> io::Result<mio::net::UdpSocket> {
    bind_receiver(base, &[Ipv4Addr::UNSPECIFIED])
}

/// Opens one for datagrams of this machine only, where the system can distinguish them.
pub(super) fn local_receiver(base: u16) -> io::Result<mio::net::UdpSocket> {
    // Linux delivers a broadcast to the sockets that are bound to its address. Other systems do not bind to a broadcast
    // address; there, the source of every datagram is checked.
    bind_receiver(base, &[Ipv4Addr::new(127, 255, 255, 255), Ipv4Addr::UNSPECIFIED])
}

/// Binds the first free port of the range, on the first of `addresses` that the system supports.
fn bind_receiver(base: u16, addresses: &[Ipv4Addr]) -> io::Result<mio::net::UdpSocket> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for port in halloo_proto::ports::candidates(base, false) {
        for &address in addresses {
            match shared_socket(SocketAddrV4::new(address, port)) {
                Ok(socket) => return Ok(mio::net::UdpSocket::from_std(socket.into())),
                Err(error) => last = error,
            }
            if last.kind() == io::ErrorKind::AddrInUse {
                break;
            }
        }
    }
    Err(last)
}

/// Opens a socket whose port other programs can use as well, if they also share it.
fn shared_socket(address: SocketAddrV4) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Returns the addresses of this machine, each with the prefix length of its network.
pub(crate) fn networks() -> Vec<(IpAddr, u8)> {
    let Ok(found) = if_addrs::get_if_addrs() else {
        return list().into_iter().map(|interface| (interface.addr.into(), interface.prefix)).collect();
    };
    let network = |interface: if_addrs::Interface| match interface.addr {
        if_addrs::IfAddr::V4(v4) => (v4.ip.into(), v4.prefixlen),
        if_addrs::IfAddr::V6(v6) => (v6.ip.into(), v6.prefixlen),
    };
    found.into_iter().map(network).collect()
}

/// Returns the address of this machine on the network of `source`; `None` if `source` is on none of its networks. An
/// interface without a link may have an address of that network, too.
pub(crate) fn address_towards(source: Ipv4Addr) -> Option<Ipv4Addr> {
    ranking::address_towards(&list(), source)
}

/// Returns the address of the default route.
fn default_route() -> Option<Ipv4Addr> {
    source_towards(Ipv4Addr::new(1, 1, 1, 1))
}

/// Returns the address that datagrams to `ip` come from. Nothing is sent: connecting a UDP socket only consults the routing
/// table.
fn source_towards(ip: Ipv4Addr) -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((ip, 9)).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}
