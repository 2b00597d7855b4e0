//! Asking a server over TCP whether it is still there: `GET /discovery.json`, without ever waiting.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use halloo_proto::browser::CheckResult;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// For the whole question: a server on the local network answers in milliseconds, a lost segment costs a second.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer that is read; a server's takes a tenth of it.
const ANSWER: usize = 8 * 1024;

/// A question on its way.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) addr: SocketAddr,
    pub(super) deadline: Instant,
    stream: TcpStream,
    request: Vec<u8>,
    sent: usize,
    answer: Vec<u8>,
    connected: bool,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Body(Vec<u8>),
    Odd,
    Refused,
    Silence,
}

impl Outcome {
    pub(super) fn as_result(&self) -> CheckResult<'_> {
        match self {
            Outcome::Body(body) => CheckResult::Body(body),
            Outcome::Odd => CheckResult::Unexpected,
            Outcome::Refused => CheckResult::Refused,
            Outcome::Silence => CheckResult::NoResponse,
        }
    }
}

impl Check {
    /// Begins to connect to `addr`, watched as `token`.
    pub(super) fn start(addr: SocketAddr, registry: &Registry, token: Token, now: Instant) -> Result<Check, Outcome> {
        let mut stream = TcpStream::connect(addr).map_err(|error| failure(&error))?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, token, interest).map_err(|error| failure(&error))?;
        let request = format!("GET /discovery.json HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n").into_bytes();
        let (sent, answer, connected) = (0, Vec::new(), false);
        Ok(Check { addr, deadline: now + PATIENCE, stream, request, sent, answer, connected })
    }

    /// Does what can be done without waiting; the outcome once there is one.
    pub(super) fn advance(&mut self, now: Instant) -> Option<Outcome> {
        match self.exchange() {
            Ok(outcome) => Some(outcome),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // Something took the connection, at least.
                let late = if self.connected { Outcome::Odd } else { Outcome::Silence };
                (now >= self.deadline).then_some(late)
            }
            Err(_) if self.connected => Some(Outcome::Odd),
            Err(error) => Some(failure(&error)),
        }
    }

    fn exchange(&mut self) -> io::Result<Outcome> {
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
                Ok(0) => return Ok(body(&self.answer, true).map_or(Outcome::Odd, Outcome::Body)),
                Ok(count) => self.answer.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if let Some(body) = body(&self.answer, false) {
                return Ok(Outcome::Body(body));
            }
            if self.answer.len() > ANSWER {
                return Ok(Outcome::Odd);
            }
        }
    }
}

fn failure(error: &io::Error) -> Outcome {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Outcome::Refused,
        _ => Outcome::Silence,
    }
}

/// The body of a 200, if it is whole: as long as told, or, when nothing is told, `ended` (RFC 9112 section 6.3).
fn body(answer: &[u8], ended: bool) -> Option<Vec<u8>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(answer).ok()? else { return None };
    if response.code != Some(200) {
        return None;
    }
    let told = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let Some(told) = told else { return ended.then(|| answer[head..].to_vec()) };
    let length: usize = std::str::from_utf8(told.value).ok()?.trim().parse().ok()?;
    Some(answer.get(head..head.checked_add(length)?)?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::body;

    #[test]
    fn a_body_is_whole_or_none() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        for cut in 0..whole.len() {
            assert_eq!(body(&whole[..cut], true), None, "at {cut}");
        }
        assert_eq!(body(whole, false).as_deref(), Some(&b"{}"[..]));
        let until_end = b"HTTP/1.1 200 OK\r\n\r\n{}";
        assert_eq!((body(until_end, false), body(until_end, true).as_deref()), (None, Some(&b"{}"[..])));
        for odd in [
            &b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n{}",
            b"SSH-2.0-x\r\n",
        ] {
            assert_eq!(body(odd, true), None);
        }
    }
}
