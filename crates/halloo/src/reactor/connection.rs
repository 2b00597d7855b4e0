//! One socket: where it stands and what it keeps. Small, because there are thousands.

use std::io::{self, Read};
use std::net::SocketAddr;

use halloo_proto::Time;
use halloo_proto::heartbeat::Heartbeat;
use halloo_proto::message::Receiver;
use halloo_proto::outbox::Outbox;
use mio::net::TcpStream;

use crate::ClientId;
use crate::stream::Stream;
use crate::writing::write_backlog;

/// Reads of an abandoned socket: a MiB, for a peer that goes on sending must not hold up the end.
const ABANDONED_READS: usize = 64;

/// Bytes read of an ending connection: who sends sixteen of the largest messages more is not read any further, and
/// waits for its reset.
const ENDING_READS: u32 = 16 * 1024 * 1024;

/// How far a connection has come.
#[derive(Debug)]
pub(crate) enum Phase {
    /// The request head arrives.
    Handshake(Box<Handshake>),
    /// A client.
    Open,
    /// Our close frame is on its way; the peer's is awaited until then.
    Closing(Time),
    /// All was said: flush, half-close, and read to the end so that no reset destroys our last words.
    Ending { until: Time, heard: u32 },
}

impl Phase {
    /// When it must be over.
    pub(crate) fn deadline(&self) -> Time {
        match self {
            Phase::Handshake(handshake) => handshake.deadline,
            Phase::Open => Time::NEVER,
            Phase::Closing(until) | Phase::Ending { until, .. } => *until,
        }
    }
}

/// What is kept of a connection only until it is a client.
#[derive(Debug)]
pub(crate) struct Handshake {
    /// What there is of the request head.
    pub(crate) head: Vec<u8>,
    /// The how-manyth socket this is: several arrive within one moment, and slots are used again.
    pub(crate) arrival: u64,
    /// What it asked for instead of becoming a client, until that is made.
    pub(crate) page: Option<PageRequest>,
    deadline: Time,
}

/// A request for a page, which may be answered.
#[derive(Debug)]
pub(crate) struct PageRequest {
    pub(crate) path: String,
    pub(crate) head_only: bool,
    /// The page of whom may read the answer.
    pub(crate) origin: Option<String>,
}

/// The rest of a read, from `start` on.
#[derive(Debug)]
pub(crate) struct Unread {
    pub(crate) bytes: Vec<u8>,
    pub(crate) start: usize,
}

/// Messages that a client did not take.
#[derive(Debug, Default)]
pub(crate) struct Drops {
    pub(crate) messages: u64,
    /// How many of those the application does not know of yet.
    pub(crate) untold: u64,
}

/// One accepted socket.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: Stream,
    pub(crate) peer: SocketAddr,
    pub(crate) phase: Phase,
    /// The client this became; meaningless before [`Phase::Open`].
    pub(crate) client: ClientId,
    pub(crate) receiver: Receiver,
    /// How much of the message under way is counted in the total, up to 4 GiB.
    pub(crate) under_way: u32,
    /// What was read and not looked at, since the turn's share was used up.
    pub(crate) unread: Option<Box<Unread>>,
    pub(crate) outbox: Option<Box<Outbox>>,
    pub(crate) heartbeat: Heartbeat,
    /// The moment of this connection's live entry in the wheel.
    pub(crate) wheel_at: Time,
    /// How far this client is in the stream of all broadcasts, unless it is where the last turn ended.
    pub(crate) mark: u64,
    /// `None` as long as nothing was dropped.
    pub(crate) drops: Option<Box<Drops>>,
    /// Messages may come compressed.
    pub(crate) inflated: bool,
    /// Messages may go to this client compressed.
    pub(crate) compressed: bool,
    /// Our side is shut.
    pub(crate) shut: bool,
}

impl Connection {
    pub(crate) fn new(socket: TcpStream, peer: SocketAddr, arrival: u64, now: Time, deadline: Time) -> Connection {
        Connection {
            stream: Stream::plain(socket),
            peer,
            phase: Phase::Handshake(Box::new(Handshake { head: Vec::new(), arrival, page: None, deadline })),
            client: ClientId(0),
            receiver: Receiver::default(),
            under_way: 0,
            unread: None,
            outbox: None,
            heartbeat: Heartbeat::new(now),
            wheel_at: Time::NEVER,
            mark: 0,
            drops: None,
            inflated: false,
            compressed: false,
            shut: false,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Whether it waits for a page, and nothing more of it is looked at before it has that.
    pub(crate) fn waits_for_page(&self) -> bool {
        matches!(&self.phase, Phase::Handshake(handshake) if handshake.page.is_some())
    }

    /// Whether it goes on sending although all was said, and more than an honest peer may have had on its way.
    pub(crate) fn is_deaf(&self) -> bool {
        matches!(self.phase, Phase::Ending { heard, .. } if heard >= ENDING_READS)
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.outbox.as_ref().is_some_and(|outbox| outbox.is_blocked())
    }

    /// Since when the socket takes nothing.
    pub(crate) fn blocked_since(&self) -> Option<Time> {
        self.outbox.as_ref().and_then(|outbox| outbox.blocked_since())
    }

    /// Writes what waits, oldest first, until the socket takes no more. Answers whether anything was taken.
    pub(crate) fn write_backlog(&mut self) -> io::Result<bool> {
        self.outbox.as_mut().map_or(Ok(false), |outbox| write_backlog(&mut self.stream, outbox))
    }

    /// Writes what waits and `last` behind it, if the socket takes that now, and shuts it.
    pub(crate) fn abandon(&mut self, last: &[u8]) -> io::Result<()> {
        self.write_backlog()?;
        if self.is_blocked() {
            return Ok(());
        }
        let mut bytes = self.outbox.take().map(|mut outbox| std::mem::take(outbox.cork())).unwrap_or_default();
        bytes.extend_from_slice(last);
        self.stream.write_some(&bytes)?;
        self.stream.shutdown()?;
        // A socket that is closed with something unread resets the peer, which then may not see the last frame.
        let mut unread = [0; 16 * 1024];
        for _ in 0..ABANDONED_READS {
            if self.stream.read(&mut unread)? == 0 {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_connection_stays_small() {
        // What is rare belongs in a box: ten thousand clients pay for every byte here. The socket is not counted, for
        // mio makes it larger in debug builds.
        let bytes = size_of::<Connection>() - size_of::<TcpStream>();
        assert!(bytes <= 168, "{bytes} bytes");
    }
}
