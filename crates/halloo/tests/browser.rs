//! The live list of servers, on loopback and on ports of the tests' own.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::future::Future;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use halloo::{Browser, BrowserConfig, BrowserEvent, Config, Search, Server, ServerInfo};
use halloo_proto::announcement::goodbye;

const PATIENCE: Duration = Duration::from_secs(20);

fn announced(name: &str, discovery_port: u16) -> Server {
    let mut config = Config::local();
    (config.name, config.discovery, config.discovery_port) = (name.into(), true, discovery_port);
    Server::start(config).unwrap()
}

/// A discovery port for one test, with the nine after it, for some probes go to all ten. Below those that the system
/// hands out, so that nobody else happens to have one of them.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    10_000 + (std::process::id() % 90) as u16 * 200 + NEXT.fetch_add(10, Ordering::Relaxed)
}

fn config(discovery_port: u16) -> BrowserConfig {
    let mut config = BrowserConfig::default();
    (config.discovery_port, config.local) = (discovery_port, true);
    config
}

fn browser(discovery_port: u16) -> Browser {
    Browser::start(config(discovery_port)).unwrap()
}

fn search(discovery_port: u16, timeout: Duration) -> Search {
    let mut search = Search::default();
    (search.browser.discovery_port, search.browser.local, search.timeout) = (discovery_port, true, timeout);
    search
}

fn found(browser: &Browser) -> ServerInfo {
    match browser.wait_event(PATIENCE) {
        Some(BrowserEvent::Found(server)) => server,
        other => panic!("{other:?}"),
    }
}

fn lost(browser: &Browser) -> ServerInfo {
    loop {
        match browser.wait_event(PATIENCE) {
            Some(BrowserEvent::Lost(server)) => return server,
            Some(BrowserEvent::Updated(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Says `datagram` to everybody who listens on this machine.
fn say(datagram: &[u8], discovery_port: u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_broadcast(true).unwrap();
    socket.send_to(datagram, ("127.255.255.255", discovery_port)).unwrap();
}

#[test]
fn a_server_comes_is_known_by_name_and_goes() {
    let port = free_port();
    let server = announced("Den", port);
    let browser = browser(port);
    let seen = found(&browser);
    assert_eq!((seen.id.as_str(), seen.name.as_str(), seen.url), (server.id(), "Den", server.url()));
    assert!(browser.servers()[0].age() < PATIENCE);
    for name in ["den", "DEN", server.id()] {
        assert_eq!(search(port, PATIENCE).find(name).unwrap().len(), 1, "{name}");
    }
    assert!(search(port, Duration::from_millis(300)).find("de").unwrap().is_empty());
    drop(server);
    assert_eq!(lost(&browser).name, "Den");
    assert!(browser.servers().is_empty());
}

#[test]
fn a_goodbye_is_believed_though_the_server_would_still_answer() {
    let port = free_port();
    let server = announced("still there", port);
    let browser = browser(port);
    assert_eq!(found(&browser).id, server.id());
    say(&goodbye("another one's id"), port);
    say(&goodbye(server.id()), port);
    assert_eq!(lost(&browser).id, server.id());
    assert_eq!(found(&browser).id, server.id(), "and found again, for it answers the next probe");
}

#[test]
fn a_restart_on_the_same_port_is_another_server() {
    let port = free_port();
    let mut server = announced("one", port);
    let browser = browser(port);
    let old = found(&browser);
    let mut config = Config::local();
    (config.port, config.discovery, config.discovery_port) = (server.port(), true, port);
    server.restart(config).unwrap();
    assert_eq!(lost(&browser).id, old.id);
    let new = found(&browser);
    assert_eq!((new.url, new.id.as_str()), (old.url, server.id()));
}

#[test]
fn the_address_of_the_sender_is_dialled_not_the_one_it_claims() {
    let port = free_port();
    let browser = browser(port);
    say(br#"{"service":"websocket_server","ip":"10.9.9.9","port":4321,"timestamp":1}"#, port);
    let server = found(&browser);
    assert_eq!((server.url.as_str(), server.id.as_str()), ("ws://127.0.0.1:4321", "127.0.0.1:4321"));
    assert_eq!(server.addresses, ["127.0.0.1:4321".parse().unwrap()]);
}

#[test]
fn garbage_changes_nothing() {
    let port = free_port();
    let server = announced("calm", port);
    let browser = browser(port);
    assert_eq!(found(&browser).id, server.id());
    let mut junk = vec![0xff; 2000];
    for round in 0..2000_usize {
        junk[round % 2000] = round as u8;
        say(&junk[..round], port);
        say(format!(r#"{{"service":"websocket_server_reply","id":"x{round}","port":1}}"#).as_bytes(), port);
        say(format!(r#"{{"service":"websocket_server_bye","id":"{round}"}}"#).as_bytes(), port);
    }
    assert_eq!(browser.servers().len(), 1);
    // The flood may have filled the socket, so a beacon can be lost, as on any network.
    let next = (0..200).find_map(|_| {
        say(br#"{"service":"websocket_server","port":4321}"#, port);
        browser.wait_event(Duration::from_millis(100)).filter(|event| event.server().id != server.id())
    });
    assert!(matches!(next, Some(BrowserEvent::Found(ref server)) if server.url == "ws://127.0.0.1:4321"), "{next:?}");
}

#[test]
fn its_own_server_is_passed_over() {
    let port = free_port();
    let (own, other) = (announced("own", port), announced("other", port));
    let mut config = config(port);
    config.ignore = Some(own.id().to_owned());
    let browser = Browser::start(config).unwrap();
    while let Some(event) = browser.wait_event(Duration::from_millis(500)) {
        assert_eq!(event.server().id, other.id());
    }
    assert_eq!(browser.servers().len(), 1);
}

#[test]
fn a_server_that_only_calls_is_asked_over_tcp_before_it_is_lost() {
    let port = free_port();
    let browser = browser(port);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = listener.local_addr().unwrap();
    say(format!(r#"{{"service":"websocket_server","port":{},"id":"a1","ttl":2}}"#, tcp.port()).as_bytes(), port);
    assert_eq!(found(&browser).id, "a1");
    // Nothing is said any more. The first question is answered, in two pieces; the next one is refused.
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1);
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    assert!(request.starts_with("GET /discovery.json HTTP/1.1\r\n") && request.contains(&format!("Host: {tcp}\r\n")));
    let body = format!(r#"{{"service":"websocket_server_reply","id":"a1","name":"quiet","port":{}}}"#, tcp.port());
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    match browser.wait_event(PATIENCE) {
        Some(BrowserEvent::Updated(server)) => assert_eq!(server.name, "quiet"),
        other => panic!("{other:?}"),
    }
    drop((stream, listener));
    assert_eq!(lost(&browser).id, "a1");
}

#[test]
fn events_can_be_awaited_and_polled() {
    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Release);
        }
    }
    let port = free_port();
    let browser = browser(port);
    assert!(browser.try_event().is_none());
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&flag));
    let mut event = std::pin::pin!(browser.event());
    assert!(event.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let server = announced("awaited", port);
    let start = Instant::now();
    while !flag.0.load(Ordering::Acquire) {
        assert!(start.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    let Poll::Ready(Some(BrowserEvent::Found(found))) = event.as_mut().poll(&mut Context::from_waker(&waker)) else {
        panic!("woken for nothing");
    };
    assert_eq!(found.id, server.id());
}

#[test]
fn an_application_that_takes_nothing_learns_how_things_stand() {
    let port = free_port();
    let mut config = config(port);
    config.max_events = 1;
    let browser = Browser::start(config).unwrap();
    let servers = [announced("a", port), announced("b", port), announced("c", port)];
    while browser.servers().len() < 3 {
        std::thread::yield_now();
    }
    let [a, b, c] = servers;
    drop(b);
    while browser.servers().len() > 2 {
        std::thread::yield_now();
    }
    let mut known: Vec<String> = Vec::new();
    while known != [a.id(), c.id()] {
        match browser.wait_event(PATIENCE).expect("an event for each change that matters") {
            BrowserEvent::Found(server) => known.push(server.id),
            BrowserEvent::Lost(server) => known.retain(|id| *id != server.id),
            _ => {}
        }
        known.sort_by_key(|id| id != a.id());
    }
}
