//! Messages between the client and servers of another implementation.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::{Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::Thread;
use std::time::Duration;

use halloo::{Client, ClientEvent, CloseCode, Delivery};
use halloo_test_support::{
    ExpectEvent, MockServer, TEST_TIMEOUT, answer_handshake, expect_connected, expect_final_disconnect, expect_gave_up,
    expect_message, single_attempt_client, switching_protocols, wait_until,
};
use tungstenite::Message;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

#[test]
fn text_and_binary_messages_are_echoed_and_the_connection_closes_cleanly() {
    let server = MockServer::websocket(|mut peer| {
        let mut received = Vec::new();
        loop {
            match peer.read().unwrap() {
                Message::Ping(_) => {}
                Message::Close(close) => {
                    let _ = peer.flush();
                    return (received, close.unwrap());
                }
                message => {
                    peer.send(message.clone()).unwrap();
                    received.push(message);
                }
            }
        }
    });
    let url = server.url.clone();
    let client = Client::connect(&url).unwrap();
    // Messages that are sent before the connection is established are queued.
    assert_eq!(client.send("hällo").unwrap(), Delivery::Queued);
    client.send(vec![0, 159]).unwrap();
    assert_eq!(client.expect_event(), ClientEvent::Connected { url: url.clone(), subprotocol: None });
    assert!(client.is_connected() && client.wait_connected(TEST_TIMEOUT));
    assert_eq!(client.url(), Some(url));
    assert_eq!(expect_message(&client).text(), Some("hällo"));
    assert_eq!(expect_message(&client).bytes(), [0, 159]);
    client.close(1000, "done");
    assert!(client.send("late").is_err());
    assert_eq!(expect_final_disconnect(&client), (CloseCode::Normal, "done".into()));
    assert_eq!(client.remaining_events(), []);
    assert!(!client.is_connected() && client.url().is_none());
    let (received, close) = server.join();
    assert_eq!(received, [Message::text("hällo"), Message::binary(vec![0, 159])]);
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1000, "done"));
}

#[test]
fn a_message_of_one_mebibyte_is_echoed_unchanged() {
    let server = MockServer::websocket(|mut peer| {
        let message = loop {
            match peer.read().unwrap() {
                Message::Ping(_) => {}
                message => break message,
            }
        };
        peer.send(message).unwrap();
        while peer.read().is_ok() {}
    });
    let client = single_attempt_client(&server.url, |_| {});
    let large: Vec<u8> = (0..1024 * 1024).map(|index: u32| (index % 251) as u8).collect();
    client.send(&large[..]).unwrap();
    expect_connected(&client);
    assert!(expect_message(&client).bytes() == large);
    drop(client);
    server.join();
}

#[test]
fn messages_arrive_in_order_while_others_are_sent() {
    const COUNT: usize = 50_000;
    let server = MockServer::websocket(|mut peer| {
        let mut received = 0;
        while received < COUNT {
            if let Message::Text(text) = peer.read().unwrap() {
                assert_eq!(text.as_str(), received.to_string());
                received += 1;
                peer.write(Message::Text(text)).unwrap();
            }
        }
        peer.flush().unwrap();
        while peer.read().is_ok() {}
    });
    let client = Client::connect(&server.url).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..COUNT {
                while client.send(number.to_string()).unwrap() == Delivery::Backpressure {
                    std::thread::yield_now();
                }
            }
        });
        for number in 0..COUNT {
            let message = client.expect_matching(|event| match event {
                ClientEvent::MessageReceived { message } => Some(message),
                _ => None,
            });
            assert_eq!(message.text(), Some(number.to_string().as_str()));
        }
    });
    drop(client);
    server.join();
}

#[test]
fn fragments_are_joined_and_a_ping_between_them_is_answered() {
    let server = MockServer::websocket(|mut peer| {
        let fragment = |text: &str, opcode, fin| {
            Message::Frame(Frame::message(text.as_bytes().to_vec(), OpCode::Data(opcode), fin))
        };
        peer.send(fragment("one ", Data::Text, false)).unwrap();
        peer.send(Message::Ping(b"there?"[..].into())).unwrap();
        peer.send(fragment("two ", Data::Continue, false)).unwrap();
        peer.send(fragment("three", Data::Continue, true)).unwrap();
        loop {
            match peer.read().unwrap() {
                Message::Pong(payload) => return payload.to_vec(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    });
    let client = Client::connect(&server.url).unwrap();
    expect_connected(&client);
    assert_eq!(expect_message(&client).text(), Some("one two three"));
    assert_eq!(server.join(), b"there?");
}

#[test]
fn latency_is_measured_right_after_connecting() {
    let server = MockServer::websocket(|mut peer| while peer.read().is_ok() {});
    // So long that no ping is due because of silence.
    let client = single_attempt_client(&server.url, |config| config.heartbeat = Duration::from_secs(3600));
    assert!(client.wait_connected(TEST_TIMEOUT));
    wait_until(|| client.latency().is_some());
    drop(client);
    server.join();
}

#[test]
fn a_silent_server_is_pinged_and_then_disconnected() {
    let server = MockServer::raw(|mut stream| {
        answer_handshake(&stream, switching_protocols);
        // The pings are never answered.
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        bytes
    });
    let client = single_attempt_client(&server.url, |config| config.heartbeat = Duration::from_millis(50));
    expect_connected(&client);
    let (code, reason) = expect_final_disconnect(&client);
    assert_eq!(code, CloseCode::Abnormal);
    assert!(reason.contains("silent"), "{reason}");
    assert_eq!(&server.join()[..2], [0x89, 0x80], "a masked ping");
}

#[test]
fn a_protocol_violation_is_answered_with_its_close_code() {
    let cases: [(&[u8], u16); 4] = [
        (&[0x81, 0x81, 0, 0, 0, 0, 0x61], 1002),
        (&[0x81, 0x01, 0xff], 1007),
        (&[0x82, 0x7f, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff], 1009),
        (&[0xc1, 0x00], 1002),
    ];
    for (bytes, code) in cases {
        let server = MockServer::websocket(move |mut peer| {
            peer.get_mut().write_all(bytes).unwrap();
            loop {
                match peer.read() {
                    Ok(Message::Close(close)) => return u16::from(close.unwrap().code),
                    Ok(Message::Ping(_)) => {}
                    other => panic!("{other:?}"),
                }
            }
        });
        let client = Client::connect(&server.url).unwrap();
        expect_connected(&client);
        assert_eq!(expect_final_disconnect(&client).0.number(), code, "{bytes:02x?}");
        assert!(expect_gave_up(&client).contains(&code.to_string()));
        assert_eq!(server.join(), code);
    }
}

#[test]
fn events_can_be_awaited() {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let server = MockServer::websocket(|mut peer| {
        peer.send(Message::text("x")).unwrap();
        while peer.read().is_ok() {}
    });
    let client = Client::connect(&server.url).unwrap();
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut next_event = || {
        let mut future = pin!(client.event());
        loop {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(event) => return event,
                Poll::Pending => std::thread::park_timeout(TEST_TIMEOUT),
            }
        }
    };
    let (connected, message) = (next_event(), next_event());
    assert!(matches!(connected, Some(ClientEvent::Connected { .. })));
    assert!(matches!(message, Some(ClientEvent::MessageReceived { .. })));
    drop(client);
    server.join();
}
