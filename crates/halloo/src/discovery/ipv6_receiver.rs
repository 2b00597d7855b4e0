//! The socket for discovery over IPv6, which joins the multicast group on every interface.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};

use halloo_proto::interfaces::{IPV6_GROUP, Interface};
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Receives datagrams to the group, and others to the same port. Servers and browsers of this machine share the port.
#[derive(Debug)]
pub(crate) struct Ipv6Receiver {
    socket: UdpSocket,
    /// The numbers of the interfaces on which it is a member of the group.
    joined: BTreeSet<u32>,
}

impl Ipv6Receiver {
    /// Opens the socket and registers it as `token`.
    pub(crate) fn open(port: u16, registry: &Registry, token: Token) -> io::Result<Ipv6Receiver> {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
        // The socket for IPv4 has the same port.
        socket.set_only_v6(true)?;
        super::interfaces::share_port(&socket)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0).into())?;
        let mut socket = UdpSocket::from_std(socket.into());
        registry.register(&mut socket, token, Interest::READABLE)?;
        Ok(Ipv6Receiver { socket, joined: BTreeSet::new() })
    }

    /// Joins the group on the interfaces of this list that have an IPv6 address. The system leaves it on those that are
    /// gone.
    pub(crate) fn join(&mut self, interfaces: &[Interface]) {
        let ipv6 = interfaces.iter().filter(|interface| interface.addr.is_ipv6() && !interface.addr.is_loopback());
        let current: BTreeSet<u32> = ipv6.map(|interface| interface.index).collect();
        self.joined.retain(|index| current.contains(index));
        for &index in current.difference(&self.joined.clone()) {
            match SockRef::from(&self.socket).join_multicast_v6(&IPV6_GROUP, index) {
                // It was a member before the interface was down.
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    tracing::debug!("cannot receive multicast on interface {index}: {error}");
                }
                _ => drop(self.joined.insert(index)),
            }
        }
    }

    /// Returns the socket.
    pub(crate) fn socket(&self) -> &UdpSocket {
        &self.socket
    }
}
