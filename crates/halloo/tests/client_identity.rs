//! Whose answer is final: another server at the address of the one that is meant does not end the client.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use halloo::{Client, ClientConfig, ClientEvent, Config, Event, Server, ServerInfo};
use halloo_test_support::{
    ExpectEvent, TEST_TIMEOUT, announced_config, announced_server, answer_handshake, local_search, loopback, read_head,
    switching_protocols, unused_udp_port,
};

/// A server that handles every connection in the same way, until the test process ends.
fn start_impostor(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    addr
}

/// A server that refuses every handshake with `status`.
fn start_refusing(status: &'static str) -> SocketAddr {
    start_impostor(move |stream| {
        answer_handshake(&stream, |_| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"));
    })
}

/// A server that accepts every handshake and closes with 3000.
fn start_closing() -> SocketAddr {
    start_impostor(|mut stream| {
        answer_handshake(&stream, switching_protocols);
        stream.write_all(&[0x88, 2, 0x0b, 0xb8]).unwrap();
        let _ = stream.read(&mut [0; 64]);
    })
}

/// What the search finds of the only server, as if it had been at `old_address` before.
fn found_at(old_address: SocketAddr, discovery_port: u16) -> ServerInfo {
    let mut search = local_search(discovery_port, TEST_TIMEOUT);
    search.first = true;
    let mut found = search.run().unwrap().remove(0);
    (found.url, found.addresses) = (format!("ws://{old_address}"), Vec::new());
    found
}

fn config_for(server: ServerInfo, discovery_port: u16) -> ClientConfig {
    let mut config = ClientConfig::new(server);
    config.search = local_search(discovery_port, TEST_TIMEOUT);
    config
}

/// Waits until the client is connected to `server`, which it must not give up.
fn expect_connection_to(server: &Server, client: &Client) {
    client.expect_matching(|event| match event {
        ClientEvent::Connected { url, .. } if url == format!("ws://{}", loopback(server)) => Some(()),
        ClientEvent::GaveUp { reason, .. } => panic!("gave up: {reason}"),
        _ => None,
    });
}

fn gave_up(client: &Client) -> (String, Option<u16>) {
    client.expect_matching(|event| match event {
        ClientEvent::GaveUp { reason, status } => Some((reason, status)),
        _ => None,
    })
}

#[test]
fn refusal_from_an_old_address_leads_to_a_search() {
    for status in ["401 Unauthorized", "403 Forbidden", "404 Not Found", "421 Misdirected", "426 Upgrade Required"] {
        let discovery_port = unused_udp_port();
        let den = announced_server("den", discovery_port);
        let known = found_at(start_refusing(status), discovery_port);
        expect_connection_to(&den, &Client::start(config_for(known, discovery_port)).unwrap());
    }
}

#[test]
fn application_code_of_a_server_that_is_not_confirmed_leads_to_a_search() {
    let discovery_port = unused_udp_port();
    let den = announced_server("den", discovery_port);
    let known = found_at(start_closing(), discovery_port);
    expect_connection_to(&den, &Client::start(config_for(known, discovery_port)).unwrap());
}

#[test]
fn another_halloo_server_at_the_old_address_is_neither_joined_nor_believed() {
    for token in [None, Some([1; 16].into())] {
        let discovery_port = unused_udp_port();
        let den = announced_server("den", discovery_port);
        let mut other = Config::local();
        other.access.token = token;
        let other = Server::start(other).unwrap();
        let known = found_at(loopback(&other), discovery_port);
        expect_connection_to(&den, &Client::start(config_for(known, discovery_port)).unwrap());
        assert_eq!(other.status().extras.clients_total, 0);
    }
}

#[test]
fn old_address_that_another_server_took_is_left_when_the_client_reconnects() {
    let discovery_port = unused_udp_port();
    let mut den = announced_server("den", discovery_port);
    let mut config = ClientConfig::new("den");
    config.search = local_search(discovery_port, TEST_TIMEOUT);
    let client = Client::start(config).unwrap();
    expect_connection_to(&den, &client);
    let old_address = loopback(&den);
    den.stop();
    let listener = TcpListener::bind(old_address);
    den.restart(announced_config("den", discovery_port)).unwrap();
    if let Ok(listener) = listener {
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer_handshake(&stream, |_| "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".into());
            }
        });
    }
    expect_connection_to(&den, &client);
}

#[test]
fn refusal_of_the_server_that_a_search_just_found_is_final() {
    let discovery_port = unused_udp_port();
    let mut config = announced_config("den", discovery_port);
    config.access.token = Some([1; 16].into());
    let den = Server::start(config).unwrap();
    let known = found_at(loopback(&den), discovery_port);
    for target in [halloo::Target::from("den"), known.into()] {
        let mut config = ClientConfig::new(target);
        (config.token, config.search) = (Some([2; 16].into()), local_search(discovery_port, TEST_TIMEOUT));
        assert_eq!(gave_up(&Client::start(config).unwrap()).1, Some(401));
    }
}

#[test]
fn client_that_its_own_server_disconnects_does_not_return() {
    let discovery_port = unused_udp_port();
    let den = announced_server("den", discovery_port);
    let known = found_at(loopback(&den), discovery_port);
    let client = Client::start(config_for(known, discovery_port)).unwrap();
    let id = den.expect_matching(|event| match event {
        Event::ClientJoined { client, .. } => Some(client),
        _ => None,
    });
    den.disconnect(id, 4001, "cheating").unwrap();
    assert!(gave_up(&client).0.contains("4001: cheating"));
    assert_eq!(den.status().extras.clients_total, 1);
}

#[cfg(feature = "tls")]
#[test]
fn server_that_was_known_with_tls_is_not_spoken_to_in_plain() {
    let discovery_port = unused_udp_port();
    let den = announced_server("den", discovery_port);
    let found = found_at(loopback(&den), discovery_port);
    let mut known = found.clone();
    known.tls = true;
    let mut config = config_for(known, discovery_port);
    config.reconnect = false;
    let (reason, _) = gave_up(&Client::start(config).unwrap());
    assert!(reason.contains("known with TLS") && reason.contains("search for the server again"), "{reason}");
    assert_eq!(den.status().extras.clients_total, 0);
    // What the advice says works.
    expect_connection_to(&den, &Client::start(config_for(found, discovery_port)).unwrap());
}

#[test]
fn refusal_from_an_old_address_ends_a_single_attempt_when_no_server_is_found() {
    let discovery_port = unused_udp_port();
    let known = {
        let _den = announced_server("den", discovery_port);
        found_at(start_refusing("403 Forbidden"), discovery_port)
    };
    let mut config = config_for(known, discovery_port);
    (config.reconnect, config.search.timeout) = (false, Duration::from_millis(50));
    let (reason, status) = gave_up(&Client::start(config).unwrap());
    assert_eq!(status, Some(403), "{reason}");
}

/// Answers every probe as a server at `port` that requires a token, and returns what it receives.
fn start_answering(discovery_port: u16, port: u16) -> Receiver<Vec<u8>> {
    let socket = UdpSocket::bind(("0.0.0.0", discovery_port)).unwrap();
    let (sent, received) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let probe = &buffer[..length];
            let nonce = String::from_utf8_lossy(probe)
                .split("\"nonce\":\"")
                .nth(1)
                .map(|rest| rest.split('"').next().unwrap_or_default().to_owned());
            let reply = format!(
                r#"{{"service":"websocket_server_reply","v":2,"nonce":"{}","id":"a1","name":"den","port":{port},
                "auth":true,"tls":false,"challenge":"x"}}"#,
                nonce.unwrap_or_default()
            );
            socket.send_to(reply.as_bytes(), from).unwrap();
            if sent.send(probe.to_vec()).is_err() {
                return;
            }
        }
    });
    received
}

#[test]
fn no_part_of_the_token_is_sent_to_the_first_that_answers() {
    const TOKEN: &str = "Kiwi-Zebra_Quartz.Jumping~Vexed";
    let discovery_port = unused_udp_port();
    let (sent, received) = channel();
    let impostor = start_impostor(move |mut stream| {
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        let head = read_head(&mut stream);
        let challenge = r#"Halloo id="a1", challenge="y", stale=true"#;
        let response =
            format!("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(response.as_bytes()).unwrap();
        let _ = sent.send(head.into_bytes());
    });
    let datagrams = start_answering(discovery_port, impostor.port());
    let mut search = local_search(discovery_port, TEST_TIMEOUT);
    search.first = true;
    let found = search.run().unwrap().remove(0);
    assert!(found.auth);
    let mut config = config_for(found, discovery_port);
    (config.token, config.search.first) = (Some(TOKEN.parse().unwrap()), true);
    config.retry_limit.max_attempts = Some(3);
    let (reason, _) = gave_up(&Client::start(config).unwrap());
    assert!(reason.contains("401"), "{reason}");
    let mut requests: Vec<Vec<u8>> = received.try_iter().collect();
    assert!(requests.iter().filter(|head| head.windows(6).any(|part| part == b"proof=")).count() > 1, "{requests:?}");
    requests.extend(datagrams.try_iter());
    for request in requests {
        let text = String::from_utf8_lossy(&request).to_lowercase();
        for part in TOKEN.to_lowercase().as_bytes().windows(6) {
            let part = std::str::from_utf8(part).unwrap();
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
}
