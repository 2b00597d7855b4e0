//! `halloo bench`: compares the server with plain TCP on this machine in ten seconds.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use halloo::{Config, Event, Server};
use halloo_proto::frame::{self, Opcode};
use halloo_proto::handshake::{Handshake, Response};
use halloo_proto::url::Url;
use serde::Serialize;

/// Duration of a turn. TCP and the server take turns, so that changes in the speed of the machine affect both.
const TURN: Duration = Duration::from_millis(250);
const TURNS: usize = 4;
/// Timeout of a connection attempt and of a read.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One load: each client sends `messages` messages of `bytes` bytes and then reads them back.
struct Load {
    name: &'static str,
    clients: usize,
    messages: usize,
    bytes: usize,
}

const LOADS: [Load; 4] = [
    Load { name: "1 client, 64 B, one at a time", clients: 1, messages: 1, bytes: 64 },
    Load { name: "100 clients, 64 B, one at a time", clients: 100, messages: 1, bytes: 64 },
    Load { name: "100 clients, 64 B, 16 at a time", clients: 100, messages: 16, bytes: 64 },
    Load { name: "100 clients, 1 KiB, 16 at a time", clients: 100, messages: 16, bytes: 1024 },
];

/// The result of one load.
#[derive(Serialize)]
struct Measurement {
    load: &'static str,
    /// Messages per second.
    tcp: f64,
    /// Messages per second.
    halloo: f64,
    /// Median duration of a round of halloo in microseconds, from the first message to the last reply.
    p50_us: f64,
    /// 99th percentile of the same.
    p99_us: f64,
}

/// Runs all loads, and prints a table or one JSON object per load.
pub(crate) fn run(json: bool) -> anyhow::Result<()> {
    let mut out = anstream::stdout();
    if !json {
        writeln!(
            out,
            "Messages that the server echoes to clients on this machine, beside the same bytes over plain TCP.\n"
        )?;
        writeln!(out, "{:<34} {:>10} {:>10} {:>7} {:>9} {:>9}", "MESSAGES/S", "TCP", "HALLOO", "RATIO", "P50", "P99")?;
    }
    for load in &LOADS {
        let measurement = measure(load, TURN)?;
        if json {
            writeln!(out, "{}", serde_json::to_string(&measurement)?)?;
            continue;
        }
        let (ratio, p50, p99) = (measurement.halloo / measurement.tcp, measurement.p50_us, measurement.p99_us);
        let Measurement { load, tcp, halloo, .. } = measurement;
        writeln!(out, "{load:<34} {tcp:>10.0} {halloo:>10.0} {ratio:>7.2} {p50:>6.0} us {p99:>6.0} us")?;
    }
    Ok(())
}

fn measure(load: &Load, turn: Duration) -> anyhow::Result<Measurement> {
    let request = frames(load, Some([0x37, 0xfa, 0x21, 0x3d]));
    let mut tcp_clients = ClientGroup::connect_tcp(load, request.clone())?;
    let server = Server::start_with(Config::local(), |event, hub| {
        if let Event::MessageReceived { client, message } = event {
            hub.send(client, message).ok();
        }
    })?;
    let mut clients = ClientGroup::connect_websocket(load, request, server.port())?;
    for _ in 0..TURNS {
        tcp_clients.run(turn)?;
        clients.run(turn)?;
    }
    let rate = |clients: &ClientGroup| {
        let time: Duration = clients.rounds.iter().sum();
        (clients.rounds.len() * load.clients * load.messages) as f64 / time.as_secs_f64()
    };
    let (tcp, halloo) = (rate(&tcp_clients), rate(&clients));
    clients.rounds.sort_unstable();
    let rank = |part: f64| 1e6 * clients.rounds[((clients.rounds.len() - 1) as f64 * part) as usize].as_secs_f64();
    Ok(Measurement { load: load.name, tcp, halloo, p50_us: rank(0.5), p99_us: rank(0.99) })
}

fn frames(load: &Load, key: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..load.messages {
        frame::encode(&mut bytes, Opcode::Text, &vec![b'x'; load.bytes], key);
    }
    bytes
}

/// Connected clients, what each of them sends in a round, the expected reply, and the times of all rounds.
struct ClientGroup {
    streams: Vec<TcpStream>,
    request: Vec<u8>,
    reply: Vec<u8>,
    rounds: Vec<Duration>,
}

impl ClientGroup {
    /// Connects clients to a thread that echoes with blocking reads, without polling for readiness: the upper limit.
    fn connect_tcp(load: &Load, request: Vec<u8>) -> anyhow::Result<ClientGroup> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen")?;
        let addr = listener.local_addr()?;
        let (clients, length) = (load.clients, request.len());
        thread::spawn(move || echo_bytes(&listener, clients, length));
        let streams = (0..clients).map(|_| open(addr)).collect::<anyhow::Result<_>>()?;
        Ok(ClientGroup { streams, reply: request.clone(), request, rounds: Vec::new() })
    }

    /// Connects clients to the server on `port`.
    fn connect_websocket(load: &Load, request: Vec<u8>, port: u16) -> anyhow::Result<ClientGroup> {
        let streams = (0..load.clients).map(|_| open_websocket(port)).collect::<anyhow::Result<_>>()?;
        Ok(ClientGroup { streams, request, reply: frames(load, None), rounds: Vec::new() })
    }

    /// Runs rounds for one turn, after one round to warm up.
    fn run(&mut self, turn: Duration) -> anyhow::Result<()> {
        self.round()?;
        let start = Instant::now();
        while start.elapsed() < turn {
            let took = self.round()?;
            self.rounds.push(took);
        }
        Ok(())
    }

    fn round(&mut self) -> anyhow::Result<Duration> {
        let start = Instant::now();
        for stream in &mut self.streams {
            stream.write_all(&self.request)?;
        }
        let mut received = vec![0; self.reply.len()];
        for stream in &mut self.streams {
            stream.read_exact(&mut received).context("no reply")?;
            ensure!(received == self.reply, "wrong reply");
        }
        Ok(start.elapsed())
    }
}

/// Echoes `length` bytes from each client in turn, until a client disconnects.
fn echo_bytes(listener: &TcpListener, clients: usize, length: usize) -> std::io::Result<()> {
    let mut streams = Vec::with_capacity(clients);
    for _ in 0..clients {
        let stream = listener.accept()?.0;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let mut bytes = vec![0; length];
    loop {
        for stream in &mut streams {
            stream.read_exact(&mut bytes)?;
            stream.write_all(&bytes)?;
        }
    }
}

fn open(addr: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, TIMEOUT).context("cannot connect")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn open_websocket(port: u16) -> anyhow::Result<TcpStream> {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = open(addr)?;
    // The key need not be random, since both ends are this program.
    let handshake = Handshake::new(*b"halloo bench key");
    let url: Url = format!("ws://{addr}").parse()?;
    stream.write_all(&handshake.request(&url))?;
    let mut response = Vec::new();
    loop {
        let mut bytes = [0; 1024];
        match stream.read(&mut bytes)? {
            0 => bail!("the server closed the connection during the handshake"),
            count => response.extend_from_slice(&bytes[..count]),
        }
        match handshake.read_response(&response, false) {
            Response::Incomplete => {}
            Response::Accepted { head, .. } if head == response.len() => return Ok(stream),
            response => bail!("the handshake failed: {response:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_load_is_measured() {
        for load in &LOADS {
            let measurement = measure(load, Duration::from_micros(1)).unwrap();
            let Measurement { tcp, halloo, p50_us, p99_us, .. } = measurement;
            assert!(tcp > 0.0 && halloo > 0.0 && p50_us <= p99_us, "{}", load.name);
        }
    }

    #[test]
    fn wrong_reply_is_an_error() {
        let load = &LOADS[0];
        let mut clients = ClientGroup::connect_tcp(load, frames(load, None)).unwrap();
        clients.reply[2] = b'y';
        assert!(clients.round().is_err());
    }
}
