//! Writes outboxes to sockets, for servers and clients.

use std::io::{self, IoSlice, Write};

use halloo_proto::outbox::Outbox;

use crate::stream::Stream;

/// Maximum slices per vectored write. The kernel accepts up to 1024, but a socket buffer rarely has room for more
/// frames.
const MAX_SLICES_PER_WRITE: usize = 64;

/// Bytes of a write from which on it is recorded for the keepalive: fewer take no time on any link.
pub(crate) const MIN_RECORDED_WRITE: usize = 4 * 1024;

/// Writes the backlog of `outbox`, oldest first, until it is empty or `stream` would block. Returns the number of bytes
/// that were written.
pub(crate) fn write_backlog(stream: &mut Stream, outbox: &mut Outbox) -> io::Result<usize> {
    let mut total = 0;
    while outbox.is_blocked() {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES_PER_WRITE];
        let used = outbox.slices(&mut slices);
        match stream.write_vectored(&slices[..used]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                outbox.advance(written);
                total += written;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}
