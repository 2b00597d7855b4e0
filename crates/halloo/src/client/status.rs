//! The status of a server, requested once.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use halloo_proto::credential::Credential;
use halloo_proto::proof::{Challenge, PROOF_HEADER};
use halloo_proto::reconnect::is_final_status;
use halloo_proto::text::escape;
use halloo_proto::url::Url;

use super::authentication::Authentication;
use super::config::ClientConfig;
use super::dial::unreachable;
use super::failure::{Failure, Progress};
use super::route::Route;
use super::timed_socket::{RequestTimeouts, TimedSocket};
use crate::cancellable_thread::Cancel;
use crate::tls::Connector;
use crate::{Status, StatusError};

/// A server on the local network answers in milliseconds, and the status of ten thousand clients takes a few seconds over
/// bad Wi-Fi.
const TIMEOUTS: RequestTimeouts = RequestTimeouts { step: Duration::from_secs(3), total: Duration::from_secs(10) };
/// Bytes of a response that are read at most: ten thousand clients take a tenth of it.
const MAX_RESPONSE: u64 = 16 * 1024 * 1024;
/// Bytes of a reason that are kept: advice with a fingerprint and several names of a certificate.
const MAX_REASON_BYTES: usize = 1000;
/// Maximum number of headers in a response; that of a server has a tenth of it.
const MAX_HEADERS: usize = 64;

/// Returns the status of the server that `config` is for. Blocks for ten seconds at most for each address of the
/// server, after the search for a server that is given by its name.
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
    status_within(config, TIMEOUTS)
}

fn status_within(config: &ClientConfig, timeouts: RequestTimeouts) -> Result<Status, StatusError> {
    let mut route = Route::new(config)?;
    let mut addresses = route.known.clone();
    if addresses.is_empty() {
        let found = route.lookup.run(&config.search, &Cancel::default()).map_err(StatusError::Unreachable)?;
        route.learn(&found);
        addresses = found.addresses;
    }
    let mut authentication = Authentication::new(config.token.as_ref().or(route.token()).cloned());
    let mut failure = None;
    for addr in addresses {
        authentication.begin();
        match ask(config, &route, &mut authentication, addr, timeouts) {
            Ok(status) => return Ok(status),
            Err(error) => {
                let is_final = error.status.is_some_and(is_final_status) && route.is_confirmed_at(addr, None);
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

/// Requests the status from one address, and again when the server asks for a proof of the token.
fn ask(
    config: &ClientConfig,
    route: &Route,
    authentication: &mut Authentication,
    addr: SocketAddr,
    timeouts: RequestTimeouts,
) -> Result<Status, Failure> {
    let url = route.url(addr);
    let deadline = Instant::now() + timeouts.total;
    loop {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| Failure::from(format!("cannot get random numbers: {error}")))?;
        let credential = authentication.credential(addr, url.is_secure(), route.challenge(), nonce);
        let socket = TimedSocket::connect(addr, timeouts.step, deadline).map_err(|error| unreachable(addr, error))?;
        let response = request(config, route, &url, socket, credential.as_ref())?;
        let StatusResponse { status, body, challenge, proof } =
            StatusResponse::parse(&response).ok_or_else(|| foreign(addr))?;
        if status == 401 && authentication.handle_unauthorized(addr, credential.as_ref(), challenge) {
            continue;
        }
        if status != 200 {
            return Err(Failure::refused(status, escape(body.trim(), 300)));
        }
        let checked = credential.map_or(Ok(()), |credential| credential.check_response(proof));
        let wrong = |reason| format!("the server at {url} is not the right one: {reason}");
        checked.map_err(|reason| Failure::new(Progress::Refused, wrong(reason)))?;
        return serde_json::from_str(&body).map_err(|_| foreign(addr));
    }
}

fn foreign(addr: SocketAddr) -> Failure {
    Failure::new(Progress::Connected, format!("{addr} answers, but it is not a halloo server"))
}

/// Sends one request, and returns the whole response.
fn request(
    config: &ClientConfig,
    route: &Route,
    url: &Url,
    socket: TimedSocket,
    credential: Option<&Credential>,
) -> Result<Vec<u8>, Failure> {
    let failed = |reason: String| Failure::new(Progress::Connected, reason);
    let lost = |error: io::Error| {
        failed(format!("cannot read the status of {url}: {}", escape(&error.to_string(), MAX_REASON_BYTES)))
    };
    let authorization = credential.and_then(Credential::authorization);
    let authorization = authorization.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
    let host = url.authority();
    let request = format!("GET /status HTTP/1.1\r\nHost: {host}\r\n{authorization}Connection: close\r\n\r\n");
    let response = if url.is_secure() {
        let mut connector = Connector::new(config.fingerprint.or(route.fingerprint()), config.setting_names);
        let session = connector.connect(url.host()).map_err(failed)?;
        session.request(socket, request.as_bytes(), MAX_RESPONSE)
    } else {
        request_plain(socket, request.as_bytes())
    };
    response.map_err(lost)
}

/// The response to a request for the status.
struct StatusResponse<'a> {
    status: u16,
    body: Cow<'a, str>,
    challenge: Option<(Challenge, bool)>,
    proof: Option<&'a str>,
}

impl StatusResponse<'_> {
    /// Parses a response. Interim responses are skipped (RFC 9110 section 15.2). Returns `None` if it is not HTTP.
    fn parse(mut response: &[u8]) -> Option<StatusResponse<'_>> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut head = httparse::Response::new(&mut headers);
            let httparse::Status::Complete(length) = head.parse(response).ok()? else { return None };
            let status = head.code?;
            let body = &response[length..];
            if !(100..200).contains(&status) {
                let proof = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(PROOF_HEADER));
                return Some(StatusResponse {
                    status,
                    body: String::from_utf8_lossy(body),
                    challenge: Challenge::from_headers(head.headers),
                    proof: proof.and_then(|header| std::str::from_utf8(header.value).ok()),
                });
            }
            response = body;
        }
    }
}

fn request_plain(mut socket: TimedSocket, request: &[u8]) -> io::Result<Vec<u8>> {
    socket.write_all(request)?;
    let mut response = Vec::new();
    socket.take(MAX_RESPONSE).read_to_end(&mut response)?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::thread::JoinHandle;

    use super::*;

    const TIMEOUTS: RequestTimeouts =
        RequestTimeouts { step: Duration::from_secs(20), total: Duration::from_millis(300) };

    /// Starts a server that sends `start` and then a byte every few milliseconds, until the client leaves.
    fn start_trickling_server(start: &'static [u8]) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let serve = move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
            stream.write_all(start).unwrap();
            while is_open(&mut stream) && stream.write_all(b" ").is_ok() {}
        };
        (addr, std::thread::spawn(serve))
    }

    /// Waits a few milliseconds, unless the client sends something.
    fn is_open(stream: &mut TcpStream) -> bool {
        match stream.read(&mut [0; 1024]) {
            Ok(count) => count > 0,
            Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }

    #[test]
    fn a_server_that_sends_a_byte_at_a_time_is_given_up_at_the_deadline() {
        let mut cases = vec![("ws", &b"HTTP/1.1 200 OK\r\n\r\n"[..]), ("ws", b"HTTP/1.1 200 OK\r\nX: ")];
        if cfg!(feature = "tls") {
            // The header of a handshake record of 16 KiB.
            cases.push(("wss", b"\x16\x03\x03\x40\x00"));
        }
        for (scheme, start) in cases {
            let (addr, server) = start_trickling_server(start);
            let error = status_within(&ClientConfig::new(format!("{scheme}://{addr}")), TIMEOUTS).unwrap_err();
            assert!(error.to_string().ends_with("it does not respond in time"), "{error}");
            server.join().unwrap();
        }
    }
}
