//! The servers that come with this program: raw TCP, and halloo in the roles that its examples do not play.

mod halloo;
mod role;
mod tcp;

use anyhow::Result;

pub(crate) use role::Role;

/// Which server, and who handles the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// No WebSocket at all: what the kernel can do.
    Tcp,
    /// A handler on the reactor thread.
    Halloo,
    /// The application takes events on a thread of its own, and sends from there.
    HallooEvents,
}

/// Serves until killed.
pub(crate) fn serve(kind: Kind, role: Role, port: u16) -> Result<()> {
    match kind {
        Kind::Tcp => tcp::serve(role, port),
        Kind::Halloo => halloo::serve_by_handler(role, port),
        Kind::HallooEvents => halloo::serve_by_events(role, port),
    }
}
