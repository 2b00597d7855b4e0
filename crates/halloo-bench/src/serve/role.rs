//! What the servers of the benchmark do.

/// What a server does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// Returns it to its sender.
    Echo,
    /// Sends it to all clients.
    Fanout,
    /// Returns text to its sender and sends binary messages to all clients.
    Mixed,
    /// Counts binary messages, and replies to text with the count.
    Sink,
}
