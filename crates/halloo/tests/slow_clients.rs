//! Clients that do not read: dropped messages are counted and reported, and the others arrive in order.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::sync::mpsc;
use std::time::Duration;

use halloo::{ClientId, Config, Delivery, Event, Hub, OutboxLimits, Server, SlowClient};
use halloo_test_support::{ExpectEvent, Peer, TEST_TIMEOUT, connect_peer};
use tungstenite::Message;

/// Messages that may be queued for one client here.
const MAX_MESSAGES: u32 = 50;
/// Messages that are sent at a time: more than may be queued.
const BATCH: u32 = 100;
const MESSAGE_SIZE: usize = 8 * 1024;

fn config(when_full: SlowClient) -> Config {
    let mut config = Config::local();
    // Without pings between the messages.
    config.heartbeat = Duration::ZERO;
    config.outbox = OutboxLimits { max_messages: MAX_MESSAGES as usize, max_bytes: 1024 * 1024, when_full };
    config
}

fn join(server: &Server) -> Peer {
    let peer = connect_peer(server);
    assert!(matches!(server.expect_event(), Event::ClientJoined { .. }));
    peer
}

fn numbered(number: u32) -> Vec<u8> {
    let mut message = vec![0; MESSAGE_SIZE];
    message[..4].copy_from_slice(&number.to_be_bytes());
    message
}

fn number_of(message: Message) -> u32 {
    u32::from_be_bytes(message.into_data()[..4].try_into().unwrap())
}

/// Sends batches to a client that does not read, until a whole batch is dropped. Returns how many messages were sent and
/// how many were dropped.
fn overfill(server: &Server, send: impl Fn(Vec<u8>)) -> (u32, u32) {
    let (mut sent, mut dropped) = (0, 0);
    loop {
        (0..BATCH).for_each(|number| send(numbered(sent + number)));
        sent += BATCH;
        // The first status is from the turn that handles the messages, the second from the one after it.
        let status = (server.status(), server.status()).1;
        assert_eq!(status.extras.messages_sent, u64::from(sent));
        assert_eq!(status.extras.messages_dropped, status.extras.clients[0].dropped);
        let now = u32::try_from(status.extras.messages_dropped).unwrap();
        if now == dropped + BATCH {
            return (sent, now);
        }
        dropped = now;
    }
}

/// Overfills a client that reads only afterwards. Returns the numbers that it received, and how many were sent.
fn overfill_and_read(when_full: SlowClient, to_all: bool) -> (Vec<u32>, u32) {
    let server = Server::start(config(when_full)).unwrap();
    let mut peer = join(&server);
    let (sent, dropped) = overfill(&server, |message| {
        if to_all { server.send_to_all(message) } else { server.send(ClientId(1), message) }.unwrap();
    });
    let received: Vec<u32> = (0..sent - dropped).map(|_| number_of(peer.read().unwrap())).collect();
    server.send_to_all(numbered(u32::MAX)).unwrap();
    assert_eq!(number_of(peer.read().unwrap()), u32::MAX, "no other message was in transit");
    assert!(received.is_sorted_by(|a, b| a < b), "{received:?}");
    drop(peer);
    server.stop();
    let reported = server.remaining_events().into_iter().map(|event| match event {
        Event::MessagesDropped { client: ClientId(1), messages } => messages,
        _ => 0,
    });
    assert_eq!(reported.sum::<u64>(), u64::from(dropped));
    (received, sent)
}

#[test]
fn drop_oldest_delivers_the_newest_messages() {
    for to_all in [false, true] {
        let (received, sent) = overfill_and_read(SlowClient::DropOldest, to_all);
        // A message that is partially sent stays in the queue, too.
        let newest: Vec<u32> = (sent - MAX_MESSAGES + 1..sent).collect();
        assert!(received.ends_with(&newest), "{received:?}");
    }
}

#[test]
fn drop_newest_delivers_the_oldest_messages() {
    for to_all in [false, true] {
        let (received, sent) = overfill_and_read(SlowClient::DropNewest, to_all);
        let oldest: Vec<u32> = (0..MAX_MESSAGES).collect();
        assert!(received.starts_with(&oldest), "{received:?}");
        assert!(received.last().unwrap() < &(sent - BATCH), "{received:?}");
    }
}

/// Commands are queued while a handler runs, and that queue is bounded for all of them, messages or not.
#[test]
fn commands_to_a_server_whose_handler_blocks_are_bounded() {
    let (resume, is_resumed) = mpsc::channel::<()>();
    let (block, is_blocked) = mpsc::channel::<()>();
    let handler = move |event: Event<'_>, _: &mut Hub<'_>| {
        if let Event::MessageReceived { .. } = event {
            block.send(()).unwrap();
            let _ = is_resumed.recv();
        }
    };
    let server = Server::start_with(Config::local(), handler).unwrap();
    // Dropped before the server, so that its handler returns if this test fails.
    let resume = resume;
    let mut peer = connect_peer(&server);
    peer.send(Message::text("wait")).unwrap();
    is_blocked.recv_timeout(TEST_TIMEOUT).unwrap();
    while server.send(ClientId(1), "x") == Ok(Delivery::Queued) {}
    assert_eq!(server.send_to_all("x"), Ok(Delivery::Backpressure));
    assert_eq!(server.disconnect(ClientId(1), 4000, "out"), Ok(Delivery::Backpressure));
    server.stop();
    resume.send(()).unwrap();
    assert_eq!(server.remaining_events(), [], "it stops although commands are queued");
    assert_eq!(server.disconnect(ClientId(1), 4000, "out"), Err(halloo::Stopped));
}

#[test]
fn drop_reports_are_merged_while_the_event_queue_is_full() {
    let mut config = config(SlowClient::DropNewest);
    config.event_queue.max_events = 4;
    let server = Server::start(config).unwrap();
    let peer = join(&server);
    overfill(&server, |message| assert!(server.send_to_all(message).is_ok()));
    for _ in 0..100 {
        server.send_to_all("one more").unwrap();
        server.status();
    }
    let dropped = server.status().extras.messages_dropped;
    drop(peer);
    server.stop();
    let reports = server.remaining_events().into_iter().filter_map(|event| match event {
        Event::MessagesDropped { messages, .. } => Some(messages),
        _ => None,
    });
    let reports: Vec<u64> = reports.collect();
    assert_eq!(reports.iter().sum::<u64>(), dropped);
    assert!(reports.len() <= 6, "{} events for a queue of 4", reports.len());
}
