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

/// How far a connection has come.
#[derive(Debug)]
pub(crate) enum Phase {
    /// The request head arrives; what there is of it is kept here.
    Handshake(Vec<u8>),
    /// A client.
    Open,
    /// Our close frame is on its way; the peer's is awaited.
    Closing,
    /// All was said: flush, half-close, and read to the end so that no reset destroys our last words.
    Ending,
}

/// The rest of a read, from `start` on.
#[derive(Debug)]
pub(crate) struct Unread {
    pub(crate) bytes: Vec<u8>,
    pub(crate) start: usize,
}

/// One accepted socket.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: Stream,
    pub(crate) peer: SocketAddr,
    /// The how-manyth socket this is: several arrive within one moment, and slots are used again.
    pub(crate) arrival: u64,
    pub(crate) phase: Phase,
    /// The client this became; meaningless before [`Phase::Open`].
    pub(crate) client: ClientId,
    pub(crate) receiver: Receiver,
    /// How much of the message under way is counted in the total.
    pub(crate) under_way: usize,
    /// What was read and not looked at, since the turn's share was used up.
    pub(crate) unread: Option<Box<Unread>>,
    pub(crate) outbox: Option<Box<Outbox>>,
    pub(crate) heartbeat: Heartbeat,
    /// End of the handshake, or of the close handshake.
    pub(crate) deadline: Time,
    /// Since when the socket takes nothing; [`Time::NEVER`] while it does.
    pub(crate) blocked_since: Time,
    /// The moment of this connection's live entry in the wheel.
    pub(crate) wheel_at: Time,
    /// How much of the turn's broadcasts is in the outbox already, if `mark_epoch` is this turn's.
    pub(crate) mark: usize,
    pub(crate) mark_epoch: u64,
    pub(crate) dropped: u64,
    /// How many of those the application does not know of yet.
    pub(crate) untold: u64,
    /// Our side is shut.
    pub(crate) shut: bool,
}

impl Connection {
    pub(crate) fn new(socket: TcpStream, peer: SocketAddr, arrival: u64, now: Time, deadline: Time) -> Connection {
        Connection {
            stream: Stream::plain(socket),
            peer,
            arrival,
            phase: Phase::Handshake(Vec::new()),
            client: ClientId(0),
            receiver: Receiver::default(),
            under_way: 0,
            unread: None,
            outbox: None,
            heartbeat: Heartbeat::new(now),
            deadline,
            blocked_since: Time::NEVER,
            wheel_at: Time::NEVER,
            mark: 0,
            mark_epoch: 0,
            dropped: 0,
            untold: 0,
            shut: false,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.outbox.as_ref().is_some_and(|outbox| outbox.is_blocked())
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
