//! The server against clients of another implementation: messages, events, and its life cycle.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::Write;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use halloo::{ClientId, CloseCode, Config, Delivery, Event, Hub, LeaveReason, Server};
use halloo_test_support::{ExpectEvent, Peer, TEST_TIMEOUT, connect_peer, echo_server, wait_until};
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode as PeerCode;

fn start() -> Server {
    Server::start(Config::local()).expect("a free port")
}

/// Expects a close frame with a code.
fn expect_close(peer: &mut Peer) -> CloseFrame {
    match peer.read().unwrap() {
        Message::Close(Some(close)) => close,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_joins_exchanges_messages_and_leaves() {
    let server = start();
    let mut peer = connect_peer(&server);
    let Event::ClientJoined { client, clients: 1, .. } = server.expect_event() else { panic!() };
    assert_eq!(client, ClientId(1));
    peer.send(Message::text("hällo")).unwrap();
    peer.send(Message::binary(vec![0, 159])).unwrap();
    let Event::MessageReceived { message, .. } = server.expect_event() else { panic!() };
    assert_eq!(message.text(), Some("hällo"));
    let Event::MessageReceived { message, .. } = server.expect_event() else { panic!() };
    assert_eq!((message.text(), message.bytes()), (None, &[0, 159][..]));
    assert_eq!(server.send(client, "one").unwrap(), Delivery::Queued);
    server.send_to_all(vec![1, 2]).unwrap();
    server.send(client, "three").unwrap();
    let received: Vec<Message> = (0..3).map(|_| peer.read().unwrap()).collect();
    assert_eq!(received, [Message::text("one"), Message::binary(vec![1, 2]), Message::text("three")]);
    let status = server.status();
    assert_eq!((status.connected_clients, status.extras.clients.len()), (1, 1));
    peer.close(Some(CloseFrame { code: PeerCode::Away, reason: "bye".into() })).unwrap();
    let left = server.expect_event();
    let reason = LeaveReason::Closed("bye".into());
    assert_eq!(left, Event::ClientLeft { client, code: CloseCode::GoingAway, reason, rooms: vec![], clients: 0 });
    assert_eq!(server.send(client, "late").unwrap(), Delivery::NotConnected);
    let _second_peer = connect_peer(&server);
    assert!(matches!(server.expect_event(), Event::ClientJoined { client: ClientId(2), .. }));
}

#[test]
fn messages_of_all_sizes_are_echoed_unchanged() {
    let server = echo_server(Config::local());
    let mut peer = connect_peer(&server);
    for size in [0, 1, 125, 126, 65_535, 65_536, 70_000, 1024 * 1024] {
        let message = Message::text("x".repeat(size));
        peer.send(message.clone()).unwrap();
        assert!(peer.read().unwrap() == message, "{size} bytes");
    }
}

#[test]
fn a_message_above_the_size_limit_is_refused_with_1009() {
    let server = start();
    let mut peer = connect_peer(&server);
    peer.send(Message::binary(vec![0; 1024 * 1024 + 1])).unwrap();
    let close = expect_close(&mut peer);
    assert_eq!(close.code, PeerCode::Size);
    assert!(close.reason.contains("1048576"));
}

#[test]
fn invalid_frames_are_refused_with_the_code_of_their_violation() {
    let cases: [(&[u8], u16); 4] = [
        (&[0x81, 0x01, 0x61], 1002),
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
        (&[0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], 1009),
        (&[0x80, 0x80, 0, 0, 0, 0], 1002),
    ];
    let server = start();
    for (bytes, code) in cases {
        let mut peer = connect_peer(&server);
        peer.get_mut().write_all(bytes).unwrap();
        assert_eq!(u16::from(expect_close(&mut peer).code), code, "{bytes:02x?}");
    }
}

#[test]
fn broadcasts_arrive_in_order_while_one_client_does_not_read() {
    let server = start();
    let mut stalled = connect_peer(&server);
    let readers: Vec<Peer> = (0..20).map(|_| connect_peer(&server)).collect();
    for _ in 0..21 {
        assert!(matches!(server.expect_event(), Event::ClientJoined { .. }));
    }
    let progress: Arc<Vec<AtomicU32>> = Arc::new((0..20).map(|_| AtomicU32::new(0)).collect());
    let read = |(index, mut peer): (usize, Peer)| {
        let progress = Arc::clone(&progress);
        std::thread::spawn(move || {
            for expected in 0..400u32 {
                let message = peer.read().unwrap().into_data();
                assert_eq!(message.get(..4), Some(&expected.to_be_bytes()[..]));
                progress[index].store(expected + 1, Ordering::Relaxed);
            }
        })
    };
    let threads: Vec<_> = readers.into_iter().enumerate().map(read).collect();
    for number in 0u32..400 {
        let mut message = vec![0; 64 * 1024];
        message[..4].copy_from_slice(&number.to_be_bytes());
        // Eight messages fill half of an outbox, so that only the stalled client is too slow.
        while progress.iter().any(|received| received.load(Ordering::Relaxed) + 8 < number)
            && !threads.iter().any(|thread| thread.is_finished())
        {
            std::thread::yield_now();
        }
        server.send_to_all(&message[..]).unwrap();
    }
    for thread in threads {
        thread.join().expect("all messages in order");
    }
    stalled.flush().ok();
    let left = server.expect_matching(|event| match event {
        Event::ClientLeft { client, reason, .. } => Some((client, reason)),
        _ => None,
    });
    assert_eq!(left, (ClientId(1), LeaveReason::TooSlow));
}

#[test]
fn floods_of_small_messages_of_two_clients_are_handled_alternately() {
    let (resume, is_resumed) = mpsc::channel::<()>();
    let (sender, senders) = mpsc::channel();
    let handler = move |event: Event<'_>, _: &mut Hub<'_>| match event {
        Event::MessageReceived { message, .. } if message.text() == Some("wait") => drop(is_resumed.recv()),
        Event::MessageReceived { client, .. } => drop(sender.send(client)),
        _ => {}
    };
    let server = Server::start_with(Config::local(), handler).unwrap();
    let (mut one, mut two) = (connect_peer(&server), connect_peer(&server));
    one.send(Message::text("wait")).unwrap();
    // Both floods are there when the handler returns.
    let small_messages = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'].repeat(8000);
    for peer in [&mut one, &mut two] {
        peer.get_mut().write_all(&small_messages).unwrap();
        // The end of the connection must not overtake the messages before it.
        peer.get_mut().shutdown(Shutdown::Write).unwrap();
    }
    resume.send(()).unwrap();
    let order: Vec<ClientId> = (0..16_000).map(|_| senders.recv_timeout(TEST_TIMEOUT).unwrap()).collect();
    let runs = order.chunk_by(|a, b| a == b).count();
    assert!(runs > 2, "all messages of one client were handled before those of the other");
    wait_until(|| server.status().connected_clients == 0);
}

#[test]
fn a_full_event_queue_slows_clients_down_and_loses_nothing() {
    let mut config = Config::local();
    config.event_queue.max_events = 100;
    let server = Server::start(config).unwrap();
    let mut peer = connect_peer(&server);
    let sending = std::thread::spawn(move || {
        for number in 0..50_000 {
            peer.write(Message::text(number.to_string())).unwrap();
        }
        peer.flush().unwrap();
        peer
    });
    assert!(matches!(server.expect_event(), Event::ClientJoined { .. }));
    for number in 0..50_000 {
        let Event::MessageReceived { message, .. } = server.expect_event() else { panic!("at {number}") };
        assert_eq!(message.text(), Some(number.to_string().as_str()));
    }
    sending.join().unwrap();
}

#[test]
fn disconnect_and_stop_close_with_their_codes() {
    let server = start();
    let (mut disconnected, mut other) = (connect_peer(&server), connect_peer(&server));
    server.disconnect(ClientId(1), 4000, "enough").unwrap();
    let close = expect_close(&mut disconnected);
    assert_eq!((u16::from(close.code), close.reason.as_str()), (4000, "enough"));
    server.stop();
    assert_eq!(expect_close(&mut other).code, PeerCode::Away);
    drop((disconnected, other));
    let left = server.remaining_events().into_iter().filter(|event| matches!(event, Event::ClientLeft { .. }));
    assert_eq!(left.count(), 2);
    assert!(!server.status().server_running);
    assert!(server.send_to_all("x").is_err());
}

#[test]
fn client_ids_are_not_reused_after_a_restart() {
    let mut server = start();
    let _peer = connect_peer(&server);
    assert!(matches!(server.expect_event(), Event::ClientJoined { client: ClientId(1), .. }));
    server.restart(Config::local()).unwrap();
    let _peer = connect_peer(&server);
    assert!(matches!(server.expect_event(), Event::ClientJoined { client: ClientId(2), clients: 1, .. }));
}
