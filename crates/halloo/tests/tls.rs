//! TLS between client and server: what is trusted, what is refused, and that no byte is lost.

#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use halloo::{Client, ClientConfig, ClientEvent, Config, Delivery, Files, Identity, Server};
use halloo_test_support::{
    ExpectEvent, TEST_TIMEOUT, TempDir, UPGRADE_REQUEST, announced_config, announced_server, connect_tcp, echo_server,
    expect_gave_up, http_get, local_search, loopback, read_head, unused_discovery_port,
};

/// The settings of a server with a certificate of its own in `directory`.
fn secure_config(directory: &TempDir) -> Config {
    let mut config = Config::local();
    config.tls = Some(Identity::self_signed_in(directory.path()).unwrap());
    config
}

fn temp_dir() -> TempDir {
    TempDir::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The settings of a client that pins the certificate of `server`.
fn pinned_config(server: &Server) -> ClientConfig {
    let mut config = ClientConfig::new(server.url());
    config.fingerprint = server.fingerprint();
    config
}

fn start_connected(config: ClientConfig) -> Client {
    let client = Client::start(config).unwrap();
    assert!(client.wait_connected(TEST_TIMEOUT), "{:?}", client.try_event());
    client
}

/// Starts a client that must give up, and returns why it does.
fn gave_up(config: ClientConfig) -> String {
    expect_gave_up(&Client::start(config).unwrap())
}

/// Returns the next message, whatever event comes before it except a disconnect.
fn next_message(client: &Client) -> Vec<u8> {
    client.expect_matching(|event| match event {
        ClientEvent::MessageReceived { message } => Some(message.bytes().to_vec()),
        ClientEvent::Disconnected { reason, .. } => panic!("{reason}"),
        _ => None,
    })
}

/// Sends messages of many sizes and expects their echoes in order.
fn check_echoes(client: &Client) {
    let messages: Vec<Vec<u8>> = (0..60).map(|n| vec![n as u8; [0, 1, 125, 70_000, 16_384, 1 << 20][n % 6]]).collect();
    for message in &messages {
        assert_eq!(client.send(message.as_slice()), Ok(Delivery::Queued));
    }
    for message in &messages {
        assert!(next_message(client) == *message, "a message of {} bytes", message.len());
    }
}

#[test]
fn an_invitation_is_all_that_a_client_needs() {
    let directory = temp_dir();
    let mut config = secure_config(&directory);
    config.access.token = Some(halloo::random_token().unwrap());
    config.outbox.max_bytes = 64 << 20;
    let server = echo_server(config);
    assert!(server.url().starts_with("wss://") && server.urls()[0].starts_with("wss://"));
    // It contains the scheme, the token and the fingerprint.
    let mut config = ClientConfig::new(server.invitation());
    config.outbox.max_bytes = 64 << 20;
    let client = start_connected(config);
    check_echoes(&client);
    client.close(1000, "");
    let code = client.expect_matching(|event| match event {
        ClientEvent::Disconnected { code, .. } => Some(code),
        _ => None,
    });
    assert_eq!(code.number(), 1000);
    let mut config = ClientConfig::new(server.invitation());
    config.reconnect = false;
    assert_eq!(halloo::status_of(&config).unwrap().extras.clients_total, 1);
}

#[test]
fn a_certificate_that_is_neither_pinned_nor_trusted_by_the_system_is_refused() {
    let directory = temp_dir();
    let server = echo_server(secure_config(&directory));
    let fingerprint = server.fingerprint().unwrap().to_string();
    let unknown = gave_up(ClientConfig::new(server.url()));
    assert!(
        unknown.contains("not trusted") && unknown.contains(&format!("set `fingerprint` to `{fingerprint}`")),
        "{unknown}"
    );
    let mut wrong_pin = pinned_config(&server);
    wrong_pin.fingerprint = Some([7; 32].into());
    let other = gave_up(wrong_pin);
    assert!(other.contains("not the pinned one") && other.contains(&fingerprint), "{other}");
    assert!(halloo::status_of(&ClientConfig::new(server.url())).unwrap_err().to_string().contains("not trusted"));
    assert_eq!(server.status().extras.clients_total, 0);
}

#[test]
fn a_client_gives_up_when_the_server_with_a_name_is_not_trusted() {
    let directory = temp_dir();
    let discovery_port = unused_discovery_port();
    let config = announced_config("den", discovery_port).tls(Identity::self_signed_in(directory.path()).unwrap());
    let server = Server::start(config).unwrap();
    let search = local_search(discovery_port, TEST_TIMEOUT);
    let reason = gave_up(ClientConfig::new("den").search(search.clone()));
    assert!(reason.contains("not trusted") && reason.contains(&server.fingerprint().unwrap().to_string()), "{reason}");
    let found = search.find("den").unwrap().remove(0);
    assert!(gave_up(ClientConfig::new(&found).search(search)).contains("not trusted"));
}

#[test]
fn a_mismatch_of_tls_and_plain_is_explained_by_both_sides() {
    let directory = temp_dir();
    let server = echo_server(secure_config(&directory));
    let address = loopback(&server);
    let refused = gave_up(ClientConfig::new(format!("ws://{address}")));
    assert!(refused.contains("400") && refused.contains("use wss://"), "{refused}");
    // A fingerprint implies TLS; otherwise a token might be sent in the clear.
    let mut config = ClientConfig::new(format!("ws://{address}"));
    config.fingerprint = server.fingerprint();
    assert!(start_connected(config).url().unwrap().starts_with("wss://"));
    let plain = echo_server(Config::local());
    let mut config = ClientConfig::new(plain.url());
    config.fingerprint = server.fingerprint();
    let refused = gave_up(config);
    assert!(refused.contains("does not speak TLS; use ws://"), "{refused}");
    // Public information is available without TLS, so that every client learns that TLS is required.
    let discovery = http_get(address, "/discovery.json", "");
    assert!(discovery.starts_with("HTTP/1.1 200") && discovery.contains("\"tls\":true"), "{discovery}");
}

#[test]
fn server_that_announced_tls_and_speaks_none_is_searched_for_again() {
    let (directory, discovery_port) = (temp_dir(), unused_discovery_port());
    let secure = announced_config("den", discovery_port).tls(Identity::self_signed_in(directory.path()).unwrap());
    let found = {
        let _server = Server::start(secure).unwrap();
        local_search(discovery_port, TEST_TIMEOUT).find("den").unwrap().remove(0)
    };
    let _plain = announced_server("den", discovery_port);
    let client = Client::start(ClientConfig::new(&found).search(local_search(discovery_port, TEST_TIMEOUT))).unwrap();
    let failed = client.expect_matching(|event| match event {
        ClientEvent::AttemptFailed { reason, .. } => Some(reason),
        ClientEvent::GaveUp { reason, .. } => panic!("{reason}"),
        _ => None,
    });
    assert!(failed.contains("does not speak TLS"), "{failed}");
}

#[test]
fn a_client_that_pauses_reading_loses_nothing() {
    let directory = temp_dir();
    let mut config = secure_config(&directory);
    config.outbox.max_bytes = 64 << 20;
    let server = Server::start(config).unwrap();
    let mut config = pinned_config(&server);
    // The client stops reading after two messages until they are taken.
    config.event_queue.max_bytes = 128 * 1024;
    let client = start_connected(config);
    for number in 0..500_u32 {
        let message = [&number.to_be_bytes()[..], &[0; 64 * 1024]].concat();
        while server.send_to_all(message.as_slice()) != Ok(Delivery::Queued) {
            std::thread::yield_now();
        }
    }
    for number in 0..500_u32 {
        assert_eq!(next_message(&client)[..4], number.to_be_bytes());
    }
    assert_eq!(server.summary().extras.messages_dropped, 0);
}

/// Forwards bytes from one socket to the other, `chunk` at a time.
fn forward(mut from: TcpStream, mut to: TcpStream, chunk: usize) {
    let mut buffer = vec![0; chunk];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[test]
fn records_in_pieces_of_any_size_are_reassembled() {
    let directory = temp_dir();
    let server = echo_server(secure_config(&directory));
    for chunk in [1, 7, 1000] {
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = ClientConfig::new(format!("wss://{}", proxy.local_addr().unwrap()));
        config.fingerprint = server.fingerprint();
        let client = Client::start(config).unwrap();
        let (client_side, _) = proxy.accept().unwrap();
        let server_side = TcpStream::connect(loopback(&server)).unwrap();
        for stream in [&client_side, &server_side] {
            stream.set_nodelay(true).unwrap();
        }
        let (client_clone, server_clone) = (client_side.try_clone().unwrap(), server_side.try_clone().unwrap());
        std::thread::spawn(move || forward(client_side, server_side, chunk));
        std::thread::spawn(move || forward(server_clone, client_clone, chunk));
        assert!(client.wait_connected(TEST_TIMEOUT), "{chunk} bytes at a time");
        client.send("x".repeat(2000)).unwrap();
        assert_eq!(next_message(&client).len(), 2000);
    }
}

#[test]
fn garbage_in_a_handshake_ends_only_that_connection() {
    let directory = temp_dir();
    let server = echo_server(secure_config(&directory));
    let client = start_connected(pinned_config(&server));
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for length in 1..300_usize {
        let mut garbage = vec![0x16, 3, 1];
        garbage.extend((0..length).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        }));
        let mut stream = connect_tcp(loopback(&server));
        stream.write_all(&garbage).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // The server sends an alert or nothing, and then the connection ends, perhaps by a reset.
        let mut response = Vec::new();
        let _ = stream.read_to_end(&mut response);
        assert!(response.len() < 100);
    }
    client.send("still here").unwrap();
    next_message(&client);
    assert_eq!(server.status().connected_clients, 1);
}

#[test]
fn optional_tls_serves_both_kinds_of_clients_on_one_port() {
    let directory = temp_dir();
    let mut config = secure_config(&directory);
    config.tls_optional = true;
    config.access.token = Some(halloo::random_token().unwrap());
    let server = echo_server(config);
    let (plain, secure) = (server.invitation(), server.secure_invitation().unwrap());
    assert!(server.url().starts_with("ws://") && plain.starts_with("http://") && !plain.contains("fp="), "{plain}");
    assert!(secure.starts_with("https://") && secure.contains("fp="), "{secure}");
    // Half a ClientHello, and a peer that sends nothing, delay no others.
    let mut half = connect_tcp(loopback(&server));
    half.write_all(&[0x16, 3, 1]).unwrap();
    let _silent = connect_tcp(loopback(&server));
    for invitation in [plain, secure] {
        let client = start_connected(ClientConfig::new(invitation));
        assert_eq!(client.send("hello"), Ok(Delivery::Queued));
        assert_eq!(next_message(&client), b"hello");
    }
    let page = http_get(loopback(&server), "/", "");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    let reply = http_get(loopback(&server), "/discovery.json", "");
    assert!(reply.contains(r#""tls":false,"secure":true"#), "{reply}");
}

#[test]
fn half_a_client_hello_is_disconnected_after_the_time_for_a_handshake() {
    let directory = temp_dir();
    let mut config = secure_config(&directory);
    (config.tls_optional, config.handshakes.timeout) = (true, Duration::from_millis(300));
    let server = echo_server(config);
    // A record of TLS that announces 512 bytes, and the beginning of them.
    for part in [&[0x16][..], &[0x16, 3, 1], &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]] {
        let mut half = connect_tcp(loopback(&server));
        half.write_all(part).unwrap();
        assert_eq!(half.read(&mut [0]).unwrap(), 0, "{part:?}");
    }
    assert_eq!(server.status().extras.clients_total, 0);
}

#[test]
fn connection_without_optional_tls_is_kept_for_more_requests() {
    let directory = temp_dir();
    let mut config = secure_config(&directory).www(Files::memory([("index.html", "home")]).unwrap());
    config.tls_optional = true;
    let server = echo_server(config);
    let mut stream = connect_tcp(loopback(&server));
    let head = "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // One alone, two together, and one in pieces.
    for parts in [&[head][..], &[&head.repeat(2)], &[&head[..2], &head[2..30], &head[30..]]] {
        for part in parts {
            stream.write_all(part.as_bytes()).unwrap();
        }
        for _ in 0..parts.concat().matches("HEAD").count() {
            assert!(read_head(&mut stream).contains("Connection: keep-alive\r\n"));
        }
    }
    stream.write_all(UPGRADE_REQUEST.as_bytes()).unwrap();
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 101 "));
}

#[test]
fn certificate_changes_without_dropping_clients() {
    let (directory, other) = (temp_dir(), temp_dir());
    let path = directory.path().join("halloo.pem");
    let old = Identity::self_signed_in(directory.path()).unwrap().fingerprint();
    let new = Identity::self_signed_in(other.path()).unwrap().fingerprint();
    let identity = Identity::from_pem_files(&path, &path).unwrap();
    let mut config = Config::local();
    config.tls = Some(identity.clone());
    let server = echo_server(config);
    let with = |fingerprint| {
        let mut config = ClientConfig::new(server.url());
        (config.fingerprint, config.reconnect) = (fingerprint, false);
        config
    };
    let client = start_connected(with(old));
    std::fs::copy(other.path().join("halloo.pem"), &path).unwrap();
    identity.reload().unwrap();
    start_connected(with(new));
    let reason = gave_up(with(old));
    assert!(reason.contains("not the pinned one"), "{reason}");
    assert_eq!(client.send("still here"), Ok(Delivery::Queued));
    assert_eq!(next_message(&client), b"still here");
}

#[test]
fn a_pin_can_be_the_hash_of_the_certificate() {
    let directory = temp_dir();
    let server = echo_server(secure_config(&directory));
    let pem = std::fs::read(directory.path().join("halloo.pem")).unwrap();
    let der =
        <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(&pem).unwrap();
    let hash: [u8; 32] = ring::digest::digest(&ring::digest::SHA256, &der).as_ref().try_into().unwrap();
    let mut config = ClientConfig::new(server.url());
    config.fingerprint = Some(hash.into());
    start_connected(config);
}
