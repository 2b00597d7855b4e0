//! Whether another program listens on a port, where the system lets several programs bind it.
//!
//! Windows refuses an address that another socket has, but not all addresses of a port when another socket has one of them,
//! nor, to a program of the same user, one address of a port when another socket has all. A connection then reaches the socket
//! with the more specific address. (Microsoft, "Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE".)

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// Returns an error if a socket is bound to `port` on an address that overlaps `ip`, or on any if `ip` is `None`.
pub(super) fn check(ip: Option<IpAddr>, port: u16) -> io::Result<()> {
    check_by(ip, |ip| bind(SocketAddr::new(ip, port)))
}

/// Does it by `bind`, which is to release the address again.
fn check_by(ip: Option<IpAddr>, mut bind: impl FnMut(IpAddr) -> io::Result<()>) -> io::Result<()> {
    for &address in overlapping(ip) {
        match bind(address) {
            Err(error) if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {
                return Err(error);
            }
            // Such as one of a family that the machine lacks.
            _ => {}
        }
    }
    Ok(())
}

/// Returns the addresses other than `ip` that programs commonly listen on and that overlap it. The system checks a socket for
/// all addresses of both families against those of each family.
fn overlapping(ip: Option<IpAddr>) -> &'static [IpAddr] {
    const V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    const V4_LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V6_LOOPBACK: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
    match ip {
        None | Some(V6) => &[V4_LOOPBACK, V6_LOOPBACK],
        Some(V4) => &[V4_LOOPBACK],
        Some(IpAddr::V4(_)) => &[V4],
        Some(IpAddr::V6(_)) => &[V6],
    }
}

/// Binds a socket to `address` and closes it.
fn bind(address: SocketAddr) -> io::Result<()> {
    Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?.bind(&address.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Checks a port of which other programs have the addresses in `held`.
    fn check_beside(ip: Option<&str>, held: &[&str], kind: io::ErrorKind) -> Result<(), io::ErrorKind> {
        let bind = |address: IpAddr| {
            if held.iter().any(|held| address == held.parse::<IpAddr>().unwrap()) { Err(kind.into()) } else { Ok(()) }
        };
        check_by(ip.map(|ip| ip.parse().unwrap()), bind).map_err(|error| error.kind())
    }

    #[test]
    fn an_overlapping_address_of_another_program_is_found() {
        for kind in [io::ErrorKind::AddrInUse, io::ErrorKind::PermissionDenied] {
            for (ip, held) in [
                (None, "127.0.0.1"),
                (None, "::1"),
                (Some("::"), "127.0.0.1"),
                (Some("0.0.0.0"), "127.0.0.1"),
                (Some("127.0.0.1"), "0.0.0.0"),
                (Some("192.0.2.7"), "0.0.0.0"),
                (Some("::1"), "::"),
            ] {
                assert_eq!(check_beside(ip, &[held], kind), Err(kind), "{ip:?} beside {held}");
            }
        }
    }

    #[test]
    fn separate_addresses_and_missing_families_are_no_obstacle() {
        for (ip, held) in [(Some("192.0.2.7"), "127.0.0.1"), (Some("127.0.0.1"), "::1"), (Some("::1"), "0.0.0.0")] {
            assert_eq!(check_beside(ip, &[held], io::ErrorKind::AddrInUse), Ok(()), "{ip:?} beside {held}");
        }
        assert_eq!(check_beside(None, &["::1"], io::ErrorKind::AddrNotAvailable), Ok(()));
    }

    #[test]
    fn a_port_that_another_socket_has_is_found() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = check(None, held.local_addr().unwrap().port()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
