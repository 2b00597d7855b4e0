//! The events of a client.

use std::time::Duration;

use halloo_proto::close::CloseCode;

use crate::Message;
use crate::event_queue::PayloadSize;

/// An event of a [`Client`](crate::Client). The last one is [`ClientEvent::GaveUp`], or the
/// [`ClientEvent::Disconnected`] of a connection that the application closed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The client connected, for the first time or again.
    Connected {
        /// The URL of the server.
        url: String,
        /// The subprotocol that the server chose among [`ClientConfig::subprotocols`](crate::ClientConfig::subprotocols);
        /// `None` if it chose none.
        subprotocol: Option<String>,
    },
    /// A message was received.
    MessageReceived {
        /// The message.
        message: Message<'static>,
    },
    /// The connection ended.
    Disconnected {
        /// The close code of the server or the client, or 1006 if the connection ended without one.
        code: CloseCode,
        /// The reason in the close frame, or what broke the connection. It comes from the network: escape it before you
        /// write it to a log.
        reason: String,
        /// The pause before the next attempt to connect; `None` if there is none.
        retry_in: Option<Duration>,
    },
    /// An attempt to connect failed, and there will be another one.
    AttemptFailed {
        /// Why it failed, escaped for a log.
        reason: String,
        /// The pause before the next attempt.
        retry_in: Duration,
    },
    /// Messages were dropped; see [`Client::messages_dropped`](crate::Client::messages_dropped).
    MessagesDropped {
        /// How many.
        messages: u64,
    },
    /// The client gave up. This is the last event.
    ///
    /// A refusal, an untrusted certificate or a final close code is a reason only if it comes from the server that is meant.
    /// For a target that can be searched for, that is the one that has just answered a search; another one may have taken
    /// its address.
    GaveUp {
        /// Why, escaped for a log.
        reason: String,
        /// The HTTP status with which the server refused the handshake, for example 401 for a missing or wrong token;
        /// `None` if there was another reason.
        status: Option<u16>,
    },
}

impl PayloadSize for ClientEvent {
    fn payload_bytes(&self) -> usize {
        match self {
            ClientEvent::MessageReceived { message } => message.bytes().len(),
            _ => 0,
        }
    }
}
