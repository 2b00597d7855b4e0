//! A blocking socket with a deadline for everything together.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long a request may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestTimeouts {
    /// The time to connect, and the time without progress after that.
    pub(super) step: Duration,
    /// The time for the whole request.
    pub(super) total: Duration,
}

/// A blocking socket whose reads and writes fail with `TimedOut` when the peer makes no progress for a step, and when the
/// whole time is over, however often a byte arrives.
#[derive(Debug)]
pub(super) struct TimedSocket {
    socket: TcpStream,
    step: Duration,
    deadline: Instant,
}

impl TimedSocket {
    /// Connects to `addr`. `deadline` is that of the whole request.
    pub(super) fn connect(addr: SocketAddr, step: Duration, deadline: Instant) -> io::Result<TimedSocket> {
        let left = time_left(step, deadline)?;
        Ok(TimedSocket { socket: TcpStream::connect_timeout(&addr, left)?, step, deadline })
    }
}

impl Read for TimedSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(time_left(self.step, self.deadline)?))?;
        self.socket.read(buffer).map_err(timed_out)
    }
}

impl Write for TimedSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(time_left(self.step, self.deadline)?))?;
        self.socket.write(bytes).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the time for the next step.
fn time_left(step: Duration, deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now()).min(step);
    if left.is_zero() { Err(too_slow()) } else { Ok(left) }
}

/// Unix reports a timeout as `WouldBlock`, and Windows as `TimedOut`.
fn timed_out(error: io::Error) -> io::Error {
    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) { too_slow() } else { error }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it does not respond in time")
}
