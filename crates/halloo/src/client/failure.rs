//! Why there is no connection.

/// Why an attempt to connect failed, or why the client gave up.
#[derive(Debug)]
pub(super) struct Failure {
    /// Escaped for a log.
    pub(super) reason: String,
    /// The HTTP status with which the server refused the handshake, if it did.
    pub(super) status: Option<u16>,
    /// How far the attempt came.
    progress: Progress,
}

/// How far an attempt came. The further, the more its failure says about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Progress {
    /// There was no address to try.
    NoAddress,
    /// There was no connected socket.
    NotConnected,
    /// The peer accepted the socket, and then did not complete the handshake.
    Connected,
    /// The server responded by HTTP and refused.
    Refused,
}

impl Failure {
    /// The failure of an attempt that came to `progress`.
    pub(super) fn new(progress: Progress, reason: String) -> Failure {
        Failure { reason, status: None, progress }
    }

    /// The refusal of a server with this HTTP status.
    pub(super) fn refused(status: u16, reason: String) -> Failure {
        Failure { reason, status: Some(status), progress: Progress::Refused }
    }

    pub(super) fn no_address() -> Failure {
        Failure::new(Progress::NoAddress, "the server has no address".into())
    }

    /// Returns the one of both that came further. If none did, it is this one.
    #[must_use]
    pub(super) fn or_further(self, other: Option<Failure>) -> Failure {
        other.filter(|other| other.progress > self.progress).unwrap_or(self)
    }
}

impl From<String> for Failure {
    /// The failure of an attempt that led to no connected socket.
    fn from(reason: String) -> Failure {
        Failure::new(Progress::NotConnected, reason)
    }
}
