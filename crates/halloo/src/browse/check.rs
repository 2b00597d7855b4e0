//! A check over TCP whether a server still runs: a non-blocking `GET /discovery.json`.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use halloo_proto::browser::CheckResult;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// Timeout of the whole request: a server on the local network responds in milliseconds, and retransmitting a lost
/// segment takes a second.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum bytes of a response. That of a server has a few hundred, and with the largest properties less than half of this.
const MAX_RESPONSE_BYTES: usize = 16 * 1024;

/// A request in progress.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) addr: SocketAddr,
    pub(super) deadline: Instant,
    stream: TcpStream,
    request: Vec<u8>,
    sent: usize,
    response: Vec<u8>,
    connected: bool,
}

/// The result of a check, owned. See [`CheckResult`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CheckOutcome {
    Body(Vec<u8>),
    Unexpected,
    Refused,
    NoResponse,
}

impl CheckOutcome {
    pub(super) fn as_result(&self) -> CheckResult<'_> {
        match self {
            CheckOutcome::Body(body) => CheckResult::Body(body),
            CheckOutcome::Unexpected => CheckResult::Unexpected,
            CheckOutcome::Refused => CheckResult::Refused,
            CheckOutcome::NoResponse => CheckResult::NoResponse,
        }
    }
}

impl Check {
    /// Starts to connect to `addr` and registers the socket as `token`.
    pub(super) fn start(
        addr: SocketAddr,
        registry: &Registry,
        token: Token,
        now: Instant,
    ) -> Result<Check, CheckOutcome> {
        let mut stream = TcpStream::connect(addr).map_err(|error| connect_failure(&error))?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, token, interest).map_err(|error| connect_failure(&error))?;
        // Without the zone, which has a meaning on this machine only.
        let host = SocketAddr::new(addr.ip(), addr.port());
        let request = format!("GET /discovery.json HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes();
        let (sent, response, connected) = (0, Vec::new(), false);
        Ok(Check { addr, deadline: now + CHECK_TIMEOUT, stream, request, sent, response, connected })
    }

    /// Makes progress without blocking. Returns the outcome when the check is complete or has timed out.
    pub(super) fn advance(&mut self, now: Instant) -> Option<CheckOutcome> {
        match self.exchange() {
            Ok(outcome) => Some(outcome),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let timed_out = if self.connected { CheckOutcome::Unexpected } else { CheckOutcome::NoResponse };
                (now >= self.deadline).then_some(timed_out)
            }
            Err(_) if self.connected => Some(CheckOutcome::Unexpected),
            Err(error) => Some(connect_failure(&error)),
        }
    }

    fn exchange(&mut self) -> io::Result<CheckOutcome> {
        if !self.connected {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            match self.stream.peer_addr() {
                Ok(_) => self.connected = true,
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Err(error) => return Err(error),
            }
        }
        while self.sent < self.request.len() {
            match self.stream.write(&self.request[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let mut buffer = [0; 2048];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(body(&self.response, true).map_or(CheckOutcome::Unexpected, CheckOutcome::Body)),
                Ok(count) => self.response.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if let Some(body) = body(&self.response, false) {
                return Ok(CheckOutcome::Body(body));
            }
            if self.response.len() > MAX_RESPONSE_BYTES {
                return Ok(CheckOutcome::Unexpected);
            }
        }
    }
}

fn connect_failure(error: &io::Error) -> CheckOutcome {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => CheckOutcome::Refused,
        _ => CheckOutcome::NoResponse,
    }
}

/// Returns the body of a response with status 200 if it is complete: as long as its Content-Length or, without one,
/// once the connection has `ended` (RFC 9112 section 6.3). Interim responses before it are skipped (RFC 9110 section 15.2).
fn body(bytes: &[u8], ended: bool) -> Option<Vec<u8>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes).ok()? else { return None };
    if matches!(response.code, Some(100 | 102..=199)) {
        return body(&bytes[head..], ended);
    }
    if response.code != Some(200) {
        return None;
    }
    let content_length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let Some(content_length) = content_length else { return ended.then(|| bytes[head..].to_vec()) };
    let length: usize = std::str::from_utf8(content_length.value).ok()?.trim().parse().ok()?;
    Some(bytes.get(head..head.checked_add(length)?)?.to_vec())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use mio::Poll;

    use super::*;

    #[test]
    fn a_server_that_sends_a_byte_at_a_time_is_given_up_at_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (poll, now) = (Poll::new().unwrap(), Instant::now());
        let mut check = Check::start(listener.local_addr().unwrap(), poll.registry(), Token(0), now).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        for (byte, millis) in b"HTTP/1.1 200 OK\r\n\r\n{".iter().zip((0..2000).step_by(80)) {
            server.write_all(&[*byte]).unwrap();
            assert_eq!(check.advance(now + Duration::from_millis(millis)), None);
        }
        server.write_all(b" ").unwrap();
        assert_eq!(check.advance(now + CHECK_TIMEOUT), Some(CheckOutcome::Unexpected));
    }

    #[test]
    fn body_is_returned_only_when_complete() {
        let complete = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        for cut in 0..complete.len() {
            assert_eq!(body(&complete[..cut], true), None, "at {cut}");
        }
        assert_eq!(body(complete, false).as_deref(), Some(&b"{}"[..]));
        let until_end = b"HTTP/1.1 200 OK\r\n\r\n{}";
        assert_eq!((body(until_end, false), body(until_end, true).as_deref()), (None, Some(&b"{}"[..])));
        let interim =
            [&b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"[..], complete].concat();
        for cut in 0..interim.len() {
            assert_eq!(body(&interim[..cut], true), None, "at {cut}");
        }
        assert_eq!(body(&interim, false).as_deref(), Some(&b"{}"[..]));
        for invalid in [
            &b"HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"[..],
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n{}",
            b"SSH-2.0-x\r\n",
        ] {
            assert_eq!(body(invalid, true), None);
        }
    }
}
