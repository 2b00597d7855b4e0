//! One descriptor kept back, so that somebody can be told when there is no other.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};

use halloo_proto::http::respond;
use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, Socket, Type};

/// What is read of a request before its answer: a socket that is closed with something unread resets the peer.
const UNREAD: usize = 16 * 1024;

/// A socket that does nothing but be there, or somebody who was let in with its descriptor and may not be able to stay.
#[derive(Debug)]
pub(crate) struct Reserve {
    spare: Option<Socket>,
    waiting: Option<(TcpStream, SocketAddr)>,
}

/// Who came in by the reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// Somebody waits in it now.
    Somebody,
    /// Nobody came.
    Nobody,
    /// The descriptor could not be had back the last time.
    Nothing,
}

impl Reserve {
    pub(crate) fn new() -> Reserve {
        let mut reserve = Reserve { spare: None, waiting: None };
        reserve.refill();
        reserve
    }

    fn refill(&mut self) -> bool {
        if self.spare.is_none() {
            self.spare = Socket::new(Domain::IPV4, Type::DGRAM, None).ok();
        }
        self.spare.is_some()
    }

    /// Gives the descriptor to the next who waits to be accepted: only so is it known whether there is somebody, for the
    /// system refuses before it looks.
    pub(crate) fn open(&mut self, listener: &TcpListener) -> Opened {
        if self.spare.take().is_none() {
            self.refill();
            return Opened::Nothing;
        }
        self.waiting = listener.accept().ok();
        match self.waiting {
            Some(_) => Opened::Somebody,
            None => {
                self.refill();
                Opened::Nobody
            }
        }
    }

    /// Whether somebody waits in it.
    pub(crate) fn is_taken(&self) -> bool {
        self.waiting.is_some()
    }

    /// Whoever waits, if there is another descriptor by now, so that he may stay.
    pub(crate) fn take(&mut self) -> Option<(TcpStream, SocketAddr)> {
        if self.is_taken() && self.refill() { self.waiting.take() } else { None }
    }

    /// Tells whoever waits why he cannot stay, and takes the descriptor back.
    pub(crate) fn refuse(&mut self) {
        if let Some((stream, _)) = self.waiting.take() {
            tell(stream);
        }
        self.refill();
    }
}

fn tell(mut stream: TcpStream) {
    let why = b"the server has no descriptor left; close something, or raise its limit of open files\n";
    // He may be gone, or have not even asked yet: this is all that can be done for him.
    let _ = stream.read(&mut [0; UNREAD]);
    let _ = stream.write(&respond(503, "text/plain; charset=utf-8", &[], why, false));
    let _ = stream.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_finds_another_descriptor_may_stay() {
        let listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let mut reserve = Reserve::new();
        assert_eq!(reserve.open(&listener), Opened::Nobody);
        let guest = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(reserve.open(&listener), Opened::Somebody);
        assert_eq!(reserve.take().unwrap().1, guest.local_addr().unwrap());
        assert!(!reserve.is_taken() && reserve.spare.is_some());
    }
}
