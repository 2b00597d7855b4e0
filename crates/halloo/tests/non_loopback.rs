//! Rules for clients that do not come from loopback. Each test runs in a network namespace of its own.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::process::Command;

use halloo::{Config, Server};
use halloo_test_support::{UPGRADE_REQUEST, connect_tcp, exchange, in_namespace, read_status, wait_until};

const ADDRESS: &str = "192.168.77.1";

/// Like [`in_namespace`], with an address that is not loopback on the only interface.
fn with_address(name: &str) -> bool {
    in_namespace(name, &format!("ip addr add {ADDRESS}/24 dev lo"))
}

fn start_server(change: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config::default();
    (config.port, config.discovery) = (0, false);
    config.bind = Some(IpAddr::from([0, 0, 0, 0]));
    change(&mut config);
    Server::start(config).unwrap()
}

#[test]
fn clients_per_address_are_limited_except_from_loopback() {
    if !with_address("clients_per_address_are_limited_except_from_loopback") {
        return;
    }
    let server = start_server(|config| config.max_clients_per_address = 3);
    let connect = |ip: &str| tungstenite::connect(format!("ws://{ip}:{}", server.port()));
    let mut peers: Vec<_> = (0..3).map(|_| connect(ADDRESS).unwrap()).collect();
    let Err(tungstenite::Error::Http(refused)) = connect(ADDRESS) else { panic!("a fourth client was accepted") };
    assert_eq!(refused.status(), 503);
    let _others: Vec<_> = (0..5).map(|_| connect("127.0.0.1").unwrap()).collect();
    assert_eq!(server.status().connected_clients, 8);
    drop(peers.pop());
    wait_until(|| server.status().connected_clients <= 7);
    peers.push(connect(ADDRESS).expect("room for another client"));
}

#[test]
fn token_guesses_of_one_address_are_rate_limited() {
    if !with_address("token_guesses_of_one_address_are_rate_limited") {
        return;
    }
    let token = halloo::random_token().unwrap();
    let server = start_server(|config| config.access.token = Some(token.clone()));
    let handshake_status =
        |ip: &str, token: &str| match tungstenite::connect(format!("ws://{ip}:{}/?token={token}", server.port())) {
            Ok(_) => 101,
            Err(tungstenite::Error::Http(refused)) => refused.status().as_u16(),
            Err(error) => panic!("{error}"),
        };
    let statuses: Vec<u16> = (0..200).map(|_| handshake_status(ADDRESS, "wrong")).collect();
    assert_eq!(statuses[..10], [401; 10]);
    assert!(statuses.iter().filter(|&&status| status == 429).count() > 100, "{statuses:?}");
    assert_eq!(handshake_status("127.0.0.1", token.reveal()), 101, "other addresses are not affected");
}

#[test]
fn guesses_that_could_not_be_right_do_not_limit_an_address() {
    if !with_address("guesses_that_could_not_be_right_do_not_limit_an_address") {
        return;
    }
    let token = halloo::random_token().unwrap();
    let server = start_server(|config| config.access.token = Some(token.clone()));
    let address = (ADDRESS, server.port());
    for _ in 0..30 {
        // As a browser asks for the image of a page of another site.
        let image =
            exchange(address, format!("GET /x?token=wrong HTTP/1.1\r\nHost: {ADDRESS}\r\nAccept: image/*\r\n\r\n"));
        assert!(image.starts_with("HTTP/1.1 401") && image.contains("Authorization: Bearer"), "{image}");
    }
    tungstenite::connect(format!("ws://{ADDRESS}:{}/?token={}", server.port(), token.reveal())).unwrap();
}

#[cfg(feature = "tls")]
#[test]
fn guesses_without_tls_do_not_limit_an_address_where_tls_is_required() {
    if !with_address("guesses_without_tls_do_not_limit_an_address_where_tls_is_required") {
        return;
    }
    let directory = halloo_test_support::TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let identity = halloo::Identity::self_signed_in(directory.path()).unwrap();
    let token = halloo::random_token().unwrap();
    let server = start_server(|config| (config.access.token, config.tls) = (Some(token.clone()), Some(identity)));
    for guess in ["wrong", token.reveal()] {
        let request = format!("GET /status HTTP/1.1\r\nHost: {ADDRESS}\r\nAuthorization: Bearer {guess}\r\n\r\n");
        for _ in 0..30 {
            let refused = exchange((ADDRESS, server.port()), &request);
            assert!(refused.starts_with("HTTP/1.1 400") && refused.contains("use wss://"), "{refused}");
        }
    }
    let mut config = halloo::ClientConfig::new(format!("wss://{ADDRESS}:{}", server.port()));
    (config.fingerprint, config.token) = (server.fingerprint(), Some(token));
    assert!(halloo::status_of(&config).unwrap().server_running);
}

#[test]
fn silent_connections_make_room_for_new_ones_of_their_address() {
    if !with_address("silent_connections_make_room_for_new_ones_of_their_address") {
        return;
    }
    let server = start_server(|_| {});
    let silent: Vec<TcpStream> = (0..100).map(|_| connect_tcp((ADDRESS, server.port()))).collect();
    let url = format!("ws://{ADDRESS}:{}", server.port());
    let _peer = tungstenite::connect(url).expect("the oldest silent connection makes room");
    assert_eq!(server.status().connected_clients, 1);
    assert!(matches!((&silent[0]).read(&mut [0]), Ok(0) | Err(_)), "the oldest one is closed");
}

#[test]
fn the_host_name_of_the_machine_is_an_allowed_host() {
    if !with_address("the_host_name_of_the_machine_is_an_allowed_host") {
        return;
    }
    let server = start_server(|_| {});
    let name = String::from_utf8(Command::new("uname").arg("-n").output().unwrap().stdout).unwrap();
    let name = name.trim();
    for (host, status) in [(name.to_owned(), "200"), (format!("{name}.evil.example"), "403")] {
        let request = format!("GET /status HTTP/1.1\r\nHost: {host}:8765\r\n\r\n");
        let response = exchange((ADDRESS, server.port()), request);
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {response}");
    }
}

#[test]
fn native_programs_are_let_in_and_pages_of_other_origins_are_not() {
    if !with_address("native_programs_are_let_in_and_pages_of_other_origins_are_not") {
        return;
    }
    let server = start_server(|config| config.access.own_host = Some("den".into()));
    let status = |host: &str, headers: &str| {
        let request = UPGRADE_REQUEST.replace("Host: localhost\r\n", &format!("Host: {host}\r\n{headers}"));
        let mut stream = connect_tcp((ADDRESS, server.port()));
        stream.write_all(request.as_bytes()).unwrap();
        read_status(&mut stream).unwrap()
    };
    let own = format!("{ADDRESS}:{}", server.port());
    for (origin, expected) in [
        ("https://example.org/some/path", 101),
        (&format!("ws://{own}"), 101),
        (&format!("http://{own}/"), 101),
        ("", 101),
        (&own, 101),
        ("http://evil.example", 403),
        ("http://localhost/", 403),
        ("file://", 403),
        ("null", 403),
    ] {
        assert_eq!(status(&own, &format!("Origin: {origin}\r\n")), expected, "{origin}");
    }
    for (host, expected) in
        [("den.lan", 101), ("den.home.arpa", 101), ("alias", 101), (&format!("{ADDRESS}:"), 101), ("evil.example", 403)]
    {
        assert_eq!(status(host, ""), expected, "{host}");
    }
    for (kib, expected) in [(12, 101), (32, 431)] {
        let cookie = format!("Cookie: {}\r\n", "c".repeat(kib * 1024));
        assert_eq!(status(&own, &cookie), expected, "{kib} KiB of cookies");
    }
}
