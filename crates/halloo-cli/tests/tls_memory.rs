//! The memory of a client of a server with TLS.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use common::{JsonServer, LOCAL_SERVER, halloo};
use halloo::{Client, ClientConfig};
use halloo_test_support::{TEST_TIMEOUT, TempDir};

/// Returns the memory that a process has allocated, in bytes.
fn anonymous_memory(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    1024 * line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap()
}

#[test]
fn an_idle_client_with_tls_takes_less_than_five_kilobytes() {
    const CLIENTS: usize = 300;
    let home = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
    let mut command = halloo(&LOCAL_SERVER);
    command.args(["--tls", "--quiet", "--heartbeat", "0s"]).env("HOME", home.path()).env_remove("XDG_DATA_HOME");
    let mut server = JsonServer::start(&mut command);
    let invitation = server.ready["invitation"].as_str().unwrap().to_owned();
    let process = server.process.id();
    let mut connect = |count| -> Vec<Client> {
        let start = |_| {
            let client = Client::start(ClientConfig::new(invitation.as_str())).unwrap();
            assert!(client.wait_connected(TEST_TIMEOUT), "{:?}", client.try_event());
            // More than a record, whose buffers must not stay.
            client.send(vec![7; 20_000]).unwrap();
            server.process.next_of("message");
            client
        };
        (0..count).map(start).collect()
    };
    // The first clients also cause allocations that are made once.
    let _first = connect(50);
    let before = anonymous_memory(process);
    let _clients = connect(CLIENTS);
    let each = (anonymous_memory(process) - before) / CLIENTS;
    assert!(each < 5000, "{each} bytes");
}
