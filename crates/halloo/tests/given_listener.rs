//! A server on a socket that was opened elsewhere.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::net::TcpListener;
use std::sync::Arc;

use halloo::{Config, Server};
use halloo_test_support::connect_peer;

#[test]
fn given_socket_takes_the_place_of_port_and_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config::default().discovery(false).port(1).strict_port(true).listener(Arc::new(listener));
    let mut server = Server::start(config.clone()).unwrap();
    assert_eq!((server.port(), server.url()), (address.port(), format!("ws://{address}")));
    connect_peer(&server);
    // The same socket, since the settings still have it.
    server.restart(config).unwrap();
    assert_eq!(server.port(), address.port());
    connect_peer(&server);
}
