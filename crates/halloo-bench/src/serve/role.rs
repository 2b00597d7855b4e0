//! What a server does with a message.

/// What a server does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// Returns it.
    Echo,
    /// Sends it to all.
    Fanout,
    /// Returns text, sends binary to all.
    Mixed,
    /// Counts binary; answers text with the count.
    Sink,
}
