//! A device on the network that forges datagrams of discovery, with the addresses of others as their sources.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::time::{Duration, Instant};

use halloo::{Browser, BrowserConfig, BrowserEvent, ServerInfo};
use halloo_test_support::{ChildProcess, ExpectEvent, RemoteHost, TEST_TIMEOUT, in_namespace, shell};

const SERVER: &str = "192.168.77.2";
const ATTACKER: &str = "192.168.77.66";

/// Connects the hosts with these addresses to this machine, 192.168.77.1, by a switch.
fn network<const COUNT: usize>(addresses: [&str; COUNT]) -> [RemoteHost; COUNT] {
    shell("ip link add switch type bridge; ip addr add 192.168.77.1/24 dev switch; ip link set switch up");
    let mut number = 0;
    addresses.map(|address| {
        number += 1;
        let cable = format!("cable{number}");
        let host = RemoteHost::new(&cable, "192.0.2.1/32", &format!("{address}/24"));
        shell(&format!("ip addr flush dev {cable}; ip link set {cable} master switch"));
        host
    })
}

fn start_browser() -> Browser {
    Browser::start(BrowserConfig::default()).unwrap()
}

/// Waits until the server has proven its address: then a reply has told the number of its clients.
fn expect_known(browser: &Browser, id: &str) -> ServerInfo {
    loop {
        if let BrowserEvent::Found(server) | BrowserEvent::Updated(server) = browser.expect_event()
            && server.id == id
            && server.clients.is_some()
        {
            return server;
        }
    }
}

/// Expects that the server stays listed while `attack` goes on, 200 times.
fn expect_listed_during(browser: &Browser, id: &str, url: &str, mut attack: impl FnMut(usize)) {
    for number in 0..200 {
        attack(number);
        let pause = Instant::now() + Duration::from_millis(10);
        while let Some(event) = browser.wait_event(pause.saturating_duration_since(Instant::now())) {
            assert!(!matches!(&event, BrowserEvent::Lost(server) if server.id == id), "{event:?}");
        }
        let servers = browser.servers();
        let server = servers.iter().find(|server| server.id == id).unwrap();
        assert_eq!((server.url.as_str(), server.addresses.len()), (url, 1), "{servers:?}");
    }
}

fn expect_lost(browser: &Browser, id: &str) {
    let deadline = Instant::now() + TEST_TIMEOUT;
    while let Some(event) = browser.wait_event(deadline.saturating_duration_since(Instant::now())) {
        if matches!(&event, BrowserEvent::Lost(server) if server.id == id) {
            return;
        }
    }
    panic!("the server is still listed: {:?}", browser.servers());
}

#[test]
fn forged_goodbyes_and_beacons_hide_and_move_no_server() {
    if !in_namespace("forged_goodbyes_and_beacons_hide_and_move_no_server", "") {
        return;
    }
    let [host, attacker] = network([SERVER, ATTACKER]);
    attacker.allow_forged_sources("192.168.77.2/32");
    let browser = start_browser();
    let (mut server, id, port) = host.start_server("den");
    let url = expect_known(&browser, &id).url;
    assert_eq!(url, format!("ws://{SERVER}:{port}"));
    let mut sender = attacker.start_sender("192.168.77.1:8766");
    let send = |sender: &mut ChildProcess, from: &str, rest: &str| {
        sender.write_line(&format!(r#"{from} {{"service":"websocket_server{rest}"#));
    };
    expect_listed_during(&browser, &id, &url, |_| {
        send(&mut sender, SERVER, &format!(r#"_bye","v":2,"id":"{id}"}}"#));
        send(&mut sender, SERVER, &format!(r#"","port":{port},"id":"another","name":"evil"}}"#));
        send(&mut sender, SERVER, &format!(r#"","port":{port},"id":"{id}","name":"evil","tls":true}}"#));
        send(&mut sender, ATTACKER, &format!(r#"","port":{port},"id":"{id}"}}"#));
        send(&mut sender, ATTACKER, &format!(r#"_bye","v":2,"id":"{id}"}}"#));
    });
    assert!(browser.servers().iter().all(|server| server.name == "den" && !server.tls));
    server.close_stdin();
    expect_lost(&browser, &id);
}

#[test]
fn made_up_servers_do_not_hide_one_that_starts_later() {
    if !in_namespace("made_up_servers_do_not_hide_one_that_starts_later", "") {
        return;
    }
    let [host, attacker] = network([SERVER, ATTACKER]);
    attacker.allow_forged_sources("192.168.77.128/25");
    let browser = start_browser();
    let mut sender = attacker.start_sender("192.168.77.1:8766");
    // 64 made-up servers of each of 64 addresses.
    let mut number = 0_u32;
    let mut claim = || {
        let (address, port) = (128 + number % 64, 1000 + number / 64 % 64);
        let beacon = format!(r#"{{"service":"websocket_server","port":{port},"id":"x{number}","name":"made up"}}"#);
        sender.write_line(&format!("192.168.77.{address} {beacon}"));
        number += 1;
    };
    // Until they fill the table.
    while browser.ignored_datagrams() < 1000 {
        claim();
        while browser.try_event().is_some() {}
    }
    let (_server, id, _) = host.start_server("den");
    let deadline = Instant::now() + TEST_TIMEOUT;
    while !browser.servers().iter().any(|server| server.id == id) {
        assert!(Instant::now() < deadline, "{} servers listed", browser.servers().len());
        (0..10).for_each(|_| claim());
        let _ = browser.wait_event(Duration::from_millis(10));
    }
}
