//! What this server passes to the other nodes of a cluster, collected for a turn.

#[cfg(not(feature = "cluster"))]
mod stub;

#[cfg(not(feature = "cluster"))]
pub(super) use stub::Bus;

#[cfg(feature = "cluster")]
pub(super) use linked::Bus;

/// Whom a message on the bus is for.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "the stub ignores it"))]
pub(super) enum BusTarget<'a> {
    All,
    Room(&'a str),
    /// Several rooms.
    Rooms(&'a [String]),
    Client(crate::ClientId),
}

#[cfg(feature = "cluster")]
mod linked;
