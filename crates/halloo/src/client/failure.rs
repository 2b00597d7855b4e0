//! Why there is no connection.

/// Why an attempt to connect failed, or why the client gave up.
#[derive(Debug)]
pub(super) struct Failure {
    /// Escaped for a log.
    pub(super) reason: String,
    /// The HTTP status with which the server refused the handshake, if it did.
    pub(super) status: Option<u16>,
}

impl From<String> for Failure {
    fn from(reason: String) -> Failure {
        Failure { reason, status: None }
    }
}
