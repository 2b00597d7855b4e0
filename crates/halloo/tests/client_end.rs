//! How a client ends, and what an application that stalls costs it: nothing.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

mod answering;

use std::io::{Read, Write};
use std::time::Duration;

use answering::*;
use halloo::{Client, ClientEvent, Delivery};
use tungstenite::Message;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode as PeerCode;

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
    let client = once(&url, |config| config.event_queue.max_events = 100);
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
    // The ping before it is skipped by its length: its masking key may hold any byte.
    let mut frame = &bytes[..];
    while frame[0] != 0x88 {
        frame = &frame[6 + usize::from(frame[1] & 0x7f)..];
    }
    let (key, code) = (&frame[2..6], &frame[6..8]);
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
    let client = once(&url, |config| config.event_queue.max_events = 100);
    assert!(matches!(next(&client), ClientEvent::Connected { .. }));
    for number in 0..COUNT {
        assert_eq!(received(&client).bytes(), number.to_be_bytes());
    }
    drop(client);
    server.join().unwrap();
}

#[test]
fn stopped_with_messages_unsent_it_ends_with_a_whole_frame_and_1001() {
    let (stopped, is_stopped) = std::sync::mpsc::channel();
    let (url, server) = raw_server(move |stream| {
        answer(&stream, accepted);
        is_stopped.recv().unwrap();
        let mut bytes = Vec::new();
        let _ = (&stream).read_to_end(&mut bytes);
        bytes
    });
    let client = once(&url, |_| {});
    assert!(client.wait_connected(PATIENCE));
    while client.send(vec![0; 100_000]).unwrap() == Delivery::Queued {}
    let before = client.messages_dropped();
    client.stop();
    stopped.send(()).unwrap();
    let bytes = server.join().unwrap();
    assert!(client.messages_dropped() > before, "what waits is not waited for, and counted");
    let (close, key) = (&bytes[bytes.len() - 8..], &bytes[bytes.len() - 6..bytes.len() - 2]);
    assert_eq!(close[..2], [0x88, 0x82]);
    assert_eq!(u16::from_be_bytes([close[6] ^ key[0], close[7] ^ key[1]]), 1001);
}

#[test]
fn a_message_half_read_when_the_application_stops_listening_is_finished_afterwards() {
    let (stalled, is_stalled) = std::sync::mpsc::channel();
    let (url, server) = raw_server(move |mut stream| {
        answer(&stream, accepted);
        // More than the application takes, and half of a message behind it.
        let mut bytes = [0x82, 0].repeat(1000);
        bytes.extend([0x02, 1, b'x']);
        stream.write_all(&bytes).unwrap();
        is_stalled.recv().unwrap();
        stream.write_all(&[0x80, 1, b'y', 0x88, 0]).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let time = Duration::from_millis(200);
    let client = once(&url, |config| (config.event_queue.max_events, config.messages.fragment_timeout) = (64, time));
    assert!(matches!(next(&client), ClientEvent::Connected { .. }));
    while client.waiting_events() < 64 {
        std::thread::yield_now();
    }
    // The other half comes while nobody reads, and would be late afterwards.
    stalled.send(()).unwrap();
    std::thread::sleep(2 * time);
    for _ in 0..1000 {
        assert_eq!(received(&client).bytes(), b"");
    }
    assert_eq!(received(&client).bytes(), b"xy");
    drop(client);
    server.join().unwrap();
}
