//! Failures of the server: a port in use, and handlers that panic.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::net::TcpListener;
use std::time::Instant;

use halloo::{Config, Event, Hub, Server};
use halloo_test_support::{ExpectEvent, TEST_TIMEOUT, connect_peer};
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode as PeerCode;

#[test]
fn a_port_in_use_is_an_error_with_advice_or_leads_to_the_next_port() {
    let first = Server::start(Config::local()).unwrap();
    let mut config = Config::local();
    (config.port, config.strict_port) = (first.port(), true);
    let error = Server::start(config.clone()).unwrap_err().to_string();
    assert!(error.contains(&first.port().to_string()) && error.contains("choose another port"), "{error}");
    config.strict_port = false;
    let second = Server::start(config).unwrap();
    assert!((first.port() + 1..=first.port() + 9).contains(&second.port()));
}

#[test]
fn a_port_is_not_shared_with_a_program_that_has_an_overlapping_address() {
    for (held, bind) in
        [("127.0.0.1", None), ("0.0.0.0", None), ("127.0.0.1", Some("0.0.0.0")), ("0.0.0.0", Some("127.0.0.1"))]
    {
        let other = TcpListener::bind((held, 0)).unwrap();
        let mut config = Config::local();
        config.bind = bind.map(|ip| ip.parse().unwrap());
        (config.port, config.strict_port) = (other.local_addr().unwrap().port(), true);
        let error = Server::start(config).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("choose another port"), "{bind:?} beside {held}: {error}");
    }
}

#[test]
fn a_panic_in_the_handler_fails_the_server_and_is_reported() {
    let handler = |event: Event<'_>, _: &mut Hub<'_>| {
        if let Event::MessageReceived { .. } = event {
            panic!("a bug in the handler");
        }
    };
    let mut server = Server::start_with(Config::local(), handler).unwrap();
    let (mut other, mut sender) = (connect_peer(&server), connect_peer(&server));
    // Many messages, so that some are unread when the server closes the socket.
    for _ in 0..1000 {
        sender.write(Message::text("x")).unwrap();
    }
    sender.flush().ok();
    let Event::ServerFailed { message } = server.expect_event() else { panic!() };
    assert!(message.contains("a bug in the handler"));
    assert_eq!(server.status().connected_clients, 0, "the status is up to date when the event arrives");
    for peer in [&mut other, &mut sender] {
        let Message::Close(Some(close)) = peer.read().unwrap() else { panic!() };
        assert_eq!((close.code, close.reason.as_str()), (PeerCode::Error, "server failed"));
    }
    assert_eq!(server.remaining_events(), []);
    assert!(!server.status().server_running);
    server.restart(Config::local()).unwrap();
    assert!(server.status().server_running);
}

#[test]
fn a_panic_while_the_handler_is_dropped_still_ends_the_events() {
    struct PanicOnDrop;
    impl Drop for PanicOnDrop {
        fn drop(&mut self) {
            panic!("a bug in the handler");
        }
    }
    let panic_on_drop = PanicOnDrop;
    let server = Server::start_with(Config::local(), move |_, _| {
        let _ = &panic_on_drop;
    })
    .unwrap();
    server.stop();
    let start = Instant::now();
    assert_eq!(server.wait_event(TEST_TIMEOUT), None);
    assert!(start.elapsed() < TEST_TIMEOUT, "the events do not end");
    assert_eq!(server.status().connected_clients, 0);
}

#[test]
fn a_blank_name_is_refused() {
    for name in ["", "   ", "\u{200b}\t"] {
        let mut config = Config::local();
        config.name = name.into();
        let error = Server::start(config).unwrap_err().to_string();
        assert!(error.contains("blank") && error.contains("visible character"), "{error}");
    }
}
