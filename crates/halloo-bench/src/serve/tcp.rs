//! Raw TCP, the upper bound: one readiness loop, and one read and one write per turn of a connection. The bytes are returned
//! as they are.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::role::Role;

const LISTENER: Token = Token(usize::MAX);
const READ_BUFFER: usize = 64 * 1024;
/// The first byte of a complete text frame. Only the mixed role looks at it.
const TEXT: u8 = 0x81;

struct Connection {
    stream: TcpStream,
    /// Bytes that the socket has not accepted.
    unsent: Vec<u8>,
    received: u64,
}

/// Serves until the process is killed.
pub(super) fn serve(role: Role, port: u16) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).context("cannot listen")?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut connections: Slab<Connection> = Slab::new();
    let mut buffer = vec![0; READ_BUFFER];
    loop {
        match poll.poll(&mut events, None) {
            // `strace` interrupts the call when it attaches or detaches.
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &events {
            let Token(slot) = event.token();
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut connections)?;
                continue;
            }
            if event.is_writable() && connections.get_mut(slot).is_some_and(|c| !write(c, &[])) {
                connections.remove(slot);
            }
            if event.is_readable() || event.is_read_closed() {
                // If the end arrives with the last bytes, there is no further event: read up to the end.
                let to_the_end = event.is_read_closed() || !cfg!(target_os = "linux");
                read(role, &mut connections, slot, &mut buffer, to_the_end);
            }
        }
    }
}

fn accept(listener: &TcpListener, poll: &Poll, connections: &mut Slab<Connection>) -> Result<()> {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                stream.set_nodelay(true)?;
                let entry = connections.vacant_entry();
                let interest = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut stream, Token(entry.key()), interest)?;
                entry.insert(Connection { stream, unsent: Vec::new(), received: 0 });
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error).context("cannot accept"),
        }
    }
}

fn read(role: Role, connections: &mut Slab<Connection>, slot: usize, buffer: &mut [u8], to_the_end: bool) {
    while let Some(connection) = connections.get_mut(slot) {
        let count = match connection.stream.read(buffer) {
            Ok(0) => {
                if role == Role::Sink {
                    // The peer has sent everything; the reply is the number of bytes.
                    let reply = connection.received.to_string();
                    write(connection, reply.as_bytes());
                }
                connections.remove(slot);
                return;
            }
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => {
                connections.remove(slot);
                return;
            }
        };
        connection.received += count as u64;
        let bytes = &buffer[..count];
        match role {
            Role::Sink => {}
            Role::Mixed if bytes[0] != TEXT => send_to_all(connections, bytes),
            Role::Fanout => send_to_all(connections, bytes),
            Role::Echo | Role::Mixed => {
                if !write(connection, bytes) {
                    connections.remove(slot);
                }
            }
        }
        // A short read has drained the socket; the next edge reports more.
        if count < buffer.len() && !to_the_end {
            return;
        }
    }
}

fn send_to_all(connections: &mut Slab<Connection>, bytes: &[u8]) {
    connections.retain(|_, connection| write(connection, bytes));
}

/// Writes the unsent bytes and then `bytes`. Returns `false` if the connection is lost.
fn write(connection: &mut Connection, bytes: &[u8]) -> bool {
    if !connection.unsent.is_empty() {
        connection.unsent.extend_from_slice(bytes);
        let unsent = std::mem::take(&mut connection.unsent);
        return write(connection, &unsent);
    }
    let mut written = 0;
    while written < bytes.len() {
        match connection.stream.write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                connection.unsent = bytes[written..].to_vec();
                return true;
            }
            Err(_) => return false,
        }
    }
    true
}
