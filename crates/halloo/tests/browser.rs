//! The live list of servers, on loopback and on discovery ports of the tests' own.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::Write;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use halloo::{Browser, BrowserEvent, Config, ServerInfo};
use halloo_proto::announcement::goodbye;
use halloo_test_support::{
    ExpectEvent, TEST_TIMEOUT, announced_server, broadcast, local_browser_config, local_search, read_head,
    unused_discovery_port, wait_until,
};

fn start_browser(discovery_port: u16) -> Browser {
    Browser::start(local_browser_config(discovery_port)).unwrap()
}

/// Expects that a server is found.
fn expect_found(browser: &Browser) -> ServerInfo {
    match browser.expect_event() {
        BrowserEvent::Found(server) => server,
        other => panic!("{other:?}"),
    }
}

/// Expects that a server is lost, perhaps after updates.
fn expect_lost(browser: &Browser) -> ServerInfo {
    loop {
        match browser.expect_event() {
            BrowserEvent::Lost(server) => return server,
            BrowserEvent::Updated(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_server_is_found_by_name_or_id_and_lost_when_it_stops() {
    let port = unused_discovery_port();
    let server = announced_server("Den", port);
    let browser = start_browser(port);
    let found = expect_found(&browser);
    assert_eq!((found.id.as_str(), found.name.as_str(), found.url), (server.id(), "Den", server.url()));
    assert!(browser.servers()[0].age() < TEST_TIMEOUT);
    for name in ["den", "DEN", server.id()] {
        assert_eq!(local_search(port, TEST_TIMEOUT).find(name).unwrap().len(), 1, "{name}");
    }
    assert!(local_search(port, Duration::from_millis(300)).find("de").unwrap().is_empty());
    drop(server);
    assert_eq!(expect_lost(&browser).name, "Den");
    assert!(browser.servers().is_empty());
}

#[test]
fn a_forged_goodbye_does_not_remove_a_server() {
    let port = unused_discovery_port();
    let server = announced_server("still running", port);
    let browser = start_browser(port);
    assert_eq!(expect_found(&browser).id, server.id());
    for _ in 0..50 {
        broadcast(&goodbye("the id of another server"), port);
        broadcast(&goodbye(server.id()), port);
        if let Some(BrowserEvent::Lost(server)) = browser.wait_event(Duration::from_millis(20)) {
            panic!("{server:?}");
        }
    }
    drop(server);
    expect_lost(&browser);
}

#[test]
fn a_restart_on_the_same_port_is_another_server() {
    let port = unused_discovery_port();
    let mut server = announced_server("one", port);
    let browser = start_browser(port);
    let old = expect_found(&browser);
    let mut config = Config::local();
    (config.port, config.discovery, config.discovery_port) = (server.port(), true, port);
    server.restart(config).unwrap();
    assert_eq!(expect_lost(&browser).id, old.id);
    let new = expect_found(&browser);
    assert_eq!((new.url, new.id.as_str()), (old.url, server.id()));
}

#[test]
fn the_senders_address_counts_not_the_one_in_the_beacon() {
    let port = unused_discovery_port();
    let browser = start_browser(port);
    broadcast(br#"{"service":"websocket_server","ip":"10.9.9.9","port":4321,"timestamp":1}"#, port);
    let server = expect_found(&browser);
    assert_eq!((server.url.as_str(), server.id.as_str()), ("ws://127.0.0.1:4321", "127.0.0.1:4321"));
    assert_eq!(server.addresses, ["127.0.0.1:4321".parse().unwrap()]);
}

#[test]
fn invalid_datagrams_are_ignored() {
    let port = unused_discovery_port();
    let server = announced_server("calm", port);
    let browser = start_browser(port);
    assert_eq!(expect_found(&browser).id, server.id());
    let mut garbage = vec![0xff; 2000];
    for round in 0..2000_usize {
        garbage[round % 2000] = round as u8;
        broadcast(&garbage[..round], port);
        broadcast(format!(r#"{{"service":"websocket_server_reply","id":"x{round}","port":1}}"#).as_bytes(), port);
        broadcast(format!(r#"{{"service":"websocket_server_bye","id":"{round}"}}"#).as_bytes(), port);
    }
    assert_eq!(browser.servers().len(), 1);
    // The flood may have filled the socket's buffer, so that a beacon can be lost, as on any network.
    let next = (0..200).find_map(|_| {
        broadcast(br#"{"service":"websocket_server","port":4321}"#, port);
        browser.wait_event(Duration::from_millis(100)).filter(|event| event.server().id != server.id())
    });
    assert!(matches!(next, Some(BrowserEvent::Found(ref server)) if server.url == "ws://127.0.0.1:4321"), "{next:?}");
}

#[test]
fn the_server_with_the_ignored_id_is_not_listed() {
    let port = unused_discovery_port();
    let (own, other) = (announced_server("own", port), announced_server("other", port));
    let mut config = local_browser_config(port);
    config.ignore = Some(own.id().to_owned());
    let browser = Browser::start(config).unwrap();
    while let Some(event) = browser.wait_event(Duration::from_millis(500)) {
        assert_eq!(event.server().id, other.id());
    }
    assert_eq!(browser.servers().len(), 1);
}

#[test]
fn a_server_without_replies_is_checked_over_tcp_before_it_is_lost() {
    let port = unused_discovery_port();
    let browser = start_browser(port);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let tcp_port = addr.port();
    broadcast(format!(r#"{{"service":"websocket_server","port":{tcp_port},"id":"a1","ttl":2}}"#).as_bytes(), port);
    assert_eq!(expect_found(&browser).id, "a1");
    // There are no more beacons. The first check is answered, in two pieces, and the next connection is refused.
    let (mut stream, _) = listener.accept().unwrap();
    let request = read_head(&mut stream);
    assert!(request.starts_with("GET /discovery.json HTTP/1.1\r\n") && request.contains(&format!("Host: {addr}\r\n")));
    let body = format!(r#"{{"service":"websocket_server_reply","id":"a1","name":"quiet","port":{tcp_port}}}"#);
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    match browser.expect_event() {
        BrowserEvent::Updated(server) => assert_eq!(server.name, "quiet"),
        other => panic!("{other:?}"),
    }
    drop((stream, listener));
    assert_eq!(expect_lost(&browser).id, "a1");
}

#[test]
fn events_can_be_polled_and_awaited() {
    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Release);
        }
    }
    let port = unused_discovery_port();
    let browser = start_browser(port);
    assert!(browser.try_event().is_none());
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&flag));
    let mut event = pin!(browser.event());
    assert!(event.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let server = announced_server("awaited", port);
    wait_until(|| flag.0.load(Ordering::Acquire));
    let Poll::Ready(Some(BrowserEvent::Found(found))) = event.as_mut().poll(&mut Context::from_waker(&waker)) else {
        panic!("woken without an event");
    };
    assert_eq!(found.id, server.id());
}

#[test]
fn a_full_event_queue_merges_events_and_keeps_the_final_state() {
    let port = unused_discovery_port();
    let mut config = local_browser_config(port);
    config.max_events = 1;
    let browser = Browser::start(config).unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| announced_server(name, port));
    wait_until(|| browser.servers().len() == 3);
    drop(b);
    wait_until(|| browser.servers().len() == 2);
    let mut known: Vec<String> = Vec::new();
    while known != [a.id(), c.id()] {
        match browser.expect_event() {
            BrowserEvent::Found(server) => known.push(server.id),
            BrowserEvent::Lost(server) => known.retain(|id| *id != server.id),
            _ => {}
        }
        known.sort_by_key(|id| id != a.id());
    }
}
