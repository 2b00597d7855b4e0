//! Runs a test again in a network namespace of its own, with neighbours in namespaces of theirs: networks from which
//! nothing leaves this machine.

// Each test program that shares this file uses its own part of it.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// Long enough for a loaded machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// Set in the process inside the namespace, to the name of the test.
const INSIDE: &str = "HALLOO_TEST_NAMESPACE";
/// Set in a process that plays a neighbour, to what it does.
const PART: &str = "HALLOO_TEST_PART";

/// Whether this process is the one inside; otherwise runs the test `name` there, where `setup`, lines of a shell, has
/// made the networks.
pub(crate) fn inside(name: &str, setup: &str) -> bool {
    if let Ok(part) = std::env::var(PART) {
        play(&part);
        std::process::exit(0);
    }
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let possible = Command::new("unshare").args(["-Urn", "ip", "link", "set", "lo", "up"]).status();
    if !possible.is_ok_and(|status| status.success()) {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "no network namespace can be made here; `unshare` and `ip` with user namespaces are needed");
        eprintln!("SKIPPED: no network namespace can be made here");
        return false;
    }
    let script = format!("set -e\nip link set lo up\n{setup}\nexec \"$0\" --exact {name} --nocapture");
    let program = std::env::current_exe().unwrap();
    // Captured, for its own summary would be read as one more of the whole run.
    let run = Command::new("unshare").args(["-Urn", "sh", "-c", &script]).arg(program).env(INSIDE, name).output();
    let run = run.unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && told.contains("1 passed"), "inside the namespace:\n{told}");
    false
}

/// Runs lines of a shell as the root of this namespace.
pub(crate) fn shell(lines: &str) {
    let status = Command::new("sh").args(["-ec", lines]).status().unwrap();
    assert!(status.success(), "{lines}");
}

/// Another device: a namespace of its own at the other end of a cable.
pub(crate) struct Neighbour {
    /// Lives as long as its input is open, and the namespace with it.
    holder: Child,
    parts: Vec<Child>,
}

impl Neighbour {
    /// Lays a cable from our new interface `name` with the address `ours` to a new neighbour's `eth0` with `theirs`,
    /// both with the length of their network.
    pub(crate) fn new(name: &str, ours: &str, theirs: &str) -> Neighbour {
        // It tells when it is in its namespace, before which its process is still in ours.
        let mut holder = Command::new("unshare");
        holder.args(["-n", "sh", "-c", "echo in; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut neighbour = Neighbour { holder: holder.spawn().unwrap(), parts: Vec::new() };
        let mut line = String::new();
        BufReader::new(neighbour.holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = neighbour.holder.id();
        shell(&format!("ip link add {name} type veth peer name eth0 netns {pid}"));
        neighbour.shell(&format!("ip link set lo up; ip addr add {theirs} dev eth0; ip link set eth0 up"));
        shell(&format!("ip addr add {ours} dev {name}; ip link set {name} up"));
        neighbour
    }

    /// Runs lines of a shell there.
    pub(crate) fn shell(&self, lines: &str) {
        assert!(self.enter("sh").args(["-ec", lines]).status().unwrap().success(), "{lines}");
    }

    /// Listens there for datagrams on `port`.
    pub(crate) fn listen(&mut self, port: u16) -> Heard {
        let mut heard = self.play(&format!("listen {port}"));
        assert_eq!(heard.next(), "listening");
        heard
    }

    /// A client there that connects to `url`, and then neither reads nor says anything but what its library does.
    pub(crate) fn connect(&mut self, url: &str) {
        assert_eq!(self.play(&format!("connect {url}")).next(), "connected");
    }

    fn play(&mut self, part: &str) -> Heard {
        let mut command = self.enter(std::env::current_exe().unwrap().to_str().unwrap());
        command.args(["--exact", &std::env::var(INSIDE).unwrap(), "--nocapture"]);
        let mut child = command.env(PART, part).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let told = BufReader::new(child.stdout.take().unwrap());
        self.parts.push(child);
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            // The test program prints lines of its own around ours.
            let ours = told.lines().map_while(Result::ok).filter_map(|line| Some(line.strip_prefix(TOLD)?.to_owned()));
            ours.for_each(|line| drop(sender.send(line)));
        });
        Heard { lines }
    }

    fn enter(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-n", program]);
        command
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        for child in self.parts.iter_mut().chain([&mut self.holder]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a part tells, a line each.
pub(crate) struct Heard {
    lines: Receiver<String>,
}

impl Heard {
    /// The next line.
    pub(crate) fn next(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the neighbour hears something")
    }

    /// The next datagram: where it came from, and what it was.
    pub(crate) fn datagram(&mut self) -> (String, serde_json::Value) {
        let line = self.next();
        let (from, datagram) = line.split_once(' ').unwrap();
        (from.to_owned(), serde_json::from_str(datagram).unwrap())
    }
}

/// Begins the lines of a part.
const TOLD: &str = "told: ";

#[allow(clippy::print_stdout, reason = "it is read by the test")]
fn play(part: &str) {
    // The test holds the other end, so that nobody plays on when it was killed.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    match part.split_once(' ').unwrap() {
        ("listen", port) => {
            let socket = UdpSocket::bind(("0.0.0.0", port.parse().unwrap())).unwrap();
            println!("\n{TOLD}listening");
            let mut buffer = [0; 2048];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).unwrap();
                println!("{TOLD}{} {}", from.ip(), String::from_utf8_lossy(&buffer[..length]));
            }
        }
        (_, url) => {
            let (mut peer, _) = tungstenite::connect(url).unwrap();
            println!("\n{TOLD}connected");
            while peer.read().is_ok() {}
            std::thread::sleep(Duration::MAX);
        }
    }
}
