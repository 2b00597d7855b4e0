use std::collections::VecDeque;

use halloo_proto::defaults::{MAX_TLS_HANDSHAKE_BYTES, TURN_BYTES};
use halloo_proto::url::Host;
use halloo_test_support::TempDir;

use super::*;
use crate::tls::Connector;

/// A socket in memory: what arrives is put into `incoming`.
#[derive(Default)]
struct Pipe {
    incoming: VecDeque<u8>,
    outgoing: Vec<u8>,
    is_blocked: bool,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { self.incoming.read(buffer) }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_blocked { Err(io::ErrorKind::WouldBlock.into()) } else { self.outgoing.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn acceptor() -> (TempDir, Acceptor) {
    let directory = TempDir::new(std::env::temp_dir().to_str().unwrap());
    let mut config = crate::Config::local();
    config.tls = Some(Identity::self_signed_in(directory.path()).unwrap());
    (directory, Acceptor::from_config(&config).unwrap())
}

/// Returns a client and a server that have completed their handshake, and their sockets.
fn connected() -> (Box<Session>, Pipe, Box<Session>, Pipe) {
    let (_directory, acceptor) = acceptor();
    let mut connector = Connector::new(acceptor.fingerprint(), Default::default());
    let mut client = connector.connect(&Host::Name("localhost".into())).unwrap();
    let (mut near, mut far) = (Pipe::default(), Pipe::default());
    client.flush(&mut near).unwrap();
    let mut server = acceptor.accept(&near.outgoing.split_off(0)).unwrap();
    server.flush(&mut far).unwrap();
    for _ in 0..3 {
        near.incoming.extend(far.outgoing.drain(..));
        assert!(client.read(&mut near, &mut [0; 100], &mut ReadBudget::default()).is_err(), "no plaintext yet");
        far.incoming.extend(near.outgoing.drain(..));
        let _ = server.read(&mut far, &mut [0; 100], &mut ReadBudget::default());
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    (client, near, server, far)
}

#[test]
fn a_read_of_tiny_records_ends_with_the_budget_and_the_next_ones_lose_nothing() {
    const RECORDS: usize = 20_000;
    let (mut client, mut near, mut server, mut far) = connected();
    for number in 0..RECORDS {
        assert_eq!(client.write(&mut near, &[IoSlice::new(&[number as u8])]).unwrap(), 1);
    }
    far.incoming.extend(near.outgoing.drain(..));
    let (mut buffer, mut received, mut most) = (vec![0; TURN_BYTES], Vec::new(), 0);
    while !far.incoming.is_empty() {
        let before = far.incoming.len();
        let count = server.read(&mut far, &mut buffer, &mut ReadBudget::default()).unwrap();
        received.extend_from_slice(&buffer[..count]);
        most = most.max(before - far.incoming.len());
    }
    // 23 bytes for a record of one byte, which counts as 256 more.
    assert!(most <= TURN_BYTES / 10 + 8 * 1024, "{most} bytes in one turn");
    assert!(received.iter().copied().eq((0..RECORDS).map(|number| number as u8)), "{} bytes", received.len());
}

#[test]
fn spent_budget_within_a_record_is_not_the_end_of_the_stream() {
    let (mut client, mut near, mut server, mut far) = connected();
    let message = vec![7; 16 * 1024];
    assert_eq!(client.write(&mut near, &[IoSlice::new(&message)]).unwrap(), message.len());
    far.incoming.extend(near.outgoing.drain(..));
    let (mut buffer, mut blocked) = (vec![0; TURN_BYTES], 0);
    let count = loop {
        let mut budget = ReadBudget::with_bytes(1);
        match server.read(&mut far, &mut buffer, &mut budget) {
            Ok(count) => break count,
            Err(error) => {
                assert!(error.kind() == io::ErrorKind::WouldBlock && !budget.may_read(), "{error}");
                blocked += 1;
            }
        }
    };
    assert_eq!((&buffer[..count], blocked > 0), (&message[..], true));
}

/// Returns a ClientHello that announces 65,520 bytes, as far as `bytes` of it, in records.
fn unfinished_client_hello(bytes: usize) -> Vec<u8> {
    let mut hello = [&[1, 0, 0xff, 0xf0, 3, 3][..], &[b'r'; 32], &[0, 0xff, 0]].concat();
    hello.resize(bytes, 0x2f);
    let record = |piece: &[u8]| [&[0x16, 3, 1][..], &(piece.len() as u16).to_be_bytes(), piece].concat();
    hello.chunks(1000).flat_map(record).collect()
}

#[test]
fn an_unfinished_handshake_is_refused_beyond_its_limit_however_it_arrives() {
    let (_directory, acceptor) = acceptor();
    let hello = unfinished_client_hello(60_000);
    for piece in [1000, 5000, hello.len()] {
        let mut socket = Pipe::default();
        let Ok(mut server) = acceptor.accept(&hello[..piece]) else {
            assert_eq!(piece, hello.len());
            continue;
        };
        let error = hello[piece..].chunks(piece).find_map(|bytes| {
            socket.incoming.extend(bytes);
            let outcome = server.read(&mut socket, &mut [0; 100], &mut ReadBudget::default());
            assert!(server.handshake_bytes() <= MAX_TLS_HANDSHAKE_BYTES + 4096);
            outcome.err().filter(|error| error.kind() != io::ErrorKind::WouldBlock)
        });
        assert!(error.is_some_and(|error| error.to_string().contains("16 KiB")));
    }
    // The largest that is allowed.
    let mut server = acceptor.accept(&hello[..1000]).unwrap();
    let mut socket =
        Pipe { incoming: hello[1000..MAX_TLS_HANDSHAKE_BYTES].iter().copied().collect(), ..Pipe::default() };
    let outcome = server.read(&mut socket, &mut [0; 100], &mut ReadBudget::default());
    assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(server.handshake_bytes(), MAX_TLS_HANDSHAKE_BYTES);
}

#[test]
fn a_message_in_tiny_records_is_refused_before_it_fills_memory() {
    let (_directory, acceptor) = acceptor();
    let mut connector = Connector::new(acceptor.fingerprint(), Default::default());
    let mut client = connector.connect(&Host::Name("localhost".into())).unwrap();
    let mut socket = Pipe::default();
    // A ServerHello of 65,000 bytes, one byte in each record.
    let bytes = [2, 0, 0xfd, 0xe8, 3, 3].into_iter().chain(std::iter::repeat_n(7, 65_000));
    socket.incoming.extend(bytes.flat_map(|byte| [22, 3, 3, 0, 1, byte]));
    let error = loop {
        match client.read(&mut socket, &mut [0; 100], &mut ReadBudget::default()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !socket.incoming.is_empty() => {}
            outcome => break outcome.unwrap_err(),
        }
        assert!(client.tls.unprocessed() <= MAX_UNPROCESSED_BYTES + READ_BYTES);
    };
    assert!(error.to_string().contains("64 KiB"), "{error}");
}

#[test]
fn an_error_sends_its_alert_once_and_ends_the_session() {
    let (mut client, mut near, mut server, mut far) = connected();
    far.incoming.extend([&[23, 3, 3, 0, 40][..], &[7; 40]].concat());
    let mut read = |far: &mut Pipe| server.read(far, &mut [0; 100], &mut ReadBudget::default()).unwrap_err();
    let first = read(&mut far);
    assert_eq!(first.kind(), io::ErrorKind::Unsupported);
    near.incoming.extend(far.outgoing.drain(..));
    far.incoming.extend([23, 3, 3, 0, 1, 7]);
    assert_eq!(read(&mut far).to_string(), first.to_string());
    assert!(far.outgoing.is_empty());
    let alert = client.read(&mut near, &mut [0; 100], &mut ReadBudget::default()).unwrap_err();
    assert!(alert.to_string().contains("BadRecordMac"), "{alert}");
}

#[test]
fn close_notify_ends_the_stream_behind_all_data() {
    let (mut client, mut near, mut server, mut far) = connected();
    assert_eq!(client.write(&mut near, &[IoSlice::new(b"last"), IoSlice::new(b" words")]).unwrap(), 10);
    client.tls.close();
    client.process().unwrap();
    assert_eq!(client.write(&mut near, &[IoSlice::new(b"too late")]).unwrap(), 8);
    far.incoming.extend(near.outgoing.drain(..));
    let (mut buffer, mut received) = ([0; 3], Vec::new());
    loop {
        match server.read(&mut far, &mut buffer, &mut ReadBudget::default()).unwrap() {
            0 => break,
            count => received.extend_from_slice(&buffer[..count]),
        }
    }
    assert_eq!((&received[..], server.received_close_notify()), (&b"last words"[..], true));
}

#[test]
fn a_write_accepts_what_fits_and_nothing_while_that_waits() {
    let (mut client, mut near, mut server, mut far) = connected();
    let messages = vec![[7; 1000]; 1000];
    let slices: Vec<IoSlice<'_>> = messages.iter().map(|message| IoSlice::new(message)).collect();
    near.is_blocked = true;
    assert_eq!(client.write(&mut near, &slices).unwrap(), WRITE_BUFFER_BYTES);
    assert_eq!(client.write(&mut near, &slices).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    near.is_blocked = false;
    client.flush(&mut near).unwrap();
    far.incoming.extend(near.outgoing.drain(..));
    let mut buffer = vec![0; 2 * WRITE_BUFFER_BYTES];
    let count = server.read(&mut far, &mut buffer, &mut ReadBudget::with_bytes(usize::MAX)).unwrap();
    assert!(buffer[..count].iter().all(|&byte| byte == 7) && count == WRITE_BUFFER_BYTES, "{count} bytes");
}

#[test]
fn only_a_server_that_never_spoke_tls_is_said_not_to_speak_it() {
    const ADVICE: &str = "does not speak TLS; use ws:// instead of wss://";
    // No type of a record begins with this byte.
    const INVALID: [u8; 6] = [0xff, 3, 3, 0, 1, 0];
    let (_directory, acceptor) = acceptor();
    let error = acceptor.accept(&INVALID).unwrap_err().to_string();
    assert!(error.starts_with("TLS: ") && !error.contains(ADVICE), "{error}");
    let mut connector = Connector::new(acceptor.fingerprint(), Default::default());
    let mut client = connector.connect(&Host::Name("localhost".into())).unwrap();
    let mut near = Pipe { incoming: b"HTTP/1.1 400 Bad Request\r\n\r\n".iter().copied().collect(), ..Pipe::default() };
    let error = client.read(&mut near, &mut [0; 100], &mut ReadBudget::default()).unwrap_err().to_string();
    assert!(error.contains(ADVICE), "{error}");

    let (mut client, mut near, mut server, mut far) = connected();
    for (session, socket) in [(&mut client, &mut near), (&mut server, &mut far)] {
        socket.incoming.extend(INVALID);
        let error = session.read(socket, &mut [0; 100], &mut ReadBudget::default()).unwrap_err().to_string();
        assert!(error.starts_with("TLS: ") && !error.contains(ADVICE), "{error}");
    }
}
