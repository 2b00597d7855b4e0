//! What happens on a server, told to the application.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use halloo_proto::close::CloseCode;
use halloo_proto::frame::Opcode;

/// A client, from its handshake to its leaving: counted from 1 and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ClientId(pub u64);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text or binary message.
///
/// ```
/// use halloo::Message;
///
/// assert_eq!(Message::from("hello").text(), Some("hello"));
/// assert_eq!(Message::from(vec![1, 2, 3]).bytes(), [1, 2, 3]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// UTF-8 text.
    Text(Cow<'a, str>),
    /// Any bytes.
    Binary(Cow<'a, [u8]>),
}

impl Message<'_> {
    pub(crate) fn opcode(&self) -> Opcode {
        match self {
            Message::Text(_) => Opcode::Text,
            Message::Binary(_) => Opcode::Binary,
        }
    }

    /// The text, when it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Message::Text(text) => Some(text),
            Message::Binary(_) => None,
        }
    }

    /// The bytes of either kind.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }

    /// A message that borrows nothing.
    pub fn into_owned(self) -> Message<'static> {
        match self {
            Message::Text(text) => Message::Text(Cow::Owned(text.into_owned())),
            Message::Binary(bytes) => Message::Binary(Cow::Owned(bytes.into_owned())),
        }
    }
}

impl fmt::Display for Message<'_> {
    /// The text itself, or the length of a binary message. Escape it before it goes into a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Text(text) => f.write_str(text),
            Message::Binary(bytes) => write!(f, "({} bytes)", bytes.len()),
        }
    }
}

impl<'a> From<&'a str> for Message<'a> {
    fn from(text: &'a str) -> Message<'a> {
        Message::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Message<'a> {
    fn from(text: &'a String) -> Message<'a> {
        Message::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Message<'_> {
    fn from(text: String) -> Self {
        Message::Text(Cow::Owned(text))
    }
}

impl<'a> From<&'a [u8]> for Message<'a> {
    fn from(bytes: &'a [u8]) -> Message<'a> {
        Message::Binary(Cow::Borrowed(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Message<'a> {
    fn from(bytes: &'a [u8; N]) -> Message<'a> {
        Message::Binary(Cow::Borrowed(bytes))
    }
}

impl From<Vec<u8>> for Message<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Message::Binary(Cow::Owned(bytes))
    }
}

/// Why a client left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeaveReason {
    /// It closed, with this text.
    Closed(String),
    /// It was not heard for three heartbeats, or took nothing for ten seconds.
    TimedOut,
    /// The connection broke.
    Lost(String),
    /// It broke a rule of the protocol or a limit; the text says which.
    Violation(String),
    /// It did not take its messages fast enough.
    TooSlow,
    /// The application disconnected it, with this text.
    Disconnected(String),
    /// The server stopped.
    ServerStopped,
}

impl fmt::Display for LeaveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LeaveReason::Closed(text) | LeaveReason::Disconnected(text) => f.write_str(text),
            LeaveReason::TimedOut => f.write_str("timed out"),
            LeaveReason::Lost(error) => write!(f, "connection lost: {error}"),
            LeaveReason::Violation(rule) => f.write_str(rule),
            LeaveReason::TooSlow => f.write_str("too slow: its outbox was full"),
            LeaveReason::ServerStopped => f.write_str("the server stopped"),
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A client finished its handshake.
    ClientJoined {
        /// Who it is from now on.
        client: ClientId,
        /// Where it connected from.
        addr: SocketAddr,
        /// How many are connected now, this one included.
        clients: usize,
    },
    /// A whole message arrived.
    MessageReceived {
        /// From whom.
        client: ClientId,
        /// The message.
        message: Message<'a>,
    },
    /// A client is gone; nothing more comes from it or goes to it.
    ClientLeft {
        /// Who it was.
        client: ClientId,
        /// The close code: its own, ours, or 1006 when there was none.
        code: CloseCode,
        /// Why.
        reason: LeaveReason,
        /// How many are connected now.
        clients: usize,
    },
    /// Messages for a slow client were dropped, as [`SlowClient`](crate::SlowClient) says.
    MessagesDropped {
        /// For whom they were.
        client: ClientId,
        /// How many.
        messages: u64,
    },
    /// Announcing began or paused.
    DiscoveryChanged {
        /// Whether beacons are sent now.
        active: bool,
    },
    /// The machine has other addresses now: a network came or went, or another leads to the Internet.
    AddressesChanged {
        /// All of them, best first.
        addresses: Vec<Ipv4Addr>,
    },
    /// The server failed and does not run any more; [`Server::restart`](crate::Server::restart) starts it again.
    ServerFailed {
        /// What happened.
        message: String,
    },
}

impl Event<'_> {
    /// Bytes of message that this event keeps.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Event::MessageReceived { message, .. } => message.bytes().len(),
            _ => 0,
        }
    }

    /// An event that borrows nothing, to keep or to pass on.
    pub fn into_owned(self) -> Event<'static> {
        match self {
            Event::MessageReceived { client, message } => {
                Event::MessageReceived { client, message: message.into_owned() }
            }
            Event::ClientJoined { client, addr, clients } => Event::ClientJoined { client, addr, clients },
            Event::ClientLeft { client, code, reason, clients } => Event::ClientLeft { client, code, reason, clients },
            Event::MessagesDropped { client, messages } => Event::MessagesDropped { client, messages },
            Event::DiscoveryChanged { active } => Event::DiscoveryChanged { active },
            Event::AddressesChanged { addresses } => Event::AddressesChanged { addresses },
            Event::ServerFailed { message } => Event::ServerFailed { message },
        }
    }
}

/// What became of a message that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It goes out as soon as the client takes it.
    Queued,
    /// Too much waits already; it was not taken. Send less, or again later.
    Backpressure,
    /// There is no such client any more.
    NotConnected,
}
