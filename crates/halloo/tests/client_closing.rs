//! How a client closes, and what happens while its application does not take events.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::{Read, Write};
use std::sync::mpsc;
use std::time::Duration;

use halloo::{Client, ClientEvent, Delivery};
use halloo_test_support::{
    ExpectEvent, MockServer, TEST_TIMEOUT, answer_handshake, expect_connected, expect_gave_up, expect_message,
    single_attempt_client, switching_protocols, wait_until,
};
use tungstenite::Message;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode as PeerCode;

/// Returns the code of the close frame without a reason that `bytes` from a client must end with.
fn final_close_code(bytes: &[u8]) -> u16 {
    let Some([0x88, 0x82, key @ .., high, low]) = bytes.last_chunk::<8>() else {
        panic!("no close frame: {bytes:02x?}")
    };
    u16::from_be_bytes([high ^ key[0], low ^ key[1]])
}

#[test]
fn application_and_policy_codes_are_final_and_restarts_are_retried() {
    for (code, is_final) in [(4000, true), (3000, true), (1008, true), (1001, false), (1013, false), (1011, false)] {
        let server = MockServer::websocket(move |mut peer| {
            peer.close(Some(CloseFrame { code: PeerCode::from(code), reason: "enough\u{7}".into() })).unwrap();
            while peer.read().is_ok() {}
        });
        let client = Client::connect(&server.url).unwrap();
        expect_connected(&client);
        let ClientEvent::Disconnected { code: reported, reason, retry_in } = client.expect_event() else { panic!() };
        assert_eq!((reported.number(), reason.as_str(), retry_in.is_none()), (code, "enough\u{7}", is_final));
        if is_final {
            let reason = expect_gave_up(&client);
            assert!(reason.contains("enough\\u{7}"), "{reason}");
        }
        server.join();
    }
}

#[test]
fn dropping_a_client_whose_event_queue_is_full_closes_with_1001() {
    let server = MockServer::websocket(|mut peer| {
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
    // The test takes no events, so that the client stops reading.
    let client = single_attempt_client(&server.url, |config| config.event_queue.max_events = 100);
    assert!(client.wait_connected(TEST_TIMEOUT));
    drop(client);
    assert_eq!(server.join(), Some(1001));
}

#[test]
fn stopping_during_the_handshake_closes_with_1001() {
    let (asked, is_asked) = mpsc::channel();
    let (stopped, is_stopped) = mpsc::channel::<()>();
    let server = MockServer::raw(move |stream| {
        // The server counts the client as connected as soon as it sends this response.
        answer_handshake(&stream, |key| {
            asked.send(()).unwrap();
            is_stopped.recv().unwrap();
            switching_protocols(key)
        });
        let mut bytes = Vec::new();
        let _ = stream.take(64).read_to_end(&mut bytes);
        bytes
    });
    let client = Client::connect(&server.url).unwrap();
    is_asked.recv().unwrap();
    client.stop();
    stopped.send(()).unwrap();
    assert_eq!(final_close_code(&server.join()), 1001);
}

#[test]
fn dropping_a_client_does_not_wait_for_a_server_that_does_not_read() {
    let (done, is_done) = mpsc::channel::<()>();
    let server = MockServer::websocket(move |peer| {
        let _ = is_done.recv();
        drop(peer);
    });
    let client = Client::connect(&server.url).unwrap();
    assert!(client.wait_connected(TEST_TIMEOUT));
    while client.send(vec![7; 100_000]).unwrap() == Delivery::Queued {}
    assert!(client.messages_dropped() > 0);
    // Would block forever if it waited for the server, or reconnected to send the rest.
    drop(client);
    drop(done);
    server.join();
}

#[test]
fn a_full_event_queue_slows_the_server_down_and_loses_nothing() {
    const COUNT: u32 = 20_000;
    let server = MockServer::websocket(|mut peer| {
        for number in 0..COUNT {
            peer.write(Message::binary(number.to_be_bytes().to_vec())).unwrap();
        }
        peer.flush().unwrap();
        while peer.read().is_ok() {}
    });
    let client = single_attempt_client(&server.url, |config| config.event_queue.max_events = 100);
    expect_connected(&client);
    for number in 0..COUNT {
        assert_eq!(expect_message(&client).bytes(), number.to_be_bytes());
    }
    drop(client);
    server.join();
}

#[test]
fn stopping_with_queued_messages_ends_with_a_whole_frame_and_1001() {
    let (stopped, is_stopped) = mpsc::channel();
    let server = MockServer::raw(move |mut stream| {
        answer_handshake(&stream, switching_protocols);
        is_stopped.recv().unwrap();
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        bytes
    });
    let client = single_attempt_client(&server.url, |_| {});
    assert!(client.wait_connected(TEST_TIMEOUT));
    while client.send(vec![0; 100_000]).unwrap() == Delivery::Queued {}
    let dropped_before = client.messages_dropped();
    client.stop();
    stopped.send(()).unwrap();
    let bytes = server.join();
    assert!(client.messages_dropped() > dropped_before, "queued messages are dropped and counted");
    assert_eq!(final_close_code(&bytes), 1001);
}

#[test]
fn a_message_does_not_time_out_while_the_client_pauses_reading() {
    let (stalled, is_stalled) = mpsc::channel();
    let server = MockServer::raw(move |mut stream| {
        answer_handshake(&stream, switching_protocols);
        // More messages than the event queue holds, and then half of one.
        let mut bytes = [0x82, 0].repeat(1000);
        bytes.extend([0x02, 1, b'x']);
        stream.write_all(&bytes).unwrap();
        is_stalled.recv().unwrap();
        stream.write_all(&[0x80, 1, b'y', 0x88, 0]).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let stall_timeout = Duration::from_millis(200);
    let client = single_attempt_client(&server.url, |config| {
        config.event_queue.max_events = 64;
        config.messages.stall_timeout = stall_timeout;
    });
    expect_connected(&client);
    wait_until(|| client.waiting_events() >= 64);
    // The other half arrives while the client does not read. It reads it after the timeout.
    stalled.send(()).unwrap();
    std::thread::sleep(2 * stall_timeout);
    for _ in 0..1000 {
        assert_eq!(expect_message(&client).bytes(), b"");
    }
    assert_eq!(expect_message(&client).bytes(), b"xy");
    drop(client);
    server.join();
}
