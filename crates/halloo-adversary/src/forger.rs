//! Sends datagrams of discovery with any source address, in the namespace of a device that may use it.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::Result;

/// Sends goodbyes and beacons of a server `rate` times a second: with its address as their source, and its id from an own
/// address.
pub(crate) fn send_goodbyes(
    target: SocketAddr,
    server: Ipv4Addr,
    own: Ipv4Addr,
    id: &str,
    port: u16,
    rate: u32,
) -> Result<()> {
    let datagrams = [
        (server, format!(r#"{{"service":"websocket_server_bye","v":2,"id":"{id}"}}"#)),
        (server, format!(r#"{{"service":"websocket_server","port":{port},"id":"{id}","name":"evil","tls":true}}"#)),
        (server, format!(r#"{{"service":"websocket_server","port":{port},"id":"other","name":"evil"}}"#)),
        (own, format!(r#"{{"service":"websocket_server","port":{port},"id":"{id}","name":"den"}}"#)),
        (own, format!(r#"{{"service":"websocket_server_bye","v":2,"id":"{id}"}}"#)),
    ];
    loop {
        for (from, datagram) in &datagrams {
            send_from(*from, target, datagram);
        }
        std::thread::sleep(Duration::from_secs(1) / rate);
    }
}

/// Sends beacons of `each` made-up servers of every one of `addresses` addresses, `rate` in a second.
pub(crate) fn send_made_up(target: SocketAddr, first: Ipv4Addr, addresses: u32, each: u32, rate: u32) -> Result<()> {
    for number in (0..addresses * each).cycle() {
        let from = Ipv4Addr::from_bits(first.to_bits() + 1 + number % addresses);
        let port = 1000 + number / addresses;
        let beacon = format!(r#"{{"service":"websocket_server","port":{port},"id":"x{number}","name":"made up"}}"#);
        send_from(from, target, &beacon);
        if number % 32 == 0 {
            std::thread::sleep(Duration::from_secs(1) * 32 / rate);
        }
    }
    Ok(())
}

fn send_from(from: Ipv4Addr, target: SocketAddr, datagram: &str) {
    // Fails while the target does not listen.
    let _ = UdpSocket::bind((from, 0)).and_then(|socket| socket.send_to(datagram.as_bytes(), target));
}
