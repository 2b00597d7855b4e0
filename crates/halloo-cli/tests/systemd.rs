//! The program as a service of systemd: with a socket that systemd has opened, and with a socket that it notifies.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the result")]

mod common;

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output, Stdio};

use common::{JsonProcess, JsonServer, LOCAL_SERVER, halloo, send_signal, stderr};
use halloo_test_support::{TEST_TIMEOUT, TempDir, python, unused_udp_port};
use serde_json::json;

/// Returns a command that runs the program with sockets of this kind, or `None` with a note if there is no Python.
fn activated(kind: &str, arguments: &[&str]) -> Option<Command> {
    let mut command = python("activate.py")?;
    command.args([kind, env!("CARGO_BIN_EXE_halloo")]).args(arguments).stderr(Stdio::piped());
    Some(command)
}

/// Runs the program, which must fail to start, with sockets of this kind.
fn refused(kind: &str) -> Option<Output> {
    // A server that starts all the same ends at once.
    let output = activated(kind, &LOCAL_SERVER)?.arg("--exit-with-stdin").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    Some(output)
}

#[test]
fn server_uses_and_announces_the_socket_from_systemd() {
    let discovery_port = unused_udp_port().to_string();
    let arguments = ["serve", "--json", "--no-mdns", "--port", "1", "--discovery-port", &discovery_port];
    let Some(mut command) = activated("one", &arguments) else { return };
    let mut server = JsonServer::start(&mut command);
    // Only the address of the socket, which is on loopback.
    assert_eq!(server.ready["urls"], json!([server.url()]));
    let mut client = JsonProcess::start(&mut halloo(&["connect", "--json", &server.url()]));
    client.next_of("connected");
    server.process.next_of("client_joined");
    let options = ["discover", "--json", "--first", "--local", "--no-mdns", "--discovery-port", &discovery_port];
    let found = JsonProcess::start(&mut halloo(&options)).next_of("found");
    assert_eq!(found["url"], json!(server.url()));
    server.process.stop();
    let log = server.process.read_stderr();
    assert!(log.contains("the socket from systemd") && log.contains(&server.port.to_string()), "{log}");
}

#[test]
fn sockets_that_the_server_cannot_use_are_refused() {
    let Some(output) = refused("two") else { return };
    let error = stderr(&output);
    assert!(error.contains("systemd passed 2 sockets; halloo serves one"), "{error}");
    let error = stderr(&refused("datagram").unwrap());
    assert!(error.contains("something else than a TCP socket") && error.contains("`ListenStream=`"), "{error}");
    let error = stderr(&refused("connection").unwrap());
    assert!(error.contains("cannot listen on the given socket") && error.contains("`Accept=no`"), "{error}");
}

/// A service manager that receives what a service tells it.
struct Manager {
    socket: UnixDatagram,
    directory: TempDir,
}

impl Manager {
    fn new() -> Manager {
        let directory = TempDir::new(env!("CARGO_TARGET_TMPDIR"));
        let socket = UnixDatagram::bind(directory.path().join("s")).unwrap();
        socket.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        Manager { socket, directory }
    }

    /// Starts a server as a service without a terminal.
    fn start(&self, arguments: &[&str]) -> JsonServer {
        let mut command = Command::new("setsid");
        command.args(["env", "--default-signal=HUP", env!("CARGO_BIN_EXE_halloo")]).args(LOCAL_SERVER).args(arguments);
        command.env("NOTIFY_SOCKET", self.directory.path().join("s")).stderr(Stdio::piped());
        JsonServer::start(&mut command)
    }

    /// Returns the next notification.
    fn next(&self) -> String {
        let mut buffer = [0; 1000];
        let length = self.socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }
}

#[cfg(target_os = "linux")]
#[test]
fn service_manager_is_told_when_the_server_is_ready_reloads_and_stops() {
    let manager = Manager::new();
    let mut server = manager.start(&[]);
    let ready = format!("READY=1\nSTATUS=serving at {}", server.url());
    assert_eq!(manager.next(), ready);
    // Without TLS there is nothing to read again, and the service goes on.
    send_signal("-HUP", server.process.id());
    let reloading = manager.next();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(manager.next(), ready);
    send_signal("-TERM", server.process.id());
    assert!(manager.next().starts_with("STOPPING=1\n"));
    server.process.next_of("stopped");
    assert!(server.process.wait().success());
}

#[cfg(target_os = "linux")]
#[test]
fn notifications_reach_an_abstract_socket_and_a_missing_one_is_reported() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    let name = format!("halloo-test-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    socket.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    let _server = JsonServer::start(halloo(&LOCAL_SERVER).env("NOTIFY_SOCKET", format!("@{name}")));
    let mut buffer = [0; 1000];
    let length = socket.recv(&mut buffer).unwrap();
    assert!(buffer[..length].starts_with(b"READY=1\n"));

    let mut command = halloo(&LOCAL_SERVER);
    let mut server = JsonServer::start(command.env("NOTIFY_SOCKET", "/missing/socket").stderr(Stdio::piped()));
    server.process.stop();
    let log = server.process.read_stderr();
    assert!(log.contains("cannot tell the service manager") && log.contains("NOTIFY_SOCKET"), "{log}");
}
