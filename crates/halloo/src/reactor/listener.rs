//! The listening socket: which port, and who may come in.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use halloo_proto::ports::candidates;
use mio::net::TcpListener;
use socket2::{Domain, Protocol, Socket, Type};

use crate::{Config, StartError};

/// Connections the system keeps for us while we are busy; it caps the number itself.
const BACKLOG: i32 = 4096;

/// Binds the first free port of the configured range.
pub(crate) fn bind(config: &Config) -> Result<TcpListener, StartError> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    let mut candidates_left = candidates(config.port, config.strict_port).peekable();
    while let Some(port) = candidates_left.next() {
        match bind_port(config.bind, port) {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                let in_use = error.kind() == io::ErrorKind::AddrInUse;
                last = error;
                // The end of the search is told by the error itself.
                let Some(next) = candidates_left.peek().filter(|_| in_use) else { break };
                tracing::info!("port {port} is in use, trying {next}");
            }
        }
    }
    let ports: Vec<u16> = candidates(config.port, config.strict_port).collect();
    let range = match ports.as_slice() {
        [first, .., last] => format!("{first} to {last}"),
        _ => config.port.to_string(),
    };
    let address = config.bind.map_or_else(|| "any address".to_owned(), |ip| ip.to_string());
    let them = if ports.len() > 1 { "one of them" } else { "it" };
    Err(StartError::Bind { address, ports: range, them, error: last })
}

fn bind_port(ip: Option<IpAddr>, port: u16) -> io::Result<TcpListener> {
    match ip {
        // Some systems would otherwise take no IPv4 on it.
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
    // On Unix this permits a restart while old connections linger; on Windows it would let others steal the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}
