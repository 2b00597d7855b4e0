//! Writing an outbox to a socket, for either side of a connection.

use std::io::{self, IoSlice, Write};

use halloo_proto::outbox::Outbox;

use crate::stream::Stream;

/// Frames in one gathered write; the kernel accepts up to 1024, but a socket buffer rarely holds more than this.
const GATHERED: usize = 64;

/// Writes the backlog of `outbox`, oldest first, until `stream` accepts no more. Returns whether it accepted anything.
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
