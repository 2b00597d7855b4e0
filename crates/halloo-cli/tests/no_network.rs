//! Machines without a network, or without one that web browsers can use.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::fs::File;
use std::path::PathBuf;

use common::{JsonServer, halloo, run, stderr};
use halloo_test_support::{TempDir, in_namespace, shell, wait_until};

/// Starts a server whose log goes to a file.
fn start_server(directory: &TempDir) -> (JsonServer, PathBuf) {
    let log = directory.path().join("log");
    let mut command = halloo(&["serve", "--json", "--no-mdns", "--discovery-interval", "100ms"]);
    (JsonServer::start(command.stderr(File::create(&log).unwrap())), log)
}

/// Returns the lines about networks.
fn network_lines(log: &PathBuf) -> Vec<String> {
    let log = std::fs::read_to_string(log).unwrap();
    let lines =
        log.lines().filter(|line| line.contains("network")).map(|line| line.split_once(' ').unwrap().1.to_owned());
    lines.collect()
}

#[test]
fn missing_network_is_reported_once_and_so_is_a_new_one() {
    if !in_namespace("missing_network_is_reported_once_and_so_is_a_new_one", "") {
        return;
    }
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let (mut server, log) = start_server(&directory);
    shell("ip addr add 10.77.0.1/24 dev lo");
    server.process.next_of("addresses_changed");
    shell("ip addr del 10.77.0.1/24 dev lo");
    server.process.next_of("addresses_changed");
    let missing = "warning: no network: only programs on this machine can connect";
    let expected = [missing, "the network has changed; reachable at 10.77.0.1", missing];
    // The line may be written after the event.
    wait_until(|| network_lines(&log).len() >= expected.len());
    assert_eq!(network_lines(&log), expected);
}

#[test]
fn network_for_programs_alone_is_reported() {
    let setup = "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
                 ip link add near type veth peer name far; ip link set near up; ip link set far up";
    if !in_namespace("network_for_programs_alone_is_reported", setup) {
        return;
    }
    let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let (_server, log) = start_server(&directory);
    // The link may come up after the start.
    wait_until(|| network_lines(&log).last().is_some_and(|line| line.contains("link-local")));
    let last = network_lines(&log).pop().unwrap();
    assert!(last.starts_with("warning: ") && last.contains("web browsers"), "{last}");
}

#[test]
fn searches_say_that_there_is_no_network() {
    if !in_namespace("searches_say_that_there_is_no_network", "") {
        return;
    }
    for arguments in [&["discover", "--timeout", "100ms"][..], &["connect", "den", "--timeout", "100ms"]] {
        let report = stderr(&run(arguments));
        assert!(report.contains("it has no network") && report.contains("connect to a Wi-Fi"), "{report}");
    }
    shell("ip addr add 10.77.0.1/24 dev lo");
    let report = stderr(&run(&["discover", "--timeout", "100ms"]));
    assert!(!report.contains("it has no network") && report.contains("no server answered"), "{report}");
}
