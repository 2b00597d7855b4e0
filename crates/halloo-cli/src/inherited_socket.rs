//! The listening socket that systemd opens for a service and passes to it (sd_listen_fds(3)).

use std::net::TcpListener;

/// Takes the socket from systemd, if it passed one. Call it once: the variables that announce it are removed.
///
/// # Errors
/// If there are several, or if it is no TCP socket.
#[cfg(unix)]
pub(crate) fn take() -> anyhow::Result<Option<TcpListener>> {
    let Some(sockets) = passed_sockets(|name| std::env::var(name).ok(), std::process::id()) else { return Ok(None) };
    if sockets > 1 {
        anyhow::bail!(
            "systemd passed {sockets} sockets; halloo serves one; keep one `ListenStream=` in the socket unit"
        );
    }
    listenfd::ListenFd::from_env().take_tcp_listener(0).map_err(|error| {
        anyhow::anyhow!(
            "systemd passed something else than a TCP socket ({error}); use `ListenStream=` with a port in the socket unit"
        )
    })
}

/// Returns `None`: only Unix passes sockets in this way.
#[cfg(not(unix))]
pub(crate) fn take() -> anyhow::Result<Option<TcpListener>> {
    Ok(None)
}

/// Returns how many sockets were passed to the process `id`; `None` if there are none. A program that was started by a
/// service inherits its variables, but not its sockets.
#[cfg(unix)]
fn passed_sockets(variable: impl Fn(&str) -> Option<String>, id: u32) -> Option<u32> {
    let number = |name| variable(name)?.parse::<u32>().ok();
    if number("LISTEN_PID")? != id {
        return None;
    }
    number("LISTEN_FDS").filter(|&sockets| sockets > 0)
}

#[cfg(all(test, unix))]
mod tests {
    use super::passed_sockets;

    #[test]
    fn sockets_for_another_process_are_not_taken() {
        let sockets = |listen_pid: Option<&str>, listen_fds: &str| {
            let variable = |name: &str| match name {
                "LISTEN_PID" => listen_pid.map(str::to_owned),
                _ => Some(listen_fds.to_owned()),
            };
            passed_sockets(variable, 7)
        };
        assert_eq!(sockets(Some("7"), "2"), Some(2));
        assert_eq!(sockets(Some("8"), "2"), None);
        assert_eq!(sockets(None, "1"), None);
        assert_eq!(sockets(Some("7"), "0"), None);
        assert_eq!(sockets(Some("7"), "one"), None);
    }
}
