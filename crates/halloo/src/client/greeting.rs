//! The handshake on a fresh socket.

use std::io::{self, Read};

use halloo_proto::Time;
use halloo_proto::defaults::HANDSHAKE_TIMEOUT;
use halloo_proto::handshake::{Answer, Handshake};
use halloo_proto::token::Token;
use halloo_proto::url::Url;

use super::dial::Reached;

/// A socket whose handshake is under way.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) reached: Reached,
    pub(super) url: Url,
    handshake: Handshake,
    /// What of the request is still to be written.
    request: Vec<u8>,
    answer: Vec<u8>,
    pub(super) deadline: Time,
}

/// How a handshake ended.
#[derive(Debug)]
pub(super) enum Greeted {
    /// With a WebSocket. These bytes came behind the answer.
    Welcome(Vec<u8>),
    /// Refused with this HTTP status, and the server's sentence.
    Refused(u16, String),
    /// What answers is not a WebSocket server.
    Broken(&'static str),
    /// What answers does not speak TLS as it should, or is not trusted.
    Untrusted(String),
    /// The connection broke, or was too slow.
    Lost(String),
}

impl Greeting {
    pub(super) fn new(reached: Reached, url: Url, token: Option<&Token>, nonce: [u8; 16], now: Time) -> Greeting {
        // Without it small messages wait up to 200 ms for an acknowledgement. It fails on a dead socket only.
        let _ = reached.stream.socket().set_nodelay(true);
        let handshake = Handshake::new(nonce);
        let request = handshake.request(&url, token.or(url.token()));
        Greeting { reached, url, handshake, request, answer: Vec::new(), deadline: now + HANDSHAKE_TIMEOUT }
    }

    /// Goes on as far as the socket allows; `None` while the answer is awaited. `buffer` is for reading.
    pub(super) fn handle_ready(&mut self, buffer: &mut [u8]) -> Option<Greeted> {
        match self.proceed(buffer) {
            Ok(greeted) => greeted,
            // That is how TLS tells what is wrong with what it was sent.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Some(Greeted::Untrusted(error.to_string())),
            Err(error) => Some(Greeted::Lost(error.to_string())),
        }
    }

    /// Ends a handshake that takes too long.
    pub(super) fn handle_timeout(&self, now: Time) -> Option<Greeted> {
        (now >= self.deadline).then(|| Greeted::Lost("no answer to the handshake".into()))
    }

    fn proceed(&mut self, buffer: &mut [u8]) -> io::Result<Option<Greeted>> {
        self.reached.stream.handle_writable()?;
        let taken = self.reached.stream.write_some(&self.request)?;
        self.request.drain(..taken);
        loop {
            let ended = match self.reached.stream.read(buffer) {
                Ok(0) => true,
                Ok(count) => {
                    self.answer.extend_from_slice(&buffer[..count]);
                    false
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            match self.handshake.judge(&self.answer, ended) {
                Answer::Accepted { head } => return Ok(Some(Greeted::Welcome(self.answer.split_off(head)))),
                Answer::Refused { status, text } => return Ok(Some(Greeted::Refused(status, text))),
                Answer::Broken(what) => return Ok(Some(Greeted::Broken(what))),
                Answer::Incomplete if ended => return Ok(Some(Greeted::Lost("it hung up in the handshake".into()))),
                Answer::Incomplete => {}
            }
        }
    }
}
