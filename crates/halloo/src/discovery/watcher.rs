//! Notifications of the system that an interface, an address or a route has changed.

use std::io;

use mio::{Registry, Token};

/// A subscription to these notifications. Android does not allow one to applications, and it is not implemented for the
/// other systems, where the interfaces are listed periodically.
pub(super) struct Watcher(platform::Socket);

impl Watcher {
    /// Subscribes, so that the poll wakes for `token` when something changes.
    pub(super) fn open(registry: &Registry, token: Token) -> io::Result<Watcher> {
        platform::Socket::open(registry, token).map(Watcher)
    }

    /// Discards the notifications: listing the interfaces shows what has changed.
    pub(super) fn handle_readable(&self) {
        self.0.drain();
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod platform {
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};

    use mio::unix::SourceFd;
    use mio::{Interest, Registry, Token};
    use rustix::io::Errno;
    use rustix::net::netlink::SocketAddrNetlink;
    use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

    /// `RTMGRP_LINK`: an interface was added or removed, or its link changed.
    const LINK: u32 = 0x1;
    /// `RTMGRP_IPV4_IFADDR`: an address was added or removed.
    const ADDRESS: u32 = 0x10;
    /// `RTMGRP_IPV4_ROUTE`: the default route decides which address is announced first.
    const ROUTE: u32 = 0x40;

    /// `RTMGRP_IPV6_IFADDR`: the same of IPv6, also once a new address can be used.
    const IPV6_ADDRESS: u32 = 0x100;
    /// `RTMGRP_IPV6_ROUTE`.
    const IPV6_ROUTE: u32 = 0x400;

    /// A netlink route socket (rtnetlink(7)).
    pub(super) struct Socket(OwnedFd);

    impl Socket {
        pub(super) fn open(registry: &Registry, token: Token) -> io::Result<Socket> {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            // Without a protocol number this is NETLINK_ROUTE, whose number is 0.
            let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
            bind(&socket, &SocketAddrNetlink::new(0, LINK | ADDRESS | ROUTE | IPV6_ADDRESS | IPV6_ROUTE))?;
            registry.register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE)?;
            Ok(Socket(socket))
        }

        pub(super) fn drain(&self) {
            let mut buffer = [0; 8192];
            // NOBUFS means that more changed than fits into the socket buffer; the next read continues.
            while let Ok(_) | Err(Errno::INTR | Errno::NOBUFS) = recv(&self.0, &mut buffer[..], RecvFlags::empty()) {}
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod platform {
    use std::io;

    use mio::{Registry, Token};

    pub(super) enum Socket {}

    impl Socket {
        pub(super) fn open(_: &Registry, _: Token) -> io::Result<Socket> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn drain(&self) {
            match *self {}
        }
    }
}
