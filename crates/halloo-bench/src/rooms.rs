//! The cost of rooms: a message to a room beside one to all clients, and the memory of small rooms. Linux only.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use halloo::{ClientId, Config, Event, Server};

use crate::load::{Protocol, Target, connect_plain};
use crate::machine;
use crate::report::Summary;

/// Clients of the room, and of the server.
const CLIENTS: usize = 1000;
/// Messages in each round, and rounds of each kind, which alternate.
const MESSAGES: usize = 160;
const ROUNDS: usize = 15;
/// The most that a message to a room may cost of one to all clients.
const TARGET: f64 = 1.1;
/// Rooms with one member each, as many as a server has at most.
const ROOMS: usize = 10_000;
/// Servers whose memory is measured.
const SERVERS: usize = 3;
const PAYLOAD: [u8; 64] = [b'x'; 64];
const FRAME_BYTES: usize = 2 + PAYLOAD.len();

/// Measures and prints both.
pub(crate) fn rooms() -> Result<()> {
    if let Some(busy) = machine::wait_until_idle(Duration::from_secs(3)) {
        eprintln!("warning: other processes use {:.0} % of the machine; measuring anyway", 100.0 * busy);
    }
    for burst in [1, 16] {
        let (all, room) = deliveries(burst)?;
        println!(
            "{CLIENTS} clients, {burst} messages at a time: {} ns of the server's thread per delivery to all, {} ns to a \
             room; ratio of the medians {:.3} (target {TARGET})",
            show(&all),
            show(&room),
            room.median / all.median
        );
    }
    let bytes = (0..SERVERS).map(|_| room_bytes()).collect::<Result<Vec<f64>>>()?;
    println!("{ROOMS} rooms with one member each: {} bytes for each room", show(&Summary::new(bytes)));
    Ok(())
}

/// Formats the median and the extremes.
fn show(summary: &Summary) -> String {
    format!("{:.0} ({:.0} to {:.0})", summary.median, summary.min, summary.max)
}

/// Returns the processor time per delivery to all clients and to a room of all clients, in ns.
fn deliveries(burst: usize) -> Result<(Summary, Summary)> {
    let (server, mut clients) = serve(CLIENTS)?;
    for client in 1..=CLIENTS {
        server.join(ClientId(client as u64), "room")?;
    }
    let (mut all, mut room) = (Vec::new(), Vec::new());
    let mut measure = |is_room: bool| {
        round(&mut clients, burst, || match is_room {
            true => Ok(server.send_to_room("room", &PAYLOAD).map(drop)?),
            false => Ok(server.send_to_all(&PAYLOAD).map(drop)?),
        })
    };
    // Until all buffers have their size.
    measure(false)?;
    measure(true)?;
    for number in 0..ROUNDS {
        // Each kind is as often before the other as behind it.
        for is_room in [number % 2 == 0, number % 2 != 0] {
            let nanos = measure(is_room)?;
            if is_room { room.push(nanos) } else { all.push(nanos) }
        }
    }
    Ok((Summary::new(all), Summary::new(room)))
}

/// Returns the processor time of the server's thread per delivery in ns.
fn round(clients: &mut [TcpStream], burst: usize, send: impl Fn() -> Result<()>) -> Result<f64> {
    let before = server_time()?;
    let mut received = vec![0; burst * FRAME_BYTES];
    for _ in 0..MESSAGES / burst {
        (0..burst).try_for_each(|_| send())?;
        clients.iter_mut().try_for_each(|client| client.read_exact(&mut received))?;
    }
    Ok((server_time()? - before) as f64 / (MESSAGES * clients.len()) as f64)
}

/// Returns the memory that a room with one member takes, in bytes. The clients are in this process and the server in
/// another, because both together have more sockets than a process may open on many systems.
fn room_bytes() -> Result<f64> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.arg("room-server").stdout(Stdio::piped()).spawn().context("cannot start the server")?;
    let outcome = (|| {
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut number = || -> Result<f64> { Ok(lines.next().context("the server has ended")??.parse()?) };
        let addr = ([127, 0, 0, 1], number()? as u16).into();
        let clients = connect_plain(&Target { addr, protocol: Protocol::WebSocket, secure: false, pid: None }, ROOMS)?;
        let bytes = number()?;
        drop(clients);
        Ok(bytes)
    })();
    // It exits after it has printed the figure, unless something failed before.
    let _ = child.kill();
    child.wait()?;
    outcome
}

/// Serves the clients of [`room_bytes`]: prints the port, and once all clients are connected, the bytes for each room.
pub(crate) fn room_server() -> Result<()> {
    let server = start()?;
    println!("{}", server.port());
    wait_for_clients(&server, ROOMS)?;
    let before = anonymous_memory()?;
    for client in 1..=ROOMS {
        server.join(ClientId(client as u64), &format!("room {client}"))?;
    }
    let bytes = anonymous_memory()?.saturating_sub(before) as f64 / ROOMS as f64;
    ensure!(server.rooms().len() == ROOMS, "there are {} rooms", server.rooms().len());
    ensure!(server.summary().connected_clients == ROOMS, "clients have left");
    println!("{bytes}");
    Ok(())
}

fn serve(clients: usize) -> Result<(Server, Vec<TcpStream>)> {
    let server = start()?;
    let addr = ([127, 0, 0, 1], server.port()).into();
    let sockets = connect_plain(&Target { addr, protocol: Protocol::WebSocket, secure: false, pid: None }, clients)?;
    wait_for_clients(&server, clients)?;
    Ok((server, sockets))
}

fn start() -> Result<Server> {
    // Without pings among the messages.
    Ok(Server::start(Config::local().heartbeat(Duration::ZERO))?)
}

fn wait_for_clients(server: &Server, clients: usize) -> Result<()> {
    let joined = server.events().filter(|event| matches!(event, Event::ClientJoined { .. })).take(clients).count();
    ensure!(joined == clients, "only {joined} clients have joined");
    Ok(())
}

/// Returns the processor time of the server's thread so far in ns.
fn server_time() -> Result<u64> {
    for task in fs::read_dir("/proc/self/task")? {
        let path = task?.path();
        if fs::read_to_string(path.join("comm"))?.trim() == "halloo" {
            let times = fs::read_to_string(path.join("schedstat"))?;
            return times.split(' ').next().context("a time")?.parse().context("a number");
        }
    }
    anyhow::bail!("the server's thread is not running")
}

fn anonymous_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
    Ok(1024 * line.trim().trim_end_matches(" kB").parse::<u64>()?)
}
