//! What the test program does in its processes on a [`RemoteHost`](crate::RemoteHost).

use std::io::Read;
use std::net::UdpSocket;

use halloo::{Config, Server};
use halloo_proto::interfaces::IPV6_GROUP;

/// The environment variable that is set in a process on a remote host, to its role.
pub(crate) const ROLE_VARIABLE: &str = "HALLOO_TEST_ROLE";
/// Precedes what such a process prints.
pub(crate) const MARKER: &str = "role: ";

/// Plays the role of a process on a remote host and exits, if this is one.
#[allow(clippy::print_stdout, reason = "the test reads it")]
pub(crate) fn run_role() {
    let Ok(role) = std::env::var(ROLE_VARIABLE) else { return };
    match role.split_once(' ').unwrap() {
        ("serve", name) => return serve(name),
        ("send", target) => return send_lines(target),
        _ => {}
    }
    // The test holds the other end of standard input, so that this process ends with it even if it is killed.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    match role.split_once(' ').unwrap() {
        (family @ ("listen" | "listen-ipv6"), port) => {
            let any = if family == "listen" { "0.0.0.0" } else { "::" };
            let socket = UdpSocket::bind((any, port.parse().unwrap())).unwrap();
            if family == "listen-ipv6" {
                // On the interface of the route to the group, which is the only one.
                socket.join_multicast_v6(&IPV6_GROUP, 0).unwrap();
            }
            println!("\n{MARKER}listening");
            let mut buffer = [0; 2048];
            loop {
                let (length, sender) = socket.recv_from(&mut buffer).unwrap();
                // A socket for IPv6 receives broadcasts over IPv4 as well.
                if family == "listen-ipv6" && sender.ip().to_canonical().is_ipv4() {
                    continue;
                }
                println!("{MARKER}{} {}", sender.ip(), String::from_utf8_lossy(&buffer[..length]));
            }
        }
        (_, url) => {
            let (mut client, _) = tungstenite::connect(url).unwrap();
            println!("\n{MARKER}connected");
            while client.read().is_ok() {}
            // The socket stays open until the test ends.
            loop {
                std::thread::park();
            }
        }
    }
}

/// Runs a server until standard input ends, and stops it cleanly.
#[allow(clippy::print_stdout, reason = "the test reads it")]
fn serve(name: &str) {
    let mut config = Config::default();
    (config.name, config.port) = (name.to_owned(), 0);
    let server = Server::start(config).unwrap();
    println!("\n{MARKER}serving");
    println!("{MARKER}{} {}", server.id(), server.port());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(server);
    std::process::exit(0);
}

/// Sends a datagram to `target` for each line of standard input, from the address in front of it.
#[allow(clippy::print_stdout, reason = "the test reads it")]
fn send_lines(target: &str) {
    println!("\n{MARKER}sending");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (from, datagram) = line.split_once(' ').unwrap();
        let socket = UdpSocket::bind((from, 0)).unwrap();
        // Fails while the target does not listen.
        let _ = socket.send_to(datagram.as_bytes(), target);
    }
    std::process::exit(0);
}
