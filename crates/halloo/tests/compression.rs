//! Compression, with a client in Python.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use halloo::{Config, Event, Hub, Server};
use halloo_test_support::python;

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
