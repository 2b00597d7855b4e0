//! What a service tells systemd about itself (sd_notify(3)). Nothing is sent where no service manager asks for it.

/// What the service does.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has such service managers"))]
pub(crate) enum State<'a> {
    /// It accepts connections, at this address.
    Ready(&'a str),
    /// It reads its files again, until it is ready.
    Reloading,
    /// It closes its connections.
    Stopping,
}

/// Returns whether a service manager wants to know what the service does.
pub(crate) fn is_present() -> bool {
    cfg!(unix) && std::env::var_os("NOTIFY_SOCKET").is_some_and(|path| !path.is_empty())
}

/// Tells the service manager, if there is one. A failure is logged: systemd then stops the service after a timeout.
#[cfg(unix)]
pub(crate) fn notify(state: State<'_>) {
    let path = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty());
    if let Some(path) = path
        && let Err(error) = send(&path, &text(state))
    {
        tracing::warn!("cannot tell the service manager that the state has changed: {error}; check NOTIFY_SOCKET");
    }
}

/// Does nothing.
#[cfg(not(unix))]
pub(crate) fn notify(_: State<'_>) {}

#[cfg(unix)]
fn text(state: State<'_>) -> String {
    match state {
        State::Ready(url) => format!("READY=1\nSTATUS=serving at {url}"),
        State::Reloading => {
            // A unit with `Type=notify-reload` needs the time, in microseconds.
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
            format!("RELOADING=1\nMONOTONIC_USEC={microseconds}\nSTATUS=reading the certificate again")
        }
        State::Stopping => "STOPPING=1\nSTATUS=closing the connections".to_owned(),
    }
}

/// Sends `text` to the socket at `path`. With an `@` at its beginning, it is the name of an abstract socket of Linux.
#[cfg(unix)]
fn send(path: &std::ffi::OsStr, text: &str) -> std::io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    let address = match path.as_bytes() {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        [b'@', name @ ..] => {
            #[cfg(target_os = "android")]
            use std::os::android::net::SocketAddrExt;
            #[cfg(target_os = "linux")]
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name)?
        }
        _ => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A service manager that hangs does not stop the server.
    socket.set_write_timeout(Some(std::time::Duration::from_secs(1)))?;
    socket.send_to_addr(text.as_bytes(), &address).map(drop)
}
