//! Compression, with a client in Python.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use halloo::{Client, ClientConfig, Config, Event, Hub, Server};
use halloo_test_support::{TEST_TIMEOUT, python};

#[test]
fn messages_of_a_python_client_are_compressed_both_ways() {
    let Some(mut client) = python("deflate.py") else { return };
    let mut config = Config::local();
    config.compression = true;
    let send_to_all = |event: Event<'_>, hub: &mut Hub<'_>| {
        if let Event::MessageReceived { message, .. } = event {
            hub.send_to_all(message).ok();
        }
    };
    let server = Server::start_with(config, send_to_all).unwrap();
    let output = client.arg(server.url()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout.trim_ascii_end(), b"OK");
}

#[test]
fn messages_to_the_room_of_a_python_client_are_compressed_for_it() {
    let Some(mut client) = python("deflate.py") else { return };
    let send_to_room = |event: Event<'_>, hub: &mut Hub<'_>| {
        if let Event::MessageReceived { message, .. } = event {
            hub.send_to_room("lab", message).unwrap();
        }
    };
    let server = Server::start_with(Config::local().compression(true), send_to_room).unwrap();
    // It receives them as they are.
    let plain = Client::start(ClientConfig::new(server.url()).room(Some("lab".into()))).unwrap();
    assert!(plain.wait_connected(TEST_TIMEOUT));
    let output = client.arg(server.url() + "/room/lab").output().unwrap();
    assert!(plain.waiting_events() > 1);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout.trim_ascii_end(), b"OK");
}
