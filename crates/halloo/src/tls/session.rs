//! One TLS connection, between what the application reads and writes and what the socket does.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use halloo_proto::fingerprint::Fingerprint;
use mio::net::TcpStream;
use rustls::{Connection, ServerConfig, ServerConnection};

use super::Identity;

/// Encrypted bytes that wait for the socket at most: enough for one full write, and little beside an outbox.
const BUFFER: usize = 64 * 1024;

/// The state of TLS on one socket.
pub(crate) struct Session {
    tls: Connection,
    /// The socket is shut once all that waits is written.
    shut: bool,
    /// The peer said that nothing more comes, for which no edge of the socket stands.
    ended: bool,
}

impl Session {
    pub(super) fn new(tls: impl Into<Connection>) -> Box<Session> {
        let mut tls = tls.into();
        tls.set_buffer_limit(Some(BUFFER));
        Box::new(Session { tls, shut: false, ended: false })
    }

    /// Reads until `buffer` is full or the socket has nothing more.
    pub(crate) fn read<S: Read + Write>(&mut self, socket: &mut S, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        loop {
            match self.tls.reader().read(&mut buffer[filled..]) {
                Ok(0) => return Ok(filled),
                Ok(count) => {
                    filled += count;
                    if filled == buffer.len() {
                        return Ok(filled);
                    }
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // It hung up without saying so. A WebSocket says so by a close frame, so nothing is cut off unnoticed.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(filled),
                Err(error) => return Err(error),
            }
            match self.tls.read_tls(socket) {
                Ok(_) => self.process(socket)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // An error is told by the next read, too.
                Err(_) if filled > 0 => return Ok(filled),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the end came with what was read last.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Writes what TLS has room for; nothing while earlier bytes wait for the socket.
    pub(crate) fn write<S: Read + Write>(&mut self, socket: &mut S, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.flush(socket)?;
        if self.tls.wants_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = self.tls.writer().write_vectored(slices)?;
        self.flush(socket)?;
        // Before the handshake is over, what is written waits, and that is bounded as well.
        if taken == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    pub(crate) fn handle_writable(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        self.flush(socket)?;
        if self.shut && !self.tls.wants_write() { socket.shutdown(Shutdown::Write) } else { Ok(()) }
    }

    /// Says that nothing more comes (RFC 8446 section 6.1), and shuts the socket once that is written.
    pub(crate) fn shutdown(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        self.tls.send_close_notify();
        self.shut = true;
        self.handle_writable(socket)
    }

    /// Sends a request through a socket that waits, and reads the answer to its end, at most `limit` bytes.
    pub(crate) fn ask(mut self, mut socket: std::net::TcpStream, request: &[u8], limit: u64) -> io::Result<Vec<u8>> {
        // It waits for the end of the handshake, and so for the certificate, before it leaves.
        self.write(&mut socket, &[IoSlice::new(request)])?;
        let (mut answer, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
        while (answer.len() as u64) < limit {
            match self.read(&mut socket, &mut buffer)? {
                0 => break,
                count => answer.extend_from_slice(&buffer[..count]),
            }
        }
        Ok(answer)
    }

    /// Takes bytes that were read before it was known that they are TLS.
    fn feed(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.tls.read_tls(&mut bytes)?;
            self.ended |= self.tls.process_new_packets().map_err(broken)?.peer_has_closed();
        }
        Ok(())
    }

    fn process<S: Read + Write>(&mut self, socket: &mut S) -> io::Result<()> {
        let outcome = self.tls.process_new_packets().map_err(broken);
        // Also after an error: the peer is told which.
        self.flush(socket)?;
        self.ended |= outcome?.peer_has_closed();
        Ok(())
    }

    fn flush<S: Write>(&mut self, socket: &mut S) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("version", &self.tls.protocol_version()).finish_non_exhaustive()
    }
}

/// What is wrong with the bytes of the peer; the kind tells it from what is wrong with the socket.
fn broken(error: rustls::Error) -> io::Error {
    let what = match error {
        // Said by ourselves, about its certificate.
        rustls::Error::General(what) => what,
        rustls::Error::InvalidMessage(_) => "it does not speak TLS; use ws:// instead of wss://".into(),
        error => format!("TLS: {error}"),
    };
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The server's side, ready for clients.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    config: Arc<ServerConfig>,
    fingerprint: Option<Fingerprint>,
}

impl Acceptor {
    /// That of a configuration that has an identity.
    pub(crate) fn of(config: &crate::Config) -> Option<Acceptor> {
        let identity: &Identity = config.tls.as_ref()?;
        Some(Acceptor { config: identity.config(), fingerprint: identity.fingerprint() })
    }

    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// A session that begins with these bytes.
    pub(crate) fn accept(&self, first: &[u8]) -> io::Result<Box<Session>> {
        let tls = ServerConnection::new(Arc::clone(&self.config)).map_err(broken)?;
        let mut session = Session::new(tls);
        session.feed(first)?;
        Ok(session)
    }
}
