//! Events of a client.

use std::time::Duration;

use halloo_proto::close::CloseCode;

use crate::Message;
use crate::event_queue::Weigh;

/// An event of a client. The last one is [`ClientEvent::GaveUp`], or a [`ClientEvent::Disconnected`] that the
/// application requested.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The client is connected, for the first time or again.
    Connected {
        /// The server's URL.
        url: String,
    },
    /// A whole message arrived.
    MessageReceived {
        /// The message.
        message: Message<'static>,
    },
    /// The connection ended.
    Disconnected {
        /// The close code: the server's, ours, or 1006 when there was none.
        code: CloseCode,
        /// The reason of the close frame, or what broke the connection. It comes from the network: escape it before
        /// you log it.
        reason: String,
        /// Time until the first attempt to reconnect; `None` when there will be none.
        retry_in: Option<Duration>,
    },
    /// An attempt to connect failed, and another will be made.
    AttemptFailed {
        /// Why, safe to log.
        reason: String,
        /// Time until the next attempt.
        retry_in: Duration,
    },
    /// Messages were not sent: see [`Client::messages_dropped`](crate::Client::messages_dropped).
    MessagesDropped {
        /// The number of messages.
        messages: u64,
    },
    /// The client gave up; no event follows.
    GaveUp {
        /// Why, safe to log.
        reason: String,
    },
}

impl Weigh for ClientEvent {
    fn weight(&self) -> usize {
        match self {
            ClientEvent::MessageReceived { message } => message.bytes().len(),
            _ => 0,
        }
    }
}
