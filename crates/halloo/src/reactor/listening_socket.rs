//! The port of the server: the first one of a range that can be bound and that browsers do not block.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use halloo_proto::ports::{is_blocked_by_browsers, tcp_candidates};
use mio::net::TcpListener;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

#[cfg(windows)]
use super::shared_ports;
use crate::stream::limit_unsent_bytes;
use crate::{Config, StartError, port_owners};

/// Connections that the system queues while the server is busy; the system caps the number itself.
const BACKLOG: i32 = 4096;
/// How many ports the system may assign until one is not blocked by browsers.
const MAX_ASSIGNED: usize = 100;

/// Returns the configured socket, or opens one on the first port of the configured range that is neither in use nor forbidden.
pub(super) fn open(config: &Config) -> Result<TcpListener, StartError> {
    let socket = match (&config.listener, config.port) {
        (Some(listener), _) => adopt(listener).map_err(StartError::Listener)?,
        (None, 0) => bind_assigned(config).map_err(|error| describe(config, error))?,
        (None, _) => bind_candidate(config).map_err(|error| describe(config, error))?,
    };
    let port = socket.local_addr().map_err(StartError::system("read the port of the listening socket"))?.port();
    if is_blocked_by_browsers(port) {
        tracing::warn!(
            "browsers block port {port} (ERR_UNSAFE_PORT), so only other programs can connect; choose another port"
        );
    }
    Ok(socket)
}

/// Prepares a socket that was opened elsewhere.
fn adopt(listener: &std::net::TcpListener) -> io::Result<TcpListener> {
    let socket = Socket::from(listener.try_clone()?);
    socket.set_nonblocking(true)?;
    limit_unsent_bytes(SockRef::from(&socket));
    // Has no effect on a socket that listens, and fails for one that is a connection.
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

fn bind_candidate(config: &Config) -> io::Result<TcpListener> {
    bind_first(tcp_candidates(config.port, config.strict_port), |port| {
        #[cfg(windows)]
        shared_ports::check(config.bind, port)?;
        bind_port(config.bind, port)
    })
}

/// Binds the first port that can be bound. A port can be forbidden because it needs a privilege, or because Windows reserves
/// it, which it reports as WSAEACCES.
fn bind_first<T>(ports: impl Iterator<Item = u16>, mut bind: impl FnMut(u16) -> io::Result<T>) -> io::Result<T> {
    let mut failure = io::Error::from(io::ErrorKind::AddrInUse);
    let mut untried = ports.peekable();
    let mut is_first = true;
    while let Some(port) = untried.next() {
        let error = match bind(port) {
            Ok(socket) => return Ok(socket),
            Err(error) => error,
        };
        let problem = match error.kind() {
            io::ErrorKind::AddrInUse => "is in use",
            io::ErrorKind::PermissionDenied => "is forbidden by the system",
            _ => return Err(error),
        };
        if let Some(next) = untried.peek() {
            tracing::info!("port {port} {problem}, trying {next}");
        }
        // A port in use is the better advice: the user can stop the program that uses it.
        if std::mem::take(&mut is_first) || error.kind() == io::ErrorKind::AddrInUse {
            failure = error;
        }
    }
    Err(failure)
}

/// Binds a port that the system assigns, preferably one that browsers do not block.
fn bind_assigned(config: &Config) -> io::Result<TcpListener> {
    // Held, so that the system assigns another one.
    let mut blocked = Vec::new();
    while blocked.len() < MAX_ASSIGNED {
        match bind_port(config.bind, 0) {
            Ok(socket) if is_blocked_by_browsers(socket.local_addr()?.port()) => blocked.push(socket),
            Ok(socket) => return Ok(socket),
            Err(error) if blocked.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    blocked.pop().ok_or_else(|| io::ErrorKind::AddrInUse.into())
}

fn describe(config: &Config, error: io::Error) -> StartError {
    let tried: Vec<u16> = tcp_candidates(config.port, config.strict_port).collect();
    let ports = match tried.as_slice() {
        [first, .., last] => format!("{first}-{last}"),
        _ => config.port.to_string(),
    };
    let mut owners = Vec::new();
    if error.kind() == io::ErrorKind::AddrInUse {
        for owner in tried.into_iter().flat_map(|port| port_owners::find("TCP", port)) {
            if !owners.contains(&owner) {
                owners.push(owner);
            }
        }
    }
    let address = config.bind.map_or_else(|| "any address".to_owned(), |ip| ip.to_string());
    StartError::Bind { address, ports, owners, error }
}

fn bind_port(ip: Option<IpAddr>, port: u16) -> io::Result<TcpListener> {
    match ip {
        // Some systems accept no IPv4 connections on an IPv6 socket by default.
        Some(ip) => listen(SocketAddr::new(ip, port), ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        None => match listen(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port), true) {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                // A machine without IPv6 still serves IPv4.
                listen(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port), false)
            }
            outcome => outcome,
        },
    }
}

fn listen(address: SocketAddr, dual_stack: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if dual_stack {
        socket.set_only_v6(false)?;
    }
    // On Unix this permits a restart while old connections linger; on Windows it would let other programs take the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    limit_unsent_bytes(SockRef::from(&socket));
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_that_the_system_forbids_are_passed_over_like_those_in_use() {
        use io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied};
        let bound = |errors: &[io::ErrorKind]| {
            let bind = |port: u16| errors.get(usize::from(port)).map_or(Ok(port), |&kind| Err(kind.into()));
            bind_first(0..3, bind).map_err(|error| error.kind())
        };
        assert_eq!(bound(&[PermissionDenied]), Ok(1));
        assert_eq!(bound(&[PermissionDenied, AddrInUse]), Ok(2));
        assert_eq!(bound(&[PermissionDenied; 3]), Err(PermissionDenied));
        // A port in use is the better advice.
        assert_eq!(bound(&[PermissionDenied, AddrInUse, PermissionDenied]), Err(AddrInUse));
        assert_eq!(bound(&[AddrNotAvailable]), Err(AddrNotAvailable));
    }

    #[test]
    #[cfg(windows)]
    fn a_reserved_port_is_a_forbidden_one() {
        assert_eq!(io::Error::from_raw_os_error(10013).kind(), io::ErrorKind::PermissionDenied);
    }
}
