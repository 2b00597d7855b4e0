//! Connections that are not read for now, although the others are: TCP slows their peers, and nothing is lost.

use halloo_proto::Time;

use super::connection::Connection;
use super::connection_table::ConnectionTable;
use super::event_sink::EventSink;
use crate::ClientId;

/// The connections that are held.
#[derive(Debug, Default)]
pub(super) struct Holds {
    held: Vec<Hold>,
}

#[derive(Debug)]
struct Hold {
    slot: usize,
    client: ClientId,
    until: Until,
}

/// When a connection is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// When the application has taken the events of its client.
    EventsTaken,
    /// At this time.
    Time(Time),
}

impl Holds {
    /// Holds the client `connection`.
    pub(super) fn add(&mut self, connection: &mut Connection, until: Until) {
        connection.held = true;
        self.held.push(Hold { slot: connection.slot as usize, client: connection.client, until });
    }

    /// Returns the next time at which a connection is to be released.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.held.iter().filter_map(|hold| if let Until::Time(time) = hold.until { Some(time) } else { None }).min()
    }

    /// Releases every connection that may be read again, and returns the slots. One that closes is read to its end.
    pub(super) fn release(&mut self, table: &mut ConnectionTable, sink: &mut EventSink, now: Time) -> Vec<usize> {
        if self.held.iter().any(|hold| hold.until == Until::EventsTaken) {
            sink.watch(table);
        }
        let mut released = Vec::new();
        self.held.retain(|hold| {
            // The client may have left, and its slot may be in use again.
            let connection = table.get_mut(hold.slot).filter(|connection| connection.client == hold.client);
            let Some(connection) = connection else { return false };
            let is_over = match hold.until {
                _ if !connection.is_open() => true,
                Until::EventsTaken => sink.has_room_for(connection),
                Until::Time(time) => now >= time,
            };
            if is_over {
                connection.held = false;
                if let Some(websocket) = connection.websocket() {
                    websocket.handle_resumed(now);
                }
                released.push(hold.slot);
            }
            !is_over
        });
        released
    }
}
