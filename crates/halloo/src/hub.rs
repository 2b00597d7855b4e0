//! What a handler on the reactor thread can do.

use halloo_proto::close::CloseCode;
use halloo_proto::frame::Opcode;

use crate::reactor::Connections;
use crate::{ClientId, Delivery, LeaveReason, Message};

/// The server, as a handler sees it while it is called: everything takes effect without another thread.
pub struct Hub<'a> {
    pub(crate) connections: &'a mut Connections,
}

impl Hub<'_> {
    /// Sends one message to one client.
    pub fn send<'m>(&mut self, client: ClientId, message: impl Into<Message<'m>>) -> Delivery {
        let message = message.into();
        self.connections.send(client, opcode(&message), message.bytes())
    }

    /// Sends one message to every client. It is encoded once and written at the end of the turn.
    pub fn send_to_all<'m>(&mut self, message: impl Into<Message<'m>>) {
        let message = message.into();
        self.connections.send_to_all(opcode(&message), message.bytes());
    }

    /// Disconnects a client with a code and a text of at most 123 bytes; answers whether there was one.
    pub fn disconnect(&mut self, client: ClientId, code: impl Into<CloseCode>, text: &str) -> bool {
        let Some(slot) = self.connections.shared.slot(client) else { return false };
        self.connections.close(slot, code.into(), text, LeaveReason::Disconnected(text.into()));
        true
    }

    /// How many clients are connected.
    pub fn clients(&self) -> usize {
        self.connections.shared.clients()
    }
}

pub(crate) fn opcode(message: &Message<'_>) -> Opcode {
    match message {
        Message::Text(_) => Opcode::Text,
        Message::Binary(_) => Opcode::Binary,
    }
}
