//! What is said about brokers that cannot be used.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;

use common::Node;
use halloo::{ClusterState, Config, Server};
use halloo_cluster::{Cluster, ClusterConfig, ClusterError, Credentials, Fault};
use halloo_test_support::{NatsBroker, unused_tcp_address};

fn start(config: ClusterConfig) -> Result<Cluster, ClusterError> {
    let server = Server::start(Config::local()).unwrap();
    Cluster::start(&server, config.required(true))
}

fn fault(address: impl Into<String>) -> Fault {
    match start(ClusterConfig::new("show", [address])) {
        Err(ClusterError::Broker(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

/// Answers every connection with `greeting`, after a request if there is none to be sent first.
fn imposter(greeting: &'static str, waits: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("nats://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 1000];
                if waits {
                    let _ = socket.read(&mut buffer);
                }
                let _ = socket.write_all(greeting.as_bytes());
                // Until the other side hangs up.
                while socket.read(&mut buffer).is_ok_and(|length| length > 0) {
                    if greeting.starts_with("INFO ") {
                        let _ = socket.write_all(b"PONG\r\n");
                    }
                }
            });
        }
    });
    address
}

#[test]
fn broker_that_is_not_there_is_told() {
    let address = unused_tcp_address();
    let text = fault(format!("nats://{address}")).to_string();
    assert!(text.contains(&format!("the broker {address} cannot be reached: ")), "{text}");
    assert!(text.ends_with("start it, or correct its address"), "{text}");
}

#[test]
fn advice_to_start_the_broker_helps_a_running_node() {
    let address = unused_tcp_address();
    let cluster = ClusterConfig::new("show", [format!("nats://{address}")]);
    let node = Node::start_with(Config::local(), cluster);
    node.wait_for_state(ClusterState::Degraded);
    let Some(_broker) = NatsBroker::start_on("", address.port()) else { return };
    node.wait_for_state(ClusterState::Joined);
}

#[test]
fn what_is_no_broker_is_told() {
    let found = |address| match fault(address) {
        Fault::NotNats { found, .. } => found,
        other => panic!("{other}"),
    };
    assert_eq!(found(imposter("HTTP/1.1 400 Bad Request\r\n\r\n", true)), "an HTTP server");
    assert_eq!(found(imposter("SSH-2.0-OpenSSH_9.2\r\n", false)), "an SSH server");
    assert_eq!(found(imposter("\u{1b}[2J\r\n", false)), "a server with another protocol");
    assert!(matches!(fault(imposter("", false)), Fault::Silent { .. }));
    assert!(matches!(fault(imposter("INFO {\r\n", false)), Fault::Unreachable { .. } | Fault::Silent { .. }));
}

#[test]
fn old_broker_is_told() {
    let greeting = "INFO {\"server_id\":\"X\",\"server_name\":\"X\",\"version\":\"1.4.1\\u001b[2J\",\"go\":\"go1\",\
                    \"host\":\"127.0.0.1\",\"port\":4222,\"max_payload\":1048576,\"proto\":1,\"client_id\":1,\
                    \"headers\":true,\"auth_required\":false,\"tls_required\":false,\"connect_urls\":[],\"nonce\":\"\"}\r\n";
    let text = fault(imposter(greeting, false)).to_string();
    assert!(text.contains("has version 1.4.1") && text.contains("update it to 2.2.0 or newer"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn wrong_credentials_are_told_and_right_ones_work() {
    let Some(broker) = NatsBroker::start("authorization: { user: ann, password: \"s@cret\" }") else { return };
    let with = |user: &str| format!("nats://{user}127.0.0.1:{}", broker.port());
    for user in ["", "ann:wrong@"] {
        let refused = fault(with(user));
        assert!(matches!(refused, Fault::Refused { .. }), "{refused}");
        assert!(!refused.to_string().contains("wrong"), "{refused}");
    }
    assert!(start(ClusterConfig::new("show", [with("ann:s%40cret@")])).is_ok());
    let invalid = ClusterConfig::new("show", [broker.url()]).credentials(Credentials::new("no credentials"));
    match start(invalid) {
        Err(ClusterError::Broker(fault @ Fault::Credentials { .. })) => {
            assert!(!format!("{fault} {fault:?}").contains("no credentials"), "{fault:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn missing_permissions_are_told_and_the_advice_helps() {
    let users = |allow: &str| {
        format!("authorization: {{ users: [{{ user: ann, password: secret, permissions: {{ {allow} }} }}] }}")
    };
    for denied in ["publish: \"other\"", "publish: \">\", subscribe: \"_INBOX.>\""] {
        let Some(broker) = NatsBroker::start(&users(denied)) else { return };
        let fault = fault(format!("nats://ann:secret@127.0.0.1:{}", broker.port()));
        let text = fault.to_string();
        assert!(matches!(fault, Fault::Permission { .. }), "{text}");
        let advised = "allow the account to publish and subscribe to halloo.show.> and _INBOX.>";
        assert!(text.ends_with(advised), "{text}");
    }
    let allowed = "[\"halloo.show.>\", \"_INBOX.>\"]";
    let Some(broker) = NatsBroker::start(&users(&format!("publish: {allowed}, subscribe: {allowed}"))) else { return };
    assert!(start(ClusterConfig::new("show", [format!("nats://ann:secret@127.0.0.1:{}", broker.port())])).is_ok());
}

#[test]
fn tiny_limit_of_the_broker_is_told() {
    let Some(broker) = NatsBroker::start("max_payload: 1000") else { return };
    let text = fault(broker.url()).to_string();
    assert!(text.contains("accepts only 1000 bytes per message; increase max_payload to 4096 or more"), "{text}");
    let Some(broker) = NatsBroker::start("max_payload: 4096") else { return };
    assert!(start(ClusterConfig::new("show", [broker.url()])).is_ok());
}

#[test]
fn invalid_settings_are_told() {
    let error =
        |name: &str, brokers: &[&str]| start(ClusterConfig::new(name, brokers.to_vec())).unwrap_err().to_string();
    assert_eq!(error("", &["nats://127.0.0.1"]), "the name of the cluster has 0 bytes; use 1 to 64");
    assert_eq!(error("show", &[]), "no address of a broker is given; give one like nats://10.0.0.1:4222");
    assert!(error("show", &["http://127.0.0.1"]).ends_with("`http://127.0.0.1` does not begin with nats:// or tls://"));
}
