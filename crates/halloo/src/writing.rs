//! Writing to a socket that never waits, on either side of a connection.

use std::io::{self, IoSlice, Write};

use halloo_proto::outbox::Outbox;
use mio::net::TcpStream;

/// Frames handed to one gathered write; the kernel takes up to 1024, but a socket buffer rarely holds more.
const GATHERED: usize = 64;

/// Writes as much of `bytes` as `stream` takes now.
pub(crate) fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut taken = 0;
    while taken < bytes.len() {
        match stream.write(&bytes[taken..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => taken += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}

/// Writes what waits in `outbox`, oldest first, until `stream` takes no more. Answers whether anything was taken.
pub(crate) fn write_backlog(stream: &mut TcpStream, outbox: &mut Outbox) -> io::Result<bool> {
    let mut progress = false;
    while outbox.is_blocked() {
        let mut slices = [IoSlice::new(&[]); GATHERED];
        let used = outbox.slices(&mut slices);
        match stream.write_vectored(&slices[..used]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => {
                outbox.advance(taken);
                progress = true;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(progress)
}
