use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Barrier};

use halloo_proto::Time;
use halloo_proto::authenticator::Challenger;
use halloo_proto::defaults::{HANDSHAKE_TIMEOUT, TURN_RESPONSES};
use halloo_proto::frame::Opcode;
use halloo_test_support::{TempDir, connect_tcp};

use super::connection::Connection;
use super::outboxes::CORK;
use super::*;
use crate::event_queue::EventQueue;
use crate::{Files, LeaveReason, Server};

#[test]
fn http_responses_are_sent_a_few_a_turn_in_the_order_of_their_requests() {
    let limits = crate::EventQueueLimits { max_events: 10, max_bytes: 10 };
    let target = EventTarget::Queue(Arc::new(EventQueue::new(limits)));
    let (mut reactor, _, shared) = Reactor::bind(Config::local(), target, 1).unwrap();
    let request = || {
        let mut stream = TcpStream::connect(("127.0.0.1", shared.port)).unwrap();
        stream.write_all(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        // A peer that shuts down its side after the request still gets the response.
        stream.shutdown(Shutdown::Write).unwrap();
        stream
    };
    let mut peers: Vec<TcpStream> = (0..3 * TURN_RESPONSES).map(|_| request()).collect();
    reactor.ingress.accept(&mut reactor.listener, reactor.poll.registry(), &mut reactor.connections);
    let slots: Vec<usize> = reactor.connections.table.iter().map(|connection| connection.slot as usize).collect();
    assert_eq!(slots.len(), peers.len());
    slots.iter().for_each(|&slot| reactor.handle_readable(slot));
    // One peer is gone, and its slot is vacant.
    reactor.connections.with(slots[1], |egress, connection| egress.drop(connection, LeaveReason::TimedOut));
    reactor.connections.reap();
    for left in [2 * TURN_RESPONSES - 1, TURN_RESPONSES - 1, 0] {
        // The end of the stream is read only after the response.
        slots.iter().for_each(|&slot| reactor.handle_readable(slot));
        reactor.ingress.respond_to_some(&mut reactor.connections, &reactor.discovery);
        let mut connections = reactor.connections.table.iter_mut();
        let waiting = connections.by_ref().filter_map(Connection::pending).filter(|pending| pending.request.is_some());
        assert_eq!(waiting.count(), left);
    }
    drop(reactor);
    peers.remove(1);
    for mut peer in peers {
        let mut response = String::new();
        peer.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    }
}

#[test]
fn large_broadcast_is_not_copied_for_each_client_with_a_ping_due() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let challenger = Challenger::new("a1", [7; 32]);
    let shared = Shared::new(&crate::Config::default(), 1, Default::default(), challenger, Arc::default(), 1);
    let shared = Arc::new(shared);
    let mut connections = Connections::new(shared, &Config::default());
    let join = |connections: &mut Connections| {
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, addr) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let stream = mio::net::TcpStream::from_std(stream);
        let slot = connections.table.next_slot();
        connections.add(Connection::new(stream, addr, slot, 1, Time::ZERO + HANDSHAKE_TIMEOUT));
        connections.with(slot, |egress, connection| egress.join(connection, false, b"", Default::default()));
        (slot, peer)
    };
    let clients: Vec<_> = (0..3).map(|_| join(&mut connections)).collect();
    let ping = |connections: &mut Connections| {
        clients.iter().for_each(|&(slot, _)| connections.send_control(slot, Opcode::Ping, b""));
    };
    let large = vec![0; CORK - 100];
    ping(&mut connections);
    connections.send_to_all(Opcode::Binary, &large);
    connections.flush_all();
    connections.send_to_all(Opcode::Binary, &large);
    ping(&mut connections);
    connections.flush_all();
    assert!(connections.egress.outboxes.pooled().count() > 0);
    for outbox in connections.egress.outboxes.pooled() {
        assert!(outbox.cork().capacity() <= 2 * 4 * 1024, "{}", outbox.cork().capacity());
    }
}

/// A server with TLS that is not running, and the first flight of a client.
#[cfg(feature = "tls")]
fn tls_reactor() -> (halloo_test_support::TempDir, Reactor, Arc<Shared>, Vec<u8>) {
    use std::io::{Cursor, IoSlice};

    let directory = halloo_test_support::TempDir::new(std::env::temp_dir().to_str().unwrap());
    let mut config = Config::local();
    config.tls = Some(crate::Identity::self_signed_in(directory.path()).unwrap());
    let target = EventTarget::Queue(Arc::new(EventQueue::new(crate::EventQueueLimits::default())));
    let (reactor, _, shared) = Reactor::bind(config, target, 1).unwrap();
    let mut connector = crate::tls::Connector::new(reactor.ingress.handshakes.fingerprint(), Default::default());
    let mut session = connector.connect(&halloo_proto::url::Host::Name("localhost".into())).unwrap();
    let mut hello = Cursor::new(Vec::new());
    session.write(&mut hello, &[IoSlice::new(b"x")]).unwrap();
    (directory, reactor, shared, hello.into_inner())
}

/// Connects peers that send `bytes`, and returns them with their slots.
#[cfg(feature = "tls")]
fn connect(reactor: &mut Reactor, shared: &Shared, peers: usize, bytes: &[u8]) -> (Vec<TcpStream>, Vec<usize>) {
    let peers = (0..peers).map(|_| {
        let mut stream = TcpStream::connect(("127.0.0.1", shared.port)).unwrap();
        stream.write_all(bytes).unwrap();
        reactor.listener.handle_readable();
        reactor.ingress.accept(&mut reactor.listener, reactor.poll.registry(), &mut reactor.connections);
        stream
    });
    let peers = peers.collect();
    (peers, reactor.connections.table.iter().map(|connection| connection.slot as usize).collect())
}

#[test]
#[cfg(feature = "tls")]
fn tls_handshakes_are_continued_a_few_a_turn() {
    use halloo_proto::defaults::TURN_TLS_HANDSHAKES;

    let (_directory, mut reactor, shared, hello) = tls_reactor();
    let (_peers, slots) = connect(&mut reactor, &shared, 4 * TURN_TLS_HANDSHAKES, &hello);
    for turn in 0..=4 {
        // The poll may report the same connection again meanwhile.
        slots.iter().for_each(|&slot| reactor.handle_readable(slot));
        let begun = reactor.connections.table.iter().filter(|connection| connection.stream.is_secure()).count();
        assert_eq!(begun, turn * TURN_TLS_HANDSHAKES);
        reactor.ingress.continue_tls(&mut reactor.connections, &mut reactor.sink);
        assert!(reactor.ingress.is_ready() || turn >= 3);
    }
}

#[test]
#[cfg(feature = "tls")]
fn unfinished_tls_handshakes_are_dropped_when_they_take_more_than_their_total() {
    use halloo_proto::defaults::{MAX_PENDING_BYTES_TOTAL, MAX_TLS_HANDSHAKE_BYTES};

    let (_directory, mut reactor, shared, _) = tls_reactor();
    // A record of 16,000 bytes that begins a ClientHello of 64 KiB.
    let mut hello = vec![0x16, 3, 1, 0x3e, 0x80, 1, 0, 0xff, 0xf0, 3, 3];
    hello.resize(5 + 16_000, 0x2f);
    let most = MAX_PENDING_BYTES_TOTAL / hello.len();
    let (_peers, slots) = connect(&mut reactor, &shared, most + 10, &hello);
    for &slot in &slots {
        reactor.handle_readable(slot);
        while reactor.ingress.is_ready() {
            reactor.ingress.continue_tls(&mut reactor.connections, &mut reactor.sink);
            reactor.ingress.begin_turn(0);
        }
    }
    reactor.connections.reap();
    let left = reactor.connections.table.iter().filter(|connection| connection.stream.handshake_bytes() > 0);
    let bytes: usize = left.map(|connection| connection.stream.handshake_bytes()).sum();
    assert!(bytes <= MAX_PENDING_BYTES_TOTAL, "{bytes} bytes");
    assert!(bytes > MAX_PENDING_BYTES_TOTAL - MAX_TLS_HANDSHAKE_BYTES, "no more are dropped than necessary: {bytes}");
    assert_eq!(shared.refused.load(Ordering::Relaxed), 10);
}

#[test]
#[cfg(feature = "tls")]
fn connections_that_are_gone_do_not_delay_the_tls_handshakes_of_others() {
    use halloo_proto::defaults::TURN_TLS_HANDSHAKES;

    let (_directory, mut reactor, shared, hello) = tls_reactor();
    let (_peers, slots) = connect(&mut reactor, &shared, 30, &hello);
    slots.iter().for_each(|&slot| reactor.handle_readable(slot));
    for &slot in &slots[..20] {
        reactor.connections.with(slot, |egress, connection| egress.drop(connection, LeaveReason::TimedOut));
    }
    reactor.connections.reap();
    reactor.ingress.continue_tls(&mut reactor.connections, &mut reactor.sink);
    let begun = reactor.connections.table.iter().filter(|connection| connection.stream.is_secure()).count();
    assert_eq!(begun, TURN_TLS_HANDSHAKES);
}

#[test]
#[cfg(all(feature = "tls", target_os = "linux"))]
fn a_peer_that_resets_its_connection_costs_no_tls_handshake() {
    let (_directory, mut reactor, shared, hello) = tls_reactor();
    let (peers, slots) = connect(&mut reactor, &shared, 1, &hello);
    socket2::SockRef::from(&peers[0]).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peers);
    // On loopback the reset arrives at once.
    reactor.connections.handle_reset(slots[0]);
    assert!(reactor.connections.table.iter().all(Connection::is_closed));
}

#[test]
fn files_that_replace_those_on_a_drive_that_hangs_do_not_wait_for_it() {
    let directory = TempDir::new(std::env::temp_dir().to_str().unwrap());
    std::fs::write(directory.path().join("index.html"), "on disk").unwrap();
    let (hung, also_hung) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let server = Server::start(Config::local().www(Files::stuck(&hung))).unwrap();
    let peer = || {
        let mut peer = connect_tcp(("127.0.0.1", server.port()));
        peer.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        peer
    };
    let response = |mut peer: TcpStream| std::io::read_to_string(&mut peer).unwrap();
    let memory = || Files::memory([("index.html", "in memory")]).unwrap();
    let first = peer();
    hung.wait();
    server.set_www(memory()).unwrap();
    assert!(response(peer()).ends_with("in memory"));
    server.set_www(Files::directory(directory.path()).unwrap()).unwrap();
    assert!(response(peer()).ends_with("on disk"));
    server.set_www(Files::stuck(&also_hung)).unwrap();
    let second = peer();
    also_hung.wait();
    server.set_www(memory()).unwrap();
    assert!(response(peer()).ends_with("in memory"));
    // Both threads are busy.
    server.set_www(Files::directory(directory.path()).unwrap()).unwrap();
    let third = peer();
    also_hung.wait();
    assert!(response(second).starts_with("HTTP/1.1 404"));
    assert!(response(third).ends_with("on disk"));
    hung.wait();
    assert!(response(first).starts_with("HTTP/1.1 404"));
}
