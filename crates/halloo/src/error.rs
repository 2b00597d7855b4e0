//! What can go wrong, one sentence each, with the way out.

use std::any::Any;
use std::io;

use halloo_proto::url::UrlError;

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

/// Why a client did not even begin to connect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// What was given is no address.
    #[error("cannot connect to `{text}`: {error}")]
    Address {
        /// What was given, fit for a log.
        text: String,
        /// What is wrong with it.
        error: UrlError,
    },
    /// A secure address, and no TLS in this build.
    #[error("wss:// needs TLS, which this program was built without; use ws://, or build it with the feature `tls`")]
    NoTls,
    /// The system refused something the client needs.
    #[error("cannot {what}: {error}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// The system's error.
        error: io::Error,
    },
}

impl ConnectError {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> ConnectError {
        move |error| ConnectError::System { what, error }
    }
}

/// Why a server did not tell its status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// It was not even tried.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Nobody answers, or somebody else does.
    #[error("{0}")]
    Unreachable(String),
    /// It does not want to, and says why.
    #[error("the server refused: {0}")]
    Refused(String),
}

/// The server or client does not run: it was stopped, it gave up, or it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not run any more; start the server again with `restart`, or connect a new client")]
pub struct Stopped;

/// A panic that ended the thread `whose`, as a sentence.
pub(crate) fn panic_message(whose: &str, panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    format!("a panic on the {whose}'s thread: {}", text.unwrap_or("without a message"))
}
