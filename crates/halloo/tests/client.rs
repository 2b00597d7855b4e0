//! The client over real sockets, against a server that was not written here and against raw bytes.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use halloo::{Client, ClientConfig, ClientEvent, CloseCode, Delivery};
use halloo_proto::upgrade::accept_key;
use tungstenite::protocol::frame::coding::{CloseCode as PeerCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::{Message, WebSocket};

/// Long enough for a loaded machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server for one client, which `serve` speaks to.
fn server<T: Send + 'static>(
    serve: impl FnOnce(WebSocket<TcpStream>) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    raw_server(|stream| serve(tungstenite::accept(stream).expect("a handshake")))
}

/// The same below WebSocket.
fn raw_server<T: Send + 'static>(serve: impl FnOnce(TcpStream) -> T + Send + 'static) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        serve(stream)
    });
    (url, thread)
}

/// Reads the request and answers with what `answer` makes of its key; then goes on.
fn answer(mut stream: &TcpStream, answer: impl FnOnce(&str) -> String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    stream.write_all(answer(key).as_bytes()).unwrap();
}

fn accepted(key: &str) -> String {
    let accept = accept_key(key);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

fn next(client: &Client) -> ClientEvent {
    client.wait_event(PATIENCE).expect("an event")
}

fn received(client: &Client) -> halloo::Message<'static> {
    match next(client) {
        ClientEvent::MessageReceived { message } => message,
        other => panic!("{other:?}"),
    }
}

/// The first client that gets only one attempt.
fn once(url: &str, change: impl FnOnce(&mut ClientConfig)) -> Client {
    let mut config = ClientConfig::new(url);
    config.reconnect = false;
    change(&mut config);
    Client::start(config).unwrap()
}

fn gave_up(client: &Client) -> String {
    match next(client) {
        ClientEvent::GaveUp { reason } => {
            assert_eq!(client.events().count(), 0, "nothing comes after the end");
            assert!(client.send("late").is_err());
            reason
        }
        other => panic!("{other:?}"),
    }
}

fn disconnected(client: &Client) -> (CloseCode, String) {
    match next(client) {
        ClientEvent::Disconnected { code, reason, retry_in: None } => (code, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn text_and_bytes_both_ways_and_an_agreed_end() {
    let (url, server) = server(|mut peer| {
        let mut got = Vec::new();
        loop {
            match peer.read().unwrap() {
                Message::Ping(_) => {}
                Message::Close(close) => {
                    let _ = peer.flush();
                    return (got, close.unwrap());
                }
                message => {
                    peer.send(message.clone()).unwrap();
                    got.push(message);
                }
            }
        }
    });
    let client = Client::connect(&url).unwrap();
    // Before there is a connection, they wait for it.
    assert_eq!(client.send("hällo").unwrap(), Delivery::Queued);
    client.send(vec![0, 159]).unwrap();
    assert_eq!(next(&client), ClientEvent::Connected { url: url.clone() });
    assert!(client.is_connected() && client.wait_connected(PATIENCE));
    assert_eq!(client.url(), Some(url));
    assert_eq!(received(&client).text(), Some("hällo"));
    assert_eq!(received(&client).bytes(), [0, 159]);
    client.close(1000, "done");
    assert!(client.send("late").is_err());
    assert_eq!(disconnected(&client), (CloseCode::Normal, "done".into()));
    assert_eq!(client.events().count(), 0);
    assert!(!client.is_connected() && client.url().is_none());
    let (got, close) = server.join().unwrap();
    assert_eq!(got, [Message::text("hällo"), Message::binary(vec![0, 159])]);
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1000, "done"));
}

#[test]
fn a_megabyte_both_ways_is_masked_and_whole() {
    let (url, server) = server(|mut peer| {
        let message = loop {
            match peer.read().unwrap() {
                Message::Ping(_) => {}
                message => break message,
            }
        };
        peer.send(message).unwrap();
        while peer.read().is_ok() {}
    });
    let client = once(&url, |_| {});
    let big: Vec<u8> = (0..1024 * 1024).map(|index: u32| (index % 251) as u8).collect();
    client.send(&big[..]).unwrap();
    assert!(matches!(next(&client), ClientEvent::Connected { .. }));
    assert!(received(&client).bytes() == big);
    drop(client);
    server.join().unwrap();
}

#[test]
fn many_messages_come_in_order_while_others_go() {
    const COUNT: usize = 50_000;
    let (url, server) = server(|mut peer| {
        let mut seen = 0;
        while seen < COUNT {
            if let Message::Text(text) = peer.read().unwrap() {
                assert_eq!(text.as_str(), seen.to_string());
                seen += 1;
                peer.write(Message::Text(text)).unwrap();
            }
        }
        peer.flush().unwrap();
        while peer.read().is_ok() {}
    });
    let client = Client::connect(&url).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..COUNT {
                while client.send(number.to_string()).unwrap() == Delivery::Backpressure {
                    std::thread::yield_now();
                }
            }
        });
        let mut messages = client.events().filter_map(|event| match event {
            ClientEvent::MessageReceived { message } => Some(message),
            _ => None,
        });
        for number in 0..COUNT {
            assert_eq!(messages.next().unwrap().text(), Some(number.to_string().as_str()));
        }
    });
    drop(client);
    server.join().unwrap();
}

#[test]
fn fragments_are_joined_and_pings_answered_in_between() {
    let (url, server) = server(|mut peer| {
        let piece = |text: &str, opcode, fin| {
            Message::Frame(Frame::message(text.as_bytes().to_vec(), OpCode::Data(opcode), fin))
        };
        peer.send(piece("one ", Data::Text, false)).unwrap();
        peer.send(Message::Ping(b"there?"[..].into())).unwrap();
        peer.send(piece("two ", Data::Continue, false)).unwrap();
        peer.send(piece("three", Data::Continue, true)).unwrap();
        loop {
            match peer.read().unwrap() {
                Message::Pong(payload) => return payload.to_vec(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    });
    let client = Client::connect(&url).unwrap();
    assert!(matches!(next(&client), ClientEvent::Connected { .. }));
    assert_eq!(received(&client).text(), Some("one two three"));
    assert_eq!(server.join().unwrap(), b"there?");
}

#[test]
fn the_round_trip_is_known_from_the_start() {
    let (url, server) = server(|mut peer| while peer.read().is_ok() {});
    // No silence that would be pinged.
    let client = once(&url, |config| config.heartbeat = Duration::from_secs(3600));
    assert!(client.wait_connected(PATIENCE));
    let start = Instant::now();
    while client.latency().is_none() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    drop(client);
    server.join().unwrap();
}

#[test]
fn a_silent_server_is_dead_after_three_heartbeats() {
    let (url, server) = raw_server(|stream| {
        answer(&stream, accepted);
        // Its pings are never answered.
        let mut bytes = Vec::new();
        let _ = (&stream).read_to_end(&mut bytes);
        bytes
    });
    let client = once(&url, |config| config.heartbeat = Duration::from_millis(50));
    assert!(matches!(next(&client), ClientEvent::Connected { .. }));
    let (code, reason) = disconnected(&client);
    assert_eq!(code, CloseCode::Abnormal);
    assert!(reason.contains("silent"), "{reason}");
    let bytes = server.join().unwrap();
    assert_eq!(&bytes[..2], [0x89, 0x80], "a masked ping");
}

#[test]
fn a_server_that_breaks_the_protocol_is_told_so() {
    let cases: [(&[u8], u16); 4] = [
        (&[0x81, 0x81, 0, 0, 0, 0, 0x61], 1002),
        (&[0x81, 0x01, 0xff], 1007),
        (&[0x82, 0x7f, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff], 1009),
        (&[0xc1, 0x00], 1002),
    ];
    for (bytes, code) in cases {
        let (url, server) = server(move |mut peer| {
            peer.get_mut().write_all(bytes).unwrap();
            loop {
                match peer.read() {
                    Ok(Message::Close(close)) => return u16::from(close.unwrap().code),
                    Ok(Message::Ping(_)) => {}
                    other => panic!("{other:?}"),
                }
            }
        });
        let client = Client::connect(&url).unwrap();
        assert!(matches!(next(&client), ClientEvent::Connected { .. }));
        assert_eq!(disconnected(&client).0.number(), code, "{bytes:02x?}");
        assert!(gave_up(&client).contains(&code.to_string()));
        assert_eq!(server.join().unwrap(), code);
    }
}

#[test]
fn a_refusal_ends_it_with_the_servers_own_sentence() {
    for status in ["401 Unauthorized", "403 Forbidden", "404 Not Found", "426 Upgrade Required"] {
        let (url, server) = raw_server(move |stream| {
            answer(&stream, |_| {
                format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nnot \u{1b}[31myou")
            });
        });
        let client = Client::connect(&url).unwrap();
        let reason = gave_up(&client);
        assert!(reason.contains(&status[..3]) && reason.contains("not \\u{1b}[31myou"), "{reason}");
        server.join().unwrap();
    }
}

#[test]
fn an_answer_that_is_none_ends_it() {
    type Answer = fn(&str) -> String;
    let cases: [(Answer, &str); 4] = [
        (|_| accepted("another key"), "does not fit the key"),
        (|_| "SSH-2.0-OpenSSH_9.9\r\n".into(), "does not speak HTTP"),
        (|_| format!("HTTP/1.1 101 X\r\nX: {}", "x".repeat(20_000)), "too large"),
        (|_| "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into(), "200"),
    ];
    for (wrong, why) in cases {
        let (url, server) = raw_server(move |stream| {
            answer(&stream, wrong);
            let _ = (&stream).read_to_end(&mut Vec::new());
        });
        let reason = gave_up(&Client::connect(&url).unwrap());
        assert!(reason.contains(why), "{reason}");
        server.join().unwrap();
    }
}

#[test]
fn half_an_answer_is_a_lost_connection_and_tried_again() {
    let (url, server) = raw_server(|stream| answer(&stream, |key| accepted(key)[..40].to_owned()));
    let client = Client::connect(&url).unwrap();
    let ClientEvent::AttemptFailed { reason, .. } = next(&client) else { panic!() };
    assert!(reason.contains("hung up"), "{reason}");
    server.join().unwrap();
    let (url, server) =
        raw_server(|stream| answer(&stream, |_| "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".into()));
    let client = Client::connect(&url).unwrap();
    let ClientEvent::AttemptFailed { reason, .. } = next(&client) else { panic!() };
    assert!(reason.contains("503") && reason.contains("Busy"), "{reason}");
    server.join().unwrap();
}

#[test]
fn frames_right_behind_the_handshake_are_not_lost() {
    let (url, server) = raw_server(|stream| {
        answer(&stream, |key| accepted(key) + "\u{1}\u{3}one" + "\u{0}\u{3}two");
        let mut stream = stream;
        // The last frame of the message, cut in two.
        stream.write_all(&[0x80]).unwrap();
        stream.write_all(b"\x05three").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let client = once(&url, |_| {});
    assert!(matches!(next(&client), ClientEvent::Connected { .. }));
    assert_eq!(received(&client).text(), Some("onetwothree"));
    drop(client);
    server.join().unwrap();
}

#[test]
fn a_kick_by_the_application_is_final_and_a_restart_is_not() {
    for (code, is_final) in [(4000, true), (3000, true), (1008, true), (1001, false), (1013, false), (1011, false)] {
        let (url, server) = server(move |mut peer| {
            peer.close(Some(CloseFrame { code: PeerCode::from(code), reason: "enough\u{7}".into() })).unwrap();
            while peer.read().is_ok() {}
        });
        let client = Client::connect(&url).unwrap();
        assert!(matches!(next(&client), ClientEvent::Connected { .. }));
        let ClientEvent::Disconnected { code: told, reason, retry_in } = next(&client) else { panic!() };
        assert_eq!((told.number(), reason.as_str(), retry_in.is_none()), (code, "enough\u{7}", is_final));
        if is_final {
            let reason = gave_up(&client);
            assert!(reason.contains("enough\\u{7}"), "{reason}");
        }
        server.join().unwrap();
    }
}

#[test]
fn dropped_with_events_untaken_it_still_says_1001() {
    let (url, server) = server(|mut peer| {
        for _ in 0..5000 {
            peer.write(Message::text("x")).unwrap();
        }
        peer.flush().unwrap();
        loop {
            match peer.read() {
                Ok(Message::Close(close)) => return close.map(|close| u16::from(close.code)),
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    // Nobody takes its events, so that it does not even read any more.
    let client = once(&url, |config| config.event_queue = 100);
    assert!(client.wait_connected(PATIENCE));
    drop(client);
    assert_eq!(server.join().unwrap(), Some(1001));
}

#[test]
fn stopped_in_the_middle_of_the_handshake_it_still_says_1001() {
    let (asked, is_asked) = std::sync::mpsc::channel();
    let (stopped, is_stopped) = std::sync::mpsc::channel::<()>();
    let (url, server) = raw_server(move |stream| {
        // To the server it is a client as soon as this answer is on its way.
        answer(&stream, |key| {
            asked.send(()).unwrap();
            is_stopped.recv().unwrap();
            accepted(key)
        });
        let mut bytes = Vec::new();
        let _ = (&stream).take(64).read_to_end(&mut bytes);
        bytes
    });
    let client = Client::connect(&url).unwrap();
    is_asked.recv().unwrap();
    client.stop();
    stopped.send(()).unwrap();
    let bytes = server.join().unwrap();
    let close = bytes.iter().position(|&byte| byte == 0x88).expect("a close frame");
    let (key, code) = (&bytes[close + 2..close + 6], &bytes[close + 6..close + 8]);
    assert_eq!(u16::from_be_bytes([code[0] ^ key[0], code[1] ^ key[1]]), 1001);
}

#[test]
fn dropped_while_the_server_takes_nothing_it_ends_all_the_same() {
    let (over, is_over) = std::sync::mpsc::channel::<()>();
    let (url, server) = server(move |peer| {
        let _ = is_over.recv();
        drop(peer);
    });
    let client = Client::connect(&url).unwrap();
    assert!(client.wait_connected(PATIENCE));
    while client.send(vec![7; 100_000]).unwrap() == Delivery::Queued {}
    assert!(client.messages_dropped() > 0);
    // Would wait for ever if it waited for the server, or came back to send what is left.
    drop(client);
    drop(over);
    server.join().unwrap();
}

#[test]
fn an_application_that_does_not_take_its_events_slows_the_server_and_loses_nothing() {
    const COUNT: u32 = 20_000;
    let (url, server) = server(|mut peer| {
        for number in 0..COUNT {
            peer.write(Message::binary(number.to_be_bytes().to_vec())).unwrap();
        }
        peer.flush().unwrap();
        while peer.read().is_ok() {}
    });
    let client = once(&url, |config| config.event_queue = 100);
    assert!(matches!(next(&client), ClientEvent::Connected { .. }));
    for number in 0..COUNT {
        assert_eq!(received(&client).bytes(), number.to_be_bytes());
    }
    drop(client);
    server.join().unwrap();
}

#[test]
fn what_is_no_address_is_told_at_once() {
    let without_tls = (!cfg!(feature = "tls")).then_some(("wss://den.local", "TLS"));
    for (wrong, why) in [("ws://a b", "host"), ("ftp://a", "ftp"), ("", "host")].into_iter().chain(without_tls) {
        let error = Client::connect(wrong).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn events_can_be_awaited() {
    let (url, server) = server(|mut peer| {
        peer.send(Message::text("x")).unwrap();
        while peer.read().is_ok() {}
    });
    let client = Client::connect(&url).unwrap();
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut wait = || {
        let mut future = std::pin::pin!(client.event());
        loop {
            match future.as_mut().poll(&mut context) {
                std::task::Poll::Ready(event) => return event,
                std::task::Poll::Pending => std::thread::park_timeout(PATIENCE),
            }
        }
    };
    let (connected, message) = (wait(), wait());
    assert!(matches!(connected, Some(ClientEvent::Connected { .. })));
    assert!(matches!(message, Some(ClientEvent::MessageReceived { .. })));
    drop(client);
    server.join().unwrap();
}
