//! `halloo bench`: this server against what the machine's TCP can do, in ten seconds.

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

/// Both take turns of this length, so that a machine that changes its speed does so for both.
const TURN: Duration = Duration::from_millis(250);
const TURNS: usize = 4;
/// A server that takes longer is broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// One load: so many clients send so many messages each, and then read them all back.
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

/// What came out for one load, in messages a second.
#[derive(Serialize)]
struct Row {
    load: &'static str,
    tcp: f64,
    halloo: f64,
    /// Microseconds from the first message to the last answer, of halloo: half of them, and all but one in a hundred.
    p50_us: f64,
    p99_us: f64,
}

/// Measures and prints a table, or one JSON object for each load.
pub(crate) fn run(json: bool) -> anyhow::Result<()> {
    let mut out = anstream::stdout();
    if !json {
        writeln!(
            out,
            "Every message returns to its sender, on this machine, compared with the same bytes over plain TCP.\n"
        )?;
        writeln!(out, "{:<34} {:>10} {:>10} {:>7} {:>9} {:>9}", "MESSAGES/S", "TCP", "HALLOO", "RATIO", "P50", "P99")?;
    }
    for load in &LOADS {
        let row = measure(load, TURN)?;
        if json {
            writeln!(out, "{}", serde_json::to_string(&row)?)?;
            continue;
        }
        let (ratio, p50, p99) = (row.halloo / row.tcp, row.p50_us, row.p99_us);
        let Row { load, tcp, halloo, .. } = row;
        writeln!(out, "{load:<34} {tcp:>10.0} {halloo:>10.0} {ratio:>7.2} {p50:>6.0} us {p99:>6.0} us")?;
    }
    Ok(())
}

fn measure(load: &Load, turn: Duration) -> anyhow::Result<Row> {
    let question = frames(load, Some([0x37, 0xfa, 0x21, 0x3d]));
    let mut bare = Crowd::connect_bare(load, question.clone())?;
    let server = Server::start_with(Config::local(), |event, hub| {
        if let Event::MessageReceived { client, message } = event {
            hub.send(client, message).ok();
        }
    })?;
    let mut crowd = Crowd::connect(load, question, server.port())?;
    for _ in 0..TURNS {
        bare.run(turn)?;
        crowd.run(turn)?;
    }
    let rate = |crowd: &Crowd| {
        let time: Duration = crowd.rounds.iter().sum();
        (crowd.rounds.len() * load.clients * load.messages) as f64 / time.as_secs_f64()
    };
    let (tcp, halloo) = (rate(&bare), rate(&crowd));
    crowd.rounds.sort_unstable();
    let rank = |part: f64| 1e6 * crowd.rounds[((crowd.rounds.len() - 1) as f64 * part) as usize].as_secs_f64();
    Ok(Row { load: load.name, tcp, halloo, p50_us: rank(0.5), p99_us: rank(0.99) })
}

fn frames(load: &Load, key: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..load.messages {
        frame::encode(&mut bytes, Opcode::Text, &vec![b'x'; load.bytes], key);
    }
    bytes
}

/// Connected clients, what each of them sends in a round, and what must come back.
struct Crowd {
    streams: Vec<TcpStream>,
    question: Vec<u8>,
    answer: Vec<u8>,
    rounds: Vec<Duration>,
}

impl Crowd {
    /// Clients of a thread that returns what it reads, without even asking who is ready: the limit.
    fn connect_bare(load: &Load, question: Vec<u8>) -> anyhow::Result<Crowd> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen")?;
        let addr = listener.local_addr()?;
        let (clients, length) = (load.clients, question.len());
        thread::spawn(move || return_bytes(&listener, clients, length));
        let streams = (0..clients).map(|_| open(addr)).collect::<anyhow::Result<_>>()?;
        Ok(Crowd { streams, answer: question.clone(), question, rounds: Vec::new() })
    }

    fn connect(load: &Load, question: Vec<u8>, port: u16) -> anyhow::Result<Crowd> {
        let streams = (0..load.clients).map(|_| open_websocket(port)).collect::<anyhow::Result<_>>()?;
        Ok(Crowd { streams, question, answer: frames(load, None), rounds: Vec::new() })
    }

    /// Rounds for one turn, after one that warms up.
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
            stream.write_all(&self.question)?;
        }
        let mut received = vec![0; self.answer.len()];
        for stream in &mut self.streams {
            stream.read_exact(&mut received).context("no reply")?;
            ensure!(received == self.answer, "wrong reply");
        }
        Ok(start.elapsed())
    }
}

/// Ends when its clients do.
fn return_bytes(listener: &TcpListener, clients: usize, length: usize) -> std::io::Result<()> {
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
    let stream = TcpStream::connect_timeout(&addr, PATIENCE).context("cannot connect")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn open_websocket(port: u16) -> anyhow::Result<TcpStream> {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = open(addr)?;
    // It need not be a secret between two ends of one program.
    let handshake = Handshake::new(*b"halloo bench key");
    let url: Url = format!("ws://{addr}").parse()?;
    stream.write_all(&handshake.request(&url, None))?;
    let mut response = Vec::new();
    loop {
        let mut bytes = [0; 1024];
        match stream.read(&mut bytes)? {
            0 => bail!("the server closed the connection during the handshake"),
            count => response.extend_from_slice(&bytes[..count]),
        }
        match handshake.read_response(&response, false) {
            Response::Incomplete => {}
            Response::Accepted { head } if head == response.len() => return Ok(stream),
            answer => bail!("the handshake failed: {answer:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_load_gets_its_answers() {
        for load in &LOADS {
            let row = measure(load, Duration::from_micros(1)).unwrap();
            assert!(row.tcp > 0.0 && row.halloo > 0.0 && row.p50_us <= row.p99_us, "{}", load.name);
        }
    }

    #[test]
    fn a_wrong_answer_is_an_error() {
        let load = &LOADS[0];
        let mut crowd = Crowd::connect_bare(load, frames(load, None)).unwrap();
        crowd.answer[2] = b'y';
        assert!(crowd.round().is_err());
    }
}
