//! A non-blocking socket with or without TLS.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;

use halloo_proto::read_budget::ReadBudget;
use mio::net::TcpStream;
use socket2::SockRef;

use crate::tls::Session;

/// Bytes that the system may hold without having sent them. What waits in an outbox shows by its progress that the peer is
/// alive and can be dropped; megabytes in the system's buffer cannot, and a ping or close frame would wait behind them.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MAX_UNSENT_BYTES: u32 = 16 * 1024;

/// Bytes that the system is given in one call. Windows accepts a non-blocking send whole if its buffer has any room, megabytes
/// as well as a byte. Its buffer has 64 KiB by default, so this at most doubles what it holds unsent.
const MAX_BYTES_PER_WRITE: usize = if cfg!(windows) { 64 * 1024 } else { usize::MAX };

/// A connected socket, plain or with TLS.
///
/// Both behave like a plain socket: a read that neither fills its buffer nor spends its budget has emptied the socket, and
/// bytes that a write accepted are sent without further calls other than [`Stream::handle_writable`].
#[derive(Debug)]
pub(crate) struct Stream {
    socket: TcpStream,
    /// Boxed, because most connections use no TLS.
    session: Option<Box<Session>>,
}

/// Limits what the system holds unsent for a socket, where it can. The sockets that a listening socket accepts inherit it.
pub(crate) fn limit_unsent_bytes(socket: SockRef<'_>) {
    // If it fails, the system holds more.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket.set_tcp_notsent_lowat(MAX_UNSENT_BYTES);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = socket;
}

impl Stream {
    pub(crate) fn plain(socket: TcpStream) -> Stream {
        Stream { socket, session: None }
    }

    /// Uses TLS for all further reads and writes.
    pub(crate) fn secure(&mut self, session: Box<Session>) {
        self.session = Some(session);
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.session.is_some()
    }

    /// Returns whether the TLS handshake is not complete.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.is_handshaking())
    }

    /// Returns the bytes of an incomplete TLS handshake that have arrived.
    pub(crate) fn handshake_bytes(&self) -> usize {
        self.session.as_ref().map_or(0, |session| session.handshake_bytes())
    }

    /// Returns whether the peer ended its side of the stream by close_notify, which no further readiness event of the
    /// socket reports. Without TLS, the socket reports the end of the stream itself.
    pub(crate) fn received_close_notify(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.received_close_notify())
    }

    /// Returns the next byte that the socket has received, without removing it; `None` if there is none now.
    pub(crate) fn peek_byte(&self) -> Option<u8> {
        let mut byte = [0];
        self.socket.peek(&mut byte).is_ok_and(|count| count == 1).then_some(byte[0])
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Takes the error of a socket for which the poll reported one, without reading what waits. Windows does not keep that of
    /// a reset.
    pub(crate) fn take_error(&self) -> Option<io::Error> {
        let error = self.socket.take_error().ok().flatten();
        error.or_else(|| cfg!(windows).then(|| io::ErrorKind::ConnectionReset.into()))
    }

    /// Handles that the socket accepts bytes again: writes the bytes that TLS has buffered, which are in no outbox.
    pub(crate) fn handle_writable(&mut self) -> io::Result<()> {
        self.session.as_mut().map_or(Ok(()), |session| session.handle_writable(&mut self.socket))
    }

    /// Shuts down the write side.
    pub(crate) fn shutdown(&mut self) -> io::Result<()> {
        match &mut self.session {
            None => self.socket.shutdown(Shutdown::Write),
            Some(session) => session.shutdown(&mut self.socket),
        }
    }

    /// Reads until `buffer` is full, the socket would block, or `budget` is spent. In the last case, more may wait, for
    /// which the poll does not wake again; that is also so for `WouldBlock`, when everything read so far decrypts to
    /// nothing.
    pub(crate) fn read(&mut self, buffer: &mut [u8], budget: &mut ReadBudget) -> io::Result<usize> {
        match &mut self.session {
            None => {
                let count = self.socket.read(buffer)?;
                budget.spend_bytes(count);
                Ok(count)
            }
            Some(session) => session.read(&mut self.socket, buffer, budget),
        }
    }

    /// Writes as much of `bytes` as possible without blocking, and returns how much that was.
    pub(crate) fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            match self.write(&bytes[written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.session {
            None => write_at_most(MAX_BYTES_PER_WRITE, &mut self.socket, &[IoSlice::new(bytes)]),
            Some(session) => session.write(&mut self.socket, &[IoSlice::new(bytes)]),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.session {
            None => write_at_most(MAX_BYTES_PER_WRITE, &mut self.socket, slices),
            Some(session) => session.write(&mut self.socket, slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the first of `slices` that have at most `limit` bytes together, or a part of the first one if that has more.
fn write_at_most(limit: usize, socket: &mut impl Write, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    // Empty ones alone would look like a socket that accepts nothing.
    let slices = &slices[slices.iter().take_while(|slice| slice.is_empty()).count()..];
    let mut left = limit;
    let fits = |slice: &IoSlice<'_>| {
        left = left.checked_sub(slice.len())?;
        Some(())
    };
    match (slices.iter().map_while(fits).count(), slices.first()) {
        (0, Some(first)) => socket.write(&first[..limit]),
        (1, Some(only)) => socket.write(only),
        (count, _) => socket.write_vectored(&slices[..count]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Accepts everything, as Windows does.
    #[derive(Default)]
    struct Greedy(Vec<usize>);

    impl Write for Greedy {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.len());
            Ok(bytes.len())
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let sum = slices.iter().map(|slice| slice.len()).sum();
            self.0.push(sum);
            Ok(sum)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_system_that_accepts_everything_is_given_a_limited_number_of_bytes() {
        let bytes = [0; 100];
        let written = |lengths: &[usize]| {
            let slices: Vec<IoSlice<'_>> = lengths.iter().map(|&length| IoSlice::new(&bytes[..length])).collect();
            let mut system = Greedy::default();
            let count = write_at_most(64, &mut system, &slices).unwrap();
            assert_eq!(system.0, [count]);
            count
        };
        assert_eq!([&[63][..], &[64], &[65], &[100]].map(written), [63, 64, 64, 64]);
        assert_eq!([&[30, 34][..], &[30, 35], &[30, 30, 30], &[65, 1], &[0, 100]].map(written), [64, 30, 60, 64, 64]);
    }
}
