//! One descriptor kept back, so that somebody can be told when there is no other.

use std::io::{Read, Write};
use std::net::Shutdown;

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

    /// Gives the descriptor to the next who waits, tells him why he cannot stay, and takes it back. Answers whether
    /// there was one who waited.
    pub(crate) fn refuse_one(&mut self, listener: &TcpListener) -> bool {
        if self.0.take().is_none() {
            // It could not be had back the last time.
            *self = Reserve::new();
            return false;
        }
        let waited = listener.accept().map(|(stream, _)| tell(stream)).is_ok();
        *self = Reserve::new();
        waited
    }
}

fn tell(mut stream: TcpStream) {
    let why = b"the server has no descriptor left; close something, or raise its limit of open files\n";
    // He may be gone, or have not even asked yet: this is all that can be done for him.
    let _ = stream.read(&mut [0; UNREAD]);
    let _ = stream.write(&respond(503, "text/plain; charset=utf-8", &[], why, false));
    let _ = stream.shutdown(Shutdown::Write);
}
