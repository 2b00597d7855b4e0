use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

use halloo_proto::Time;
use halloo_proto::authenticator::Challenger;
use halloo_proto::defaults::{HANDSHAKE_TIMEOUT, TURN_RESPONSES};
use halloo_proto::frame::Opcode;

use super::connection::Connection;
use super::outboxes::CORK;
use super::*;
use crate::LeaveReason;
use crate::event_queue::EventQueue;

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
        connections.with(slot, |egress, connection| egress.join(connection, false, b""));
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
