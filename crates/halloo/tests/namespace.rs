//! What needs addresses that are not loopback: each test runs itself again in a network namespace of its own, from
//! which nothing leaves this machine.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

mod isolated;

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use halloo::{Config, Server};
use isolated::inside;

const PATIENCE: Duration = Duration::from_secs(20);
const ADDRESS: &str = "192.168.77.1";
/// An address that is not loopback, on the only interface there is.
fn with_address(name: &str) -> bool {
    inside(name, &format!("ip addr add {ADDRESS}/24 dev lo"))
}

fn server(change: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config::default();
    (config.port, config.discovery) = (0, false);
    config.bind = Some(IpAddr::from([0, 0, 0, 0]));
    change(&mut config);
    Server::start(config).unwrap()
}

#[test]
fn one_address_has_so_many_clients_and_loopback_as_many_as_it_wants() {
    if !with_address("one_address_has_so_many_clients_and_loopback_as_many_as_it_wants") {
        return;
    }
    let server = server(|config| config.max_clients_per_address = 3);
    let connect = |ip: &str| tungstenite::connect(format!("ws://{ip}:{}", server.port()));
    let mut peers: Vec<_> = (0..3).map(|_| connect(ADDRESS).unwrap()).collect();
    let Err(tungstenite::Error::Http(refused)) = connect(ADDRESS) else { panic!("a fourth came in") };
    assert_eq!(refused.status(), 503);
    let _others: Vec<_> = (0..5).map(|_| connect("127.0.0.1").unwrap()).collect();
    assert_eq!(server.status().connected_clients, 8);
    drop(peers.pop());
    while server.status().connected_clients > 7 {
        std::thread::yield_now();
    }
    peers.push(connect(ADDRESS).expect("there is room again"));
}

#[test]
fn an_address_that_guesses_tokens_is_soon_not_looked_at() {
    if !with_address("an_address_that_guesses_tokens_is_soon_not_looked_at") {
        return;
    }
    let right = halloo::random_token().unwrap();
    let server = server(|config| config.access.token = Some(right.clone()));
    let knock =
        |ip: &str, token: &str| match tungstenite::connect(format!("ws://{ip}:{}/?token={token}", server.port())) {
            Ok(_) => 101,
            Err(tungstenite::Error::Http(refused)) => refused.status().as_u16(),
            Err(error) => panic!("{error}"),
        };
    let answers: Vec<u16> = (0..200).map(|_| knock(ADDRESS, "wrong")).collect();
    assert_eq!(answers[..10], [401; 10]);
    assert!(answers.iter().filter(|&&status| status == 429).count() > 100, "{answers:?}");
    assert_eq!(knock("127.0.0.1", right.reveal()), 101, "a guesser is nobody else's trouble");
}

#[test]
fn sockets_that_never_speak_do_not_keep_their_neighbours_out() {
    if !with_address("sockets_that_never_speak_do_not_keep_their_neighbours_out") {
        return;
    }
    let server = server(|_| {});
    let silent: Vec<_> = (0..100).map(|_| TcpStream::connect((ADDRESS, server.port())).unwrap()).collect();
    let url = format!("ws://{ADDRESS}:{}", server.port());
    let _peer = tungstenite::connect(url).expect("the oldest silent one made room");
    assert_eq!(server.status().connected_clients, 1);
    silent[0].set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!((&silent[0]).read(&mut [0]), Ok(0) | Err(_)), "the oldest is closed");
}

#[test]
fn the_machine_is_known_by_its_own_name() {
    if !with_address("the_machine_is_known_by_its_own_name") {
        return;
    }
    let server = server(|_| {});
    let name = String::from_utf8(Command::new("uname").arg("-n").output().unwrap().stdout).unwrap();
    let name = name.trim();
    for (host, expected) in [(name.to_owned(), "200"), (format!("{name}.evil.example"), "403")] {
        let mut stream = TcpStream::connect((ADDRESS, server.port())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /status HTTP/1.1\r\nHost: {host}:8765\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{host}: {answer}");
    }
}
