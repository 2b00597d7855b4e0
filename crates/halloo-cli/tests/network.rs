//! Several hosts on one network: network namespaces that are connected by a bridge.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::process::Command;

use common::{JsonProcess, JsonServer, halloo};
use halloo_test_support::{ChildProcess, in_namespace, shell};
use serde_json::Value;

/// Creates the bridge, on which this host has the address `10.77.0.1`.
const BRIDGE: &str = "ip link add br0 type bridge; ip link set br0 up; ip addr add 10.77.0.1/24 dev br0";

/// A host with a cable to the bridge.
struct Host {
    /// The namespace lives as long as this process.
    holder: ChildProcess,
    number: u8,
}

impl Host {
    /// Connects the host `10.77.0.NUMBER`.
    fn new(number: u8) -> Host {
        // It prints a line once it is in its namespace.
        let mut command = Command::new("unshare");
        command.args(["-n", "sh", "-c", "ip link set lo up; echo ready; exec cat"]);
        let mut holder = ChildProcess::start(&mut command);
        assert_eq!(holder.next_line(), "ready");
        let host = Host { holder, number };
        host.add_cable(0);
        host
    }

    /// Adds a cable to the bridge, for the address `10.77.NETWORK.NUMBER`.
    fn add_cable(&self, network: u8) {
        let (pid, number) = (self.holder.id(), self.number);
        let (outside, inside) = (format!("v{network}x{number}"), format!("eth{network}"));
        shell(&format!(
            "ip link add {outside} type veth peer name {inside} netns {pid}
             ip link set {outside} master br0 up
             nsenter -t {pid} -n ip addr add 10.77.{network}.{number}/24 dev {inside}
             nsenter -t {pid} -n ip link set {inside} up"
        ));
    }

    /// Disconnects the first cable.
    fn disconnect(&self) {
        shell(&format!("ip link set v0x{} down", self.number));
    }

    /// Connects the first cable again.
    fn reconnect(&self) {
        shell(&format!("ip link set v0x{} up", self.number));
    }

    /// Returns a command that runs the program on the host.
    fn halloo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-n", env!("CARGO_BIN_EXE_halloo")]).args(arguments);
        command
    }

    fn serve(&self, name: &str) -> JsonServer {
        JsonServer::start(&mut self.halloo(&["serve", "--json", "--name", name]))
    }
}

/// Starts `halloo discover --watch` on this host.
fn watch() -> JsonProcess {
    JsonProcess::start(&mut halloo(&["discover", "--watch", "--json"]))
}

/// Expects that the next event other than an update is of this kind and about the server `name`.
#[track_caller]
fn expect(watch: &mut JsonProcess, kind: &str, name: &str) -> Value {
    let event = watch.next_matching(|event| event["event"] != "updated");
    assert_eq!((event["event"].as_str(), event["name"].as_str()), (Some(kind), Some(name)), "{event}");
    event
}

#[test]
fn servers_on_other_hosts_are_found_and_lost() {
    if !in_namespace("servers_on_other_hosts_are_found_and_lost", BRIDGE) {
        return;
    }
    let mut watch = watch();
    let (host_one, host_two) = (Host::new(2), Host::new(3));
    let mut one = host_one.serve("one");
    assert_eq!(expect(&mut watch, "found", "one")["url"], "ws://10.77.0.2:8765");
    let (_client, _) = tungstenite::connect("ws://10.77.0.2:8765").unwrap();
    let two = host_two.serve("two");
    assert_eq!(expect(&mut watch, "found", "two")["url"], "ws://10.77.0.3:8765");

    // A server with a client sends no beacons, so a new browser finds it only with a probe.
    let host_three = Host::new(4);
    let mut discover = JsonProcess::start(&mut host_three.halloo(&["discover", "--json", "--timeout", "2s"]));
    let found = discover.remaining_events();
    let mut found: Vec<(&str, &Value)> =
        found.iter().map(|event| (event["name"].as_str().unwrap(), &event["clients"])).collect();
    found.sort_by_key(|(name, _)| *name);
    let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(*found[0].1, 1, "the reply to a probe contains the number of clients");

    // A stopped server sends a goodbye; a killed one is detected without it.
    one.process.write_line(r#"{"cmd":"stop"}"#);
    expect(&mut watch, "lost", "one");
    drop(two);
    expect(&mut watch, "lost", "two");
}

#[test]
fn disconnected_server_is_lost_and_server_on_a_new_network_is_found() {
    if !in_namespace("disconnected_server_is_lost_and_server_on_a_new_network_is_found", BRIDGE) {
        return;
    }
    let mut watch = watch();
    let host = Host::new(2);
    let _server = host.serve("den");
    expect(&mut watch, "found", "den");
    host.disconnect();
    expect(&mut watch, "lost", "den");
    host.reconnect();
    expect(&mut watch, "found", "den");

    // A second network appears while the browser runs, with a server that is not on the first one.
    shell("ip link add br1 type bridge && ip link set br1 up && ip addr add 10.78.0.1/24 dev br1");
    let other = Host::new(5);
    let pid = other.holder.id();
    shell(&format!(
        "ip link set v0x5 master br1
         nsenter -t {pid} -n ip addr flush dev eth0
         nsenter -t {pid} -n ip addr add 10.78.0.5/24 dev eth0"
    ));
    let _elsewhere = other.serve("elsewhere");
    assert_eq!(expect(&mut watch, "found", "elsewhere")["url"], "ws://10.78.0.5:8765");
}

#[test]
fn server_on_two_networks_is_one_entry_and_its_goodbye_works_on_either() {
    if !in_namespace("server_on_two_networks_is_one_entry_and_its_goodbye_works_on_either", BRIDGE) {
        return;
    }
    shell("ip addr add 10.77.1.1/24 dev br0");
    let host = Host::new(2);
    host.add_cable(1);
    let mut server = host.serve("both");
    let mut watch = watch();
    let merged = watch.next_matching(|event| event["addresses"].as_array().unwrap().len() == 2);
    assert_eq!((merged["name"].as_str(), merged["event"] == "lost"), (Some("both"), false));
    // Without the first network, the goodbye arrives on the second one only.
    host.disconnect();
    server.process.write_line(r#"{"cmd":"stop"}"#);
    expect(&mut watch, "lost", "both");
}

#[test]
fn address_that_this_machine_has_too_does_not_lead_to_a_server_of_this_machine() {
    if !in_namespace("address_that_this_machine_has_too_does_not_lead_to_a_server_of_this_machine", BRIDGE) {
        return;
    }
    // Without a link here, and with one there, as with the networks of containers, which have the same addresses on every machine.
    let add_docker0 =
        "ip link add docker0 type veth peer name cable; ip addr add 172.17.0.1/16 dev docker0; ip link set docker0 up";
    shell(add_docker0);
    let host = Host::new(2);
    let pid = host.holder.id();
    shell(&format!("nsenter -t {pid} -n sh -ec '{add_docker0}; ip link set cable up'"));
    let mut own = JsonServer::start(&mut halloo(&["serve", "--json", "--name", "own"]));
    let _den = host.serve("den");
    // The server replies from 10.77.0.2, which then refuses connections.
    let found = JsonProcess::start(&mut halloo(&["discover", "--json", "--timeout", "1s"])).remaining_events();
    let den = found.iter().find(|event| event["name"] == "den").unwrap();
    assert_eq!(den["addresses"], serde_json::json!(["10.77.0.2:8765", "172.17.0.1:8765"]));
    shell(&format!("nsenter -t {pid} -n ip route add prohibit 10.77.0.1/32 table 7"));
    shell(&format!("nsenter -t {pid} -n ip rule add ipproto tcp table 7 priority 1"));
    let connected =
        halloo(&["connect", "den", "--once", "--no-mdns"]).stdin(std::process::Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&connected.stderr).into_owned();
    assert!(!connected.status.success() && said.contains("10.77.0.2"), "{said}");
    own.process.write_line(r#"{"cmd":"status"}"#);
    let status = own.process.next_matching(|event| event["event"] == "status");
    let counts = (&status["halloo"]["clients_total"], &status["halloo"]["refused"]);
    assert_eq!(counts, (&serde_json::json!(0), &serde_json::json!(0)), "{status}");
}
