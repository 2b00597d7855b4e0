//! The client over real sockets, against a server that was not written here and against raw bytes.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

mod answering;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use answering::*;
use halloo::{Client, ClientEvent, CloseCode, Delivery};
use tungstenite::Message;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

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
