//! The TLS of rustls without its buffers, which take four kilobytes of every connection even while nothing is in them.

use std::io::{self, IoSlice};

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus, WriteTraffic,
};
use rustls::{CommonState, Error};

use super::byte_queue::ByteQueue;

/// Encrypts and decrypts. All its buffers are freed when they are empty.
pub(super) struct Engine {
    side: Side,
    /// Bytes that have arrived. After [`Engine::process`], they are a part of a record or of a handshake message.
    incoming: ByteQueue,
    buffers: Buffers,
    /// The error that ended the session.
    failed: Option<Error>,
}

enum Side {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

#[derive(Default)]
struct Buffers {
    /// Decrypted bytes that have not been read.
    decrypted: ByteQueue,
    /// Bytes to encrypt: until the handshake is complete, they wait here.
    unencrypted: Vec<u8>,
    /// Records for the socket.
    outgoing: ByteQueue,
    /// close_notify is to be sent.
    closing: bool,
    /// The peer has sent close_notify.
    peer_closed: bool,
}

/// Whether another step may do more.
#[derive(PartialEq, Eq)]
enum Step {
    Again,
    Done,
}

impl From<UnbufferedServerConnection> for Engine {
    fn from(tls: UnbufferedServerConnection) -> Engine {
        Engine::new(Side::Server(tls))
    }
}

impl From<UnbufferedClientConnection> for Engine {
    fn from(tls: UnbufferedClientConnection) -> Engine {
        Engine::new(Side::Client(tls))
    }
}

impl Engine {
    fn new(side: Side) -> Engine {
        Engine { side, incoming: ByteQueue::default(), buffers: Buffers::default(), failed: None }
    }

    pub(super) fn is_server(&self) -> bool {
        matches!(self.side, Side::Server(_))
    }

    pub(super) fn state(&self) -> &CommonState {
        match &self.side {
            Side::Client(tls) => tls,
            Side::Server(tls) => tls,
        }
    }

    pub(super) fn has_peer_closed(&self) -> bool {
        self.buffers.peer_closed
    }

    /// Returns how many bytes have arrived that are not processed: a part of a record, or records with a part of a message.
    pub(super) fn unprocessed(&self) -> usize {
        self.incoming.as_slice().len()
    }

    /// Calls `read` with room for at most `most` bytes, and returns what it has read.
    pub(super) fn receive(
        &mut self,
        most: usize,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<&[u8]> {
        let count = self.incoming.push_with(most, read)?;
        let incoming = self.incoming.as_slice();
        Ok(&incoming[incoming.len() - count..])
    }

    /// Processes everything that has arrived, and encrypts what was written, as far as the handshake allows.
    ///
    /// # Errors
    /// The error that ends the session, also in all further calls. The alert about it is in [`Engine::outgoing`].
    pub(super) fn process(&mut self) -> Result<(), Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        loop {
            match self.step() {
                Ok(Step::Again) => {}
                Ok(Step::Done) => {
                    if self.has_peer_closed() {
                        // RFC 8446 section 6.1: data after close_notify must be ignored.
                        self.incoming = ByteQueue::default();
                    }
                    return Ok(());
                }
                Err(error) => {
                    self.failed = Some(error.clone());
                    // Only the alert: another step beyond it would process the wrong bytes again.
                    while self.state().wants_write() && self.step().is_ok() {}
                    return Err(error);
                }
            }
        }
    }

    fn step(&mut self) -> Result<Step, Error> {
        let incoming = self.incoming.as_mut_slice();
        let (processed, outcome) = match &mut self.side {
            Side::Client(tls) => self.buffers.handle(tls.process_tls_records(incoming)),
            Side::Server(tls) => self.buffers.handle(tls.process_tls_records(incoming)),
        };
        self.incoming.take(processed);
        outcome
    }

    /// Moves decrypted bytes into `buffer`, and returns how many.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let decrypted = self.buffers.decrypted.as_slice();
        let count = decrypted.len().min(buffer.len());
        buffer[..count].copy_from_slice(&decrypted[..count]);
        self.buffers.decrypted.take(count);
        count
    }

    /// Takes at most `most` bytes, which [`Engine::process`] encrypts, and returns how many. Those that wait count as well.
    pub(super) fn write(&mut self, slices: &[IoSlice<'_>], most: usize) -> usize {
        let unencrypted = &mut self.buffers.unencrypted;
        let before = unencrypted.len();
        for slice in slices {
            let room = most.saturating_sub(unencrypted.len());
            unencrypted.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        unencrypted.len() - before
    }

    /// Lets [`Engine::process`] add close_notify to what is sent, if the handshake allows it.
    pub(super) fn close(&mut self) {
        self.buffers.closing = true;
    }

    /// Returns the records for the socket.
    pub(super) fn outgoing(&self) -> &[u8] {
        self.buffers.outgoing.as_slice()
    }

    /// Handles that the socket has taken `count` bytes of [`Engine::outgoing`].
    pub(super) fn handle_sent(&mut self, count: usize) {
        self.buffers.outgoing.take(count);
    }
}

impl Buffers {
    /// Does what rustls asks for. Also returns how many bytes that arrived it has processed.
    fn handle<Data>(&mut self, status: UnbufferedStatus<'_, '_, Data>) -> (usize, Result<Step, Error>) {
        let UnbufferedStatus { mut discard, state, .. } = status;
        let outcome = state.and_then(|state| match state {
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    discard += record.discard;
                    self.decrypted.push(record.payload);
                }
                Ok(Step::Again)
            }
            ConnectionState::EncodeTlsData(mut record) => {
                self.encode(0, |room| record.encode(room).map_err(Shortage::from)).map(|()| Step::Again)
            }
            // They are in `outgoing`, in front of everything that follows.
            ConnectionState::TransmitTlsData(records) => {
                records.done();
                Ok(Step::Again)
            }
            ConnectionState::PeerClosed => {
                self.peer_closed = true;
                Ok(Step::Again)
            }
            ConnectionState::WriteTraffic(traffic) => self.encrypt(traffic).map(|()| Step::Done),
            ConnectionState::Closed => {
                self.unencrypted = Vec::new();
                Ok(Step::Done)
            }
            // The handshake waits for the peer.
            _ => Ok(Step::Done),
        });
        (discard, outcome)
    }

    fn encrypt<Data>(&mut self, mut traffic: WriteTraffic<'_, Data>) -> Result<(), Error> {
        if !self.unencrypted.is_empty() {
            let bytes = std::mem::take(&mut self.unencrypted);
            // Enough for the headers and tags of all records, unless there are messages of TLS to send as well.
            let most = bytes.len() + bytes.len() / 256 + 64;
            self.encode(most, |room| traffic.encrypt(&bytes, room).map_err(Shortage::from))?;
        }
        if std::mem::take(&mut self.closing) {
            self.encode(0, |room| traffic.queue_close_notify(room).map_err(Shortage::from))?;
        }
        Ok(())
    }

    /// Appends a record to those for the socket; it is expected to have `most` bytes.
    fn encode(
        &mut self,
        most: usize,
        mut write: impl FnMut(&mut [u8]) -> Result<usize, Shortage>,
    ) -> Result<(), Error> {
        match self.outgoing.push_with(most, &mut write) {
            Err(Shortage::Room(needed)) => self.outgoing.push_with(needed, write),
            outcome => outcome,
        }
        .map(drop)
        .map_err(|_| Error::General("TLS: the key of this session is used up".into()))
    }
}

/// Why something cannot be encoded.
enum Shortage {
    /// It needs so many bytes.
    Room(usize),
    /// No key may be used for so many records.
    Key,
}

impl From<EncodeError> for Shortage {
    fn from(error: EncodeError) -> Shortage {
        match error {
            EncodeError::InsufficientSize(InsufficientSizeError { required_size }) => Shortage::Room(required_size),
            EncodeError::AlreadyEncoded => Shortage::Room(0),
        }
    }
}

impl From<EncryptError> for Shortage {
    fn from(error: EncryptError) -> Shortage {
        match error {
            EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => Shortage::Room(required_size),
            EncryptError::EncryptExhausted => Shortage::Key,
        }
    }
}
