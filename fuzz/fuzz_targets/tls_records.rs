//! A TLS session of the server and its budget: for arbitrary records, whole and broken, a turn reads and decrypts no more
//! than its budget, what arrives is what was sent, and a handshake takes bounded memory. For arbitrary bytes in place of
//! a handshake, nothing arrives.

#![cfg_attr(feature = "engine", no_main)]

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, LazyLock};

use halloo_fuzz::fuzz_target;
use halloo_proto::defaults::{MAX_TLS_HANDSHAKE_BYTES, TLS_RECORD_COST, TURN_BYTES};
use halloo_proto::fingerprint::Fingerprint;
use halloo_proto::read_budget::ReadBudget;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tls_peer::TlsPeer;

use product::tls::session::{Acceptor, Session};

/// The modules of the product, which are private there.
#[path = "../../crates/halloo/src"]
#[allow(dead_code, unreachable_pub, reason = "the target needs a part of them")]
mod product {
    pub(crate) mod tls {
        pub(crate) use crate::Identity;

        mod byte_queue;
        mod engine;
        mod record_counter;
        pub(crate) mod session;
    }
}

#[path = "../../crates/halloo-adversary/src/tls_peer.rs"]
#[allow(dead_code, reason = "the target needs a part of it")]
mod tls_peer;

/// A certificate that is not read from a file.
#[derive(Clone, Debug)]
pub(crate) struct Identity(Arc<ServerConfig>);

impl Identity {
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0)
    }

    pub(crate) fn set_local_names(&self, _: &[String]) {}

    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        None
    }
}

pub(crate) struct Config {
    pub(crate) tls: Option<Identity>,
}

static ACCEPTOR: LazyLock<Acceptor> = LazyLock::new(|| {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../../tests/certificates/authority.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../tests/certificates/authority.key"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("the versions are those of the provider").with_no_client_auth();
    let config = builder.with_single_cert(vec![certificate.unwrap()], key.unwrap());
    let identity = Identity(Arc::new(config.expect("the key belongs to the certificate")));
    Acceptor::from_config(&Config { tls: Some(identity) }).expect("there is a certificate")
});

/// Bytes that one read of the socket may take beyond the budget of a turn: the rest of the longest record.
const MAX_READ: usize = 5 + 16 * 1024 + 256;
/// Records that one read may take beyond the budget: 4 KiB of the smallest, which have a header, a type and a tag.
const MAX_READ_RECORDS: usize = 4 * 1024 / (5 + 1 + 16) + 1;
/// Content types (RFC 8446 section 5.1).
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// Bytes that a session may keep until a message is complete.
const MAX_UNFINISHED: usize = 64 * 1024 + MAX_READ;
/// Empty records in a row that rustls accepts.
const MAX_EMPTY_RECORDS: usize = 32;
/// Bytes that one input sends: enough for two turns and for a message that is too long.
const MAX_SENT: usize = 160 * 1024;
/// Reads for which one input sends, so that a server with short reads gets less.
const MAX_READS: usize = 1024;

fuzz_target!(|bytes: &[u8]| {
    let Some((&[mode, limit], rest)) = bytes.split_first_chunk() else { return };
    let mut server = Server::new(usize::from(limit) * 16 + 1);
    if mode % 2 == 0 {
        // Again and again, since an input is shorter than a handshake may be.
        for _ in 0..=mode / 2 {
            if server.socket.is_full() {
                break;
            }
            server.socket.push(rest);
        }
        server.read_to_end();
        assert!(server.received.is_empty(), "plaintext without a handshake");
        return;
    }
    let mut peer = TlsPeer::connect(server).expect("a handshake");
    let mut expected = Vec::new();
    for step in rest.as_chunks::<3>().0 {
        apply(*step, &mut peer, &mut expected);
    }
    let mut server = peer.stream;
    server.read_to_end();
    assert!(expected.starts_with(&server.received), "other plaintext than was sent");
    assert!(server.tampered || server.received == expected, "plaintext is missing");
    assert!(server.unfinished <= MAX_UNFINISHED || server.failed || server.closed, "a message without end");
});

/// Sends records, or lets the server read.
fn apply([kind, a, b]: [u8; 3], peer: &mut TlsPeer<Server>, expected: &mut Vec<u8>) {
    let (count, length) = (usize::from(a), usize::from(a) * 64 + usize::from(b));
    if kind % 9 == 8 {
        return send_fragments(count, usize::from(b) * 64, peer);
    }
    // (type of the content, content, padding), as often as said
    let (repeat, kind, content, padding) = match kind % 9 {
        0 => (count, APPLICATION_DATA, 0, 0),
        1 => (count, APPLICATION_DATA, 1, usize::from(b)),
        2 => (1, APPLICATION_DATA, length.min(16 * 1024), 0),
        3 => (1, APPLICATION_DATA, usize::from(b), usize::from(a) * 60),
        4 => (1, ALERT, 2, 0),
        // A type of zero would be padding, and the last byte of the content the type (RFC 8446 section 5.4).
        5 => (1, b.max(1), usize::from(a), 0),
        6 => return peer.stream.turn(),
        _ => {
            // Bytes that are no record of this connection.
            let bytes = [b, 3, 3, 0, a];
            peer.stream.tampered = true;
            return peer.stream.socket.push(&[&bytes[..], &vec![b; count]].concat());
        }
    };
    let content: Vec<u8> = match kind {
        ALERT => vec![1, 0],
        _ => (0..content).map(|index| (index % 251) as u8).collect(),
    };
    for _ in 0..repeat {
        if peer.stream.socket.is_full() {
            return;
        }
        let mut record = Vec::new();
        peer.record_of(kind, &mut record, &content, padding).expect("a record");
        peer.stream.socket.push(&record);
        peer.stream.empty_records = if content.is_empty() { peer.stream.empty_records + 1 } else { 0 };
        peer.stream.tampered |= kind != APPLICATION_DATA || peer.stream.empty_records > MAX_EMPTY_RECORDS;
        if kind == APPLICATION_DATA {
            expected.extend_from_slice(&content);
        }
    }
}

/// Sends pieces of a handshake message that never ends, one byte in each record.
fn send_fragments(count: usize, padding: usize, peer: &mut TlsPeer<Server>) {
    let header: &[u8] = if peer.stream.unfinished == 0 { &[24, 0, 0xff, 0xff] } else { &[0] };
    peer.stream.tampered = true;
    for piece in std::iter::once(header).chain(std::iter::repeat_n(&[0][..], count)) {
        if peer.stream.socket.is_full() {
            return;
        }
        let mut record = Vec::new();
        peer.record_of(HANDSHAKE, &mut record, piece, padding).expect("a record");
        peer.stream.unfinished += record.len();
        peer.stream.socket.push(&record);
    }
}

/// A session of the server, its socket in memory, and what it has read.
struct Server {
    session: Box<Session>,
    socket: Socket,
    received: Vec<u8>,
    /// Something was sent that may end the session.
    tampered: bool,
    /// Bytes of a handshake message that is not complete.
    unfinished: usize,
    /// Empty records that were sent last, one after the other.
    empty_records: usize,
    failed: bool,
    closed: bool,
}

#[derive(Default)]
struct Socket {
    incoming: VecDeque<u8>,
    outgoing: VecDeque<u8>,
    /// Maximum bytes per read.
    limit: usize,
    /// The position of the next byte, and those of the ends of records from there on.
    position: usize,
    ends: VecDeque<usize>,
    /// Bytes and ends of records that were read in this turn.
    bytes: usize,
    records: usize,
}

impl Server {
    fn new(limit: usize) -> Server {
        let socket = Socket { limit, ..Socket::default() };
        let session = ACCEPTOR.accept(&[]).expect("a session");
        Server {
            session,
            socket,
            received: Vec::new(),
            tampered: false,
            unfinished: 0,
            empty_records: 0,
            failed: false,
            closed: false,
        }
    }

    /// Reads with the budget of one turn.
    fn turn(&mut self) {
        if self.failed || self.closed {
            return;
        }
        let mut buffer = vec![0; TURN_BYTES];
        let mut budget = ReadBudget::default();
        (self.socket.bytes, self.socket.records) = (0, 0);
        match self.session.read(&mut self.socket, &mut buffer, &mut budget) {
            Ok(0) => self.closed = true,
            Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
                self.failed = true;
            }
        }
        assert!(self.socket.bytes <= TURN_BYTES + MAX_READ, "{} bytes in one turn", self.socket.bytes);
        let records = self.socket.records;
        assert!(records <= TURN_BYTES / TLS_RECORD_COST + MAX_READ_RECORDS, "{records} records in one turn");
        assert!(self.session.handshake_bytes() <= MAX_TLS_HANDSHAKE_BYTES + MAX_READ, "a handshake without end");
    }

    /// Reads in turns until nothing arrives any more. Each turn makes progress.
    fn read_to_end(&mut self) {
        loop {
            let before = (self.socket.incoming.len(), self.received.len());
            self.turn();
            if self.failed || self.closed || before == (self.socket.incoming.len(), self.received.len()) {
                break;
            }
        }
        assert!(self.failed || self.closed || self.socket.incoming.is_empty(), "the session stopped reading");
    }
}

impl Socket {
    /// Returns whether one input has sent enough.
    fn is_full(&self) -> bool {
        self.position + self.incoming.len() >= MAX_SENT.min(self.limit * MAX_READS)
    }

    /// Adds one record.
    fn push(&mut self, record: &[u8]) {
        self.incoming.extend(record);
        self.ends.push_back(self.position + self.incoming.len());
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let most = buffer.len().min(self.limit);
        let count = self.incoming.read(&mut buffer[..most])?;
        self.bytes += count;
        self.position += count;
        while self.ends.pop_front_if(|end| *end <= self.position).is_some() {
            self.records += 1;
        }
        Ok(count)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The end of the peer during the handshake.
impl Read for Server {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.outgoing.read(buffer)
    }
}

impl Write for Server {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.incoming.extend(bytes);
        while !self.socket.incoming.is_empty() && !self.failed {
            self.turn();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
