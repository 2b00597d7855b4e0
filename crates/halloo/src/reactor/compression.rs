//! What goes out compressed, to those who agreed to it in their handshake.

use halloo_proto::deflate::Deflater;
use halloo_proto::frame::{self, Opcode};

use super::connections::Connections;
use super::log::Log;
use crate::Delivery;

/// What a server that compresses has once for all its clients, since no message depends on another.
#[derive(Default)]
pub(super) struct Compression {
    deflater: Deflater,
    /// How many clients take compressed messages.
    pub(super) clients: usize,
    /// This turn's broadcasts as those clients get them, compressed once.
    pub(super) log: Log,
}

impl Connections {
    /// Lets clients agree to compression from now on.
    pub(super) fn allow_compression(&mut self) {
        self.compression = Some(Box::default());
    }

    /// Logs a broadcast for those who take it compressed.
    pub(super) fn log_compressed(&mut self, opcode: Opcode, payload: &[u8]) {
        if let Some(compression) = self.compression.as_mut().filter(|compression| compression.clients > 0) {
            compression.deflater.encode(&mut compression.log.bytes, opcode, payload);
        }
    }

    /// The same with a frame that another thread encoded.
    pub(super) fn log_encoded_compressed(&mut self, bytes: &[u8]) {
        if self.compression.as_ref().is_some_and(|compression| compression.clients > 0)
            && let Some((opcode, payload)) = frame::encoded_message(bytes)
        {
            self.log_compressed(opcode, payload);
        }
    }

    /// Sends one message to one client that takes it compressed.
    pub(super) fn send_compressed(&mut self, slot: usize, opcode: Opcode, payload: &[u8]) -> Delivery {
        let mut bytes = Vec::new();
        match &mut self.compression {
            Some(compression) => compression.deflater.encode(&mut bytes, opcode, payload),
            None => frame::encode(&mut bytes, opcode, payload, None),
        }
        self.send_bytes(slot, &bytes)
    }

    /// This turn's broadcasts as the client in `slot` gets them.
    pub(super) fn log_for(&mut self, slot: usize) -> &mut Log {
        match &mut self.compression {
            Some(compression) if self.table[slot].compressed => &mut compression.log,
            _ => &mut self.log,
        }
    }

    /// Counts a client in `slot` that joins or leaves.
    pub(super) fn count_compressed(&mut self, slot: usize, joins: bool) {
        if let Some(compression) = self.compression.as_mut().filter(|_| self.table[slot].compressed) {
            compression.clients = if joins { compression.clients + 1 } else { compression.clients - 1 };
        }
    }
}
