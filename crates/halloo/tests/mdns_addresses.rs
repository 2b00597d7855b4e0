//! A record of multicast DNS leads to no program of this machine.

#![cfg(all(target_os = "linux", feature = "mdns"))]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::time::Duration;

use halloo::{Browser, BrowserConfig};
use halloo_proto::mdns::{Data, Name, Packet, Record};
use halloo_test_support::{in_namespace, wait_until};

const OURS: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);

/// The response that publishes a server at `addresses`.
fn hostile_response(port: u16, addresses: &[Ipv4Addr]) -> Vec<u8> {
    let name = |text: &str| Name::parse(text).unwrap();
    let record = |of: &str, data| Record { name: name(of), data, ttl: 120, cache_flush: false };
    let (instance, host) = ("evil._halloo._tcp.local", "evil.local");
    let at = Data::Srv { priority: 0, weight: 0, port, target: name(host) };
    let mut answers = vec![record("_halloo._tcp.local", Data::Ptr(name(instance))), record(instance, at)];
    answers.extend(addresses.iter().map(|ip| record(host, Data::A(*ip))));
    Packet { is_response: true, answers, ..Packet::default() }.encode().unwrap()
}

#[test]
fn record_with_a_loopback_address_causes_no_request_to_this_machine() {
    let setup = "ip link add cable type veth peer name other; ip link set other up
        ip addr add 192.168.77.1/24 dev cable; ip link set cable up
        ip route add 224.0.0.0/4 dev cable";
    if !in_namespace("record_with_a_loopback_address_causes_no_request_to_this_machine", setup) {
        return;
    }
    let on_network = TcpListener::bind((OURS, 0)).unwrap();
    let port = on_network.local_addr().unwrap().port();
    let private = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let other_private = TcpListener::bind((Ipv4Addr::new(127, 9, 9, 9), port)).unwrap();
    for listener in [&on_network, &private, &other_private] {
        listener.set_nonblocking(true).unwrap();
    }
    let _browser = Browser::start(BrowserConfig::default()).unwrap();
    let responder = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    responder.set_reuse_address(true).unwrap();
    responder.set_reuse_port(true).unwrap();
    responder.bind(&std::net::SocketAddr::from((OURS, 5353)).into()).unwrap();
    let responder = UdpSocket::from(responder);
    let addresses = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 9, 9, 9), Ipv4Addr::UNSPECIFIED, OURS];
    let response = hostile_response(port, &addresses);
    wait_until(|| {
        responder.send_to(&response, (Ipv4Addr::new(224, 0, 0, 251), 5353)).unwrap();
        // The record was used for the address that other machines may have.
        on_network.accept().is_ok()
    });
    // Requests to all addresses of a packet start in the same turn, and this machine accepts them at once.
    std::thread::sleep(Duration::from_millis(100));
    for listener in [private, other_private] {
        assert_eq!(listener.accept().map(drop).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}
