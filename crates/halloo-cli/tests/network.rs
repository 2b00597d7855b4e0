//! Several machines on one network: each a network namespace of its own, joined by a bridge of the test's. Nothing
//! leaves this machine.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;

/// Set in the process inside the namespace.
const INSIDE: &str = "HALLOO_TEST_NAMESPACE";

/// Whether this process is the one inside; otherwise runs the test `name` there.
fn inside(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let probe = "ip link add br0 type bridge && ip link add v0 type veth peer name v1 && unshare -n true";
    let possible = Command::new("unshare").args(["-Urnm", "sh", "-c", probe]).output();
    if !possible.is_ok_and(|run| run.status.success()) {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "no network namespace can be made here; `unshare` and `ip` with user namespaces are needed");
        eprintln!("SKIPPED: no network namespace can be made here");
        return false;
    }
    let script = "ip link set lo up && ip link add br0 type bridge && ip link set br0 up && \
                  ip addr add 10.77.0.1/24 dev br0 && exec \"$0\" --exact \"$1\" --nocapture";
    let program = std::env::current_exe().unwrap();
    let run = Command::new("timeout")
        // An event that never comes fails the test, and its processes end with it.
        .args(["-k", "1", "120", "unshare", "-Urnm", "--fork", "--kill-child", "sh", "-c", script])
        .arg(program)
        .arg(name)
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && told.contains("1 passed"), "inside the namespace:\n{told}");
    false
}

fn sh(script: &str) {
    assert!(Command::new("sh").args(["-ec", script]).status().unwrap().success(), "{script}");
}

/// A machine of its own, with a cable to the bridge.
struct Machine {
    holder: Child,
    number: u8,
}

impl Machine {
    /// Plugs in the machine `10.77.0.NUMBER`.
    fn new(number: u8) -> Machine {
        let mut holder = Command::new("unshare")
            .args(["-n", "sh", "-c", "ip link set lo up; echo ready; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let machine = Machine { holder, number };
        machine.plug_in(0);
        machine
    }

    /// A cable to the bridge, for the address `10.77.NETWORK.NUMBER`.
    fn plug_in(&self, network: u8) {
        let (pid, number) = (self.holder.id(), self.number);
        let (outside, inside) = (format!("v{network}x{number}"), format!("eth{network}"));
        sh(&format!(
            "ip link add {outside} type veth peer name {inside} netns {pid}
             ip link set {outside} master br0 up
             nsenter -t {pid} -n ip addr add 10.77.{network}.{number}/24 dev {inside}
             nsenter -t {pid} -n ip link set {inside} up"
        ));
    }

    fn unplug(&self) {
        sh(&format!("ip link set v0x{} down", self.number));
    }

    fn plug_in_again(&self) {
        sh(&format!("ip link set v0x{} up", self.number));
    }

    /// Runs halloo there.
    fn halloo(&self, arguments: &[&str]) -> Halloo {
        let pid = self.holder.id().to_string();
        let mut command = Command::new("nsenter");
        command.args(["-t", &pid, "-n", env!("CARGO_BIN_EXE_halloo")]).args(arguments);
        Halloo::start(command)
    }

    fn serve(&self, name: &str) -> Halloo {
        let mut server = self.halloo(&["serve", "--json", "--name", name]);
        assert_eq!(server.next()["event"], "ready");
        server
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A running halloo and what it tells.
struct Halloo {
    child: Child,
    input: ChildStdin,
    output: Box<dyn Iterator<Item = Value>>,
}

impl Halloo {
    fn start(mut command: Command) -> Halloo {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let output = Box::new(lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()));
        Halloo { child, input, output }
    }

    fn next(&mut self) -> Value {
        self.output.next().unwrap()
    }

    /// The next event must be this one; updates are passed over.
    fn told(&mut self, kind: &str, name: &str) -> Value {
        let event = self.output.find(|event| event["event"] != "updated").unwrap();
        assert_eq!((event["event"].as_str(), event["name"].as_str()), (Some(kind), Some(name)), "{event}");
        event
    }
}

impl Drop for Halloo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `halloo discover --watch` on the test's own machine.
fn watch() -> Halloo {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halloo"));
    command.args(["discover", "--watch", "--json"]);
    Halloo::start(command)
}

#[test]
fn servers_of_other_machines_come_and_go() {
    if !inside("servers_of_other_machines_come_and_go") {
        return;
    }
    let mut watch = watch();
    let (one, two) = (Machine::new(2), Machine::new(3));
    let mut first = one.serve("one");
    assert_eq!(watch.told("found", "one")["url"], "ws://10.77.0.2:8765");
    let (_client, _) = tungstenite::connect("ws://10.77.0.2:8765").unwrap();
    let second = two.serve("two");
    assert_eq!(watch.told("found", "two")["url"], "ws://10.77.0.3:8765");

    // A browser that starts now hears the busy one only by asking.
    let arguments = ["discover", "--json", "--timeout", "2s"];
    let mut found: Vec<(String, Value)> = Machine::new(4)
        .halloo(&arguments)
        .output
        .by_ref()
        .map(|event| (event["name"].as_str().unwrap().to_owned(), event["clients"].clone()))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(found[0].1, 1, "it told its clients, so it answered a probe");

    // A clean stop is told; who is killed is noticed all the same.
    writeln!(first.input, r#"{{"cmd":"stop"}}"#).unwrap();
    watch.told("lost", "one");
    drop(second);
    watch.told("lost", "two");
}

#[test]
fn a_cable_that_is_pulled_and_one_that_is_plugged_in() {
    if !inside("a_cable_that_is_pulled_and_one_that_is_plugged_in") {
        return;
    }
    let mut watch = watch();
    let machine = Machine::new(2);
    let _server = machine.serve("den");
    watch.told("found", "den");
    machine.unplug();
    watch.told("lost", "den");
    machine.plug_in_again();
    watch.told("found", "den");

    // A second network appears under the running browser, with a server that is only there.
    sh("ip link add br1 type bridge && ip link set br1 up && ip addr add 10.78.0.1/24 dev br1");
    let other = Machine::new(5);
    let pid = other.holder.id();
    sh(&format!(
        "ip link set v0x5 master br1
         nsenter -t {pid} -n ip addr flush dev eth0
         nsenter -t {pid} -n ip addr add 10.78.0.5/24 dev eth0"
    ));
    let _elsewhere = other.serve("elsewhere");
    assert_eq!(watch.told("found", "elsewhere")["url"], "ws://10.78.0.5:8765");
}

#[test]
fn a_server_on_two_networks_is_one_and_says_goodbye_on_either() {
    if !inside("a_server_on_two_networks_is_one_and_says_goodbye_on_either") {
        return;
    }
    sh("ip addr add 10.77.1.1/24 dev br0");
    let machine = Machine::new(2);
    machine.plug_in(1);
    let mut server = machine.serve("both");
    let mut watch = watch();
    let merged = watch.output.find(|event| event["addresses"].as_array().unwrap().len() == 2).unwrap();
    assert_eq!((merged["name"].as_str(), merged["event"] == "lost"), (Some("both"), false));
    // The first network is gone, so the goodbye comes through the other one alone.
    machine.unplug();
    writeln!(server.input, r#"{{"cmd":"stop"}}"#).unwrap();
    watch.told("lost", "both");
}
