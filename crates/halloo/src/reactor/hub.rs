//! What a handler on the reactor thread can do.

use halloo_proto::close::CloseCode;
use halloo_proto::room;

use super::connections::Connections;
use crate::{ClientId, Delivery, Message, RoomError, RoomStatus, Stopped};

/// The server as a handler sees it while it is called: the methods of [`Server`](crate::Server) that send, without a
/// queue between threads.
pub struct Hub<'a> {
    pub(super) connections: &'a mut Connections,
}

impl Hub<'_> {
    /// Sends one message to one client. Does not block.
    ///
    /// # Errors
    /// None: the signature is that of [`Server::send`](crate::Server::send), and the server runs while a handler does.
    pub fn send<'m>(&mut self, client: ClientId, message: impl Into<Message<'m>>) -> Result<Delivery, Stopped> {
        let message = message.into();
        Ok(self.connections.send(client, message.opcode(), message.bytes()))
    }

    /// Sends one message to every client. It is encoded once and written at the end of the turn.
    ///
    /// # Errors
    /// None, as with [`Hub::send`].
    pub fn send_to_all<'m>(&mut self, message: impl Into<Message<'m>>) -> Result<Delivery, Stopped> {
        let message = message.into();
        self.connections.send_to_all(message.opcode(), message.bytes());
        Ok(Delivery::Queued)
    }

    /// Sends one message to every client in a room, as [`Hub::send_to_all`] does to all. It is no error if the room
    /// has no members.
    ///
    /// # Errors
    /// [`RoomError::Name`] if no room can have this name.
    pub fn send_to_room<'m>(&mut self, room: &str, message: impl Into<Message<'m>>) -> Result<Delivery, RoomError> {
        room::check(room)?;
        let message = message.into();
        self.connections.send_to_room(room, message.opcode(), message.bytes());
        Ok(Delivery::Queued)
    }

    /// Adds a client to a room; see [`Server::join`](crate::Server::join).
    ///
    /// # Errors
    /// [`RoomError`] as with [`Server::join`](crate::Server::join), apart from `Busy` and `Stopped`.
    pub fn join(&mut self, client: ClientId, room: &str) -> Result<(), RoomError> {
        self.connections.join_room(client, room)
    }

    /// Removes a client from a room; see [`Server::leave`](crate::Server::leave).
    ///
    /// # Errors
    /// [`RoomError`] as with [`Server::leave`](crate::Server::leave), apart from `Busy` and `Stopped`.
    pub fn leave(&mut self, client: ClientId, room: &str) -> Result<(), RoomError> {
        self.connections.leave_room(client, room)
    }

    /// Returns every room that has members with their number, ordered by name.
    pub fn rooms(&self) -> Vec<RoomStatus> {
        self.connections.egress.rooms.statuses()
    }

    /// Disconnects a client with a close code (1000, or 3000 to 4999 for your own) and a reason of at most 123 bytes.
    ///
    /// # Errors
    /// None, as with [`Hub::send`].
    pub fn disconnect(
        &mut self,
        client: ClientId,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<Delivery, Stopped> {
        match self.connections.disconnect(client, code.into(), reason) {
            true => Ok(Delivery::Queued),
            false => Ok(Delivery::NotConnected),
        }
    }

    /// Returns the number of connected clients.
    pub fn clients(&self) -> usize {
        self.connections.shared().clients()
    }
}
