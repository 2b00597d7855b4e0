//! Random and forged datagrams on the discovery port.

use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::context::Context;
use crate::peer::TIMEOUT;
use crate::random::Random;
use crate::scenario::{Finding, Run, Scenario};

pub(super) const RANDOM: Scenario = Scenario {
    name: "random-datagrams",
    attack: "10^5 random datagrams to the discovery port, a third of them mutated probes",
    promised: "0 bytes sent back; 0 panics",
    run: Run::Own(random_datagrams),
};

pub(super) const FORGED: Scenario = Scenario {
    name: "forged-beacon",
    attack: "forged beacon with another `ip`",
    promised: "the browser connects to the source address",
    run: Run::Own(forged),
};

/// Returns a UDP port that is free at the moment.
fn free_port() -> Result<u16> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn random_datagrams(context: &Context) -> Result<Finding> {
    let port = free_port()?;
    let mut server = context.server(&["--discovery-port", &port.to_string()])?;
    server.drain_output()?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_broadcast(true)?;
    // Where a server that serves only this machine listens.
    let discovery = ("127.255.255.255", port);
    // A valid probe gets a reply, so the server does receive datagrams.
    socket.set_read_timeout(Some(TIMEOUT))?;
    let valid = format!(r#"{{"service":"websocket_server_probe","v":2,"nonce":"n","pad":"{}"}}"#, "x".repeat(450));
    socket.send_to(valid.as_bytes(), discovery)?;
    socket.recv(&mut [0; 2048]).context("the server did not reply to a probe")?;
    socket.set_nonblocking(true)?;
    let (mut random, mut back, mut sent) = (Random::new(23), 0, 0);
    // Not a valid probe: its `service` is another.
    let probe = format!(r#"{{"service":"websocket_server_Probe","nonce":"n"}}{}"#, " ".repeat(450));
    for number in 0..context.size(100_000, 5000) {
        let bytes = if number % 3 == 0 {
            let mut bytes = probe.clone().into_bytes();
            let at = random.below(bytes.len() as u64) as usize;
            // Not within the value of `service`, which could turn it into a valid probe.
            bytes[if (11..36).contains(&at) { 100 } else { at }] = random.next() as u8;
            bytes
        } else {
            let length = random.below(1400) as usize;
            random.bytes(length)
        };
        sent += usize::from(socket.send_to(&bytes, discovery).is_ok());
        back += socket.recv(&mut [0; 2048]).unwrap_or(0);
        if number % 64 == 0 {
            // Slower than the receive buffer fills, so that the server reads the datagrams.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    std::thread::sleep(Duration::from_millis(300));
    back += socket.recv(&mut [0; 2048]).unwrap_or(0);
    server.check_alive()?;
    server.status()?;
    Ok(Finding { measured: format!("{sent} datagrams; {back} bytes sent back; the server runs"), held: back == 0 })
}

fn forged(context: &Context) -> Result<Finding> {
    let port = free_port()?;
    let mut browser = Command::new(&context.halloo);
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
            // Fails with "connection refused" until the browser listens.
            let _ = forger.send_to(beacon.as_bytes(), (to, port));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let output = child.wait_with_output().context("the browser printed nothing")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let url = text.split("ws://").nth(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned());
    let held = url.as_deref().is_some_and(|url| url.starts_with("127.0.0.1:4711"));
    Ok(Finding { measured: url.map_or("no server found".into(), |url| format!("ws://{url}")), held })
}
