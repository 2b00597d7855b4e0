//! Another machine on the network of a test: a namespace at the other end of a cable.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::ChildProcess;
use crate::namespace::{SETTLE, TEST_VARIABLE, shell};
use crate::remote_role::{MARKER, ROLE_VARIABLE};

/// Another machine, connected to this one by a cable. Requires [`in_namespace`](crate::in_namespace).
#[derive(Debug)]
pub struct RemoteHost {
    /// Lives as long as its standard input is open, and the namespace with it.
    holder: Child,
}

impl RemoteHost {
    /// Connects our new interface `name` with the address `ours` to `eth0` of a new host with the address `theirs`. Both
    /// addresses have a prefix length, after which options of `ip addr add` may follow.
    pub fn new(name: &str, ours: &str, theirs: &str) -> RemoteHost {
        // It prints a line once it is in its namespace; until then its process is still in ours.
        let mut holder = Command::new("unshare");
        holder.args(["-n", "sh", "-c", "echo ready; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut host = RemoteHost { holder: holder.spawn().unwrap() };
        let mut line = String::new();
        BufReader::new(host.holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        host.shell("ip link set lo up");
        host.add_cable(name, ours, "eth0", theirs);
        host
    }

    /// Connects our new interface `name` to the new interface `peer` of the host.
    pub fn add_cable(&self, name: &str, ours: &str, peer: &str, theirs: &str) {
        let pid = self.holder.id();
        shell(&format!("ip link add {name} type veth peer name {peer} netns {pid}"));
        self.shell(&format!("ip addr add {theirs} dev {peer}; ip link set {peer} up"));
        shell(&format!("ip addr add {ours} dev {name}; ip link set {name} up"));
    }

    /// Runs shell commands on the host, and waits until the kernel has done what they say.
    ///
    /// # Panics
    /// If one of them fails.
    pub fn shell(&self, commands: &str) {
        let script = format!("{commands}\n{SETTLE}");
        assert!(self.command("sh").args(["-ec", &script]).status().unwrap().success(), "{commands}");
    }

    /// Returns a command that runs `program` on the host.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-n", program]);
        command
    }

    /// Listens on the host for datagrams to `port`.
    pub fn listen(&self, port: u16) -> DatagramListener {
        DatagramListener { process: self.start_role(&format!("listen {port}"), "listening") }
    }

    /// Listens on the host for datagrams over IPv6 to `port`.
    pub fn listen_ipv6(&self, port: u16) -> DatagramListener {
        DatagramListener { process: self.start_role(&format!("listen-ipv6 {port}"), "listening") }
    }

    /// Connects a client on the host to `url`. It reads, answers pings, and sends nothing else.
    #[must_use = "the client ends when this is dropped"]
    pub fn connect_client(&self, url: &str) -> ChildProcess {
        self.start_role(&format!("connect {url}"), "connected")
    }

    /// Runs a server on the host, which stops cleanly when its standard input is closed. Returns its id and port, too.
    #[must_use = "the server ends when this is dropped"]
    pub fn start_server(&self, name: &str) -> (ChildProcess, String, u16) {
        let mut process = self.start_role(&format!("serve {name}"), "serving");
        let line = process.next_line_after(MARKER);
        let (id, port) = line.split_once(' ').unwrap();
        (process, id.to_owned(), port.parse().unwrap())
    }

    /// Sends datagrams from the host to `target`: for each line that is written to the process, from the address in front of
    /// the datagram, which can be forged after [`RemoteHost::allow_forged_sources`].
    #[must_use = "nothing is sent after this is dropped"]
    pub fn start_sender(&self, target: &str) -> ChildProcess {
        self.start_role(&format!("send {target}"), "sending")
    }

    /// Lets the host send from the addresses of `prefix`, which it neither answers for nor announces: whatever is sent
    /// to them does not reach it.
    pub fn allow_forged_sources(&self, prefix: &str) {
        self.shell(&format!(
            "for name in all eth0; do
                 echo 1 > /proc/sys/net/ipv4/conf/$name/arp_ignore
                 echo 2 > /proc/sys/net/ipv4/conf/$name/arp_announce
             done
             ip route add local {prefix} dev lo"
        ));
    }

    /// Runs the current test program on the host, in which [`run_role`](crate::remote_role::run_role) plays `role`.
    fn start_role(&self, role: &str, ready: &str) -> ChildProcess {
        let mut command = self.command(std::env::current_exe().unwrap().to_str().unwrap());
        command.args(["--exact", &std::env::var(TEST_VARIABLE).unwrap(), "--nocapture"]).env(ROLE_VARIABLE, role);
        let mut process = ChildProcess::start(&mut command);
        assert_eq!(process.next_line_after(MARKER), ready);
        process
    }
}

impl Drop for RemoteHost {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A socket on a [`RemoteHost`].
#[derive(Debug)]
pub struct DatagramListener {
    process: ChildProcess,
}

impl DatagramListener {
    /// Returns the sender and the JSON of the next datagram.
    ///
    /// # Panics
    /// If there is none within [`TEST_TIMEOUT`](crate::TEST_TIMEOUT).
    pub fn next_datagram(&mut self) -> (String, serde_json::Value) {
        let line = self.process.next_line_after(MARKER);
        let (sender, datagram) = line.split_once(' ').unwrap();
        (sender.to_owned(), serde_json::from_str(datagram).unwrap())
    }
}
