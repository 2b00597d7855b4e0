//! The end of the program that reads standard output.

/// Waits until standard output is a pipe or a socket whose reader is gone, or a terminal that is closed. Returns `false` at
/// once where that cannot be seen without writing.
#[cfg(unix)]
pub(crate) fn wait_for_stdout_hangup() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;

    /// How often systems are asked that report a hangup only together with other events.
    const INTERVAL: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

    let waits = cfg!(any(target_os = "linux", target_os = "android"));
    let stdout = std::io::stdout();
    let hung_up = |events, timeout: Option<&Timespec>| {
        let mut fds = [PollFd::new(&stdout, events)];
        match poll(&mut fds, timeout) {
            Ok(_) => Ok(fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL)),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error),
        }
    };
    loop {
        let result = match waits {
            true => hung_up(PollFlags::empty(), None),
            false => hung_up(PollFlags::OUT, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })),
        };
        match result {
            Ok(true) => return true,
            Ok(false) if waits => {}
            // Returns when the time is over, because nothing else is awaited.
            Ok(false) if poll(&mut [], Some(&INTERVAL)).is_ok() => {}
            _ => return false,
        }
    }
}

/// Returns `false`: a pipe of Windows shows the end of its reader only to a write.
#[cfg(not(unix))]
pub(crate) fn wait_for_stdout_hangup() -> bool {
    false
}
