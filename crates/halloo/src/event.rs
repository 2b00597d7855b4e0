//! The events of a server, and the messages in them.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::cluster_status::ClusterState;
use halloo_proto::client_request::ClientRequest;
use halloo_proto::close::CloseCode;
use halloo_proto::frame::{self, Opcode};

/// The id of a client. Ids count from 1 and are never reused.
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
    /// Arbitrary bytes.
    Binary(Cow<'a, [u8]>),
}

impl Message<'_> {
    pub(crate) fn opcode(&self) -> Opcode {
        match self {
            Message::Text(_) => Opcode::Text,
            Message::Binary(_) => Opcode::Binary,
        }
    }

    /// Returns the frame of a server.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame::encode(&mut bytes, self.opcode(), self.bytes(), None);
        bytes
    }

    /// Returns the text of a text message; `None` for a binary one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Message::Text(text) => Some(text),
            Message::Binary(_) => None,
        }
    }

    /// Returns the payload: the UTF-8 bytes of a text message, or the bytes of a binary one.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }

    /// Returns a message that borrows nothing.
    pub fn into_owned(self) -> Message<'static> {
        match self {
            Message::Text(text) => Message::Text(Cow::Owned(text.into_owned())),
            Message::Binary(bytes) => Message::Binary(Cow::Owned(bytes.into_owned())),
        }
    }
}

impl fmt::Display for Message<'_> {
    /// Writes the text, or the length of a binary message. Escape it before you log it.
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
    /// The client closed the connection with this reason.
    Closed(String),
    /// Nothing was received from the client for three heartbeats, or it accepted no data for the write timeout.
    TimedOut,
    /// The connection was lost for this reason.
    Lost(String),
    /// The client violated the protocol or exceeded a limit. The text says which.
    Violation(String),
    /// The client was too slow, and its outbox was full.
    TooSlow,
    /// The application disconnected the client with this reason.
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

/// An event of a server.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A client joined: its handshake is complete.
    ClientJoined {
        /// The client's id.
        client: ClientId,
        /// The address it connected from.
        addr: SocketAddr,
        /// What it said in its handshake: the path and query, subprotocols, the page or program.
        request: Arc<ClientRequest>,
        /// The rooms it is in: the one that its path joins, if any.
        rooms: Vec<String>,
        /// The number of connected clients, this one included.
        clients: usize,
    },
    /// A complete message was received.
    MessageReceived {
        /// The sender.
        client: ClientId,
        /// The message.
        message: Message<'a>,
    },
    /// A client left. Nothing more is received from it or sent to it.
    ClientLeft {
        /// The client's id.
        client: ClientId,
        /// The close code of the client or the server, or 1006 if the connection ended without one.
        code: CloseCode,
        /// Why it left.
        reason: LeaveReason,
        /// The rooms it was in.
        rooms: Vec<String>,
        /// The number of clients that are still connected.
        clients: usize,
    },
    /// Messages for a slow client were dropped, as configured by [`SlowClient`](crate::SlowClient).
    MessagesDropped {
        /// The client they were for.
        client: ClientId,
        /// The number of messages.
        messages: u64,
    },
    /// The server started or stopped sending beacons.
    DiscoveryChanged {
        /// Whether beacons are sent now.
        active: bool,
    },
    /// The addresses of this machine changed: a network appeared or disappeared, or the default route moved.
    AddressesChanged {
        /// All addresses, best first.
        addresses: Vec<IpAddr>,
    },
    /// The connection to the other nodes of a cluster changed.
    ClusterChanged {
        /// Whether messages are relayed.
        state: ClusterState,
        /// The number of nodes that are alive, this one included.
        nodes: usize,
        /// The number of clients of all nodes.
        clients: u64,
        /// Whether all expected nodes are counted.
        complete: bool,
        /// Why messages are not relayed, and what to do.
        reason: Option<String>,
    },
    /// Another node of the cluster joined.
    NodeJoined {
        /// Its number.
        node: u32,
    },
    /// Another node of the cluster left, or has been silent for 3.5 s.
    NodeLeft {
        /// Its number.
        node: u32,
    },
    /// Messages between nodes were lost since the last such event, which comes once a second at most.
    ClusterDropped {
        /// Messages that were not passed to the broker.
        outgoing: u64,
        /// Messages of other nodes that were not delivered here.
        incoming: u64,
        /// Messages of other nodes that did not arrive.
        lost: u64,
        /// Messages larger than the broker accepts.
        too_large: u64,
    },
    /// The server failed and no longer runs; [`Server::restart`](crate::Server::restart) starts it again.
    ServerFailed {
        /// The error.
        message: String,
    },
}

impl Event<'_> {
    /// Returns the bytes of message payload in this event.
    pub(crate) fn payload_bytes(&self) -> usize {
        match self {
            Event::MessageReceived { message, .. } => message.bytes().len(),
            _ => 0,
        }
    }

    /// Returns an event that borrows nothing, to keep or to pass on.
    pub fn into_owned(self) -> Event<'static> {
        match self {
            Event::MessageReceived { client, message } => {
                Event::MessageReceived { client, message: message.into_owned() }
            }
            Event::ClientJoined { client, addr, request, rooms, clients } => {
                Event::ClientJoined { client, addr, request, rooms, clients }
            }
            Event::ClientLeft { client, code, reason, rooms, clients } => {
                Event::ClientLeft { client, code, reason, rooms, clients }
            }
            Event::MessagesDropped { client, messages } => Event::MessagesDropped { client, messages },
            Event::DiscoveryChanged { active } => Event::DiscoveryChanged { active },
            Event::AddressesChanged { addresses } => Event::AddressesChanged { addresses },
            Event::ServerFailed { message } => Event::ServerFailed { message },
            Event::ClusterChanged { state, nodes, clients, complete, reason } => {
                Event::ClusterChanged { state, nodes, clients, complete, reason }
            }
            Event::NodeJoined { node } => Event::NodeJoined { node },
            Event::NodeLeft { node } => Event::NodeLeft { node },
            Event::ClusterDropped { outgoing, incoming, lost, too_large } => {
                Event::ClusterDropped { outgoing, incoming, lost, too_large }
            }
        }
    }
}

/// The result of sending a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The message is queued, and sent as soon as the peer accepts it.
    Queued,
    /// The message was not queued, because the queue is full. Send less, or try again later.
    Backpressure,
    /// The client is not connected.
    NotConnected,
}
