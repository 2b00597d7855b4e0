//! What is left of clients and browsers when they are dropped: no thread and no descriptor. The only test of its process,
//! so that nothing else opens any.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

use std::net::TcpListener;
use std::time::{Duration, Instant};

use halloo::{Browser, BrowserConfig, Client, ClientConfig};
use halloo_test_support::{in_namespace, wait_until};

/// Longer than the test may take.
const SEARCH_TIME: Duration = Duration::from_secs(600);
/// The most host names that the system resolves at a time for this process.
const MAX_RESOLVED: usize = 8;

/// The names of the threads of this library.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    // A thread may end meanwhile.
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("halloo-")).map(|name| name.trim().to_owned()).collect()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn client(target: &str) -> Client {
    let mut config = ClientConfig::new(target);
    config.search.timeout = SEARCH_TIME;
    Client::start(config).unwrap()
}

/// Drops everything that `start` returns, and expects that nothing is left of it except `allowed` threads that resolve names.
fn check_that_nothing_is_left<T>(allowed: usize, start: impl Fn(usize) -> T) {
    let before = descriptors();
    let started: Vec<T> = (0..60).map(start).collect();
    wait_until(|| threads().len() >= 60);
    // In the middle of their work.
    std::thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    drop(started);
    assert!(start.elapsed() < Duration::from_secs(10), "dropped in {:?}", start.elapsed());
    // The kernel lists a thread that was joined for a moment longer.
    wait_until(|| threads().len() <= allowed);
    let left = threads();
    assert!(left.iter().all(|name| name == "halloo-resolve"), "{left:?}");
    // A resolver of the system has a socket and a file.
    assert!(descriptors() <= before + 2 * left.len(), "{} descriptors, before {before}", descriptors());
}

#[test]
fn nothing_is_left_of_clients_and_browsers_that_are_dropped_at_work() {
    // Packets to the network, and so those to its name server, get lost.
    let setup = "ip link add cable type veth peer name other; ip link set other up
        ip addr add 192.168.77.1/24 dev cable; ip link set cable up
        ip route add default dev cable";
    if !in_namespace("nothing_is_left_of_clients_and_browsers_that_are_dropped_at_work", setup) {
        return;
    }
    // What the process opens once.
    drop(client("absent"));
    check_that_nothing_is_left(0, |_| client("absent"));
    let silent = TcpListener::bind("192.168.77.1:0").unwrap();
    let silent_addr = silent.local_addr().unwrap();
    check_that_nothing_is_left(0, |number| client(&format!("ws://192.168.77.{}:9", number + 2)));
    check_that_nothing_is_left(0, |_| {
        let mut config = BrowserConfig::default();
        config.max_events = 1;
        Browser::start(config).unwrap()
    });
    drop(client(&format!("ws://{silent_addr}")));
    check_that_nothing_is_left(MAX_RESOLVED, |number| client(&format!("host{number}.local:9")));
    check_that_nothing_is_left(MAX_RESOLVED, |number| client(&format!("ws://host{number}.invalid:9")));
}
