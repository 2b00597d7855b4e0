//! The opening handshake on a connected socket.

use std::io;

use halloo_proto::Time;
use halloo_proto::credential::Credential;
use halloo_proto::defaults::HANDSHAKE_TIMEOUT;
use halloo_proto::handshake::{Handshake, Response};
use halloo_proto::proof::Challenge;
use halloo_proto::read_budget::ReadBudget;
use halloo_proto::text::escape;
use halloo_proto::url::Url;

use super::connected_socket::ConnectedSocket;

/// Bytes of a reason that are kept: advice with a fingerprint and several names.
const MAX_REASON_BYTES: usize = 1000;

/// An opening handshake (RFC 6455 section 4.1) whose response is incomplete.
#[derive(Debug)]
pub(super) struct OpeningHandshake {
    pub(super) socket: ConnectedSocket,
    pub(super) url: Url,
    pub(super) deadline: Time,
    handshake: Handshake,
    /// The part of the request that is not written yet.
    request: Vec<u8>,
    response: Vec<u8>,
    /// More may wait to be read, for which the poll does not wake again.
    readable: bool,
}

/// The result of an opening handshake.
#[derive(Debug)]
pub(super) enum HandshakeResult {
    /// The server accepted.
    Accepted {
        /// The bytes that followed its response.
        early: Vec<u8>,
        /// Whether it named its id, as it was asked to.
        has_named_id: bool,
        /// The subprotocol that it chose, if any.
        subprotocol: Option<String>,
    },
    /// The server refused with this HTTP status and reason, and a challenge if it requires a token.
    Refused(u16, String, Option<(Challenge, bool)>),
    /// The peer is not the server that is meant.
    WrongServer(&'static str),
    /// The peer is not a WebSocket server.
    NotWebSocket(&'static str),
    /// The certificate of the peer is not trusted.
    NotTrusted(String),
    /// The peer speaks no TLS, or breaks its rules.
    NoTls(String),
    /// The connection was lost, or the response took too long.
    Lost(String),
}

impl OpeningHandshake {
    pub(super) fn new(socket: ConnectedSocket, url: Url, handshake: Handshake, now: Time) -> OpeningHandshake {
        // Otherwise short messages wait for an acknowledgement for up to 200 ms. It fails on a dead socket only.
        let _ = socket.stream.socket().set_nodelay(true);
        let request = handshake.request(&url);
        let deadline = now + HANDSHAKE_TIMEOUT;
        OpeningHandshake { socket, url, deadline, handshake, request, response: Vec::new(), readable: false }
    }

    /// Returns how the request shows that the client knows the token.
    pub(super) fn credential(&self) -> Option<&Credential> {
        self.handshake.given_credential()
    }

    /// Returns whether to call [`OpeningHandshake::handle_ready`] again without waiting for the poll.
    pub(super) fn is_readable(&self) -> bool {
        self.readable
    }

    /// Writes and reads as far as the socket and the read budget allow. Returns `None` while the response is incomplete.
    /// `buffer` is used for reading.
    pub(super) fn handle_ready(&mut self, buffer: &mut [u8]) -> Option<HandshakeResult> {
        match self.exchange(buffer) {
            Ok(result) => result,
            // TLS reports what is wrong with the bytes from the peer by these kinds, perhaps with names in its certificate.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Some(HandshakeResult::NotTrusted(escape(&error.to_string(), MAX_REASON_BYTES)))
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                Some(HandshakeResult::NoTls(escape(&error.to_string(), MAX_REASON_BYTES)))
            }
            Err(error) => Some(HandshakeResult::Lost(error.to_string())),
        }
    }

    /// Ends the handshake if it takes too long.
    pub(super) fn handle_timeout(&self, now: Time) -> Option<HandshakeResult> {
        (now >= self.deadline).then(|| HandshakeResult::Lost("the opening handshake timed out".into()))
    }

    fn exchange(&mut self, buffer: &mut [u8]) -> io::Result<Option<HandshakeResult>> {
        self.socket.stream.handle_writable()?;
        let written = self.socket.stream.write_some(&self.request)?;
        self.request.drain(..written);
        let mut budget = ReadBudget::default();
        loop {
            self.readable = !budget.may_read();
            if self.readable {
                return Ok(None);
            }
            let ended = match self.socket.stream.read(buffer, &mut budget) {
                Ok(0) => true,
                Ok(count) => {
                    self.response.extend_from_slice(&buffer[..count]);
                    false
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = !budget.may_read();
                    return Ok(None);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            match self.handshake.read_response(&self.response, ended) {
                Response::Accepted { head, confirmed, subprotocol } => {
                    let (early, has_named_id) = (self.response.split_off(head), confirmed);
                    return Ok(Some(HandshakeResult::Accepted { early, has_named_id, subprotocol }));
                }
                Response::Refused { status, text, challenge } => {
                    return Ok(Some(HandshakeResult::Refused(status, text, challenge)));
                }
                Response::WrongServer(reason) => return Ok(Some(HandshakeResult::WrongServer(reason))),
                Response::Invalid(reason) => return Ok(Some(HandshakeResult::NotWebSocket(reason))),
                Response::Incomplete if ended => {
                    let reason = "the server closed the connection during the opening handshake";
                    return Ok(Some(HandshakeResult::Lost(reason.into())));
                }
                Response::Incomplete => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use mio::Token;

    use super::*;
    use crate::stream::Stream;

    /// Starts a handshake with a server, which is the second.
    fn start(scheme: &str, secure: impl FnOnce(&mut Stream)) -> (OpeningHandshake, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let client = TcpStream::connect(addr).unwrap();
        client.set_nonblocking(true).unwrap();
        let mut stream = Stream::plain(mio::net::TcpStream::from_std(client));
        secure(&mut stream);
        let socket = ConnectedSocket { token: Token(0), stream, addr };
        let url = format!("{scheme}://{addr}").parse().unwrap();
        let handshake = OpeningHandshake::new(socket, url, Handshake::new([1; 16]), Time::ZERO);
        (handshake, listener.accept().unwrap().0)
    }

    /// Lets the server send the bytes one by one, each before the deadline, and expects that the handshake ends at the
    /// deadline.
    fn check_deadline((mut handshake, mut server): (OpeningHandshake, TcpStream), bytes: impl Iterator<Item = u8>) {
        let mut buffer = vec![0; 4096];
        for (byte, number) in bytes.zip(0..50) {
            let now = Time::ZERO + HANDSHAKE_TIMEOUT.mul_f64(f64::from(number) / 50.0);
            server.write_all(&[byte]).unwrap();
            assert!(handshake.handle_timeout(now).is_none());
            assert!(handshake.handle_ready(&mut buffer).is_none());
        }
        assert!(handshake.handle_timeout(Time::ZERO + (HANDSHAKE_TIMEOUT - Duration::from_millis(1))).is_none());
        let result = handshake.handle_timeout(Time::ZERO + HANDSHAKE_TIMEOUT);
        assert!(matches!(result, Some(HandshakeResult::Lost(reason)) if reason.contains("timed out")));
    }

    #[test]
    fn server_that_sends_a_byte_at_a_time_is_given_up_at_the_deadline() {
        let head = "HTTP/1.1 101 Switching Protocols\r\nX: ".bytes().chain(std::iter::repeat(b'x'));
        check_deadline(start("ws", |_| {}), head);
        let refusal = "HTTP/1.1 403 X\r\nContent-Type: text/plain\r\n\r\n".bytes().chain(std::iter::repeat(b'x'));
        check_deadline(start("ws", |_| {}), refusal);
    }

    #[cfg(feature = "tls")]
    #[test]
    fn tls_server_that_sends_a_byte_at_a_time_is_given_up_at_the_deadline() {
        let names = halloo_proto::setting_names::SettingNames::default();
        let mut connector = crate::tls::Connector::new(Some([7; 32].into()), names);
        let host = halloo_proto::url::Host::Ip([127, 0, 0, 1].into());
        // The head of a handshake record of 16 KiB.
        let record = [22, 3, 3, 0x40, 0].into_iter().chain(std::iter::repeat(2));
        check_deadline(start("wss", |stream| stream.secure(connector.connect(&host).unwrap())), record);
    }
}
