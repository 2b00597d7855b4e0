//! What can go wrong, one sentence each, with the way out.

use std::io;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No port could be had.
    #[error("cannot listen on {address} port {ports}: {error}; {}", way_out(.error, .them))]
    Bind {
        /// The address tried.
        address: String,
        /// The port or the range tried.
        ports: String,
        /// "it" or "them".
        them: &'static str,
        /// The system's last error; not a `source`, since the sentence has it already.
        error: io::Error,
    },
    /// The system refused something the server needs.
    #[error("cannot {what}: {error}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// The system's error.
        error: io::Error,
    },
}

/// What helps against a failed bind.
fn way_out(error: &io::Error, them: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => {
            "give an address of this machine to `--bind` (`Config::bind`), or none for all of them".into()
        }
        io::ErrorKind::PermissionDenied => {
            "choose a port from 1024 up with `--port` (`Config::port`), 0 for any free one".into()
        }
        _ => format!(
            "stop the program that holds {them} or choose another with `--port` (`Config::port`), 0 for any free one"
        ),
    }
}

impl StartError {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> StartError {
        move |error| StartError::System { what, error }
    }
}

/// The server does not run: it was stopped, or it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server does not run any more; start it again with `restart`")]
pub struct Stopped;
