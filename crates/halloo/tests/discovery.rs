//! Servers are found, on loopback and on ports of the tests' own.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::net::UdpSocket;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use halloo::{Browser, BrowserConfig, Config, Server, ServerInfo};

const PATIENCE: Duration = Duration::from_secs(20);

fn announced(name: &str, discovery_port: u16) -> Server {
    let mut config = Config::local();
    (config.name, config.discovery, config.discovery_port) = (name.into(), true, discovery_port);
    Server::start(config).unwrap()
}

/// All programs of this machine, to which probes go.
const EVERYBODY: &str = "127.255.255.255";

fn asker() -> UdpSocket {
    let asker = UdpSocket::bind("127.0.0.1:0").unwrap();
    asker.set_broadcast(true).unwrap();
    asker
}

/// A discovery port for one test, with the nine after it, for some probes go to all ten. Below those that the system
/// hands out, so that nobody else happens to have one of them.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    10_000 + (std::process::id() % 90) as u16 * 200 + NEXT.fetch_add(10, Ordering::Relaxed)
}

fn browser(discovery_port: u16) -> Browser {
    let mut config = BrowserConfig::default();
    (config.discovery_port, config.local) = (discovery_port, true);
    Browser::start(config).unwrap()
}

fn search(discovery_port: u16, until: impl Fn(&[ServerInfo]) -> bool) -> Vec<ServerInfo> {
    let browser = browser(discovery_port);
    while !until(&browser.servers()) {
        browser.wait_event(PATIENCE).expect("not in 20 s");
    }
    browser.servers()
}

#[test]
fn two_servers_on_one_machine_are_both_found() {
    let port = free_port();
    let (one, two) = (announced("one", port), announced("two", port));
    let mut found = search(port, |found| found.len() == 2);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let urls: Vec<&str> = found.iter().map(|server| server.url.as_str()).collect();
    assert_eq!(urls, [one.url(), two.url()]);
    assert_ne!(found[0].id, found[1].id);
}

#[test]
fn a_server_with_clients_is_silent_but_answers() {
    let port = free_port();
    let server = announced("busy", port);
    let _peer = tungstenite::connect(server.url()).unwrap();
    let found = search(port, |found| found.iter().any(|server| server.clients == Some(1)));
    assert_eq!(found[0].name, "busy");
    server.stop_service_discovery();
    assert!(!server.status().discovery_enabled, "a status shows what was asked for before it");
    assert!(browser(port).wait_event(Duration::from_millis(500)).is_none());
}

#[test]
fn a_server_with_clients_whose_discovery_port_was_taken_is_found() {
    // As a client of the script takes it, for itself alone.
    let port = free_port();
    let _holder = UdpSocket::bind(("0.0.0.0", port)).unwrap();
    let server = announced("elsewhere", port);
    assert_ne!(server.discovery_port(), port);
    let _peer = tungstenite::connect(server.url()).unwrap();
    let found = search(port, |found| found.iter().any(|server| server.clients == Some(1)));
    assert_eq!(found[0].name, "elsewhere");
}

#[test]
fn garbage_gets_no_answer() {
    let port = free_port();
    let server = announced("quiet", port);
    let asker = asker();
    asker.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    for junk in
        [&b"\0\xff"[..], b"{}", b"{\"service\":\"websocket_server\"}", b"{\"service\":\"websocket_server_probe\"}"]
    {
        asker.send_to(junk, (EVERYBODY, port)).unwrap();
    }
    assert!(asker.recv_from(&mut [0; 600]).is_err(), "the last one is a probe, but shorter than any reply");
    assert!(server.status().server_running);
}

#[test]
fn probes_that_get_no_answer_do_not_use_up_the_answers() {
    let port = free_port();
    let server = announced("calm", port);
    let flood = asker();
    // More than the 200 answers of a second, fewer than the system keeps for a socket.
    for _ in 0..220 {
        flood.send_to(b"{\"service\":\"websocket_server_probe\"}", (EVERYBODY, port)).unwrap();
    }
    // A probe sent behind the flood is read behind it.
    let asker = asker();
    asker.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    asker.send_to(&halloo_proto::announcement::probe("n"), (EVERYBODY, port)).unwrap();
    assert!(asker.recv_from(&mut [0; 600]).is_ok(), "the flood used up the answers");
    assert!(server.status().server_running);
}

#[test]
fn discovery_that_was_off_from_the_start_answers_once_started() {
    let port = free_port();
    let mut config = Config::local();
    config.discovery_port = port;
    let server = Server::start(config).unwrap();
    server.start_service_discovery();
    while !server.status().discovery_enabled {
        std::thread::yield_now();
    }
    let asker = asker();
    asker.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    asker.send_to(&halloo_proto::announcement::probe("n"), (EVERYBODY, port)).unwrap();
    assert!(asker.recv_from(&mut [0; 600]).is_ok());
}
