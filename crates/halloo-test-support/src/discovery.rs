//! Discovery on loopback.

use std::net::UdpSocket;
use std::time::Duration;

use halloo::{BrowserConfig, Config, Search, Server};

use crate::TEST_TIMEOUT;

/// The broadcast address of loopback: datagrams to it reach all programs of this machine, and no others.
pub const LOOPBACK_BROADCAST: &str = "127.255.255.255";

/// Returns the settings of a server on loopback that is announced on `discovery_port`.
pub fn announced_config(name: &str, discovery_port: u16) -> Config {
    let mut config = Config::local();
    (config.name, config.discovery, config.discovery_port) = (name.into(), true, discovery_port);
    config
}

/// Starts a server on loopback that is announced on `discovery_port`.
pub fn announced_server(name: &str, discovery_port: u16) -> Server {
    Server::start(announced_config(name, discovery_port)).expect("a free port")
}

/// Returns the settings of a browser for this machine only.
pub fn local_browser_config(discovery_port: u16) -> BrowserConfig {
    let mut config = BrowserConfig::default();
    (config.discovery_port, config.local) = (discovery_port, true);
    config
}

/// Returns a search on this machine only.
pub fn local_search(discovery_port: u16, timeout: Duration) -> Search {
    let mut search = Search::default();
    (search.browser.discovery_port, search.browser.local, search.timeout) = (discovery_port, true, timeout);
    search
}

/// Returns a socket that may broadcast to [`LOOPBACK_BROADCAST`]. Reads fail after `read_timeout`.
pub fn broadcast_socket(read_timeout: Duration) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_broadcast(true).unwrap();
    socket.set_read_timeout(Some(read_timeout)).unwrap();
    socket
}

/// Broadcasts `datagram` to all programs of this machine that listen on `port`.
pub fn broadcast(datagram: &[u8], port: u16) {
    broadcast_socket(TEST_TIMEOUT).send_to(datagram, (LOOPBACK_BROADCAST, port)).unwrap();
}
