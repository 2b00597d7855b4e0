//! The interfaces of this machine, and a socket that speaks through just one of them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, UdpSocket};

use halloo_proto::interfaces::Interface;
use socket2::{Domain, Protocol, Socket, Type};

/// Every IPv4 address of every interface that is up. An error is the same as no interface, and is told in the log.
pub(crate) fn list() -> Vec<Interface> {
    let default = default_route();
    let found = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!("cannot list the network interfaces: {error}");
        Vec::new()
    });
    let usable = found.into_iter().filter(if_addrs::Interface::is_oper_up);
    let with_v4 = usable.filter_map(|interface| match &interface.addr {
        if_addrs::IfAddr::V4(v4) => {
            Some(Interface { addr: v4.ip, default_route: default == Some(v4.ip), name: interface.name })
        }
        if_addrs::IfAddr::V6(_) => None,
    });
    with_v4.collect()
}

/// A fresh socket that broadcasts through `interface`.
pub(crate) fn sender(interface: &Interface) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    // Where the system does not permit this, the source address chooses the interface as well as it can.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if !interface.addr.is_loopback() {
        let _ = socket.bind_device(Some(interface.name.as_bytes()));
    }
    // Here a broadcast follows the default route whatever its source, and goes nowhere when there is none.
    #[cfg(target_vendor = "apple")]
    if !interface.addr.is_loopback() {
        let _ = socket.bind_device_by_index_v4(index(&interface.name));
    }
    socket.bind(&SocketAddrV4::new(interface.addr, 0).into())?;
    Ok(socket.into())
}

/// The number of an interface.
#[cfg(target_vendor = "apple")]
fn index(name: &str) -> Option<std::num::NonZeroU32> {
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    found.into_iter().find(|interface| interface.name == name)?.index.and_then(std::num::NonZeroU32::new)
}

/// A socket that hears what comes to the discovery port, shared with the other servers and browsers of this machine.
/// It falls back to the next ports only when somebody holds the port for himself.
pub(crate) fn receiver(base: u16) -> io::Result<mio::net::UdpSocket> {
    bind_receiver(base, &[Ipv4Addr::UNSPECIFIED])
}

/// The same for what programs of this machine call to one another, where the system can tell it from the rest.
pub(super) fn local_receiver(base: u16) -> io::Result<mio::net::UdpSocket> {
    // Linux delivers a broadcast to the sockets bound to its address, and replies from them have a source of their
    // own; other systems do not bind to a broadcast address, and there every datagram is looked at for its source.
    bind_receiver(base, &[Ipv4Addr::new(127, 255, 255, 255), Ipv4Addr::UNSPECIFIED])
}

/// Binds the first port of the range that can be had, to the first of `addresses` that the system knows.
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

/// A socket whose port others may have as well, if they say so, too.
fn shared_socket(address: SocketAddrV4) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Our own IPv4 addresses, with the length of their networks' prefixes.
pub(crate) fn networks() -> Vec<(IpAddr, u8)> {
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    let with_v4 = found.into_iter().filter_map(|interface| match interface.addr {
        if_addrs::IfAddr::V4(v4) => Some((v4.ip.into(), v4.prefixlen)),
        if_addrs::IfAddr::V6(_) => None,
    });
    with_v4.collect()
}

/// The address of ours on the network that `source` is attached to; `None` when it is not attached to any.
pub(crate) fn address_towards(source: Ipv4Addr) -> Option<Ipv4Addr> {
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    found.into_iter().find_map(|interface| match interface.addr {
        if_addrs::IfAddr::V4(v4) => {
            let same = (v4.ip.to_bits() ^ source.to_bits()) & v4.netmask.to_bits() == 0;
            (same && v4.prefixlen > 0).then_some(v4.ip)
        }
        if_addrs::IfAddr::V6(_) => None,
    })
}

/// The address of the default route, found without sending anything: connecting a UDP socket only asks the table.
fn default_route() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(1, 1, 1, 1), 9)).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}
