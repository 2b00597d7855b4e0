//! What the integration tests of the workspace share: servers, clients and raw sockets on loopback, network namespaces,
//! and programs in other languages.
//!
//! The helpers panic when something goes wrong, since in a test a panic is the result. None of them waits longer than
//! [`TEST_TIMEOUT`] unless it says so.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod expect_event;
mod wait_until;

mod echo_server;
mod peer;
mod raw_socket;

mod client_events;
mod mock_server;
mod single_attempt;

mod discovery;
mod unused_port;

mod child_process;
mod foreign;
mod nats_broker;

mod namespace;
mod remote_host;
mod remote_role;

mod temp_dir;

use std::time::Duration;

pub use child_process::ChildProcess;
pub use client_events::{
    expect_connected, expect_failed_attempt, expect_final_disconnect, expect_gave_up, expect_message,
};
pub use discovery::{
    LOOPBACK_BROADCAST, announced_config, announced_server, broadcast, broadcast_socket, local_browser_config,
    local_search,
};
pub use echo_server::echo_server;
pub use expect_event::ExpectEvent;
pub use foreign::{
    arduino_program, avahi, browser, csharp_program, has_avahi, js_client_tests, js_client_tests_on_bun,
    js_client_tests_on_deno, micropython, micropython_client_tests, node, npm_tools, python, python_client_tests, vite,
    webkit,
};
pub use mock_server::{MockServer, answer_handshake, switching_protocols};
pub use namespace::{in_namespace, shell};
pub use nats_broker::NatsBroker;
pub use peer::{Peer, connect_peer};
pub use raw_socket::{
    UPGRADE_REQUEST, connect_tcp, exchange, http_get, loopback, masked_frame, open_websocket, read_head, read_status,
};
pub use remote_host::{DatagramListener, RemoteHost};
pub use single_attempt::single_attempt_client;
pub use temp_dir::TempDir;
pub use unused_port::{unused_discovery_port, unused_tcp_address, unused_udp_port};
pub use wait_until::wait_until;

/// How long a test waits for something that must happen. Long enough for a loaded machine; only a failing test waits
/// this long.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(20);
