//! A server that runs out of file descriptors, in a process that may have 64 of them.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]
#![allow(clippy::print_stdout, reason = "the test reads what the process prints")]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
#[cfg(target_os = "linux")]
use std::net::IpAddr;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
#[cfg(target_os = "linux")]
use std::process::Stdio;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use halloo::Event;
use halloo::{Config, Server};
use halloo_test_support::{ChildProcess, TEST_TIMEOUT, connect_tcp, http_get, read_status};
#[cfg(target_os = "linux")]
use halloo_test_support::{ExpectEvent, in_namespace, loopback, open_websocket};

/// The environment variable with the limit of the process that runs the server.
const LIMIT_VARIABLE: &str = "HALLOO_TEST_DESCRIPTORS";
/// Precedes what that process prints.
const MARKER: &str = "server: ";
const STATUS_REQUEST: &[u8] = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A server in a process that may have 64 file descriptors.
struct LimitedServer {
    process: ChildProcess,
    addr: SocketAddr,
}

impl LimitedServer {
    /// Runs [`limited_server_process`] in another process.
    fn start() -> LimitedServer {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "limited_server_process", "--nocapture", "--test-threads=1"])
            .env(LIMIT_VARIABLE, "64");
        let mut process = ChildProcess::start(&mut command);
        let port: u16 = process.next_line_after(MARKER).parse().unwrap();
        LimitedServer { process, addr: ([127, 0, 0, 1], port).into() }
    }

    fn command(&mut self, command: &str) -> String {
        self.process.write_line(command);
        self.process.next_line_after(MARKER)
    }

    fn send_status_request(&self) -> TcpStream {
        let mut stream = connect_tcp(self.addr);
        stream.write_all(STATUS_REQUEST).unwrap();
        stream
    }

    /// Returns the processor time that the process has used.
    #[cfg(target_os = "linux")]
    fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // A tick has been a hundredth of a second on every Linux of the last twenty years.
        Duration::from_millis(10 * ticks)
    }
}

/// The process of a [`LimitedServer`]. As an ordinary test it does nothing.
#[test]
fn limited_server_process() {
    let limit = std::env::var(LIMIT_VARIABLE).ok().and_then(|limit| limit.parse().ok());
    let Some(limit) = limit else { return };
    rlimit::Resource::NOFILE.set(limit, limit).unwrap();
    let server = Server::start(Config::local()).unwrap();
    println!("{MARKER}{}", server.port());
    let mut held: Vec<File> = Vec::new();
    for command in std::io::stdin().lines() {
        match command.unwrap().as_str() {
            take @ ("take all" | "take all but one") => {
                held.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
                if take != "take all" {
                    held.pop();
                }
                println!("{MARKER}{} taken", held.len());
            }
            "release" => {
                held.clear();
                println!("{MARKER}released");
            }
            "count" => println!("{MARKER}{}", server.status().extras.clients_total),
            other => panic!("{other}"),
        }
    }
}

fn read_to_end(mut stream: TcpStream) -> String {
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn two_hundred_silent_connections_make_room_for_a_client_and_use_little_processor_time() {
    let mut server = LimitedServer::start();
    #[cfg(target_os = "linux")]
    let start = Instant::now();
    let silent: Vec<TcpStream> = (0..200).map(|_| connect_tcp(server.addr)).collect();
    // After all of them, and still accepted.
    let (client, _) = tungstenite::client(format!("ws://{}", server.addr), connect_tcp(server.addr)).unwrap();
    for mut stream in silent {
        assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)), "silent connections are closed");
    }
    #[cfg(target_os = "linux")]
    {
        let (used, elapsed) = (server.processor_time(), start.elapsed());
        println!("{used:?} of processor time in {elapsed:?}");
        assert!(used * 20 < elapsed, "{used:?} of {elapsed:?}");
    }
    drop(client);
    let response = http_get(server.addr, "/status", "");
    assert!(response.starts_with("HTTP/1.1 200"), "afterwards the server works as before: {response}");
    assert_eq!(server.command("count"), "1");
}

#[test]
fn two_hundred_requests_whose_connections_stay_open_are_all_answered() {
    let server = LimitedServer::start();
    // None of them is closed before all are answered.
    let mut streams: Vec<TcpStream> = (0..200).map(|_| server.send_status_request()).collect();
    for stream in &mut streams {
        assert_eq!(read_status(stream).unwrap(), 200);
    }
}

#[test]
fn without_a_free_descriptor_requests_are_refused_with_the_reason() {
    let mut server = LimitedServer::start();
    assert!(server.command("take all").ends_with("taken"));
    for _ in 0..3 {
        let refused = http_get(server.addr, "/status", "");
        assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("limit of open files"), "{refused}");
    }
    assert_eq!(server.command("release"), "released");
    let released = Instant::now();
    assert!(http_get(server.addr, "/status", "").starts_with("HTTP/1.1 200"));
    assert!(released.elapsed() < Duration::from_secs(2), "{:?}", released.elapsed());
}

#[test]
fn a_silent_connection_keeps_the_last_descriptor_until_another_one_arrives() {
    let mut server = LimitedServer::start();
    assert!(server.command("take all but one").ends_with("taken"));
    let mut last = connect_tcp(server.addr);
    // Longer than a silent connection is kept when another one arrives.
    last.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    assert!(last.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "it was closed");
    last.write_all(STATUS_REQUEST).unwrap();
    last.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    assert!(read_to_end(last).starts_with("HTTP/1.1 200"));
}

#[cfg(target_os = "linux")]
#[test]
fn addresses_stay_without_a_free_descriptor_and_are_listed_again_afterwards() {
    let name = "addresses_stay_without_a_free_descriptor_and_are_listed_again_afterwards";
    // Without IPv6, whose addresses come a second after the others.
    let network = "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
        ip link add first type veth peer name first_end; ip link set first_end up
        ip addr add 192.168.77.1/24 dev first; ip link set first up";
    if !in_namespace(name, network) {
        return;
    }
    let (first, second) = (IpAddr::from([192, 168, 77, 1]), IpAddr::from([10, 77, 0, 1]));
    let mut config = Config::default();
    (config.port, config.discovery_interval) = (0, Duration::from_secs(3600));
    let server = Server::start(config).unwrap();
    assert_eq!(server.local_ip(), first);
    // Started before, because a process cannot be started without a descriptor.
    let mut shell = Command::new("sh").arg("-e").stdin(Stdio::piped()).spawn().unwrap();
    let mut shell_input = shell.stdin.take().unwrap();
    // While a client is connected, no beacon causes a scan.
    let _client = open_websocket(loopback(&server));
    while !matches!(server.expect_event(), Event::DiscoveryChanged { active: false, .. }) {}
    while let Some(event) = server.wait_event(Duration::from_millis(200)) {
        println!("before: {event:?}");
    }
    rlimit::Resource::NOFILE.set(64, 64).unwrap();
    let taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let network = "ip link add second type veth peer name second_end; ip link set second_end up; ip link set second up";
    writeln!(shell_input, "{network}; ip addr add {second}/24 dev second; exit").unwrap();
    assert!(shell.wait().unwrap().success());
    let event = server.wait_event(Duration::from_millis(500));
    assert!(event.is_none(), "nothing is known about the interfaces: {event:?}");
    assert_eq!((server.local_ip(), server.urls().len()), (first, 2));
    drop((taken, shell_input));
    let addresses = server.expect_matching(|event| match event {
        Event::AddressesChanged { addresses } => Some(addresses),
        other => panic!("{other:?}"),
    });
    assert_eq!(addresses, [first, second]);
    // Also published by multicast DNS on both: its sockets on the second could not be opened before.
    if cfg!(feature = "mdns") {
        let groups = std::fs::read_to_string("/proc/net/igmp").unwrap();
        assert_eq!(groups.matches("FB0000E0").count(), 2, "{groups}");
    }
}
