//! The cost of rooms: a message to a room beside one to all clients, and the memory of small rooms. Linux only.

use std::fs;
use std::io::Read;
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use halloo::{ClientId, Config, Event, Server};

use crate::load::{Protocol, Target, connect_plain};

/// Clients of the room, and of the server.
const CLIENTS: usize = 1000;
/// Messages in each round, and rounds of each kind, which alternate.
const MESSAGES: usize = 160;
const ROUNDS: usize = 9;
/// Rooms with one member each. Both ends of their connections are in this process.
const ROOMS: usize = 9000;
const PAYLOAD: [u8; 64] = [b'x'; 64];
const FRAME_BYTES: usize = 2 + PAYLOAD.len();

/// Measures and prints both.
pub(crate) fn rooms() -> Result<()> {
    for burst in [1, 16] {
        let (all, room) = deliveries(burst)?;
        let ratio = room as f64 / all as f64;
        println!(
            "{CLIENTS} clients, {burst} messages at a time: {all} ns of the server's thread per delivery to all, {room} ns to \
             a room, {ratio:.2} of it"
        );
    }
    println!("{ROOMS} rooms with one member: {} bytes each", room_bytes()?);
    Ok(())
}

/// Returns the medians of the processor time per delivery to all clients and to a room of all clients, in ns.
fn deliveries(burst: usize) -> Result<(u64, u64)> {
    let (server, mut clients) = serve(CLIENTS)?;
    for client in 1..=CLIENTS {
        server.join(ClientId(client as u64), "room")?;
    }
    let (mut all, mut room) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        all.push(round(&mut clients, burst, || server.send_to_all(&PAYLOAD).map(drop).map_err(Into::into))?);
        room.push(round(&mut clients, burst, || server.send_to_room("room", &PAYLOAD).map(drop).map_err(Into::into))?);
    }
    all.sort_unstable();
    room.sort_unstable();
    Ok((all[ROUNDS / 2], room[ROUNDS / 2]))
}

/// Returns the processor time of the server's thread per delivery in ns.
fn round(clients: &mut [TcpStream], burst: usize, send: impl Fn() -> Result<()>) -> Result<u64> {
    let before = server_time()?;
    let mut received = vec![0; burst * FRAME_BYTES];
    for _ in 0..MESSAGES / burst {
        (0..burst).try_for_each(|_| send())?;
        clients.iter_mut().try_for_each(|client| client.read_exact(&mut received))?;
    }
    Ok((server_time()? - before) / (MESSAGES * clients.len()) as u64)
}

/// Returns the memory that a room with one member takes, in bytes.
fn room_bytes() -> Result<u64> {
    let (server, _clients) = serve(ROOMS)?;
    let before = anonymous_memory()?;
    for client in 1..=ROOMS {
        server.join(ClientId(client as u64), &format!("room {client}"))?;
    }
    ensure!(server.summary().connected_clients == ROOMS, "clients have left");
    Ok(anonymous_memory()?.saturating_sub(before) / ROOMS as u64)
}

fn serve(clients: usize) -> Result<(Server, Vec<TcpStream>)> {
    // Without pings among the messages.
    let server = Server::start(Config::local().heartbeat(std::time::Duration::ZERO))?;
    let addr = ([127, 0, 0, 1], server.port()).into();
    let sockets = connect_plain(&Target { addr, protocol: Protocol::WebSocket, secure: false, pid: None }, clients)?;
    let joined = server.events().filter(|event| matches!(event, Event::ClientJoined { .. })).take(clients).count();
    ensure!(joined == clients, "only {joined} clients have joined");
    Ok((server, sockets))
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
