//! The interfaces of this machine, and sockets for discovery on them.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, UdpSocket};

use halloo_proto::interface_filter::InterfaceFilter;
use halloo_proto::interfaces::Interface;
use halloo_proto::text::escape;
use socket2::{Domain, Protocol, Socket, Type};

use super::route_table;
use super::shortage::is_shortage;

/// The prefix length of a network that is not known: that of most home networks.
const ASSUMED_PREFIX: u8 = 24;

/// What to do when the system does not list its interfaces.
pub(crate) const LIST_ADVICE: &str = if cfg!(any(target_os = "linux", target_os = "android")) {
    "a sandbox may forbid AF_NETLINK: in a systemd unit, add it to `RestrictAddressFamilies`"
} else {
    "check the permissions of this program"
};

/// Returns every address of every interface that is up. Where the system does not list them, the IPv4 addresses that its
/// routes lead to; the error is logged once.
///
/// # Errors
/// When the system is short of file descriptors or memory. Nothing is known about the interfaces then, which is not the
/// same as none: keep what was known, and list them again later.
pub(crate) fn list() -> io::Result<Vec<Interface>> {
    let default = default_routes()?;
    let found = match if_addrs::get_if_addrs() {
        Ok(found) => found,
        Err(error) if is_shortage(&error) => return Err(error),
        Err(error) => {
            warn_once(&error);
            return routed(&default);
        }
    };
    let mut interfaces = Vec::with_capacity(found.len());
    for found in found.into_iter().filter(if_addrs::Interface::is_oper_up) {
        let interface = interface(found, &default);
        if is_usable(&interface)? {
            interfaces.push(interface);
        }
    }
    Ok(interfaces)
}

/// Returns those of IPv4.
pub(crate) fn ipv4(interfaces: Vec<Interface>) -> Vec<Interface> {
    interfaces.into_iter().filter(|interface| interface.addr.is_ipv4()).collect()
}

/// Returns every address of every interface that is not up.
pub(crate) fn list_without_link() -> Vec<Interface> {
    // The doctor reports the error.
    let found = if_addrs::get_if_addrs().unwrap_or_default().into_iter();
    found.filter(|it| !it.is_oper_up() && !it.is_loopback()).map(|it| interface(it, &[])).collect()
}

fn interface(found: if_addrs::Interface, default: &[IpAddr]) -> Interface {
    let (addr, prefix) = match &found.addr {
        if_addrs::IfAddr::V4(v4) => (IpAddr::V4(v4.ip), v4.prefixlen),
        if_addrs::IfAddr::V6(v6) => (IpAddr::V6(without_index(v6.ip)), v6.prefixlen),
    };
    let (index, default_route) = (found.index.unwrap_or(0), default.contains(&addr));
    Interface { name: found.name, index, addr, prefix, default_route }
}

/// Removes the number of the interface, which some systems derived from BSD write into the second group of a link-local
/// address. On the network it is zero (RFC 4291 section 2.5.6).
fn without_index(ip: Ipv6Addr) -> Ipv6Addr {
    if ip.is_unicast_link_local() { Ipv6Addr::from_bits(ip.to_bits() & !(0xffff << 96)) } else { ip }
}

/// Returns whether the address can be used. A new IPv6 address cannot until the system has made sure that no other machine
/// has it (RFC 4862 section 5.4).
fn is_usable(interface: &Interface) -> io::Result<bool> {
    if interface.addr.is_ipv4() {
        return Ok(true);
    }
    match UdpSocket::bind(interface.at(0)) {
        Err(error) if is_shortage(&error) => Err(error),
        bound => Ok(bound.is_ok()),
    }
}

/// Returns every address of this machine, also of interfaces that are down: connections to it stay on this machine.
///
/// # Errors
/// The same as [`list`].
pub(crate) fn own_addresses() -> io::Result<Vec<IpAddr>> {
    match if_addrs::get_if_addrs() {
        Ok(found) => Ok(found.iter().map(if_addrs::Interface::ip).collect()),
        Err(_) => Ok(list()?.into_iter().map(|interface| interface.addr).collect()),
    }
}

/// Returns why the system does not list its interfaces, if it does not.
pub(crate) fn list_error() -> Option<String> {
    if_addrs::get_if_addrs().err().map(|error| describe(&error))
}

/// Returns the call that failed and its error. Windows does not always set one, and then reports a success.
fn describe(error: &io::Error) -> String {
    let call = if cfg!(windows) { "GetAdaptersAddresses" } else { "getifaddrs" };
    match error.raw_os_error() {
        Some(0) => format!("{call} failed without an error code"),
        _ => format!("{call}: {error}"),
    }
}

fn warn_once(error: &io::Error) {
    static WARNING: std::sync::Once = std::sync::Once::new();
    WARNING.call_once(|| {
        let error = describe(error);
        tracing::warn!("cannot list the network interfaces: {error}; using those of the routes; {LIST_ADVICE}");
    });
}

/// Returns the addresses that the routes lead to: one for each attached network, or that of the default route.
fn routed(default: &[IpAddr]) -> io::Result<Vec<Interface>> {
    let mut found: Vec<Interface> = Vec::new();
    for route in route_table::attached_routes()? {
        let Some(addr) = source_towards(Ipv4Addr::from_bits(route.network.to_bits() | 1).into())? else { continue };
        if !addr.is_loopback() {
            let default_route = default.contains(&addr);
            found.push(Interface { name: route.interface, index: 0, addr, prefix: route.prefix, default_route });
        }
    }
    if let Some(&addr) = default.iter().find(|addr| addr.is_ipv4())
        && found.iter().all(|interface| interface.addr != addr)
    {
        let (name, prefix) = ("default route".into(), ASSUMED_PREFIX);
        found.push(Interface { name, index: 0, addr, prefix, default_route: true });
    }
    found.push(Interface::loopback());
    Ok(found)
}

/// Opens a socket for datagrams to every machine on the network of `interface`: by broadcast, or to the group of IPv6.
pub(crate) fn sender(interface: &Interface) -> io::Result<UdpSocket> {
    if interface.addr.is_ipv6() {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        socket.set_multicast_if_v6(interface.index)?;
        socket.bind(&interface.at(0).into())?;
        return Ok(socket.into());
    }
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
        let _ = socket.bind_device_by_index_v4(std::num::NonZeroU32::new(interface.index));
    }
    socket.bind(&interface.at(0).into())?;
    Ok(socket.into())
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
    share_port(&socket)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Permits other sockets to use the same port, if they also share it.
pub(super) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuse_port(true)?;
    Ok(())
}

/// Returns the interfaces that are up and that `filter` allows.
///
/// # Errors
/// The same as [`list`].
pub(crate) fn list_allowed(filter: &InterfaceFilter) -> io::Result<Vec<Interface>> {
    Ok(list()?.into_iter().filter(|interface| filter.allows(&interface.name)).collect())
}

/// Logs the patterns of `filter` that match no interface, with the interfaces that exist.
pub(crate) fn log_unmatched(filter: &InterfaceFilter) {
    if filter.is_empty() {
        return;
    }
    // Without the list, nothing is known about a match.
    let Ok(found) = if_addrs::get_if_addrs() else { return };
    // Each once, although an interface may have several addresses.
    let names: BTreeSet<String> = found.into_iter().map(|interface| interface.name).collect();
    let names: Vec<String> = names.into_iter().collect();
    for pattern in filter.unmatched(&names) {
        let (pattern, names) = (escape(pattern, 60), escape(&names.join(", "), 600));
        tracing::warn!("no network interface matches `{pattern}` now; the interfaces are {names}");
    }
}

/// Returns whether `ip` is a loopback address or one of an interface that `filter` allows.
///
/// # Errors
/// The same as [`list`].
pub(crate) fn is_allowed(ip: IpAddr, filter: &InterfaceFilter) -> io::Result<bool> {
    if filter.is_empty() || ip.is_loopback() {
        return Ok(true);
    }
    match if_addrs::get_if_addrs() {
        Ok(found) => Ok(found.iter().any(|interface| interface.ip() == ip && filter.allows(&interface.name))),
        Err(_) => Ok(list_allowed(filter)?.iter().any(|interface| interface.addr == ip)),
    }
}

/// Returns whether `ip` is a loopback address or on one of `networks`.
pub(crate) fn is_attached(ip: IpAddr, networks: &[(IpAddr, u8)]) -> bool {
    let is_on = |&(own, prefix): &(IpAddr, u8)| {
        let network = Interface { addr: own, prefix, ..Interface::loopback() };
        network.contains(SocketAddr::new(ip, 0))
    };
    ip.is_loopback() || networks.iter().any(is_on)
}

/// Returns the addresses of the interfaces that `filter` allows, each with the prefix length of its network.
///
/// # Errors
/// The same as [`list`].
pub(crate) fn networks(filter: &InterfaceFilter) -> io::Result<Vec<(IpAddr, u8)>> {
    let Ok(found) = if_addrs::get_if_addrs() else {
        let interfaces = list_allowed(filter)?.into_iter();
        return Ok(interfaces.map(|interface| (interface.addr, interface.prefix)).collect());
    };
    let network = |interface: if_addrs::Interface| match interface.addr {
        if_addrs::IfAddr::V4(v4) => (v4.ip.into(), v4.prefixlen),
        if_addrs::IfAddr::V6(v6) => (v6.ip.into(), v6.prefixlen),
    };
    Ok(found.into_iter().filter(|interface| filter.allows(&interface.name)).map(network).collect())
}

/// Returns the addresses of the default routes, of IPv4 and of IPv6.
fn default_routes() -> io::Result<Vec<IpAddr>> {
    let elsewhere =
        [Ipv4Addr::new(1, 1, 1, 1).into(), Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111).into()];
    elsewhere.into_iter().filter_map(|ip| source_towards(ip).transpose()).collect()
}

/// Returns the address that datagrams to `ip` come from; `None` without a route. Nothing is sent: connecting a UDP socket
/// only consults the routing table.
fn source_towards(ip: IpAddr) -> io::Result<Option<IpAddr>> {
    let any: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let source = || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((ip, 9))?;
        Ok(socket.local_addr()?.ip())
    };
    match source() {
        Err(error) if is_shortage(&error) => Err(error),
        found => Ok(found.ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_list_names_the_call() {
        let call = if cfg!(windows) { "GetAdaptersAddresses" } else { "getifaddrs" };
        let described = |code| describe(&io::Error::from_raw_os_error(code));
        assert_eq!(described(0), format!("{call} failed without an error code"));
        assert_eq!(described(97), format!("{call}: {}", io::Error::from_raw_os_error(97)));
    }

    #[test]
    fn link_local_addresses_are_those_of_the_network() {
        let plain = |ip: &str| without_index(ip.parse().unwrap()).to_string();
        assert_eq!(["fe80:4::1", "fe80::1", "fd00:4::1"].map(plain), ["fe80::1", "fe80::1", "fd00:4::1"]);
    }
}
