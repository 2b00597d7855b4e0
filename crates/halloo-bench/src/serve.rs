//! The servers in this program: raw TCP, and halloo in the roles of the benchmark.

mod halloo;
mod tcp;

mod role;

use std::path::Path;

use anyhow::{Result, bail};

pub(crate) use role::Role;

/// The server to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Raw TCP without WebSocket: the upper bound, which the kernel sets.
    Tcp,
    /// halloo with a handler on the reactor thread.
    Halloo,
    /// halloo with an application that receives events on a thread of its own and sends from there.
    HallooEvents,
}

/// Serves until the process is killed, over TLS if there is a certificate. halloo also publishes the directory `www`.
pub(crate) fn serve(kind: Kind, role: Role, port: u16, certificate: Option<&Path>, www: Option<&Path>) -> Result<()> {
    match kind {
        Kind::Tcp if certificate.is_some() => bail!("raw TCP has no TLS"),
        Kind::Tcp => tcp::serve(role, port),
        Kind::Halloo => halloo::serve_by_handler(role, halloo::config(port, certificate, www)?),
        Kind::HallooEvents => halloo::serve_by_events(role, halloo::config(port, certificate, www)?),
    }
}
