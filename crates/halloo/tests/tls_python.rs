//! TLS with a client and a server in Python.

#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use halloo::{Client, ClientConfig, ClientEvent, Config, Delivery, Identity};
use halloo_test_support::{ChildProcess, ExpectEvent, TEST_TIMEOUT, TempDir, echo_server, python};

fn temp_dir() -> TempDir {
    TempDir::new(env!("CARGO_TARGET_TMPDIR"))
}

#[test]
fn a_python_client_pins_the_certificate_and_gets_its_echoes() {
    let Some(mut client) = python("secure.py") else { return };
    let directory = temp_dir();
    let mut config = Config::local();
    config.tls = Some(Identity::self_signed_in(directory.path()).unwrap());
    config.outbox.max_bytes = 64 << 20;
    let server = echo_server(config);
    client.arg(server.port().to_string()).arg(directory.path().join("halloo.pem"));
    let output = client.arg(server.fingerprint().unwrap().to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_python_server_echoes_messages_of_many_sizes() {
    let Some(mut command) = python("server.py") else { return };
    let directory = temp_dir();
    let identity = Identity::self_signed_in(directory.path()).unwrap();
    let mut server = ChildProcess::start(command.arg("--tls").arg(directory.path().join("halloo.pem")));
    let url = server.next_line();
    assert!(url.starts_with("wss://"), "{url}");
    let mut config = ClientConfig::new(&url);
    (config.fingerprint, config.outbox.max_bytes) = (identity.fingerprint(), 64 << 20);
    let client = Client::start(config).unwrap();
    assert!(client.wait_connected(TEST_TIMEOUT), "{:?}", client.try_event());
    let messages: Vec<Vec<u8>> = (0..60).map(|n| vec![n as u8; [0, 1, 125, 70_000, 16_384, 1 << 20][n % 6]]).collect();
    for message in &messages {
        assert_eq!(client.send(message.as_slice()), Ok(Delivery::Queued));
    }
    for message in &messages {
        let echo = client.expect_matching(|event| match event {
            ClientEvent::MessageReceived { message } => Some(message.bytes().to_vec()),
            ClientEvent::Disconnected { reason, .. } => panic!("{reason}"),
            _ => None,
        });
        assert!(echo == *message, "a message of {} bytes", message.len());
    }
    drop(client);
    assert!(server.close().success());
}
