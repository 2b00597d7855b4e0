//! What happens to a client, told to the application.

use std::time::Duration;

use halloo_proto::close::CloseCode;

use crate::Message;
use crate::event_queue::Weigh;

/// Something that happened. The last one is [`ClientEvent::GaveUp`], or a [`ClientEvent::Disconnected`] that was asked
/// for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// There is a connection, for the first time or again.
    Connected {
        /// The server's address.
        url: String,
    },
    /// A whole message arrived.
    MessageReceived {
        /// The message.
        message: Message<'static>,
    },
    /// The connection is gone.
    Disconnected {
        /// The close code: the server's, ours, or 1006 when there was none.
        code: CloseCode,
        /// What was said with it, or what broke it. From the network: escape it before it goes into a log.
        reason: String,
        /// When the first attempt to come back begins; `None` when there will be none.
        retry_in: Option<Duration>,
    },
    /// An attempt to connect failed, and another will be made.
    AttemptFailed {
        /// Why, fit for a log.
        reason: String,
        /// When the next one begins.
        retry_in: Duration,
    },
    /// Messages were not sent: see [`Client::messages_dropped`](crate::Client::messages_dropped).
    MessagesDropped {
        /// How many.
        messages: u64,
    },
    /// No further attempt will be made; nothing comes after this.
    GaveUp {
        /// Why, fit for a log.
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
