//! The interfaces of this machine, and a socket that speaks through just one of them.

use std::io;
use std::net::{SocketAddrV4, UdpSocket};

use halloo_proto::interfaces::Interface;
use socket2::{Domain, Protocol, Socket, Type};

/// Every IPv4 address of every interface that is up. An error is the same as no interface, and is told in the log.
pub(super) fn list() -> Vec<Interface> {
    let default = super::default_route();
    let found = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot list the network interfaces");
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
pub(super) fn sender(interface: &Interface) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    // Where the system does not permit this, the source address chooses the interface as well as it can.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if !interface.addr.is_loopback() {
        let _ = socket.bind_device(Some(interface.name.as_bytes()));
    }
    socket.bind(&SocketAddrV4::new(interface.addr, 0).into())?;
    Ok(socket.into())
}
