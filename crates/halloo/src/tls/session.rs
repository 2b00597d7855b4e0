//! A TLS session on one non-blocking socket, and the server side that accepts sessions.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;

use halloo_proto::defaults::MAX_TLS_HANDSHAKE_BYTES;
use halloo_proto::fingerprint::Fingerprint;
use halloo_proto::read_budget::ReadBudget;
use mio::net::TcpStream;
use rustls::server::UnbufferedServerConnection;

use super::Identity;
use super::engine::Engine;
use super::record_counter::RecordCounter;

/// Maximum bytes buffered for the socket: enough for one full write, and small compared to an outbox.
const WRITE_BUFFER_BYTES: usize = 64 * 1024;
/// Bytes that are read from the socket at a time, unless the rest of the current record is longer. Few, because they can be
/// hundreds of records.
const READ_BYTES: usize = 4 * 1024;

/// Maximum bytes that wait until a TLS message is complete: rustls keeps all records of one, whatever their padding.
const MAX_UNPROCESSED_BYTES: usize = 64 * 1024;

/// The state of TLS on one socket.
pub(crate) struct Session {
    tls: Engine,
    /// The write side of the socket is shut down once all buffered bytes are written.
    shutting_down: bool,
    records: RecordCounter,
    /// Bytes of the peer's handshake that have arrived; on the client's side, they are not counted.
    handshake_bytes: usize,
}

impl Session {
    pub(super) fn new(tls: impl Into<Engine>) -> io::Result<Box<Session>> {
        let records = RecordCounter::default();
        let mut session = Box::new(Session { tls: tls.into(), shutting_down: false, records, handshake_bytes: 0 });
        // A client begins.
        session.process()?;
        Ok(session)
    }

    /// Reads until `buffer` is full, the socket would block, or `budget` allows no further read.
    ///
    /// # Errors
    /// `WouldBlock` also when the budget is spent on records that decrypt to nothing.
    pub(crate) fn read<S: Read + Write>(
        &mut self,
        socket: &mut S,
        buffer: &mut [u8],
        budget: &mut ReadBudget,
    ) -> io::Result<usize> {
        let (mut filled, mut is_drained) = (0, false);
        loop {
            filled += self.tls.read(&mut buffer[filled..]);
            if filled == buffer.len() || self.received_close_notify() || (is_drained && filled > 0) {
                return Ok(filled);
            }
            if !budget.may_read() {
                return if filled > 0 { Ok(filled) } else { Err(io::ErrorKind::WouldBlock.into()) };
            }
            match self.receive(socket, budget) {
                // The peer closed the connection without close_notify. The close frame of WebSocket detects truncation.
                Ok(0) => return Ok(filled),
                Ok(count) => {
                    // With epoll, a short read has drained the socket (epoll(7)).
                    is_drained = cfg!(any(target_os = "linux", target_os = "android")) && count < READ_BYTES;
                    let outcome = self.process();
                    // Also after an error, because it sends an alert to the peer.
                    self.flush(socket)?;
                    outcome?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The next read returns the error again.
                Err(_) if filled > 0 => return Ok(filled),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads from the socket once.
    fn receive<S: Read>(&mut self, socket: &mut S, budget: &mut ReadBudget) -> io::Result<usize> {
        // No more while the handshake is incomplete, whose bytes are limited.
        let rest = if self.is_handshaking() { 0 } else { self.records.missing() };
        let bytes = self.tls.receive(READ_BYTES.max(rest), |room| socket.read(room))?;
        budget.spend_bytes(bytes.len());
        budget.spend_records(self.records.count(bytes));
        let count = bytes.len();
        self.count_handshake(count);
        Ok(count)
    }

    /// Returns whether the handshake is not complete.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.state().is_handshaking()
    }

    /// Returns the bytes of an incomplete handshake that have arrived, which take memory; 0 once it is complete.
    pub(crate) fn handshake_bytes(&self) -> usize {
        if self.is_handshaking() { self.handshake_bytes } else { 0 }
    }

    /// Returns whether the peer has sent close_notify. No further readiness event of the socket reports that.
    pub(crate) fn received_close_notify(&self) -> bool {
        self.tls.has_peer_closed()
    }

    /// Writes as much as the TLS buffer accepts, and returns how much that was. Accepts nothing while earlier bytes
    /// wait for the socket.
    ///
    /// # Errors
    /// `WouldBlock` when it accepts nothing.
    pub(crate) fn write<S: Read + Write>(&mut self, socket: &mut S, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.flush(socket)?;
        if !self.tls.outgoing().is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // Until the handshake is complete, they wait unencrypted.
        let accepted = self.tls.write(slices, WRITE_BUFFER_BYTES);
        let outcome = self.process();
        self.flush(socket)?;
        outcome?;
        if accepted == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(accepted) }
    }

    /// Writes buffered bytes, and shuts down the write side of the socket if that is pending.
    pub(crate) fn handle_writable(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        self.flush(socket)?;
        if self.shutting_down && self.tls.outgoing().is_empty() { socket.shutdown(Shutdown::Write) } else { Ok(()) }
    }

    /// Sends close_notify (RFC 8446 section 6.1), and shuts down the write side of the socket once that is written.
    pub(crate) fn shutdown(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        if !std::mem::replace(&mut self.shutting_down, true) {
            self.tls.close();
            // After an error, there is nothing to close.
            let _ = self.process();
        }
        self.handle_writable(socket)
    }

    /// Sends a request over a blocking socket, whose timeouts are not `WouldBlock`, and reads the response to its end or until it exceeds `limit` bytes.
    pub(crate) fn request(mut self, mut socket: impl Read + Write, request: &[u8], limit: u64) -> io::Result<Vec<u8>> {
        // TLS sends it only after the handshake, so the certificate of the server has been verified by then.
        self.write(&mut socket, &[IoSlice::new(request)])?;
        let (mut response, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
        // For the whole response: a server that sends empty records does not keep the caller.
        let mut budget = ReadBudget::with_bytes(usize::try_from(limit).unwrap_or(usize::MAX).saturating_mul(2));
        while (response.len() as u64) < limit {
            match self.read(&mut socket, &mut buffer, &mut budget) {
                Ok(0) => break,
                Ok(count) => response.extend_from_slice(&buffer[..count]),
                Err(_) if !budget.may_read() => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the response has too many TLS records"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(response)
    }

    /// Processes bytes that were read from the socket before the session existed.
    fn process_initial(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tls.receive(bytes.len(), |room| {
            room.copy_from_slice(bytes);
            Ok(bytes.len())
        })?;
        self.records.count(bytes);
        self.count_handshake(bytes.len());
        self.process()
    }

    fn count_handshake(&mut self, count: usize) {
        if self.is_handshaking() && self.tls.is_server() {
            self.handshake_bytes += count;
        }
    }

    /// Processes what has arrived and what was written.
    fn process(&mut self) -> io::Result<()> {
        if let Err(error) = self.tls.process() {
            // The first bytes of a server. Those of a client are checked before there is a session.
            let speaks_tls = self.tls.is_server() || self.tls.state().protocol_version().is_some();
            return Err(match error {
                rustls::Error::InvalidMessage(_) if !speaks_tls => {
                    io::Error::new(io::ErrorKind::Unsupported, "it does not speak TLS; use ws:// instead of wss://")
                }
                error => tls_error(error),
            });
        }
        if self.tls.unprocessed() > MAX_UNPROCESSED_BYTES {
            let message = format!("a TLS message takes more than {} KiB", MAX_UNPROCESSED_BYTES / 1024);
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        if self.handshake_bytes() > MAX_TLS_HANDSHAKE_BYTES {
            let message = format!("the TLS handshake has more than {} KiB", MAX_TLS_HANDSHAKE_BYTES / 1024);
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        Ok(())
    }

    fn flush<S: Write>(&mut self, socket: &mut S) -> io::Result<()> {
        while !self.tls.outgoing().is_empty() {
            match socket.write(self.tls.outgoing()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.tls.handle_sent(count),
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
        f.debug_struct("Session").field("version", &self.tls.state().protocol_version()).finish_non_exhaustive()
    }
}

/// Converts a TLS error to a kind that distinguishes it from errors of the socket: `InvalidData` for a certificate that is not
/// accepted, and `Unsupported` for everything else.
fn tls_error(error: rustls::Error) -> io::Error {
    match error {
        // From our certificate verifier.
        rustls::Error::General(message) => io::Error::new(io::ErrorKind::InvalidData, message),
        rustls::Error::InvalidCertificate(_) => io::Error::new(io::ErrorKind::InvalidData, format!("TLS: {error}")),
        error => io::Error::new(io::ErrorKind::Unsupported, format!("TLS: {error}")),
    }
}

/// Accepts TLS sessions on the server side.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    identity: Identity,
}

impl Acceptor {
    /// Returns `None` if the configuration has no certificate.
    pub(crate) fn from_config(config: &crate::Config) -> Option<Acceptor> {
        Some(Acceptor { identity: config.tls.clone()? })
    }

    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.identity.fingerprint()
    }

    pub(crate) fn set_local_names(&self, names: &[String]) {
        self.identity.set_local_names(names);
    }

    /// Starts a session. `initial` are the bytes that were already read from the socket.
    pub(crate) fn accept(&self, initial: &[u8]) -> io::Result<Box<Session>> {
        let tls = UnbufferedServerConnection::new(self.identity.config()).map_err(tls_error)?;
        let mut session = Session::new(tls)?;
        session.process_initial(initial)?;
        Ok(session)
    }
}

#[cfg(test)]
mod tests;
