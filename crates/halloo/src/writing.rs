//! Writing what waits, on either side of a connection.

use std::io::{self, IoSlice, Write};

use halloo_proto::outbox::Outbox;

use crate::stream::Stream;

/// Frames handed to one gathered write; the kernel takes up to 1024, but a socket buffer rarely holds more.
const GATHERED: usize = 64;

/// Writes what waits in `outbox`, oldest first, until `stream` takes no more. Answers whether anything was taken.
pub(crate) fn write_backlog(stream: &mut Stream, outbox: &mut Outbox) -> io::Result<bool> {
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
