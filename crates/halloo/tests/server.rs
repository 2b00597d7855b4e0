//! The server over real sockets, against a client that was not written here.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use halloo::{ClientId, CloseCode, Config, Delivery, Event, LeaveReason, Server};
use tungstenite::protocol::frame::coding::CloseCode as PeerCode;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

type Peer = WebSocket<MaybeTlsStream<TcpStream>>;

/// Long enough for a loaded machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn start(config: Config) -> Server {
    Server::start(config).expect("a free port")
}

fn echo(config: Config) -> Server {
    let handler = |event: Event<'_>, hub: &mut halloo::Hub<'_>| {
        if let Event::MessageReceived { client, message } = event {
            hub.send(client, message).ok();
        }
    };
    Server::start_with(config, handler).expect("a free port")
}

fn connect(server: &Server) -> Peer {
    let (peer, _) = tungstenite::connect(server.url()).expect("let in");
    if let MaybeTlsStream::Plain(stream) = peer.get_ref() {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    peer
}

fn next(server: &Server) -> Event<'static> {
    loop {
        match server.wait_event(PATIENCE).expect("an event") {
            Event::DiscoveryChanged { .. } => {}
            event => return event,
        }
    }
}

fn request(server: &Server, head: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_client_joins_talks_and_leaves() {
    let server = start(Config::local());
    let mut peer = connect(&server);
    let Event::ClientJoined { client, clients: 1, .. } = next(&server) else { panic!() };
    assert_eq!(client, ClientId(1));
    peer.send(Message::text("hällo")).unwrap();
    peer.send(Message::binary(vec![0, 159])).unwrap();
    let Event::MessageReceived { message, .. } = next(&server) else { panic!() };
    assert_eq!(message.text(), Some("hällo"));
    let Event::MessageReceived { message, .. } = next(&server) else { panic!() };
    assert_eq!((message.text(), message.bytes()), (None, &[0, 159][..]));
    assert_eq!(server.send(client, "one").unwrap(), Delivery::Queued);
    server.send_to_all(vec![1, 2]).unwrap();
    server.send(client, "three").unwrap();
    let got: Vec<Message> = (0..3).map(|_| peer.read().unwrap()).collect();
    assert_eq!(got, [Message::text("one"), Message::binary(vec![1, 2]), Message::text("three")]);
    let status = server.status();
    assert_eq!((status.connected_clients, status.extras.clients.len()), (1, 1));
    peer.close(Some(tungstenite::protocol::CloseFrame { code: PeerCode::Away, reason: "bye".into() })).unwrap();
    let left = next(&server);
    let reason = LeaveReason::Closed("bye".into());
    assert_eq!(left, Event::ClientLeft { client, code: CloseCode::GoingAway, reason, clients: 0 });
    assert_eq!(server.send(client, "late").unwrap(), Delivery::NotConnected);
    let _again = connect(&server);
    assert!(matches!(next(&server), Event::ClientJoined { client: ClientId(2), .. }));
}

#[test]
fn large_and_fragmented_messages_come_back_whole() {
    let server = echo(Config::local());
    let mut peer = connect(&server);
    for size in [0, 1, 125, 126, 65_535, 65_536, 70_000, 1024 * 1024] {
        let message = Message::text("x".repeat(size));
        peer.send(message.clone()).unwrap();
        assert!(peer.read().unwrap() == message, "{size} bytes");
    }
}

#[test]
fn a_message_above_the_limit_is_refused_with_1009() {
    let server = start(Config::local());
    let mut peer = connect(&server);
    peer.send(Message::binary(vec![0; 1024 * 1024 + 1])).unwrap();
    let Message::Close(Some(close)) = peer.read().unwrap() else { panic!() };
    assert_eq!(close.code, PeerCode::Size);
    assert!(close.reason.contains("1048576"));
}

#[test]
fn many_clients_get_everything_in_order_while_one_does_not_read() {
    let server = start(Config::local());
    let mut stalled = connect(&server);
    let mut peers: Vec<Peer> = (0..20).map(|_| connect(&server)).collect();
    for _ in 0..21 {
        assert!(matches!(next(&server), Event::ClientJoined { .. }));
    }
    let taken: Arc<Vec<AtomicU32>> = Arc::new((0..20).map(|_| AtomicU32::new(0)).collect());
    let read = |(index, mut peer): (usize, Peer)| {
        let taken = Arc::clone(&taken);
        std::thread::spawn(move || {
            for expected in 0..400u32 {
                let message = peer.read().unwrap().into_data();
                assert_eq!(message.get(..4), Some(&expected.to_be_bytes()[..]));
                taken[index].store(expected + 1, Ordering::Relaxed);
            }
        })
    };
    let readers: Vec<_> = peers.drain(..).enumerate().map(read).collect();
    for number in 0u32..400 {
        let mut message = vec![0; 64 * 1024];
        message[..4].copy_from_slice(&number.to_be_bytes());
        // Eight messages are half an outbox: the honest readers are given no reason to be cut, the stalled one is.
        while taken.iter().any(|taken| taken.load(Ordering::Relaxed) + 8 < number)
            && !readers.iter().any(|r| r.is_finished())
        {
            std::thread::yield_now();
        }
        server.send_to_all(&message[..]).unwrap();
    }
    for reader in readers {
        reader.join().expect("all messages in order");
    }
    stalled.flush().ok();
    let gone =
        std::iter::from_fn(|| server.wait_event(PATIENCE)).find(|event| matches!(event, Event::ClientLeft { .. }));
    assert!(matches!(gone, Some(Event::ClientLeft { client: ClientId(1), reason: LeaveReason::TooSlow, .. })));
}

/// A text message of two bytes, as a client sends it, so many times.
fn small_frames(count: usize) -> Vec<u8> {
    [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'].repeat(count)
}

#[test]
fn a_flood_of_small_messages_leaves_turns_to_the_others() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (order, heard) = std::sync::mpsc::channel();
    let handler = move |event: Event<'_>, _: &mut halloo::Hub<'_>| match event {
        Event::MessageReceived { message, .. } if message.text() == Some("wait") => drop(wait.recv()),
        Event::MessageReceived { client, .. } => drop(order.send(client)),
        _ => {}
    };
    let server = Server::start_with(Config::local(), handler).unwrap();
    let (mut one, mut two) = (connect(&server), connect(&server));
    one.send(Message::text("wait")).unwrap();
    // Both are there when the server looks again.
    for peer in [&mut one, &mut two] {
        let MaybeTlsStream::Plain(stream) = peer.get_mut() else { panic!() };
        stream.write_all(&small_frames(8000)).unwrap();
        // The end must not overtake what was said before it.
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
    go.send(()).unwrap();
    let order: Vec<ClientId> = (0..16_000).map(|_| heard.recv_timeout(PATIENCE).unwrap()).collect();
    let runs = order.chunk_by(|a, b| a == b).count();
    assert!(runs > 2, "one had all its messages handled before the other had any");
    while server.status().connected_clients > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn an_application_that_stalls_loses_nothing() {
    let mut config = Config::local();
    config.event_queue.max_events = 100;
    let server = start(config);
    let mut peer = connect(&server);
    let sender = std::thread::spawn(move || {
        for number in 0..50_000 {
            peer.write(Message::text(number.to_string())).unwrap();
        }
        peer.flush().unwrap();
        peer
    });
    assert!(matches!(next(&server), Event::ClientJoined { .. }));
    for number in 0..50_000 {
        let Event::MessageReceived { message, .. } = next(&server) else { panic!("at {number}") };
        assert_eq!(message.text(), Some(number.to_string().as_str()));
    }
    sender.join().unwrap();
}

#[test]
fn broken_frames_get_their_code() {
    let cases: [(&[u8], u16); 4] = [
        (&[0x81, 0x01, 0x61], 1002),
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
        (&[0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], 1009),
        (&[0x80, 0x80, 0, 0, 0, 0], 1002),
    ];
    let server = start(Config::local());
    for (bytes, code) in cases {
        let mut peer = connect(&server);
        let MaybeTlsStream::Plain(stream) = peer.get_mut() else { panic!() };
        stream.write_all(bytes).unwrap();
        let Message::Close(Some(close)) = peer.read().unwrap() else { panic!() };
        assert_eq!(u16::from(close.code), code, "{bytes:02x?}");
    }
}

#[test]
fn pages_status_and_refusals() {
    let server = start(Config::local());
    let get =
        |path: &str, more: &str| request(&server, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n"));
    assert!(get("/", "").contains("<title>halloo</title>"));
    let status = get("/status", "");
    let body: serde_json::Value = serde_json::from_str(status.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["server_running"], true);
    assert_eq!(body["server_port"], server.port());
    assert_eq!(body["connected_clients"], 0);
    assert_eq!(body["discovery_enabled"], false);
    assert_eq!(body["local_ip"], "127.0.0.1");
    assert!(get("/discovery.json", "").contains("websocket_server_reply"));
    assert!(get("/nowhere", "").starts_with("HTTP/1.1 404"));
    let refused = get("/status", "Origin: http://evil.example\r\n");
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    assert!(refused.contains("add `http://evil.example` to `allowed_origins`"), "{refused}");
    assert!(!refused.contains("server_running"));
    assert!(request(&server, "\x16\x03\x01").starts_with("HTTP/1.1 400"));
    assert!(request(&server, "what is this\r\n\r\n").starts_with("HTTP/1.1 400"));
    assert_eq!(server.status().connected_clients, 0);
}

#[test]
fn kicked_and_stopped_clients_learn_why() {
    let server = start(Config::local());
    let (mut kicked, mut other) = (connect(&server), connect(&server));
    server.disconnect(ClientId(1), 4000, "enough").unwrap();
    let Message::Close(Some(close)) = kicked.read().unwrap() else { panic!() };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (4000, "enough"));
    server.stop();
    let Message::Close(Some(close)) = other.read().unwrap() else { panic!() };
    assert_eq!(close.code, PeerCode::Away);
    drop((kicked, other));
    let left = server.events().filter(|event| matches!(event, Event::ClientLeft { .. })).count();
    assert_eq!(left, 2);
    assert!(!server.status().server_running);
    assert!(server.send_to_all("x").is_err());
}

#[test]
fn a_restart_moves_to_the_new_port_and_never_reuses_an_id() {
    let mut server = start(Config::local());
    let _peer = connect(&server);
    assert!(matches!(next(&server), Event::ClientJoined { client: ClientId(1), .. }));
    server.restart(Config::local()).unwrap();
    let _peer = connect(&server);
    assert!(matches!(next(&server), Event::ClientJoined { client: ClientId(2), clients: 1, .. }));
}

#[test]
fn a_busy_port_is_named_with_the_way_out() {
    let first = start(Config::local());
    let mut config = Config::local();
    (config.port, config.strict_port) = (first.port(), true);
    let error = Server::start(config.clone()).unwrap_err().to_string();
    assert!(error.contains(&first.port().to_string()) && error.contains("choose another port"), "{error}");
    config.strict_port = false;
    let second = start(config);
    assert!((first.port() + 1..=first.port() + 9).contains(&second.port()));
}

#[test]
fn a_panicking_handler_is_an_event_and_not_an_abort() {
    let handler = |event: Event<'_>, _: &mut halloo::Hub<'_>| {
        if let Event::MessageReceived { .. } = event {
            panic!("as the test wants");
        }
    };
    let mut server = Server::start_with(Config::local(), handler).unwrap();
    let (mut bystander, mut culprit) = (connect(&server), connect(&server));
    // More than one, so that something lies unread when the socket is closed.
    for _ in 0..1000 {
        culprit.write(Message::text("x")).unwrap();
    }
    culprit.flush().ok();
    let Some(Event::ServerFailed { message }) = server.wait_event(PATIENCE) else { panic!() };
    assert!(message.contains("as the test wants"));
    assert_eq!(server.status().connected_clients, 0, "whoever is told sees it so");
    for peer in [&mut bystander, &mut culprit] {
        let Message::Close(Some(close)) = peer.read().unwrap() else { panic!() };
        assert_eq!((close.code, close.reason.as_str()), (PeerCode::Error, "server failed"));
    }
    assert_eq!(server.events().count(), 0);
    assert!(!server.status().server_running);
    server.restart(Config::local()).unwrap();
    assert!(server.status().server_running);
}

#[test]
fn a_handler_that_panics_when_it_is_dropped_keeps_nobody_waiting() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("as the test wants");
        }
    }
    let bomb = Bomb;
    let server = Server::start_with(Config::local(), move |_, _| {
        let _ = &bomb;
    })
    .unwrap();
    server.stop();
    let begin = std::time::Instant::now();
    assert_eq!(server.wait_event(PATIENCE), None);
    assert!(begin.elapsed() < PATIENCE, "the events have no end");
    assert_eq!(server.status().connected_clients, 0);
}

/// A listener written from the contract alone.
#[test]
fn beacons_call_until_somebody_comes_and_again_when_the_last_one_left() {
    let listener = UdpSocket::bind("127.255.255.255:0").or_else(|_| UdpSocket::bind("0.0.0.0:0")).unwrap();
    listener.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut config = Config::local();
    config.discovery = true;
    config.discovery_port = listener.local_addr().unwrap().port();
    let server = start(config);
    let beacon = || {
        let mut buffer = [0; 600];
        let (length, _) = listener.recv_from(&mut buffer).expect("a beacon");
        serde_json::from_slice::<serde_json::Value>(&buffer[..length]).unwrap()
    };
    let first = beacon();
    assert_eq!(first["service"], "websocket_server");
    assert_eq!(first["ip"], "127.0.0.1");
    assert_eq!(first["port"], server.port());
    assert!(first["timestamp"].as_u64().unwrap() > 1_700_000_000);
    let bare = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let status = server.status();
    assert!(status.discovery_enabled && status.discovery_active, "a bare connection silences nothing");
    let peer = connect(&server);
    while server.status().discovery_active {
        std::thread::yield_now();
    }
    listener.set_nonblocking(true).unwrap();
    while listener.recv_from(&mut [0; 600]).is_ok() {}
    listener.set_nonblocking(false).unwrap();
    drop((peer, bare));
    assert_eq!(beacon()["service"], "websocket_server");
    drop(server);
    assert!(std::iter::repeat_with(beacon).take(10).any(|datagram| datagram["service"] == "websocket_server_bye"));
}
