//! The status of clients.

use super::Connections;
use crate::reactor::connection::Connection;
use crate::reactor::egress::Egress;
use crate::{ClientId, ClientStatus};

impl Connections {
    /// Returns the status of each client.
    pub(in crate::reactor) fn statuses(&mut self) -> Vec<ClientStatus> {
        let Connections { table, egress, .. } = self;
        table
            .iter_mut()
            .filter(|connection| connection.is_open())
            .map(|connection| status(egress, connection))
            .collect()
    }

    /// Returns the status of one client; `None` if it is not connected.
    pub(in crate::reactor) fn status(&mut self, client: ClientId) -> Option<ClientStatus> {
        let slot = self.egress.membership.slot_of(client)?;
        let connection = self.table.get_mut(slot).filter(|connection| connection.is_open())?;
        Some(status(&self.egress, connection))
    }
}

fn status(egress: &Egress, connection: &mut Connection) -> ClientStatus {
    let request = egress.membership.request(connection.slot);
    let latency_micros = connection.websocket().map(|websocket| websocket.latency_micros());
    ClientStatus {
        client: connection.client,
        addr: connection.peer,
        latency_ms: latency_micros.filter(|&micros| micros > 0).map(|micros| f64::from(micros) / 1000.0),
        waiting: connection.outbox.as_ref().map_or(0, |outbox| outbox.messages()),
        dropped: connection.drops.as_ref().map_or(0, |drops| drops.messages),
        path: request.target().to_owned(),
        subprotocols: request.subprotocols().map(str::to_owned).collect(),
        subprotocol: request.subprotocol().map(str::to_owned),
        origin: request.origin().map(str::to_owned),
        user_agent: request.user_agent().map(str::to_owned),
        rooms: egress.rooms.names_of(connection.slot),
    }
}
