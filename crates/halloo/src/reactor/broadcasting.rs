//! What goes to all: encoded once, kept in the turn's log, written to each or shared by those who do not take it at once.

use std::sync::Arc;

use halloo_proto::frame::{self, Opcode};
use halloo_proto::outbox::Frames;

use super::connections::{CORK, Connections};

/// Bytes to all that are copied behind what is corked for one of them, to go out with the same write. What is more is
/// written by itself and shared, or a thousand clients who have a ping due would get a thousand copies.
const COPIED: usize = 4 * 1024;

impl Connections {
    /// Sends one message to every client: encoded once, written at the end of the turn.
    pub(crate) fn send_to_all(&mut self, opcode: Opcode, payload: &[u8]) {
        frame::encode(&mut self.log.bytes, opcode, payload, None);
        self.log_compressed(opcode, payload);
        self.after_log();
    }

    /// The same with a frame that another thread encoded.
    pub(crate) fn send_encoded_to_all(&mut self, bytes: &[u8]) {
        self.log.bytes.extend_from_slice(bytes);
        self.log_encoded_compressed(bytes);
        self.after_log();
    }

    fn after_log(&mut self) {
        self.sent += self.shared.clients() as u64;
        if self.log.bytes.len() >= CORK {
            self.flush_log();
        }
    }

    /// Before something is sent to this client alone: moves the turn's broadcasts so far into its queue, or writes them to
    /// all, so that it gets everything in the order in which it was sent. It may be gone afterwards.
    pub(super) fn catch_up(&mut self, slot: usize) {
        let (is_open, mark) = (self.table[slot].is_open(), self.table[slot].mark);
        let log = self.log_for(slot);
        let start = log.missed_from(mark);
        if !is_open || start >= log.bytes.len() {
            return;
        }
        if log.bytes.len() - start > COPIED {
            return self.flush_log();
        }
        let mark = log.end();
        let bytes = std::mem::take(&mut log.bytes);
        self.table[slot].mark = mark;
        if self.table[slot].is_blocked() {
            self.push(slot, &bytes[start..]);
        } else {
            self.cork(slot).extend_from_slice(&bytes[start..]);
        }
        self.log_for(slot).bytes = bytes;
    }

    /// Writes the turn's broadcasts to every client that has not got them yet.
    pub(super) fn flush_log(&mut self) {
        if self.log.bytes.is_empty() {
            return;
        }
        // Each in the form that its client takes; both are shared by all who do not take them at once.
        let mut plain = std::mem::take(&mut self.log);
        let mut compressed = self.compression.as_mut().map(|c| std::mem::take(&mut c.log)).unwrap_or_default();
        let (mut plain_frames, mut compressed_frames) = (None, None);
        let slots = self.table.len();
        let mut seen = 0;
        let mut slot = 0;
        // By index, since a failed write removes its connection while the others go on.
        while seen < slots && slot < self.table.capacity() {
            if let Some(connection) = self.table.get_mut(slot) {
                seen += 1;
                let (log, frames) = match connection.compressed {
                    true => (&compressed, &mut compressed_frames),
                    false => (&plain, &mut plain_frames),
                };
                let start = log.missed_from(connection.mark);
                if connection.is_open() && start < log.bytes.len() {
                    self.broadcast_to(slot, &log.bytes, start, frames);
                }
            }
            slot += 1;
        }
        plain.clear();
        self.log = plain;
        if let Some(compression) = &mut self.compression {
            compressed.clear();
            compression.log = compressed;
        }
    }

    fn broadcast_to(&mut self, slot: usize, log: &[u8], start: usize, frames: &mut Option<Arc<Frames>>) {
        let outbox = self.table[slot].outbox.as_ref();
        let corked = outbox.filter(|outbox| !outbox.is_blocked()).map_or(0, |outbox| outbox.bytes());
        if corked > 0 && log.len() - start <= COPIED {
            self.cork(slot).extend_from_slice(&log[start..]);
            return;
        }
        if corked > 0 {
            self.flush(slot);
        }
        let Some(connection) = self.table.get_mut(slot).filter(|connection| connection.is_open()) else { return };
        let taken = match connection.is_blocked() {
            true => 0,
            false => match connection.stream.write_some(&log[start..]) {
                Ok(taken) if start + taken == log.len() => return,
                Ok(taken) => taken,
                Err(error) => return self.lose(slot, &error),
            },
        };
        let frames = Arc::clone(frames.get_or_insert_with(|| Frames::new(log, &self.account)));
        let connection = &mut self.table[slot];
        if connection.is_blocked() {
            self.push_frames(slot, &frames, start);
            return;
        }
        let outbox = connection.outbox.get_or_insert_with(|| self.pool.pop().unwrap_or_default());
        outbox.adopt(&frames, start, taken);
        self.blocked(slot);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use halloo_proto::Time;
    use halloo_proto::defaults::HANDSHAKE_TIMEOUT;

    use super::super::connection::Connection;
    use super::*;
    use crate::shared::Shared;

    #[test]
    fn what_is_large_is_not_copied_for_each_who_gets_something_else() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Arc::new(Shared::new("test".into(), 1, Default::default(), 1));
        let mut connections = Connections::new(shared, &crate::Config::default());
        let join = |connections: &mut Connections| {
            let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, addr) = listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            let stream = mio::net::TcpStream::from_std(stream);
            let connection = Connection::new(stream, addr, 1, Time::ZERO, Time::ZERO + HANDSHAKE_TIMEOUT);
            let slot = connections.table.insert(connection);
            connections.join(slot);
            (slot, peer)
        };
        let clients: Vec<_> = (0..3).map(|_| join(&mut connections)).collect();
        let ping = |connections: &mut Connections| {
            clients.iter().for_each(|&(slot, _)| connections.control(slot, Opcode::Ping, b""));
        };
        let large = vec![0; CORK - 100];
        ping(&mut connections);
        connections.send_to_all(Opcode::Binary, &large);
        connections.flush_all();
        connections.send_to_all(Opcode::Binary, &large);
        ping(&mut connections);
        connections.flush_all();
        assert!(!connections.pool.is_empty());
        for outbox in &mut connections.pool {
            assert!(outbox.cork().capacity() <= 2 * COPIED, "{}", outbox.cork().capacity());
        }
    }
}
