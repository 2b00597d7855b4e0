//! The status of a server, requested once.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use halloo_proto::reconnect::is_final_status;
use halloo_proto::text::escape;

use super::config::ClientConfig;
use super::dial::unreachable;
use super::failure::{Failure, Progress};
use super::route::Route;
use crate::tls::Connector;
use crate::{Status, StatusError};

/// Limit for each step: a server on the local network answers in milliseconds.
const STEP_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of a response that are read at most: ten thousand clients take a tenth of it.
const MAX_RESPONSE: u64 = 16 * 1024 * 1024;

/// Returns the status of the server that `config` is for. Blocks for a few seconds at most.
///
/// ```
/// use halloo::{ClientConfig, Config, Server, status_of};
///
/// let server = Server::start(Config::local())?;
/// let status = status_of(&ClientConfig::new(server.url()))?;
/// assert!(status.server_running);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`StatusError`] when the server cannot be reached or refuses, or when what answers is no halloo server.
pub fn status_of(config: &ClientConfig) -> Result<Status, StatusError> {
    let mut route = Route::new(config)?;
    let mut addresses = route.known.clone();
    if addresses.is_empty() {
        let found = route.lookup.run(&config.search).map_err(StatusError::Unreachable)?;
        route.learn(&found);
        addresses = found.addresses;
    }
    let mut failure = None;
    for addr in addresses {
        match request(config, &route, addr) {
            Ok(status) => return Ok(status),
            Err(error) => {
                let is_final = error.status.is_some_and(is_final_status);
                failure = Some(match failure.take() {
                    Some(earlier) => Failure::or_further(earlier, Some(error)),
                    None => error,
                });
                if is_final {
                    break;
                }
            }
        }
    }
    let failure = failure.unwrap_or_else(Failure::no_address);
    Err(match failure.status {
        Some(status) => StatusError::Refused { status, reason: failure.reason },
        None => StatusError::Unreachable(failure.reason),
    })
}

/// Requests the status from one address.
fn request(config: &ClientConfig, route: &Route, addr: SocketAddr) -> Result<Status, Failure> {
    let url = route.url(addr);
    let failed = |reason: String| Failure::new(Progress::Connected, reason);
    let lost = |error: io::Error| failed(format!("cannot read the status of {url}: {error}"));
    let socket = TcpStream::connect_timeout(&addr, STEP_TIMEOUT).map_err(|error| unreachable(addr, error))?;
    socket
        .set_read_timeout(Some(STEP_TIMEOUT))
        .and_then(|()| socket.set_write_timeout(Some(STEP_TIMEOUT)))
        .map_err(lost)?;
    let token = config.token.as_ref().or(url.token());
    let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {}\r\n", token.reveal()));
    let host = url.authority();
    let request = format!("GET /status HTTP/1.1\r\nHost: {host}\r\n{token}Connection: close\r\n\r\n");
    let response = if url.is_secure() {
        let mut connector = Connector::new(config.fingerprint.or(route.fingerprint()), config.setting_names);
        let session = connector.connect(url.host()).map_err(failed)?;
        session.request(socket, request.as_bytes(), MAX_RESPONSE)
    } else {
        request_plain(socket, request.as_bytes())
    };
    let response = String::from_utf8_lossy(&response.map_err(lost)?).into_owned();
    let foreign = || failed(format!("{addr} answers, but it is not a halloo server"));
    let mut response = response.as_str();
    // Interim responses are skipped (RFC 9110 section 15.2).
    while response.starts_with("HTTP/1.1 1")
        && let Some((_, rest)) = response.split_once("\r\n\r\n")
    {
        response = rest;
    }
    match response.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => serde_json::from_str(body).map_err(|_| foreign()),
        Some((head, reason)) => {
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(foreign)?;
            Err(Failure::refused(status, escape(reason.trim(), 300)))
        }
        None => Err(foreign()),
    }
}

fn request_plain(mut socket: TcpStream, request: &[u8]) -> io::Result<Vec<u8>> {
    socket.write_all(request)?;
    let mut response = Vec::new();
    socket.take(MAX_RESPONSE).read_to_end(&mut response)?;
    Ok(response)
}
