//! The load generator: one thread, everything framed before the clock starts, every answer compared byte by byte.

mod ring;
mod wire;

mod client;
mod connect;
mod crowd;

pub(crate) mod echo;
pub(crate) mod fanout;
pub(crate) mod handshakes;
pub(crate) mod idle;
pub(crate) mod ingest;
pub(crate) mod roundtrip;

mod meter;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

pub(crate) use connect::connect;
pub(crate) use meter::Usage;
pub(crate) use ring::Protocol;

/// Who is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) addr: SocketAddr,
    pub(crate) protocol: Protocol,
    /// Whose processor time is taken; `None` when it is a thread of ours.
    pub(crate) pid: Option<u32>,
}
