//! Clients that do not read: what is dropped is counted and told, and the rest arrives in order.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::net::TcpStream;
use std::time::Duration;

use halloo::{ClientId, Config, Delivery, Event, OutboxLimits, Server, SlowClient};
use tungstenite::{Message, WebSocket};

/// Long enough for a loaded machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// Messages that may wait for one client here.
const OUTBOX: u32 = 50;
/// Sent at a time: more than may wait.
const BATCH: u32 = 100;
const SIZE: usize = 8 * 1024;

fn connect(server: &Server) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (peer, _) = tungstenite::client(server.url(), stream).unwrap();
    assert!(matches!(server.wait_event(PATIENCE), Some(Event::ClientJoined { .. })));
    peer
}

fn server(policy: SlowClient) -> Server {
    Server::start(config(policy)).unwrap()
}

fn config(policy: SlowClient) -> Config {
    let mut config = Config::local();
    // A ping would stand between the messages.
    config.heartbeat = Duration::ZERO;
    config.outbox = OutboxLimits { max_messages: OUTBOX as usize, max_bytes: 1024 * 1024, when_full: policy };
    config
}

fn numbered(number: u32) -> Vec<u8> {
    let mut message = vec![0; SIZE];
    message[..4].copy_from_slice(&number.to_be_bytes());
    message
}

/// Sends batches to a client that does not read until one of them costs as many messages as it has. Answers how many
/// were sent, and how many were dropped.
fn overfill(server: &Server, send: impl Fn(Vec<u8>)) -> (u32, u32) {
    let (mut sent, mut dropped) = (0, 0);
    loop {
        (0..BATCH).for_each(|number| send(numbered(sent + number)));
        sent += BATCH;
        // Asked for behind the messages: the first answer comes in their turn, the next when they were dealt with.
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

/// Overfills a client, lets it read again, and answers what it got and how many messages were sent.
fn numbers_received(policy: SlowClient, to_all: bool) -> (Vec<u32>, u32) {
    let server = server(policy);
    let mut peer = connect(&server);
    let (sent, dropped) = overfill(&server, |message| {
        if to_all { server.send_to_all(message) } else { server.send(ClientId(1), message) }.unwrap();
    });
    let number = |message: Message| u32::from_be_bytes(message.into_data()[..4].try_into().unwrap());
    let received: Vec<u32> = (0..sent - dropped).map(|_| number(peer.read().unwrap())).collect();
    server.send_to_all(numbered(u32::MAX)).unwrap();
    assert_eq!(number(peer.read().unwrap()), u32::MAX, "nothing else was on its way");
    assert!(received.is_sorted_by(|a, b| a < b), "{received:?}");
    drop(peer);
    server.stop();
    let told = server.events().map(|event| match event {
        Event::MessagesDropped { client: ClientId(1), messages } => messages,
        _ => 0,
    });
    assert_eq!(told.sum::<u64>(), u64::from(dropped));
    (received, sent)
}

#[test]
fn drop_oldest_delivers_the_newest() {
    for to_all in [false, true] {
        let (received, sent) = numbers_received(SlowClient::DropOldest, to_all);
        // The one that was half on its way stays, too.
        let newest: Vec<u32> = (sent - OUTBOX + 1..sent).collect();
        assert!(received.ends_with(&newest), "{received:?}");
    }
}

#[test]
fn drop_newest_delivers_the_oldest() {
    for to_all in [false, true] {
        let (received, sent) = numbers_received(SlowClient::DropNewest, to_all);
        let oldest: Vec<u32> = (0..OUTBOX).collect();
        assert!(received.starts_with(&oldest), "{received:?}");
        assert!(received.last().unwrap() < &(sent - BATCH), "{received:?}");
    }
}

/// Commands wait while a handler does, and even those that are no messages find an end to it.
#[test]
fn commands_to_a_stalled_server_are_bounded() {
    let (resume, resumed) = std::sync::mpsc::channel::<()>();
    let (stall, stalled) = std::sync::mpsc::channel::<()>();
    let handler = move |event: Event<'_>, _: &mut halloo::Hub<'_>| {
        if let Event::MessageReceived { .. } = event {
            stall.send(()).unwrap();
            let _ = resumed.recv();
        }
    };
    let server = Server::start_with(Config::local(), handler).unwrap();
    // Declared behind the server, so that it goes on when this test fails.
    let go = resume;
    let (mut peer, _) = tungstenite::connect(server.url()).unwrap();
    peer.send(Message::text("wait")).unwrap();
    stalled.recv_timeout(PATIENCE).unwrap();
    while server.send(ClientId(1), "x") == Ok(Delivery::Queued) {}
    assert_eq!(server.send_to_all("x"), Ok(Delivery::Backpressure));
    assert_eq!(server.disconnect(ClientId(1), 4000, "out"), Ok(Delivery::Backpressure));
    server.stop();
    go.send(()).unwrap();
    assert_eq!(server.events().count(), 0, "it stops however much waits");
    assert_eq!(server.disconnect(ClientId(1), 4000, "out"), Err(halloo::Stopped));
}

#[test]
fn an_application_that_sends_and_does_not_listen_is_told_in_few_words() {
    let mut config = config(SlowClient::DropNewest);
    config.event_queue.max_events = 4;
    let server = Server::start(config).unwrap();
    let peer = connect(&server);
    overfill(&server, |message| assert!(server.send_to_all(message).is_ok()));
    for _ in 0..100 {
        server.send_to_all("one more").unwrap();
        server.status();
    }
    let dropped = server.status().extras.messages_dropped;
    drop(peer);
    server.stop();
    let told = server.events().filter_map(|event| match event {
        Event::MessagesDropped { messages, .. } => Some(messages),
        _ => None,
    });
    let told: Vec<u64> = told.collect();
    assert_eq!(told.iter().sum::<u64>(), dropped);
    assert!(told.len() <= 6, "{} events for a queue of 4", told.len());
}
