//! Which end of an attempt or a connection is final.

use crate::close::CloseCode;

/// How an attempt to connect, or a connection, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The connection was closed with this code.
    Closed(CloseCode),
    /// The handshake was refused with this HTTP status, and no challenge is left to respond to.
    Refused(u16),
    /// The peer has another id than the server that is meant, or does not know the token.
    WrongServer,
    /// The peer is not a WebSocket server, or speaks no TLS or another version of it.
    NotWebSocket,
    /// The certificate is not trusted.
    NotTrusted {
        /// Whether the certificate is pinned, so that another one only shows that this is another server.
        is_pinned: bool,
    },
    /// There was no connection, or it was lost.
    Lost,
}

/// How certain it is that the peer was the server that is meant. Another one may have taken the address of that server, and
/// its decisions mean nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Certainty {
    /// The target is an address, so that no search leads to another one.
    pub is_given: bool,
    /// In this attempt, the server answered a search from this address, or named the id that was found.
    pub is_found: bool,
    /// In its handshake, the server confirmed its id, proved the token, or had the pinned certificate.
    pub is_proven: bool,
    /// The connection was stable: it lasted for 10 s.
    pub is_stable: bool,
    /// In this attempt, there are other addresses to try.
    pub has_others: bool,
}

impl Certainty {
    /// Returns whether the client ends. Otherwise, it tries the other addresses, or searches, or pauses and tries again.
    ///
    /// ```
    /// use halloo_proto::reconnect::{Certainty, Ending};
    ///
    /// let given = Certainty { is_given: true, ..Certainty::default() };
    /// assert!(given.is_final(Ending::Refused(403)));
    /// assert!(!Certainty::default().is_final(Ending::Refused(403))); // perhaps by another server
    /// assert!(!given.is_final(Ending::Lost));
    /// ```
    pub fn is_final(self, ending: Ending) -> bool {
        let is_server = self.is_given || self.is_found;
        let is_last = self.is_given && !self.has_others;
        match ending {
            Ending::Closed(code) => (is_server || self.is_proven || self.is_stable) && is_final_code(code),
            // After another status, a search may still lead to the server: a proxy may have taken its address.
            Ending::Refused(401 | 403 | 404 | 426) => is_server,
            Ending::Refused(status) => self.is_given && is_final_status(status),
            Ending::WrongServer | Ending::NotWebSocket => is_last,
            Ending::NotTrusted { is_pinned } => is_last || (is_server && !is_pinned),
            Ending::Lost => false,
        }
    }
}

/// Returns whether not to reconnect after a close with `code`, because the next connection would end in the same way.
///
/// Protocol violations (1002, 1003, 1007 to 1010) and the codes of applications (3000 and above) are final. After a
/// normal closure, a restart, an overload, a transfer that was too slow (1013) or a lost connection, a client tries
/// again.
pub fn is_final_code(code: CloseCode) -> bool {
    matches!(code.number(), 1002 | 1003 | 1007..=1010 | 3000..)
}

/// Returns whether a handshake that was refused with the HTTP `status` would be refused again: all but 408, 425, 429
/// and server errors (500 and above).
pub fn is_final_status(status: u16) -> bool {
    status < 500 && !matches!(status, 408 | 425 | 429)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_application_codes_and_client_errors_are_final() {
        for code in [1000, 1001, 1005, 1006, 1011, 1012, 1013] {
            assert!(!is_final_code(code.into()), "{code}");
        }
        for code in [1002, 1003, 1007, 1008, 1009, 1010, 3000, 4000, 4999, 5000] {
            assert!(is_final_code(code.into()), "{code}");
        }
        assert!([200, 301, 400, 401, 403, 404, 405, 426, 431].into_iter().all(is_final_status));
        assert!(![408, 425, 429, 500, 502, 503].into_iter().any(is_final_status));
    }
}
