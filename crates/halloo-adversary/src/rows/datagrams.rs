//! What comes to the discovery port, and what others claim there.

use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::context::{Finding, Row, Run, Stage};
use crate::peer::PATIENCE;
use crate::random::Random;

pub(super) const DATAGRAMS: Row = Row {
    name: "datagrams",
    attack: "10^5 random datagrams on the discovery port, a third of them mutated probes",
    promised: "0 bytes out, 0 panics",
    run: Run::Alone(datagrams),
};

pub(super) const FORGED: Row = Row {
    name: "forged",
    attack: "forged beacon with another `ip`",
    promised: "the browser dials the source address",
    run: Run::Alone(forged),
};

/// A port that is free now.
fn free_port() -> Result<u16> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn datagrams(stage: &Stage) -> Result<Finding> {
    let port = free_port()?;
    let mut server = stage.server(&["--discovery-port", &port.to_string()])?;
    server.drain_output()?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_broadcast(true)?;
    // Where a server of this machine alone listens.
    let ears = ("127.255.255.255", port);
    // What is asked as it should be is answered, so the server does hear.
    socket.set_read_timeout(Some(PATIENCE))?;
    let asked = format!(r#"{{"service":"websocket_server_probe","v":2,"nonce":"n","pad":"{}"}}"#, "x".repeat(450));
    socket.send_to(asked.as_bytes(), ears)?;
    socket.recv(&mut [0; 2048]).context("the server does not answer a probe")?;
    socket.set_nonblocking(true)?;
    let (mut random, mut back, mut sent) = (Random::new(23), 0, 0);
    // Nothing in it asks for anything: its service is not that of a probe.
    let probe = format!(r#"{{"service":"websocket_server_Probe","nonce":"n"}}{}"#, " ".repeat(450));
    for number in 0..stage.size(100_000, 5000) {
        let bytes = if number % 3 == 0 {
            let mut bytes = probe.clone().into_bytes();
            let at = random.below(bytes.len() as u64) as usize;
            // Never a letter of the service, by which it could become a probe.
            bytes[if (11..36).contains(&at) { 100 } else { at }] = random.next() as u8;
            bytes
        } else {
            let length = random.below(1400) as usize;
            random.bytes(length)
        };
        sent += usize::from(socket.send_to(&bytes, ears).is_ok());
        back += socket.recv(&mut [0; 2048]).unwrap_or(0);
        if number % 64 == 0 {
            // Slower than the socket's buffer fills, so that they are read and not lost.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    std::thread::sleep(Duration::from_millis(300));
    back += socket.recv(&mut [0; 2048]).unwrap_or(0);
    server.check_alive()?;
    server.status()?;
    Ok(Finding { measured: format!("{sent} datagrams; {back} bytes out; the server runs"), held: back == 0 })
}

fn forged(stage: &Stage) -> Result<Finding> {
    let port = free_port()?;
    let mut browser = Command::new(&stage.halloo);
    browser.args([
        "discover",
        "--local",
        "--no-mdns",
        "--json",
        "--timeout",
        "3s",
        "--discovery-port",
        &port.to_string(),
    ]);
    let child = browser.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let forger = UdpSocket::bind("127.0.0.1:0")?;
    forger.set_broadcast(true)?;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(2) {
        let beacon = r#"{"service":"websocket_server","ip":"203.0.113.66","port":4711,"timestamp":1}"#;
        for to in ["127.0.0.1", "127.255.255.255"] {
            // Until the browser listens, the machine says that nobody does.
            let _ = forger.send_to(beacon.as_bytes(), (to, port));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let output = child.wait_with_output().context("no answer of the browser")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let url = text.split("ws://").nth(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned());
    let held = url.as_deref().is_some_and(|url| url.starts_with("127.0.0.1:4711"));
    Ok(Finding { measured: url.map_or("nothing was found".into(), |url| format!("ws://{url}")), held })
}
