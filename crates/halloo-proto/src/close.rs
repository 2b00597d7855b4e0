//! Close codes, and violations of the protocol or of a limit.

use std::fmt;

/// A close code (RFC 6455 section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCode {
    /// 1000: normal closure.
    Normal,
    /// 1001: the server is stopping, or the browser is leaving the page.
    GoingAway,
    /// 1002: the peer violated the protocol.
    ProtocolError,
    /// 1003: the receiver does not accept this type of data.
    Unsupported,
    /// 1005: the close frame had no code; never sent.
    NoStatus,
    /// 1006: the connection ended without a close frame; never sent.
    Abnormal,
    /// 1007: a text is not valid UTF-8, or a compressed message is damaged.
    InvalidData,
    /// 1008: the peer exceeded a limit of the receiver.
    PolicyViolation,
    /// 1009: a message is larger than the receiver accepts.
    TooBig,
    /// 1011: an internal error of the server.
    InternalError,
    /// 1013: the receiver is overloaded, or the peer is too slow; try again later.
    TryAgainLater,
    /// Any other number; 3000 to 4999 are available to libraries and applications.
    Other(u16),
}

impl CloseCode {
    /// Returns the number, including those that are never sent (1005, 1006).
    pub fn number(self) -> u16 {
        match self {
            CloseCode::Normal => 1000,
            CloseCode::GoingAway => 1001,
            CloseCode::ProtocolError => 1002,
            CloseCode::Unsupported => 1003,
            CloseCode::NoStatus => 1005,
            CloseCode::Abnormal => 1006,
            CloseCode::InvalidData => 1007,
            CloseCode::PolicyViolation => 1008,
            CloseCode::TooBig => 1009,
            CloseCode::InternalError => 1011,
            CloseCode::TryAgainLater => 1013,
            CloseCode::Other(number) => number,
        }
    }

    /// Returns whether an endpoint may send this code: a registered one, or 3000 to 4999 (RFC 6455 section 7.4.2).
    pub fn is_sendable(self) -> bool {
        matches!(self.number(), 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Returns the number to write into a close frame; `None` if the frame must not contain one.
    pub(crate) fn on_the_wire(self) -> Option<u16> {
        self.is_sendable().then(|| self.number())
    }
}

impl From<u16> for CloseCode {
    fn from(number: u16) -> CloseCode {
        match number {
            1000 => CloseCode::Normal,
            1001 => CloseCode::GoingAway,
            1002 => CloseCode::ProtocolError,
            1003 => CloseCode::Unsupported,
            1005 => CloseCode::NoStatus,
            1006 => CloseCode::Abnormal,
            1007 => CloseCode::InvalidData,
            1008 => CloseCode::PolicyViolation,
            1009 => CloseCode::TooBig,
            1011 => CloseCode::InternalError,
            1013 => CloseCode::TryAgainLater,
            number => CloseCode::Other(number),
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// A violation of the protocol or of a limit by the peer, with the content of the close frame to send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} ({code})")]
pub struct Violation {
    /// The code to close with.
    pub code: CloseCode,
    /// The reason, for the close frame and for the log.
    pub reason: String,
}

impl Violation {
    /// Creates a violation with this code and reason.
    pub fn new(code: CloseCode, reason: impl Into<String>) -> Violation {
        Violation { code, reason: reason.into() }
    }

    /// `side`: whose limit it is.
    pub(crate) fn too_big(side: &str, most: usize) -> Violation {
        Violation::new(CloseCode::TooBig, format!("the message is larger than the {side}'s limit of {most} bytes"))
    }

    // Not 1008, after which a client gives up: the link was too slow, and may be faster next time.
    pub(crate) fn partial_timeout() -> Violation {
        Violation::new(CloseCode::TryAgainLater, "the message arrived too slowly")
    }

    pub(crate) fn not_utf8() -> Violation {
        Violation::new(CloseCode::InvalidData, "the text is not UTF-8")
    }

    pub(crate) fn protocol(reason: &str) -> Violation {
        Violation::new(CloseCode::ProtocolError, reason)
    }
}
