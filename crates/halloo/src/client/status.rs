//! Asking a server how it is, once and waiting for it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use halloo_proto::text::escape;

use super::ClientConfig;
use super::locate;
use super::target::Route;
use crate::StatusError;
use crate::tls::Connector;

/// For each step: a server on the local network answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest answer that is read: ten thousand clients take a tenth of it.
const ANSWER: u64 = 16 * 1024 * 1024;

/// The status of the server that `config` is for, as the JSON of `GET /status`. Waits at most for seconds.
///
/// ```
/// use halloo::{ClientConfig, Config, Server, status_of};
///
/// let server = Server::start(Config::local())?;
/// let status = status_of(&ClientConfig::new(server.url()))?;
/// assert!(status.contains("\"server_running\": true"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`StatusError`] when nobody is there, or does not want to tell.
pub fn status_of(config: &ClientConfig) -> Result<String, StatusError> {
    let mut route = Route::new(config.target.clone(), config.fingerprint.is_some())?;
    if route.known.is_empty() {
        let found = locate::look(&route.lookup, &config.search).map_err(StatusError::Unreachable)?;
        let addresses = found.addresses.clone();
        route.learn(&found);
        route.known = addresses;
    }
    let (socket, addr) = connect(&route.known)?;
    let url = route.url(addr);
    let lost = |error: io::Error| StatusError::Unreachable(format!("cannot ask {url}: {error}"));
    socket.set_read_timeout(Some(PATIENCE)).and_then(|()| socket.set_write_timeout(Some(PATIENCE))).map_err(lost)?;
    let token = config.token.as_ref().or(url.token());
    let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {}\r\n", token.reveal()));
    let host = url.authority();
    let request = format!("GET /status HTTP/1.1\r\nHost: {host}\r\n{token}Connection: close\r\n\r\n");
    let answer = if url.is_secure() {
        let mut connector = Connector::new(config.fingerprint.or(route.fingerprint()));
        let session = connector.connect(url.host()).map_err(StatusError::Unreachable)?;
        session.ask(socket, request.as_bytes(), ANSWER)
    } else {
        ask(socket, request.as_bytes())
    };
    let answer = String::from_utf8_lossy(&answer.map_err(lost)?).into_owned();
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        Some((_, reason)) => Err(StatusError::Refused(escape(reason.trim(), 300))),
        None => Err(StatusError::Unreachable(format!("what answers at {addr} is no halloo server"))),
    }
}

fn connect(addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), StatusError> {
    let mut failure = String::from("the server has no address");
    for &addr in addresses {
        match TcpStream::connect_timeout(&addr, PATIENCE) {
            Ok(socket) => return Ok((socket, addr)),
            Err(error) => failure = format!("cannot connect to {addr}: {error}"),
        }
    }
    Err(StatusError::Unreachable(failure))
}

fn ask(mut socket: TcpStream, request: &[u8]) -> io::Result<Vec<u8>> {
    socket.write_all(request)?;
    let mut answer = Vec::new();
    socket.take(ANSWER).read_to_end(&mut answer)?;
    Ok(answer)
}
