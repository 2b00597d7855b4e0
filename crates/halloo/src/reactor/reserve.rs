//! One descriptor kept back, so that somebody can be told when there is no other.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};

use halloo_proto::http::respond;
use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, Socket, Type};

/// What is read of a request before its answer: a socket that is closed with something unread resets the peer.
const UNREAD: usize = 16 * 1024;

/// A socket that does nothing but be there.
#[derive(Debug)]
pub(crate) struct Reserve(Option<Socket>);

impl Reserve {
    pub(crate) fn new() -> Reserve {
        Reserve(Socket::new(Domain::IPV4, Type::DGRAM, None).ok())
    }

    /// Gives the descriptor to the next who waits. Where there is another by now, he may stay; else he is told why he
    /// cannot, and the descriptor is taken back.
    pub(crate) fn accept(&mut self, listener: &TcpListener) -> Accepted {
        if self.0.take().is_none() {
            // It could not be had back the last time.
            *self = Reserve::new();
            return Accepted::Nobody;
        }
        let accepted = listener.accept();
        *self = Reserve::new();
        match accepted {
            Err(_) => Accepted::Nobody,
            Ok((stream, peer)) if self.0.is_some() => Accepted::Guest(stream, peer),
            Ok((stream, _)) => {
                tell(stream);
                *self = Reserve::new();
                Accepted::Refused
            }
        }
    }
}

/// Who came in by the reserve.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// Nobody waited.
    Nobody,
    /// He was told why he cannot stay.
    Refused,
    /// Descriptors were given back meanwhile.
    Guest(TcpStream, SocketAddr),
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
    fn whoever_finds_a_descriptor_again_may_stay() {
        let listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let mut reserve = Reserve::new();
        assert!(matches!(reserve.accept(&listener), Accepted::Nobody));
        let guest = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let Accepted::Guest(_, peer) = reserve.accept(&listener) else { panic!("he was not taken in") };
        assert_eq!(peer, guest.local_addr().unwrap());
        assert!(reserve.0.is_some());
    }
}
