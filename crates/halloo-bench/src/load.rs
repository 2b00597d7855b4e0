//! The load generator: one thread, all frames built before the clock starts, and every reply compared byte by byte.

pub(crate) mod echo;
pub(crate) mod fanout;
pub(crate) mod handshakes;
pub(crate) mod idle;
pub(crate) mod ingest;
pub(crate) mod roundtrip;

mod download;
mod steady;

mod target;

mod client;
mod connect;
mod link;
mod pool;

mod ring;
mod wire;

mod meter;

#[cfg(test)]
mod tests;

pub(crate) use connect::{connect, connect_plain};
pub(crate) use download::{Download, Pace};
pub(crate) use meter::Usage;
pub(crate) use steady::{Steady, SteadyClients};
pub(crate) use target::{Protocol, Target};
