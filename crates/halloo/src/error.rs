//! The errors of servers and clients. Each message says what happened, and what to do.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use halloo_proto::room::RoomNameError;
use halloo_proto::url::UrlError;

use crate::port_owners::{self, PortOwner};

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No port could be bound.
    #[error("{}", describe_bind(.address, .ports, .owners, .error))]
    Bind {
        /// The address that was tried.
        address: String,
        /// The port or the range of ports that was tried, such as `8765-8774`.
        ports: String,
        /// The programs that use these ports, as far as the system shows them to this user.
        owners: Vec<PortOwner>,
        /// The last error of the system; not a `source`, because the sentence contains it.
        error: io::Error,
    },
    /// [`Config::listener`](crate::Config::listener) is no socket that can accept connections.
    #[error("cannot listen on the given socket: {0}; pass one that is bound and not connected")]
    Listener(io::Error),
    /// The name is empty or blank, so it is invisible in a list of servers.
    #[error("the name of the server is blank; choose one with a visible character")]
    BlankName,
    /// The application id is empty or blank, so no filter finds the server.
    #[error("the application id of the server is blank; choose one with a visible character, or none")]
    BlankApp,
    /// A subprotocol has a name that no client can offer.
    #[error(
        "`{name}` is not the name of a subprotocol; use 1 to 64 letters, digits and characters like . - _, and do not begin \
         with `halloo.`"
    )]
    Subprotocol {
        /// The name, escaped.
        name: String,
    },
    /// The system refused something that the server needs.
    #[error("cannot {what}: {error}")]
    System {
        /// What failed, as the object of "cannot".
        what: &'static str,
        /// The system's error.
        error: io::Error,
    },
}

fn describe_bind(address: &str, ports: &str, owners: &[PortOwner], error: &io::Error) -> String {
    let by = port_owners::by(owners);
    let used = if by.is_empty() { String::new() } else { format!(", used{by}") };
    match error.kind() {
        io::ErrorKind::AddrInUse if ports.contains('-') => {
            format!(
                "no free port in {ports} on {address}{used} ({error}); stop the program that uses one, or choose another \
                 port"
            )
        }
        io::ErrorKind::AddrInUse => {
            format!(
                "port {ports} on {address} is in use{by} ({error}); stop the program that uses it, or choose another port"
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("cannot listen on {address} ({error}); choose an address of this machine, or none for all of them")
        }
        io::ErrorKind::PermissionDenied if is_privileged(ports) => {
            format!("cannot listen on port {ports} ({error}); choose a port from 1024 up, or 0 for any free one")
        }
        io::ErrorKind::PermissionDenied => {
            format!(
                "the system reserves or forbids port {ports} on {address} ({error}); choose another port, or 0 for any \
                 free one"
            )
        }
        _ => format!("cannot listen on {address} port {ports}: {error}"),
    }
}

/// Returns whether `ports` begins with a port that Unix systems reserve for privileged programs.
fn is_privileged(ports: &str) -> bool {
    let first = ports.split('-').next().unwrap_or(ports);
    first.parse().is_ok_and(|port: u16| port < 1024)
}

impl StartError {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> StartError {
        move |error| StartError::System { what, error }
    }
}

/// Why a client could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is invalid.
    #[error("cannot connect to `{text}`: {error}")]
    Address {
        /// The address, safe to log.
        text: String,
        /// What is wrong with it.
        error: UrlError,
    },
    /// The address needs TLS, which this build does not have.
    #[error("wss:// needs TLS, which this program was built without; use ws://, or build it with the feature `tls`")]
    NoTls,
    /// A client cannot join a room of this name.
    #[error(transparent)]
    Room(#[from] RoomNameError),
    /// A subprotocol has a name that cannot be offered.
    #[error(
        "`{name}` is not the name of a subprotocol; use 1 to 64 letters, digits and characters like . - _, and do not begin \
         with `halloo.`"
    )]
    Subprotocol {
        /// The name, escaped.
        name: String,
    },
    /// The system refused something that the client needs.
    #[error("cannot {what}: {error}")]
    System {
        /// What failed, as the object of "cannot".
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

/// Why the status of a server could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// The request could not be started.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server did not respond, or is not a halloo server.
    #[error("{0}")]
    Unreachable(String),
    /// The server refused.
    #[error("the server refused ({status}): {reason}")]
    Refused {
        /// The HTTP status of its response: 401 when it requires a token, 403 when an access rule forbids it.
        status: u16,
        /// Its reason, escaped.
        reason: String,
    },
}

/// Why something about a room was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoomError {
    /// No room has this name.
    #[error(transparent)]
    Name(#[from] RoomNameError),
    /// The client is not connected.
    #[error("the client is not connected")]
    NotConnected,
    /// The client is in as many rooms as it may be: [`Config::max_rooms_per_client`](crate::Config::max_rooms_per_client).
    #[error("the client is in {most} rooms, which is the most; let it leave one first, or raise the limit")]
    TooManyRoomsOfClient {
        /// The limit.
        most: usize,
    },
    /// There are as many rooms as there may be: [`Config::max_rooms`](crate::Config::max_rooms).
    #[error("there are {most} rooms, which is the most; use one of them, or raise the limit")]
    TooManyRooms {
        /// The limit.
        most: usize,
    },
    /// Too many commands wait for the server.
    #[error("too many commands wait for the server; try again later")]
    Busy,
    /// The server has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// The server or client is no longer running: it was stopped, gave up, or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server or client has stopped; restart the server with `restart`, or connect a new client")]
pub struct Stopped;

/// Runs `work`, which may panic because it runs code of the application (its logger, the drop of its handler) or
/// failed before, and continues in any case, because other threads wait for what follows.
pub(crate) fn ignoring_panics(work: impl FnOnce()) {
    // The panic was reported when it happened.
    let _ = catch_unwind(AssertUnwindSafe(work));
}

/// Describes a panic on the thread of `owner`, such as `server`.
pub(crate) fn panic_message(owner: &str, panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    format!("a panic on the {owner}'s thread: {}", text.unwrap_or("without a message"))
}
