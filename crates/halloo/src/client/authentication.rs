//! How a client shows servers that it knows their token.

use std::net::SocketAddr;

use halloo_proto::credential::Credential;
use halloo_proto::proof::{Challenge, Exchange};
use halloo_proto::token::Token;

/// Maximum number of challenges that are followed in one attempt to connect. The first one can be too old.
const MAX_CHALLENGES: u8 = 2;

/// The token of a client, and what servers asked for in the current attempt to connect.
#[derive(Debug)]
pub(super) struct Authentication {
    token: Option<Token>,
    /// The challenge that a server sent with status 401, and the address of the server.
    asked: Option<(SocketAddr, Challenge)>,
    challenges_left: u8,
}

impl Authentication {
    pub(super) fn new(token: Option<Token>) -> Authentication {
        Authentication { token, asked: None, challenges_left: MAX_CHALLENGES }
    }

    /// Starts a new attempt.
    pub(super) fn begin(&mut self) {
        (self.asked, self.challenges_left) = (None, MAX_CHALLENGES);
    }

    /// Returns what to send to the server at `addr`, which sent the `known` challenge when it was found. Without TLS, the
    /// token itself would be sent to everything that can read along or answers for the server.
    pub(super) fn credential(
        &self,
        addr: SocketAddr,
        is_secure: bool,
        known: Option<&Challenge>,
        nonce: [u8; 16],
    ) -> Option<Credential> {
        let token = self.token.clone()?;
        let asked = self.asked.as_ref().filter(|(asked_at, _)| *asked_at == addr).map(|(_, challenge)| challenge);
        Some(match asked.or(known) {
            Some(challenge) => Credential::Proof(token, Exchange::new(challenge.clone(), nonce)),
            None if is_secure => Credential::Token(token),
            None => Credential::AwaitChallenge,
        })
    }

    /// Handles that the server at `addr` refused `credential` with status 401. Returns whether to try again with its
    /// challenge.
    pub(super) fn handle_unauthorized(
        &mut self,
        addr: SocketAddr,
        credential: Option<&Credential>,
        challenge: Option<(Challenge, bool)>,
    ) -> bool {
        let (Some(credential), Some((challenge, is_stale))) = (credential, challenge) else { return false };
        let is_wrong = matches!(credential, Credential::Proof(..)) && !is_stale;
        if is_wrong || self.challenges_left == 0 {
            return false;
        }
        self.challenges_left -= 1;
        self.asked = Some((addr, challenge));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge() -> Challenge {
        Challenge::new("a1", "x").unwrap()
    }

    #[test]
    fn token_itself_is_sent_by_tls_only_and_not_if_there_is_a_challenge() {
        let (mut authentication, addr) = (Authentication::new(Some([1; 16].into())), ([10, 0, 0, 1], 1).into());
        let sent = |authentication: &Authentication, is_secure, known: Option<&Challenge>| {
            authentication.credential(addr, is_secure, known, [0; 16]).unwrap()
        };
        assert!(matches!(sent(&authentication, false, None), Credential::AwaitChallenge));
        assert!(matches!(sent(&authentication, true, None), Credential::Token(_)));
        assert!(matches!(sent(&authentication, true, Some(&challenge())), Credential::Proof(..)));
        let waiting = sent(&authentication, false, None);
        assert!(authentication.handle_unauthorized(addr, Some(&waiting), Some((challenge(), false))));
        assert!(matches!(sent(&authentication, false, None), Credential::Proof(..)));
        let elsewhere = authentication.credential(([10, 0, 0, 2], 1).into(), false, None, [0; 16]);
        assert!(matches!(elsewhere, Some(Credential::AwaitChallenge)), "the challenge is of another server");
        assert!(Authentication::new(None).credential(addr, true, Some(&challenge()), [0; 16]).is_none());
    }

    #[test]
    fn wrong_proof_is_final_and_stale_ones_are_renewed_twice() {
        let (mut authentication, addr) = (Authentication::new(Some([1; 16].into())), ([10, 0, 0, 1], 1).into());
        let proof = Credential::Proof([1; 16].into(), Exchange::new(challenge(), [0; 16]));
        assert!(!authentication.handle_unauthorized(addr, Some(&proof), Some((challenge(), false))));
        assert!(!authentication.handle_unauthorized(addr, Some(&proof), None));
        assert!(!authentication.handle_unauthorized(addr, None, Some((challenge(), false))));
        for expected in [true, true, false] {
            assert_eq!(authentication.handle_unauthorized(addr, Some(&proof), Some((challenge(), true))), expected);
        }
        authentication.begin();
        assert!(authentication.handle_unauthorized(addr, Some(&proof), Some((challenge(), true))));
    }
}
